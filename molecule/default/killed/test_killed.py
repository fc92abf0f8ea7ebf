"""A first converge that is killed again and again: the next run goes on where the killed one stopped.

The steps that follow (converge, idempotence) show that the site is whole afterwards. ENLEVOHUB_KILLS is the number of
kills (4), ENLEVOHUB_SEED the seed of the moments; both are printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

KILLS = int(os.environ.get("ENLEVOHUB_KILLS", "4"))
SEED = int(os.environ.get("ENLEVOHUB_SEED", str(random.SystemRandom().randrange(10**6))))
LIMIT = 900.0


def run_and_kill(command: list[str], cwd: Path, at_task: int, delay: float) -> tuple[str, int | None]:
    """Run a playbook and kill -9 it some seconds after a task began; returns that task, and 0 when the run ended."""
    begin = time.monotonic()
    task = "(none)"
    environment = os.environ | {"ANSIBLE_NOCOLOR": "1"}
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        count = 0
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            assert time.monotonic() - begin < LIMIT, f"the run before a kill takes longer than {LIMIT} s"
            if not line.startswith("TASK ["):
                continue
            count += 1
            if count == at_task:
                task = line[6:].split("]")[0]
                try:
                    return task, process.wait(delay)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    return task, None
        code = process.wait()
        assert code == 0, f"a run after a kill failed with {code}:\n{''.join(said[-80:])}"
        return task, code


def test_first_converge_survives_kill_9_at_many_points(datacenter: Any, request: Any) -> None:
    root = Path(request.config.rootpath)
    dice = random.Random(SEED)
    print(f"\n{KILLS} kills, seed {SEED}")
    command = ["ansible-playbook", "-i", "inventories/molecule", "playbooks/site.yml"]
    listed = subprocess.run([*command, "--list-tasks"], cwd=root, capture_output=True, text=True, check=True).stdout
    tasks = sum("TAGS:" in line and " : " in line for line in listed.splitlines())
    assert tasks > 15, listed
    killed = 0
    for number in range(KILLS):
        at_task = 1 + (number * tasks) // KILLS + dice.randrange(max(1, tasks // KILLS))
        task, code = run_and_kill(command, root, at_task, dice.uniform(0.1, 4.0))
        outcome = "killed" if code is None else "ended before"
        print(f"kill {number + 1}: task {at_task} of {tasks}, {task}: {outcome}")
        killed += code is None
    assert killed > 0
