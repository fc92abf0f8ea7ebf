"""Measure a lab: first converge, no-op, one-line change, ping; uploads and downloads; print a table and JSON.

The no-op, the change and the ping run on the lab of ``--inventory``, which must be converged. The first converge runs
on hosts of ``inventories/molecule``, made blank for it and removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from enlevohub_bench.storage import StorageFigure, storage_figures

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
BLANK_INVENTORY = "inventories/molecule"
CHANGE = "haproxy_check_interval"


@dataclass
class Figure:
    """What one kind of run took: medians in seconds of wall clock and of CPU on the control machine."""

    name: str
    runs: int
    wall_seconds: float
    cpu_seconds: float
    remote_calls: int
    changed: int


@dataclass
class Sample:
    """One run."""

    wall: float
    cpu: float
    output: str


def run(*command: str) -> Sample:
    """Run a command of the Python environment; it must succeed.

    Raises:
        SystemExit: the command failed; its last lines are shown.
    """
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "PYTHONPATH": str(ROOT / "src")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wall = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stdout[-4000:]}")
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Sample(wall, cpu, done.stdout)


def changed_tasks(output: str) -> int:
    """Return the number of changed tasks in a recap."""
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


def remote_calls(*command: str) -> int:
    """Count the commands that go to the hosts, from a verbose run of its own."""
    return calls_in(run(*command, "-vvv").output)


def calls_in(output: str) -> int:
    """Return the number of commands that went to the hosts, from the output of a run with -vvv."""
    return len(re.findall(r"^<[^>]+> SSH: EXEC", output, re.M))


def figure(name: str, samples: list[Sample], calls: int) -> Figure:
    """Return the medians of some runs."""
    return Figure(
        name=name,
        runs=len(samples),
        wall_seconds=round(statistics.median(sample.wall for sample in samples), 2),
        cpu_seconds=round(statistics.median(sample.cpu for sample in samples), 2),
        remote_calls=calls,
        changed=changed_tasks(samples[-1].output),
    )


def first_converge() -> Figure:
    """Converge blank hosts once; they are removed before and after. Images are built before, so they are not in it."""
    lab = ("python", "-m", "enlevohub_lab", "--inventory", BLANK_INVENTORY)
    run(*lab, "down")
    run("python", "-m", "enlevohub_secrets", "--environment", Path(BLANK_INVENTORY).name)
    run(*lab, "hosts")
    try:
        sample = run("ansible-playbook", "-i", BLANK_INVENTORY, "playbooks/site.yml", "-vvv")
    finally:
        run(*lab, "down")
    return figure("first converge", [sample], calls_in(sample.output))


def measure(inventory: str, repeat: int, blank: bool) -> list[Figure]:
    """Return all figures; the runs of the kinds alternate, so that a busy moment hits all alike."""
    ping = ("ansible", "-i", inventory, "all", "-m", "ansible.builtin.ping")
    site = ("ansible-playbook", "-i", inventory, "playbooks/site.yml")
    run(*site)
    pings, noops, changes = [], [], []
    for number in range(repeat):
        pings.append(run(*ping))
        noops.append(run(*site))
        changes.append(run(*site, "-e", f"{CHANGE}={2001 + number}ms"))
        run(*site)  # takes the change back, so that the next no-op is one
    figures = [
        figure("ping all hosts", pings, remote_calls(*ping)),
        figure("no-op", noops, remote_calls(*site)),
        figure("one-line change", changes, remote_calls(*site, "-e", f"{CHANGE}=2999ms")),
    ]
    run(*site)
    return figures + ([first_converge()] if blank else [])


def main() -> None:
    """Measure, print the table and the ratios, keep the JSON."""
    parser = argparse.ArgumentParser(prog="enlevohub_bench", description=__doc__)
    parser.add_argument("--inventory", default="inventories/lab")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--no-first-converge", action="store_true")
    parser.add_argument("--only-storage", action="store_true", help="uploads and downloads only")
    arguments = parser.parse_args()
    storage, ratios = storage_figures((ROOT / arguments.inventory).resolve())
    figures: list[Figure] = []
    if not arguments.only_storage:
        figures = measure(arguments.inventory, arguments.repeat, not arguments.no_first_converge)
        ratios = {**playbook_ratios(figures), **ratios}
    print_table(figures, storage, ratios)
    content = {
        "figures": [asdict(item) for item in figures],
        "storage": [asdict(item) for item in storage],
        "ratios": ratios,
    }
    document = json.dumps(content, indent=2)
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(document + "\n", encoding="utf-8")
    print(document)


def playbook_ratios(figures: list[Figure]) -> dict[str, float]:
    """Return what a run costs beside the least that could be asked of all hosts."""
    walls = {item.name: item.wall_seconds for item in figures}
    return {
        "no-op / ping": round(walls["no-op"] / walls["ping all hosts"], 2),
        "change / no-op": round(walls["one-line change"] / walls["no-op"], 2),
    }


def print_table(figures: list[Figure], storage: list[StorageFigure], ratios: dict[str, float]) -> None:
    """Print everything for people."""
    print(f"{'':18}{'runs':>6}{'wall s':>10}{'CPU s':>10}{'remote calls':>14}{'changed':>9}")
    for item in figures:
        print(
            f"{item.name:18}{item.runs:>6}{item.wall_seconds:>10.2f}{item.cpu_seconds:>10.2f}"
            f"{item.remote_calls:>14}{item.changed:>9}"
        )
    for line in storage:
        print(f"{line.name:24}{line.rate:>10.2f} {line.unit}")
    for name, value in ratios.items():
        print(f"{name:24}{value:>10.2f}")


main()
