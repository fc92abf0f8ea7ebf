"""The guard of a database server: when it stops PostgreSQL, and when it has it copied again."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enlevohub_guard.database import REINIT_AGAIN_SECONDS, Beat, Copy, Fence, Postmaster, mark
from tests.conftest import ROOT

ALIVE, DEAD = Beat(alive=True), Beat(alive=False)


def member(name: str, role: str, state: str) -> dict[str, Any]:
    """Return a member as Patroni lists it."""
    return {"name": name, "role": role, "state": state}


LEADER = member("db1", "leader", "running")


def due(fence: Fence, beats: list[tuple[float, Beat]]) -> list[float]:
    """Return the moments at which PostgreSQL would be stopped."""
    return [moment for moment, beat in beats if fence.due(moment, beat)]


def test_postgresql_is_stopped_when_patroni_stays_dead() -> None:
    assert due(Fence(15), [(0, ALIVE), (1, DEAD), (15, DEAD), (16, DEAD)]) == [16]


def test_patroni_that_comes_back_in_time_stops_nothing() -> None:
    assert due(Fence(15), [(0, ALIVE), (14, DEAD), (15, ALIVE), (29, DEAD), (30, DEAD)]) == []


def test_postgresql_is_stopped_before_the_lease_ends() -> None:
    beats = [(0.0, ALIVE)] + [(2.0 * second, DEAD) for second in range(1, 15)]
    assert due(Fence(15), beats)[0] < 20 - 2


def test_patroni_that_was_never_seen_stops_nothing() -> None:
    assert due(Fence(15), [(0, DEAD), (100, DEAD)]) == []


def test_maintenance_stops_nothing() -> None:
    assert due(Fence(15), [(0, ALIVE), (1, Beat(alive=True, paused=True)), (100, DEAD)]) == []


def test_fence_is_armed_again_after_maintenance() -> None:
    assert due(Fence(15), [(0, Beat(alive=True, paused=True)), (1, ALIVE), (20, DEAD)]) == [20]


def test_patroni_that_is_being_stopped_may_take_its_time() -> None:
    stopping = Beat(alive=False, stopping=True)
    assert due(Fence(15), [(0, ALIVE), (10, stopping), (20, stopping), (30, DEAD), (36, DEAD)]) == [36]


@pytest.mark.parametrize("state", ["running", "start failed", "stopped", "crashed"])
def test_standby_that_does_not_stream_is_copied_again(state: str) -> None:
    copy, members = Copy(300), [LEADER, member("db2", "replica", state)]
    assert [copy.due(moment, "db2", members) for moment in (0, 299, 301)] == [False, False, True]


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([member("db1", "leader", "stopped"), member("db2", "replica", "running")], id="has no leader"),
        pytest.param([member("db2", "replica", "running")], id="is alone"),
        pytest.param([LEADER, member("db2", "sync_standby", "running")], id="acknowledges writes"),
        pytest.param([LEADER, member("db2", "replica", "streaming")], id="streams"),
        pytest.param([LEADER, member("db2", "replica", "creating replica")], id="is being copied"),
        pytest.param([member("db2", "leader", "running"), member("db1", "leader", "running")], id="leads"),
        pytest.param([LEADER], id="is no member"),
    ],
)
def test_standby_is_not_copied_again_when_it(members: list[dict[str, Any]]) -> None:
    copy = Copy(300)
    assert [copy.due(moment, "db2", members) for moment in (0.0, 1000.0)] == [False, False]


def test_time_of_streaming_between_counts_from_new() -> None:
    copy, stuck = Copy(300), [LEADER, member("db2", "replica", "running")]
    copy.due(0, "db2", stuck)
    copy.due(200, "db2", [LEADER, member("db2", "replica", "streaming")])
    assert [copy.due(moment, "db2", stuck) for moment in (250, 450, 551)] == [False, False, True]


def test_standby_is_copied_at_most_once_in_an_hour() -> None:
    copy, stuck = Copy(300), [LEADER, member("db2", "replica", "running")]
    moments = [0.0, 301.0, 302.0, 1000.0, 301 + REINIT_AGAIN_SECONDS - 1, 301 + REINIT_AGAIN_SECONDS + 1]
    assert [copy.due(moment, "db2", stuck) for moment in moments] == [False, True, False, False, False, True]


def test_no_limit_means_never() -> None:
    copy, stuck = Copy(0), [LEADER, member("db2", "replica", "running")]
    assert [copy.due(moment, "db2", stuck) for moment in (0.0, 1e6)] == [False, False]


# --- the mark of a standby that streams, and what it decides


def test_mark_is_young_while_the_standby_streams(tmp_path: Path) -> None:
    path = tmp_path / "streams"
    mark(str(path), True)
    os.utime(path, (0, 0))
    mark(str(path), True)
    assert time.time() - path.stat().st_mtime < 60
    for _ in range(2):
        mark(str(path), False)
    assert not path.exists()


FETCH = ROOT / "roles/patroni/files/fetch-wal.sh"


@pytest.mark.parametrize(
    ("age", "name", "fetched"),
    [
        pytest.param(None, "000000010000000000000001", True, id="no standby that streams"),
        pytest.param(5, "000000010000000000000001", False, id="streams"),
        pytest.param(3600, "000000010000000000000001", True, id="streamed long ago"),
        pytest.param(5, "00000002.history", True, id="history of a timeline"),
        pytest.param(5, "00000003.history", False, id="history that is here"),
    ],
)
def test_archive_is_asked_unless_replication_brings_it(
    tmp_path: Path, age: float | None, name: str, fetched: bool
) -> None:
    script = tmp_path / "fetch-wal"
    script.write_text(FETCH.read_text().replace("/run/enlevohub-database", str(tmp_path)))
    (tmp_path / "pg_wal").mkdir()
    (tmp_path / "pg_wal/00000003.history").write_text("here\n")
    if age is not None:
        mark(str(tmp_path / "streams"), True)
        moment = time.time() - age
        os.utime(tmp_path / "streams", (moment, moment))
    command = ["sh", str(script), name, "echo", name, "a path"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    is_here = (tmp_path / "a path").exists()
    assert is_here == name.startswith("00000003")
    assert (done.returncode == 0) == (fetched or is_here)
    assert done.stdout == (f"{name} a path\n" if fetched else "")


# --- the end of PostgreSQL


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for PostgreSQL."""
    with subprocess.Popen(["sleep", "600"]) as running:
        yield running
        running.kill()


