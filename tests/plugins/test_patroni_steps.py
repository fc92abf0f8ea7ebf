"""Steps on a Patroni cluster: what is asked of whom, and when a step has ended."""

from __future__ import annotations

import io
import urllib.error
from email.message import Message
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils import patroni_steps
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_steps import StepError, Steps, good

Members = list[dict[str, Any]]


def member(name: str, role: str, state: str = "") -> dict[str, Any]:
    """Return a member as Patroni lists it."""
    usual = "running" if role == "leader" else "streaming"
    return {"name": name, "role": role, "state": state or usual, "api_url": f"https://{name}:8008/patroni"}


WHOLE = [member("db1", "leader"), member("db2", "sync_standby")]
MOVED = [member("db1", "sync_standby"), member("db2", "leader")]


class Api:
    """A Patroni that shows one view of the cluster after the other, the last one for ever."""

    def __init__(self, *views: Members, refusal: str = "", starts: list[str] | None = None) -> None:
        """Refuse changes with a text, when there is one; tell the moments of the start of PostgreSQL one by one."""
        self.views, self.refusal, self.starts = list(views), refusal, starts or ["10:00"]
        self.url = "https://db1:8008"
        self.asked: list[tuple[str, Any]] = []

    def members(self) -> Members:
        """Show the next view."""
        return self.views.pop(0) if len(self.views) > 1 else self.views[0]

    def call(self, method: str, path: str, body: Any = None, url: str = "", timeout: float = 0) -> Any:
        """Answer."""
        if method == "GET":
            return {"postmaster_start_time": self.starts.pop(0) if len(self.starts) > 1 else self.starts[0]}
        self.asked.append((f"{url}{path}", body))
        if self.refusal:
            raise urllib.error.HTTPError(path, 503, "no", Message(), io.BytesIO(self.refusal.encode()))
        return {}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waits take no time."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(patroni_steps.time, "sleep", sleep)
    monkeypatch.setattr(patroni_steps.time, "monotonic", lambda: now[0])


def test_switchover_ends_when_the_old_leader_is_the_synchronous_standby() -> None:
    api = Api(MOVED[1:], [member("db1", "replica"), MOVED[1]], MOVED)
    assert Steps(api, 30).switchover(WHOLE, "db2") == MOVED
    assert api.asked == [("/switchover", {"leader": "db1", "candidate": "db2"})]


def test_switchover_that_takes_long_is_waited_for() -> None:
    api = Api(WHOLE, MOVED, refusal="Switchover status unknown")
    assert Steps(api, 30).switchover(WHOLE, "db2") == MOVED


def test_refusal_of_patroni_is_told() -> None:
    with pytest.raises(StepError, match="503 candidate is not synchronous"):
        Steps(Api(WHOLE, refusal="candidate is not synchronous"), 30).switchover(WHOLE, "db2")


def test_step_that_does_not_end_tells_the_cluster_and_what_was_done() -> None:
    steps = Steps(Api([member("db1", "leader"), member("db2", "replica", "start failed")]), 5)
    with pytest.raises(StepError, match=r"after 5 s: db1 leader running, db2 replica start failed.*restart db2"):
        steps.restart(WHOLE, "db2")


def test_restart_is_asked_of_the_member_itself() -> None:
    api = Api(WHOLE)
    Steps(api, 30).restart(WHOLE, "db2")
    assert api.asked == [("https://db2:8008/restart", {})]


def test_new_copy_has_ended_only_when_postgresql_was_started_anew() -> None:
    api = Api(WHOLE, starts=["10:00", "10:00", "10:00", "10:05"])
    Steps(api, 30).reinitialize(WHOLE, "db2")
    assert api.starts == ["10:05"]


def test_member_that_was_not_well_before_is_not_waited_for() -> None:
    lost = member("db3", "replica", "start failed")
    api = Api([*MOVED, lost])
    assert len(Steps(api, 30).switchover([*WHOLE, lost], "db2")) == 3


def test_cluster_with_a_standby_that_does_not_stream_is_not_well() -> None:
    assert good(WHOLE) == {"db1", "db2"}
    assert good([WHOLE[0], member("db2", "replica", "running")]) == {"db1"}


def test_cluster_without_a_leader_is_not_well() -> None:
    with pytest.raises(StepError, match="not well"):
        Steps(Api([member("db1", "replica"), member("db2", "replica")]), 5).settle("wait", set(), lambda _: True)
