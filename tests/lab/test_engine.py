"""A Docker engine that runs, or one that is started."""

import io
import os
import signal
from pathlib import Path

import pytest

from enlevohub_lab import engine
from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from tests.lab.conftest import Program

DOCKER = 'if [ -e "{mark}" ]; then echo answer; else echo "Cannot connect" >&2; exit 1; fi'


@pytest.fixture
def console() -> Console:
    return Console(io.StringIO())


@pytest.fixture(autouse=True)
def machine_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "as_root", list)
    monkeypatch.setattr(engine, "SYSTEMD_RUNS", Path("/nonexistent"))
    monkeypatch.setattr(engine, "PID_FILES", ())


def test_engine_that_answers_is_used(program: Program, console: Console, tmp_path: Path) -> None:
    program("docker", "echo answer")
    dockerd = program("dockerd", "exit 1")
    engine.ensure_engine(tmp_path / ".lab", console)
    assert not dockerd.exists()


def test_engine_that_does_not_run_is_started(program: Program, console: Console, tmp_path: Path) -> None:
    program("docker", DOCKER.format(mark=tmp_path / "up"))
    program("dockerd", f'touch "{tmp_path}/up"; exec sleep 60')
    engine.ensure_engine(tmp_path / ".lab", console)
    pid = int((tmp_path / ".lab/dockerd.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_engine_that_ends_at_once_is_told_with_its_last_lines(
    program: Program, console: Console, tmp_path: Path
) -> None:
    program("docker", DOCKER.format(mark=tmp_path / "up"))
    program("dockerd", "echo failed to start daemon: iptables not found; exit 1")
    with pytest.raises(LabError, match=r"ended at once(.|\n)*iptables not found"):
        engine.ensure_engine(tmp_path / ".lab", console)


def test_engine_that_never_answers_is_given_up(
    program: Program, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "STARTS_WITHIN", 0.5)
    program("docker", DOCKER.format(mark=tmp_path / "up"))
    program("dockerd", "exec sleep 5")
    with pytest.raises(LabError, match=r"did not answer within 0.5 s"):
        engine.ensure_engine(tmp_path / ".lab", console)
    pid = int((tmp_path / ".lab/dockerd.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_engine_that_refuses_the_user_names_the_group(program: Program, console: Console, tmp_path: Path) -> None:
    program("docker", "echo 'permission denied while trying to connect' >&2; exit 1")
    with pytest.raises(LabError, match="group `docker`"):
        engine.ensure_engine(tmp_path / ".lab", console)


def test_engine_of_docker_host_is_never_replaced(
    program: Program, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    program("docker", "exit 1")
    dockerd = program("dockerd", "exit 1")
    with pytest.raises(LabError, match="DOCKER_HOST is set"):
        engine.ensure_engine(tmp_path / ".lab", console)
    assert not dockerd.exists()


def test_engine_without_overlay2_is_told(program: Program, tmp_path: Path) -> None:
    program("docker", "echo vfs")
    stream = io.StringIO()
    engine.ensure_engine(tmp_path / ".lab", Console(stream))
    assert "overlay2 does not work here" in stream.getvalue()


def test_process_that_is_no_engine_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "dockerd.pid").write_text(f"{os.getpid()}\n")
    assert engine.started_here(tmp_path) == 0


@pytest.mark.parametrize(
    ("command", "stale"),
    [(b"/usr/bin/dockerd\0", False), (b"sleep\0" + b"60\0", True), (None, True)],
    ids=["of_the_engine", "of_another_program", "of_no_process"],
)
def test_pid_file_is_stale_unless_its_process_is_the_engine(tmp_path: Path, command: bytes | None, stale: bool) -> None:
    pid_file = tmp_path / "docker.pid"
    pid_file.write_text("4711\n")
    if command is not None:
        (tmp_path / "proc/4711").mkdir(parents=True)
        (tmp_path / "proc/4711/cmdline").write_bytes(command)
    assert engine.stale_pid_files((pid_file,), tmp_path / "proc") == ([pid_file] if stale else [])


def test_pid_file_that_is_not_there_is_not_stale(tmp_path: Path) -> None:
    assert engine.stale_pid_files((tmp_path / "docker.pid",), tmp_path) == []


def test_removal_starts_an_engine_that_is_installed(program: Program, console: Console, tmp_path: Path) -> None:
    program("docker", DOCKER.format(mark=tmp_path / "up"))
    program("dockerd", f'touch "{tmp_path}/up"; exec sleep 60')
    assert engine.engine_answers(tmp_path / ".lab", console, may_install=False)
    pid = int((tmp_path / ".lab/dockerd.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_removal_without_an_engine_on_this_machine_has_nothing_to_do(
    program: Program, console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = program("docker", "echo Cannot connect >&2; exit 1")
    found = {"docker": str(client)}
    monkeypatch.setattr("enlevohub_lab.engine.shutil.which", found.get)
    assert not engine.engine_answers(tmp_path / ".lab", console, may_install=False)