def postmaster(data: Path, pid: object) -> Postmaster:
    """Return one that looks at a data directory in which a process is named."""
    (data / "postmaster.pid").write_text(f"{pid}\n/var/lib/postgresql\n")
    return Postmaster(str(data))


def test_end_of_postgresql_is_told_once_and_at_once(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    found = postmaster(tmp_path, process.pid)
    assert found.ends(0.01) is False
    process.kill()
    begin = time.monotonic()
    assert found.ends(60) is True
    assert time.monotonic() - begin < 50
    assert [found.ends(0.01) for _ in range(3)] == [False] * 3


def test_postgresql_that_started_anew_is_looked_at(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    found = postmaster(tmp_path, gone.pid)
    assert found.ends(0.01) is False
    (tmp_path / "postmaster.pid").write_text(f"{process.pid}\n")
    assert found.ends(0.01) is False
    process.kill()
    assert found.ends(60) is True


@pytest.mark.parametrize("pid", ["", "starting", "-42", "0"])
def test_file_that_names_no_process_tells_nothing(tmp_path: Path, pid: str) -> None:
    assert postmaster(tmp_path, pid).ends(0.01) is False


def test_server_without_postgresql_tells_nothing(tmp_path: Path) -> None:
    assert Postmaster(str(tmp_path)).ends(0.01) is False
