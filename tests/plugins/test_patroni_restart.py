"""The order in which PostgreSQL is restarted where a parameter waits for it."""

from __future__ import annotations

from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import pending
from ansible_collections.enlevohub.datacenter.plugins.modules.patroni_restart import next_step


def member(name: str, role: str, *, waits: bool = True, state: str = "") -> dict[str, Any]:
    """Return a member as Patroni lists it."""
    found = {"name": name, "role": role, "state": state or ("running" if role == "leader" else "streaming")}
    return {**found, "pending_restart": True} if waits else found


BOTH = [member("db1", "leader"), member("db2", "sync_standby")]


def step(members: list[dict[str, Any]], moved: bool = False, restarted: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return the next step for those that wait."""
    return next_step(members, pending(members), moved, restarted)


def test_standby_comes_first() -> None:
    assert step(BOTH) == ("restart", "db2")


def test_leader_hands_over_when_the_standby_is_done() -> None:
    assert step([BOTH[0], member("db2", "sync_standby", waits=False)]) == ("switchover", "db2")


def test_leader_without_a_synchronous_standby_is_restarted_in_place() -> None:
    assert step([BOTH[0], member("db2", "replica", waits=False)]) == ("restart", "db1")


def test_only_member_is_restarted_in_place() -> None:
    assert step([BOTH[0]]) == ("restart", "db1")


def test_leader_that_still_waits_after_the_switchover_is_restarted_before_its_standby() -> None:
    assert step([member("db2", "leader"), member("db1", "sync_standby")], moved=True) == ("restart", "db2")


def test_nothing_is_done_when_nobody_waits() -> None:
    assert step([member("db1", "leader", waits=False), member("db2", "sync_standby", waits=False)]) == ("", "")


def test_members_that_wait_are_listed_with_the_leader_last() -> None:
    assert pending(BOTH) == ["db2", "db1"]


def test_standby_that_waits_for_its_leader_is_not_restarted_in_vain() -> None:
    """Made smaller, max_connections of a standby stays what the leader has: the leader must come first."""
    assert step(BOTH, restarted=("db2",)) == ("switchover", "db2")
    moved = [member("db1", "sync_standby"), member("db2", "leader")]
    assert step(moved, moved=True, restarted=("db2",)) == ("restart", "db2")
    done = [member("db1", "sync_standby"), member("db2", "leader", waits=False)]
    assert step(done, moved=True, restarted=("db2",)) == ("restart", "db1")
    assert step(done, moved=True, restarted=("db1", "db2")) == ("restart", "db1")
