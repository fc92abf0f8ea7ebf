"""A working Docker engine: the one that runs, or one that this tool installs and starts."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from enlevohub_lab.packages import install
from enlevohub_lab.process import as_root, docker, run, tail
from enlevohub_lab.turns import short_turns

STARTS_WITHIN = 60.0
PID_FILES = (Path("/run/docker.pid"), Path("/run/docker/containerd/containerd.pid"))
SYSTEMD_RUNS = Path("/run/systemd/system")


def _refusal() -> str:
    """Why the engine does not answer; empty when it does."""
    if not shutil.which("docker"):
        return "docker is not installed"
    done = run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=20, check=False)
    return "" if done.returncode == 0 and done.stdout.strip() else done.stderr.strip() or "no answer"


def engine_answers(state: Path, console: Console, *, may_install: bool) -> bool:
    """Have an engine that answers: start the one that is installed, install one where that is allowed.

    Args:
        state: directory for the log and the process id of an engine started here.
        console: where progress is shown.
        may_install: whether to install what is missing.

    Returns:
        False when this machine has no engine and none may be installed.

    Raises:
        LabError: no right to use it, another machine's engine, installation or start failed.
    """
    if not may_install and not shutil.which("docker"):
        return False
    refusal = _refusal()
    if not refusal:
        return True
    if "permission denied" in refusal:
        raise LabError("The Docker engine refuses this user: add it to the group `docker` and log in again.")
    if os.environ.get("DOCKER_HOST"):
        raise LabError(f"DOCKER_HOST is set, but that engine does not answer.\n{tail(refusal)}")
    if not shutil.which("dockerd"):
        if not may_install:
            return False
        install(["docker.io", "iptables"], "the Docker engine", console)
    if not shutil.which("docker"):
        install(["docker-cli"], "the Docker client", console)
    with console.step("Start the Docker engine"):
        _start(state)
    return True


def ensure_engine(state: Path, console: Console) -> None:
    """Return when `docker info` works; install and start the engine where it does not.

    Raises:
        LabError: see `engine_answers`.
    """
    engine_answers(state, console, may_install=True)
    driver = docker("info", "--format", "{{.Driver}}")
    if driver == "vfs":
        console.line("Warning: the Docker engine uses vfs (overlay2 does not work here): slow, and large on disk")


def stale_pid_files(files: tuple[Path, ...], processes: Path = Path("/proc")) -> list[Path]:
    """Return the process id files of an engine that was killed.

    The engine refuses to start when the number in such a file belongs to a living process, whatever that is by now.

    Args:
        files: process id files named after their program (docker.pid: dockerd).
        processes: where the processes are listed.
    """
    stale = []
    for file in files:
        try:
            command = (processes / file.read_text().strip() / "cmdline").read_bytes()
        except FileNotFoundError:
            command = b""
        except OSError:
            continue
        if file.exists() and file.stem.encode() not in command:
            stale.append(file)
    return stale


def _start(state: Path) -> None:
    if SYSTEMD_RUNS.is_dir():
        run(as_root(["systemctl", "start", "docker"]), timeout=120)
        _wait(None, "journalctl -u docker")
        return
    for file in stale_pid_files(PID_FILES):
        run(as_root(["rm", "-f", str(file)]), timeout=20)
    state.mkdir(parents=True, exist_ok=True)
    log = state / "dockerd.log"
    with log.open("ab") as stream:
        engine = subprocess.Popen(
            as_root(["dockerd"]),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            start_new_session=True,
            preexec_fn=short_turns,  # servers of a lab share CPUs: each step of a request waits for its turn
        )
    (state / "dockerd.pid").write_text(f"{engine.pid}\n")
    try:
        _wait(engine, str(log))
    except LabError as error:
        raise LabError(f"{error}\n{tail(log.read_text(errors='replace'))}") from error


def _wait(engine: subprocess.Popen[bytes] | None, log: str) -> None:
    limit = time.monotonic() + STARTS_WITHIN
    while refusal := _refusal():
        if engine is not None and engine.poll() is not None:
            raise LabError(f"dockerd ended at once (exit status {engine.returncode}); its log: {log}")
        if time.monotonic() > limit:
            raise LabError(f"The Docker engine did not answer within {STARTS_WITHIN:g} s ({refusal}); its log: {log}")
        time.sleep(0.3)


def started_here(state: Path) -> int:
    """The process id of an engine that this tool started and that still runs, else 0."""
    try:
        pid = int((state / "dockerd.pid").read_text())
        return pid if "dockerd" in Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:2] else 0
    except (OSError, ValueError):
        return 0
