"""compose_stack: what the state of the containers means."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import compose_stack

HASHES = {"api": "1111111111111111", "web": "2222222222222222"}


def container(
    service: str = "api", digest: str = "", status: str = "running", health: str = "healthy"
) -> dict[str, Any]:
    """Return what ``docker inspect`` says about a container; without a health check when ``health`` is empty."""
    state: dict[str, Any] = {
        "Status": status,
        "Running": status in ("running", "restarting", "paused"),
        "Paused": status == "paused",
        "Restarting": status == "restarting",
        "OOMKilled": False,
        "Dead": status == "dead",
        "ExitCode": 0 if status == "running" else 1,
        "StartedAt": "2026-01-31T23:59:58.123456789Z",
    }
    if health:
        state["Health"] = {"Status": health, "FailingStreak": 0, "Log": []}
    labels = {
        "com.docker.compose.project": "backend",
        "com.docker.compose.service": service,
        "com.docker.compose.config-hash": digest or HASHES.get(service, "0"),
        "com.docker.compose.oneoff": "False",
    }
    return {"Id": f"{service:0<64}", "Name": f"/backend-{service}-1", "State": state, "Config": {"Labels": labels}}


WEB = container("web")


@pytest.mark.parametrize(
    ("found", "down", "old"),
    [
        pytest.param([container(), WEB], [], [], id="healthy"),
        pytest.param([container(health=""), WEB], [], [], id="without health check"),
        pytest.param([WEB], ["api: no container"], [], id="missing"),
        pytest.param([], ["api: no container", "web: no container"], [], id="nothing there"),
        pytest.param([container(status="exited"), WEB], ["api: exited"], [], id="exited"),
        pytest.param([container(status="created", health=""), WEB], ["api: created"], [], id="created"),
        pytest.param([container(status="paused"), WEB], ["api: paused"], [], id="paused"),
        pytest.param([container(status="restarting", health=""), WEB], ["api: restarting"], [], id="restarting"),
        pytest.param([container(health="unhealthy"), WEB], ["api: unhealthy"], [], id="unhealthy"),
        pytest.param([container(health="starting"), WEB], ["api: starting"], [], id="starting"),
        pytest.param([container(digest="3"), WEB], [], ["api: configuration changed"], id="old configuration"),
        pytest.param(
            [container(digest="3", health="unhealthy"), WEB], [], ["api: configuration changed"], id="old and unhealthy"
        ),
        pytest.param(
            [container(digest="3", status="exited"), WEB], ["api: configuration changed"], [], id="old and stopped"
        ),
        pytest.param([container(), WEB, container("worker")], [], [], id="no longer wanted"),
        pytest.param([container(), container(status="exited"), WEB], ["api: exited"], [], id="one of two copies"),
    ],
)
def test_containers_are_down_or_old(found: list[dict[str, Any]], down: list[str], old: list[str]) -> None:
    assert compose_stack.compare(HASHES, found) == (down, old)


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("2026-01-31T23:59:58.5Z", datetime.datetime(2026, 1, 31, 23, 59, 58, 500000, datetime.UTC)),
        ("2026-01-31T23:59:58Z", datetime.datetime(2026, 1, 31, 23, 59, 58, 0, datetime.UTC)),
        ("2024-02-29T00:00:00.123456789Z", datetime.datetime(2024, 2, 29, 0, 0, 0, 123456, datetime.UTC)),
    ],
)
def test_time_stamp_of_docker_is_utc(stamp: str, moment: datetime.datetime) -> None:
    assert compose_stack.epoch(stamp) == pytest.approx(moment.timestamp(), abs=1e-5)


def test_container_that_never_started_is_older_than_every_file() -> None:
    assert compose_stack.epoch("0001-01-01T00:00:00Z") < 0


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "connect postgresql://enlevohub:s3cr3t@192.0.2.21:5432/db",
            "connect postgresql://enlevohub:***@192.0.2.21:5432/db",
        ),
        ("JWT_SECRET=abcdef", "JWT_SECRET=***"),
        ('{"password": "abc"}', '{"password": ***'),
        ("Password : abc", "Password : ***"),
        ("GET /api/v1/projects 200", "GET /api/v1/projects 200"),
        ("https://enlevohub.example:8443/", "https://enlevohub.example:8443/"),
    ],
)
def test_log_lines_are_shown_without_secrets(line: str, shown: str) -> None:
    assert compose_stack.redact(line) == shown


@pytest.mark.parametrize(
    ("status", "restarts", "events", "expected"),
    [
        pytest.param("running", 2, "1\n7\n", 7, id="begins once more"),
        pytest.param("running", 2, "", 0, id="the engine forgot its end"),
        pytest.param("running", 0, "7\n", 0, id="never ended"),
        pytest.param("exited", 2, "7\n", 1, id="ended"),
        pytest.param("restarting", 2, "7\n", 1, id="waits for its restart"),
    ],
)
def test_exit_code_is_that_of_the_last_end(status: str, restarts: int, events: str, expected: int) -> None:
    module = SimpleNamespace(params={"directory": "/"}, run_command=lambda command, cwd: (0, events, ""))
    item = {**container(status=status), "RestartCount": restarts, "Created": "2026-01-31T23:59:58.123456789Z"}
    assert compose_stack.Stack(module).exit_code(item) == expected
