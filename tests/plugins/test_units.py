"""units: which verbs a unit needs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import units

RUNNING = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "ActiveEnterTimestampMonotonic": "5000000000",
    "StateChangeTimestampMonotonic": "5000000000",
}
STOPPED = {**RUNNING, "ActiveState": "inactive", "ActiveEnterTimestampMonotonic": "0"}
FAILED = {**RUNNING, "ActiveState": "failed"}
DISABLED = {"UnitFileState": "disabled"}


def unit(**options: Any) -> dict[str, Any]:
    """Return a unit as the module gets it, started and enabled unless told otherwise."""
    wanted = {"name": "etcd.service", "enabled": True, "state": "started"}
    return {**wanted, "restart_on": [], "reload_on": [], "intact": [], **options}


def converge(
    wanted: dict[str, Any], state: dict[str, str], offset: float = 0, restart: bool = True
) -> tuple[list[str], bool]:
    """Return verbs and staleness."""
    module = SimpleNamespace(
        params={"restart": restart}, run_command=lambda command: (int(command == ["false"]), "", "")
    )
    found: tuple[list[str], bool] = units.converge(module, wanted, state, offset)
    return found


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    """A file that was written now."""
    path = tmp_path / "service.conf"
    path.write_text("present configuration")
    return str(path)


@pytest.fixture
def older() -> float:
    """The offset that lets a unit of RUNNING have started a minute ago, before the file was written."""
    return time.time() - 60 - 5000


@pytest.fixture
def newer() -> float:
    """The offset that lets a unit of RUNNING start in a minute, after the file was written."""
    return time.time() + 60 - 5000


@pytest.mark.parametrize(
    ("wanted", "state", "verbs"),
    [
        pytest.param(unit(), RUNNING, [], id="nothing to do"),
        pytest.param(unit(), STOPPED, ["start"], id="stopped"),
        pytest.param(unit(), FAILED, ["start"], id="failed"),
        pytest.param(unit(), {**RUNNING, "ActiveState": "activating"}, [], id="on its way"),
        pytest.param(unit(), {**RUNNING, "ActiveState": "reloading"}, [], id="reloading"),
        pytest.param(unit(), {**RUNNING, **DISABLED}, ["enable"], id="not enabled"),
        pytest.param(unit(), {**RUNNING, "UnitFileState": "static"}, [], id="static cannot be enabled"),
        pytest.param(unit(), {**STOPPED, **DISABLED}, ["enable", "start"], id="fresh"),
        pytest.param(
            unit(),
            {**STOPPED, "LoadState": "masked", "UnitFileState": "masked"},
            ["unmask", "enable", "start"],
            id="masked",
        ),
        pytest.param(unit(), {}, ["enable", "start"], id="blank host"),
        pytest.param(unit(state="stopped", enabled=False), RUNNING, ["disable", "stop"], id="to be stopped"),
        pytest.param(unit(state="stopped", enabled=False), {**STOPPED, **DISABLED}, [], id="is stopped"),
        pytest.param(unit(state="ignored"), STOPPED, [], id="state ignored, stopped"),
        pytest.param(unit(state="ignored"), RUNNING, [], id="state ignored, running"),
    ],
)
def test_unit_needs_the_verbs(wanted: dict[str, Any], state: dict[str, str], verbs: list[str]) -> None:
    assert converge(wanted, state) == (verbs, False)


def test_file_that_changed_after_the_start_restarts(configuration: str, older: float) -> None:
    assert converge(unit(restart_on=[configuration]), RUNNING, older) == (["restart"], False)


def test_file_that_changed_before_the_start_does_not_restart(configuration: str, newer: float) -> None:
    assert converge(unit(restart_on=[configuration]), RUNNING, newer) == ([], False)


def test_file_that_changed_after_the_last_reload_reloads(configuration: str, older: float) -> None:
    assert converge(unit(reload_on=[configuration]), RUNNING, older) == (["reload"], False)


def test_file_that_changed_before_the_last_reload_does_not_reload(
    configuration: str, older: float, newer: float
) -> None:
    reloaded = {**RUNNING, "StateChangeTimestampMonotonic": str(int((5000 + newer - older) * 1e6))}
    assert converge(unit(reload_on=[configuration]), reloaded, older) == ([], False)


def test_restart_takes_the_place_of_a_reload(configuration: str, older: float) -> None:
    both = unit(restart_on=[configuration], reload_on=[configuration])
    assert converge(both, RUNNING, older) == (["restart"], False)


@pytest.mark.parametrize(
    ("command", "state", "verbs"),
    [
        pytest.param(["true"], RUNNING, [], id="still there"),
        pytest.param(["false"], RUNNING, ["reload"], id="gone"),
        pytest.param(["false"], STOPPED, ["start"], id="stopped"),
    ],
)
def test_unit_whose_work_is_gone_is_reloaded(command: list[str], state: dict[str, str], verbs: list[str]) -> None:
    assert converge(unit(intact=command), state) == (verbs, False)


def test_running_unit_is_left_stale_where_restarts_are_not_wanted(configuration: str, older: float) -> None:
    assert converge(unit(restart_on=[configuration]), RUNNING, older, restart=False) == ([], True)


def test_stopped_unit_starts_even_where_restarts_are_not_wanted(configuration: str, older: float) -> None:
    assert converge(unit(restart_on=[configuration]), STOPPED, older, restart=False) == (["start"], False)


def test_unit_to_be_stopped_is_not_restarted(configuration: str, older: float) -> None:
    assert converge(unit(state="stopped", restart_on=[configuration]), RUNNING, older) == (["stop"], False)


def test_new_mode_of_a_file_counts_as_a_change(configuration: str) -> None:
    moment = time.time() - 60
    os.utime(configuration, (moment - 3600, moment - 3600))
    assert units.changed_after([configuration], str(int(moment * 1e6)), 0) == [configuration]


def test_missing_file_is_not_a_change(tmp_path: Path) -> None:
    assert units.changed_after([str(tmp_path / "missing")], "0", 0) == []


def test_unit_that_never_started_is_older_than_every_file(configuration: str) -> None:
    assert units.changed_after([configuration], "", 0) == [configuration]


def test_offset_turns_the_monotonic_clock_into_the_time_of_day() -> None:
    assert abs(units.boot_offset() + time.monotonic() - time.time()) < 1


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=abc", "password=***"),
        ("PGPASSWORD: abc", "PGPASSWORD: ***"),
        ('"token": "abc"', '"token": ***'),
        ("the leader is db1", "the leader is db1"),
    ],
)
def test_log_lines_are_shown_without_secrets(line: str, shown: str) -> None:
    assert units.redact(line) == shown
