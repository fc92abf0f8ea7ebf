"""The plan by which a machine takes the place of a server, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.filter.replacement import (
    replacement_plan,
    services_of,
    slot_name,
)

NAMES = ("app1", "app2", "app3", "db1", "db2")
ADDRESSES = {name: f"192.0.2.{number}" for number, name in enumerate(NAMES, 11)}
BLANK: dict[str, Any] = {"data": [], "answering": [], "etcd": [], "database": [], "problems": {"etcd": "blank"}}


def member(name: str, healthy: bool = True, **more: Any) -> dict[str, Any]:
    """Return a member of etcd as the module tells it."""
    peers = [f"https://{ADDRESSES[name]}:2380"]
    return {"id": f"id-{name}", "name": name, "peers": peers, "healthy": healthy, "learner": False, **more}


def databases(db1: tuple[str, str] = ("leader", "running"), db2: tuple[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the members of the database as Patroni lists them, with role and state."""
    found = {"db1": db1, "db2": db2}
    return [
        {"name": name, "host": ADDRESSES[name], "role": given[0], "state": given[1]}
        for name, given in found.items()
        if given
    ]


def plan(
    dead: tuple[str, ...] = ("db2",),
    names: tuple[str, ...] = NAMES,
    host: str = "db2",
    mine: dict[str, Any] | None = None,
    cluster: list[dict[str, Any]] | None = None,
    members: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return the plan for a host of a site of which some members are dead."""
    known = [member(name, name not in dead) for name in names] if members is None else members
    database = databases() if cluster is None else cluster
    views = {name: {**BLANK, "problems": {}, "etcd": known, "database": database} for name in names if name != host}
    given: dict[str, Any] = {
        "confirm": "",
        "address": ADDRESSES.get(host, "192.0.2.99"),
        "etcd": [{"name": name} for name in names],
        "databases": [{"name": "db1"}, {"name": "db2"}],
        "services": ["PostgreSQL"],
        **more,
    }
    return replacement_plan({**views, host: mine or BLANK}, host, **given)


def test_lost_server_is_removed_from_etcd_added_again_and_copied_from_the_leader() -> None:
    found = plan()
    assert found["refusals"] == []
    assert found["etcd"] == {"join": True, "remove": "id-db2", "wipe": False}
    assert found["database"] == {"leader": "db1", "wipe": False, "copied": True}
    assert "copied from the leader db1" in "\n".join(found["lines"])


def test_member_that_was_removed_before_is_added_only() -> None:
    members = [member(name) for name in NAMES if name != "db2"]
    assert plan(members=members)["etcd"] == {"join": True, "remove": "", "wipe": False}


def test_member_that_was_added_before_and_never_started_is_not_removed_again() -> None:
    members = [member(name) for name in NAMES[:-1]] + [{**member("db2", healthy=False), "name": ""}]
    assert plan(members=members)["etcd"] == {"join": True, "remove": "", "wipe": False}


def test_server_gets_another_address() -> None:
    found = plan(address="192.0.2.50")
    assert (found["refusals"], found["etcd"]["remove"]) == ([], "id-db2")


def test_healthy_member_at_another_address_must_be_switched_off_first() -> None:
    (refusal,) = [line for line in plan(dead=(), address="192.0.2.50")["refusals"] if "of etcd" in line]
    assert "another machine answers as db2" in refusal
    assert "switch it off" in refusal


def test_standby_at_another_address_must_be_switched_off_first() -> None:
    found = plan(address="192.0.2.50", cluster=databases(db2=("sync_standby", "streaming")))
    assert any("another machine answers as db2 of the database" in line for line in found["refusals"])


@pytest.mark.parametrize(
    ("names", "dead", "allowed"),
    [
        (NAMES, ("db2",), True),
        (NAMES, ("db2", "app1"), True),
        (NAMES, ("db2", "app1", "app2"), False),
        (("app1", "db1", "db2"), ("db2",), True),
        (("app1", "db1", "db2"), ("db2", "app1"), False),
    ],
)
def test_quorum_is_never_at_risk(names: tuple[str, ...], dead: tuple[str, ...], allowed: bool) -> None:
    found = plan(dead=dead, names=names)
    assert (found["refusals"] == []) is allowed
    if not allowed:
        assert all(name in found["refusals"][0] for name in dead if name != "db2")


def test_vote_that_would_raise_the_quorum_needs_one_member_more() -> None:
    members = [member("app1"), member("app2"), member("db1", healthy=False)]
    found = plan(names=("app1", "app2", "db1", "db2"), members=members)
    assert any("2 of the 3 other members are healthy, 3 are needed" in line for line in found["refusals"])


def test_healthy_server_needs_a_confirmation() -> None:
    mine = {**BLANK, "answering": ["PostgreSQL"], "data": ["etcd", "database"]}
    given: dict[str, Any] = {"dead": (), "mine": mine, "cluster": databases(db2=("sync_standby", "streaming"))}
    (refusal,) = plan(**given)["refusals"]
    assert "db2 is alive and healthy" in refusal
    assert "-e confirm=db2" in refusal
    found = plan(**given, confirm="db2")
    assert (found["refusals"], found["etcd"]["wipe"], found["database"]["wipe"]) == ([], True, True)


def test_confirmation_of_another_server_does_not_count() -> None:
    mine = {**BLANK, "answering": ["PostgreSQL"]}
    assert plan(dead=(), mine=mine, cluster=databases(db2=("replica", "streaming")), confirm="db1")["refusals"]


def test_data_that_are_left_need_a_confirmation() -> None:
    mine = {**BLANK, "data": ["etcd", "database"]}
    (refusal,) = plan(mine=mine)["refusals"]
    assert "data of etcd and PostgreSQL on it would be removed" in refusal
    found = plan(mine=mine, confirm="db2")
    assert (found["refusals"], found["etcd"]["wipe"], found["database"]["wipe"]) == ([], True, True)


def test_copy_that_is_on_its_way_is_not_begun_again() -> None:
    mine = {**BLANK, "data": ["etcd", "database"], "answering": []}
    found = plan(dead=(), mine=mine, cluster=databases(db2=("replica", "creating replica")))
    assert (found["refusals"], found["database"]["wipe"], found["etcd"]["join"]) == ([], False, False)


def test_leader_is_never_replaced() -> None:
    found = plan(host="db1", cluster=databases(db2=("sync_standby", "streaming")), dead=(), confirm="db1")
    assert any("db1 leads the database" in line for line in found["refusals"])


def test_last_healthy_copy_is_never_replaced() -> None:
    found = plan(cluster=databases(("replica", "stopped"), ("replica", "running")), confirm="db2")
    assert any("db2 may have the last healthy copy" in line for line in found["refusals"])


def test_only_database_and_only_member_of_etcd_point_to_the_backup() -> None:
    found = plan(host="db1", etcd=[{"name": "db1"}], databases=[{"name": "db1"}])
    assert len([line for line in found["refusals"] if "playbooks/restore.yml" in line]) == 2


def test_objects_that_only_this_server_has_are_kept() -> None:
    found = plan(stores=True, objects="3 objects have their last copy here")
    assert any("3 objects have their last copy here" in line for line in found["refusals"])


@pytest.mark.parametrize("host", ["", "db9"])
def test_server_that_is_not_in_the_inventory_is_refused(host: str) -> None:
    views = dict.fromkeys(NAMES, BLANK)
    (refusal,) = replacement_plan(views, host, "", "", [], [], [])["refusals"]
    assert "give -e host=<name from hosts.yml>" in refusal


def test_all_reasons_are_told_at_once() -> None:
    found = plan(dead=("db2", "app1", "app2"), cluster=databases(("replica", "stopped")), stores=True, objects="last")
    assert len(found["refusals"]) == 3


def test_application_server_without_members_only_runs_again() -> None:
    found = plan(host="app1", etcd=[{"name": "db1"}], mine=BLANK, services=["backend"])
    assert (found["refusals"], found["lines"]) == ([], ["site.yml: runs backend"])


def test_services_of_a_host_are_those_of_the_firewall_that_somebody_may_use() -> None:
    services: list[dict[str, Any]] = [
        {"name": "SSH", "ports": [22], "anywhere": True},
        {
            "name": "backend",
            "members": [{"name": "app1-2", "host": "app1", "port": 3002}],
            "ports": [3001],
            "anywhere": True,
        },
        {"name": "etcd", "members": [{"name": "db1"}], "ports": [2379], "sources": ["192.0.2.11"]},
        {"name": "unused", "members": [{"name": "app1"}], "ports": [1], "sources": []},
    ]
    assert services_of(services, "app1") == [{"name": "backend", "ports": [3001, 3002]}]


@pytest.mark.parametrize(("name", "slot"), [("db2", "db2"), ("DB-2.site", "db_2_site"), ("dbé", "dbu0233")])
def test_slot_has_the_name_that_patroni_gives(name: str, slot: str) -> None:
    assert slot_name(name) == slot
