"""Operations on the database: the plan, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules.database_state import assemble
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.database_plan import (
    PLANS,
    Plan,
    Request,
    database_description,
    make_plan,
)

CLUSTER = "enlevohub-lab"


def member(name: str, role: str, **more: Any) -> dict[str, Any]:
    """Return a member as the module database_state tells it, well unless something else is said."""
    state = "running" if role == "leader" else "streaming"
    known = {"lag": 0, "timeline": 3, "version": "17.6", "answers": True, "inventory": True}
    return {"name": name, "role": role, "state": state, **known, **more}


def gone(name: str) -> dict[str, Any]:
    """Return a member of the inventory of which nobody knows anything."""
    return member(name, "", state="absent", answers=False, version="")


def cluster(*members: dict[str, Any], paused: bool = False, problem: str = "") -> dict[str, Any]:
    """Return the state of a cluster."""
    return {"members": list(members), "paused": paused, "problem": problem}


DB1, DB2, DB3 = member("db1", "leader"), member("db2", "sync_standby"), member("db3", "replica")
TWO, THREE = cluster(DB1, DB2), cluster(DB1, DB2, DB3)
NEW = {"postgresql-17": {"installed": "17.5", "candidate": "17.6"}, "patroni": {"installed": "4", "candidate": "4"}}
OLD = {"postgresql-17": {"installed": "17.6", "candidate": "17.6"}}


def plan(kind: str, state: dict[str, Any], target: str = "", **more: Any) -> Plan:
    """Return the plan of an operation."""
    variable = "to" if kind == "switchover" else "standby"
    return make_plan(Request(kind, target, variable, CLUSTER, **more), state)


def steps(found: Plan) -> list[tuple[str, str]]:
    """Return the steps of a plan that is not refused."""
    assert found.findings == []
    return [(step["action"], step["member"]) for step in found.steps]


def refusal(found: Plan) -> str:
    """Return the one reason for which a plan is refused; nothing would be done."""
    assert found.steps == []
    (finding,) = found.findings
    return finding


@pytest.mark.parametrize("target", ["", "db2"])
def test_switchover_goes_to_the_synchronous_standby(target: str) -> None:
    assert steps(plan("switchover", TWO, target)) == [("switchover", target)]


def test_switchover_to_the_leader_does_nothing() -> None:
    found = plan("switchover", TWO, "db1")
    assert steps(found) == []
    assert "nothing to do" in found.lines[0]


def test_switchover_to_a_standby_that_is_not_synchronous_is_refused() -> None:
    assert "only db2 may take over" in refusal(plan("switchover", THREE, "db3"))


def test_switchover_to_an_unknown_server_names_the_known_ones_and_the_file() -> None:
    finding = refusal(plan("switchover", TWO, "db9"))
    assert "to=db9 is not one of db1, db2" in finding
    assert "hosts.yml" in finding


@pytest.mark.parametrize(
    "standby",
    [
        member("db2", "replica"),
        member("db2", "sync_standby", state="running"),
        member("db2", "replica", state="start failed"),
        gone("db2"),
    ],
    ids=lambda item: f"{item['role'] or 'absent'}-{item['state']}",
)
def test_switchover_without_a_healthy_synchronous_standby_is_refused(standby: dict[str, Any]) -> None:
    assert "no healthy synchronous standby" in refusal(plan("switchover", cluster(DB1, standby)))


@pytest.mark.parametrize(("lag", "behind"), [(64 * 2**20, "64 MiB"), (-1, "nobody knows")])
def test_switchover_to_a_standby_that_is_far_behind_is_refused(lag: int, behind: str) -> None:
    assert behind in refusal(plan("switchover", cluster(DB1, member("db2", "sync_standby", lag=lag))))


def test_switchover_is_not_held_up_by_another_standby_that_is_lost() -> None:
    assert steps(plan("switchover", cluster(DB1, DB2, gone("db3")))) == [("switchover", "")]


def test_all_reasons_are_told_at_once() -> None:
    found = plan("switchover", cluster(DB1, member("db2", "replica")), "db9")
    assert len(found.findings) == 2
    lost = cluster(DB1, member("db2", "replica", state="crashed"), gone("db3"))
    assert len(plan("restart", lost).findings) == 2


@pytest.mark.parametrize("kind", PLANS)
def test_every_operation_is_refused_without_a_leader(kind: str) -> None:
    state = cluster(member("db1", "replica", state="running"), member("db2", "replica", state="running"))
    found = plan(kind, state, "db2", packages={"db1": NEW})
    assert any("no leader" in finding for finding in found.findings)
    assert found.steps == []


@pytest.mark.parametrize("kind", PLANS)
def test_every_operation_is_refused_in_maintenance(kind: str) -> None:
    found = plan(kind, {**TWO, "paused": True}, "db2", packages={"db1": NEW})
    assert any("patronictl resume" in finding for finding in found.findings)
    assert found.steps == []


@pytest.mark.parametrize("kind", PLANS)
def test_every_operation_is_refused_when_nobody_tells_how_the_cluster_is(kind: str) -> None:
    silent = cluster(gone("db1"), gone("db2"), problem="db1: timed out")
    assert "db1: timed out" in refusal(plan(kind, silent, "db2", packages={"db1": NEW}))


def test_copy_of_a_standby_that_is_broken_needs_no_confirmation() -> None:
    broken = cluster(DB1, member("db2", "replica", state="start failed"))
    found = plan("reinit", broken, "db2")
    assert steps(found) == [("reinitialize", "db2")]
    assert "db1 alone has the data" in found.lines[1]


def test_copy_of_the_only_healthy_standby_needs_the_name_of_the_cluster() -> None:
    assert f"-e confirm={CLUSTER}" in refusal(plan("reinit", TWO, "db2"))
    assert f"-e confirm={CLUSTER}" in refusal(plan("reinit", TWO, "db2", confirm="another"))
    assert steps(plan("reinit", TWO, "db2", confirm=CLUSTER)) == [("reinitialize", "db2")]


def test_copy_of_a_healthy_standby_is_shown_by_check_mode() -> None:
    assert steps(plan("reinit", TWO, "db2", check=True)) == [("reinitialize", "db2")]


def test_copy_of_one_of_two_standbys_needs_no_confirmation() -> None:
    assert steps(plan("reinit", THREE, "db3")) == [("reinitialize", "db3")]


def test_copy_of_the_leader_is_refused() -> None:
    assert "db1 leads" in refusal(plan("reinit", TWO, "db1", confirm=CLUSTER))


def test_copy_without_a_name_is_refused() -> None:
    assert "-e standby=<one of db1, db2>" in refusal(plan("reinit", TWO))


def test_copy_where_patroni_does_not_answer_is_refused() -> None:
    assert "does not answer" in refusal(plan("reinit", cluster(DB1, gone("db2")), "db2"))


def test_copy_that_runs_already_is_not_begun_again() -> None:
    copying = cluster(DB1, member("db2", "replica", state="creating replica"))
    assert "being copied already" in refusal(plan("reinit", copying, "db2"))


def test_restart_begins_with_the_standbys_and_hands_the_leader_over() -> None:
    assert steps(plan("restart", THREE)) == [("restart", "db2"), ("restart", "db3"), ("switchover", "")]


def test_restart_of_the_only_database_is_in_place_and_says_so() -> None:
    found = plan("restart", cluster(DB1))
    assert steps(found) == [("restart", "db1")]
    assert "writers wait" in found.lines[0]


@pytest.mark.parametrize("kind", ["restart", "upgrade"])
@pytest.mark.parametrize(
    "bad",
    [member("db3", "replica", state="running"), gone("db3"), member("db3", "replica", answers=False)],
    ids=["does not stream", "absent", "silent"],
)
def test_rolling_operation_is_refused_when_a_member_is_not_well(kind: str, bad: dict[str, Any]) -> None:
    assert "db3" in refusal(plan(kind, cluster(DB1, DB2, bad), packages={"db1": NEW}))


@pytest.mark.parametrize("kind", ["restart", "upgrade"])
def test_rolling_operation_is_refused_without_a_synchronous_standby(kind: str) -> None:
    state = cluster(DB1, member("db2", "replica"))
    assert "no healthy synchronous standby" in refusal(plan(kind, state, packages={"db1": NEW}))


def test_upgrade_begins_with_the_standbys_and_ends_with_the_leader_that_was() -> None:
    found = plan("upgrade", TWO, packages={"db1": NEW, "db2": NEW})
    assert steps(found) == [
        ("upgrade", "db2"),
        ("wait", "db2"),
        ("switchover", ""),
        ("upgrade", "db1"),
        ("wait", "db1"),
    ]
    assert "db1: postgresql-17 17.5 -> 17.6; unchanged: patroni 4" in found.lines


def test_upgrade_leaves_the_leader_where_only_a_standby_is_old() -> None:
    assert steps(plan("upgrade", TWO, packages={"db1": OLD, "db2": NEW})) == [("upgrade", "db2"), ("wait", "db2")]


def test_upgrade_with_nothing_new_does_nothing() -> None:
    found = plan("upgrade", TWO, packages={"db1": OLD, "db2": OLD})
    assert steps(found) == []
    assert "nothing to do" in found.lines[-1]


def test_upgrade_that_was_interrupted_before_a_restart_goes_on_there() -> None:
    found = plan("upgrade", TWO, packages={"db1": OLD, "db2": OLD}, stale=["db2"])
    assert steps(found) == [("upgrade", "db2"), ("wait", "db2")]
    assert "has its packages already" in found.lines[-1]


def test_addition_needs_a_leader_and_no_synchronous_standby() -> None:
    alone = cluster(DB1, gone("db2"))
    found = plan("add", alone, "db2")
    assert steps(found) == []
    assert "two servers" in found.lines[-1]


def test_addition_of_the_leader_is_refused() -> None:
    assert "db1 leads" in refusal(plan("add", TWO, "db1"))


def test_addition_of_a_server_outside_of_the_inventory_is_refused() -> None:
    assert "database_servers in hosts.yml" in refusal(plan("add", TWO, "db3"))


def test_description_tells_role_state_version_and_lag() -> None:
    lines = database_description(cluster(DB1, member("db2", "sync_standby", lag=2048), gone("db3")))
    assert lines == [
        "db1: leader, running, PostgreSQL 17.6",
        "db2: synchronous standby, streaming, PostgreSQL 17.6, 2 KiB behind",
        "db3: no member yet, absent, Patroni does not answer",
    ]


def test_state_knows_members_that_one_side_only_knows() -> None:
    listed = {"members": [{"name": "db1", "role": "leader", "state": "running"}, {"name": "db8", "role": "replica"}]}
    found = assemble(["db1", "db2"], listed, {"db1": {"server_version": 170006}}, "db2: refused")
    told = [(item["name"], item["state"], item["version"], item["inventory"]) for item in found["members"]]
    assert told == [("db1", "running", "17.6", True), ("db2", "absent", "", True), ("db8", "absent", "", False)]
    assert (found["paused"], found["problem"]) == (False, "")


def test_state_without_an_answer_tells_the_reasons() -> None:
    assert assemble(["db1"], None, {}, "db1: refused")["problem"] == "db1: refused"


def test_lag_that_nobody_knows_is_told_as_unknown() -> None:
    listed = {
        "pause": True,
        "members": [{"name": "db2", "role": "sync_standby", "state": "streaming", "lag": "unknown"}],
    }
    found = assemble(["db2"], listed, {}, "")
    assert (found["members"][0]["lag"], found["paused"]) == (-1, True)
