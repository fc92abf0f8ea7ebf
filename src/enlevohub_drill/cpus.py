"""CPUs of their own for the servers of a lab: a real server cannot borrow those of another one while that one rests."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from enlevohub_bench_api.quota import MOUNTS, NotAllowedError
from enlevohub_drill.site import Datacenter

PROCESSES = Path("/proc")


def split(cpus: Sequence[int]) -> tuple[list[int], list[int]]:
    """Divide CPUs between the servers that are worked on (applications) and the others.

    Raises:
        NotAllowedError: there are less than two.
    """
    if len(cpus) < 2:
        raise NotAllowedError("this machine has one CPU")
    middle = len(cpus) // 2
    return list(cpus[:middle]), list(cpus[middle:])


def cpuset_mount(mounts: str) -> Path | None:
    """Return where the hierarchy of version 1 with the cpuset controller is mounted; None where there is none."""
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split(" ")
        if kind == "cgroup" and "cpuset" in options.split(","):
            return Path(place)
    return None


def confine(group: Path, cpus: str) -> None:
    """Write the CPUs of a group of version 1 and of all below it.

    The kernel wants a group to have no CPU that its parent lacks, so a group that shrinks comes after those below it
    and one that grows before them.
    """
    below = sorted((Path(folder) for folder, _, _ in os.walk(group)), key=lambda path: len(path.parts))
    wanted = numbers(cpus)
    shrinks = wanted <= numbers((group / "cpuset.cpus").read_text(encoding="ascii"))
    for path in reversed(below) if shrinks else below:
        try:
            (path / "cpuset.cpus").write_text(cpus, encoding="ascii")
        except FileNotFoundError:
            if path == group:
                raise
            # a container below that ended meanwhile


def numbers(cpus: str) -> set[int]:
    """Read a list of the kernel such as ``0-2,5``."""
    found: set[int] = set()
    for part in cpus.strip().split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1)) if first else set()
    return found


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise NotAllowedError(f"docker {words[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def give(container: str, cpus: str) -> None:
    """Let a container and all that runs inside it use only some CPUs.

    Raises:
        NotAllowedError: this machine does not let the caller.
    """
    mount = cpuset_mount(MOUNTS.read_text(encoding="utf-8"))
    if mount is None:  # version 2: the engine's own command reaches all below as well
        _docker("update", "--cpuset-cpus", cpus, container)
        return
    pid = _docker("inspect", "--format", "{{.State.Pid}}", container)
    try:
        text = (PROCESSES / pid / "cgroup").read_text(encoding="ascii")
        found = re.search(r"^\d+:(?:[^:]*,)?cpuset(?:,[^:]*)?:(.*)$", text, re.M)
        confine(mount / (found.group(1).lstrip("/") if found else ""), cpus)
    except OSError as error:
        raise NotAllowedError(f"control groups version 1: {error}") from error


@contextmanager
def servers_of_their_own(site: Datacenter) -> Iterator[Callable[[str], None]]:
    """Give the application servers one half of the CPUs and all other servers of a lab the other half; takes it back.

    Yields:
        A function that does the same to one more application server, by its name.

    Raises:
        NotAllowedError: this machine does not let the caller.
    """
    all_cpus = sorted(os.sched_getaffinity(0))
    halves = [",".join(map(str, half)) for half in split(all_cpus)]
    busy = {*site.groups["backend_servers"], *site.groups["frontend_servers"]}

    def container(host: str) -> str:
        return f"enlevohub-{site.inventory.name}-{host}"

    try:
        for host in site.groups["all"]:
            give(container(host), halves[host not in busy])
        yield lambda host: give(container(host), halves[0])
    finally:
        for host in site.groups["all"]:
            give(container(host), ",".join(map(str, all_cpus)))
