"""Filters of a rotation: the plan, and who logs in with what while it is open, closing or over."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.filter import rotation

from enlevohub_secrets.table import ROTATED
from tests.conftest import ROOT, Renderer, load_yaml

ROLES: dict[str, dict[str, Any]] = load_yaml(ROOT / "group_vars/all/database.yml")["rotation_roles"]
VALUES = {name: f"old {name}" for name in ROTATED.values()}
NEW = {f"{name}_next": f"new {name}" for name in ROTATED.values()}
SERVERS = [{"name": "db1"}, {"name": "db2"}]
WELL = [
    {"name": "db1", "role": "leader", "state": "running"},
    {"name": "db2", "role": "sync_standby", "state": "streaming"},
]


def states(state: str) -> dict[str, dict[str, str]]:
    """Return all purposes in one state."""
    return {purpose: {"state": state, "secret": name} for purpose, name in ROTATED.items()}


def plan(
    members: list[dict[str, Any]], state: str = "rest", chosen: str = "all", said: str = ""
) -> dict[str, list[str]]:
    """Return the plan for a cluster."""
    found = {} if said else states(state)
    views = [{"database": members, "problems": {} if members else {"database": "timed out"}}]
    return rotation.rotation_plan(views, SERVERS, found, said, chosen, ROLES)


def test_purposes_of_values_and_vault_are_the_same(render: Renderer) -> None:
    logins = render.value("patroni", "database_logins", "db1")
    assert set(ROLES) == set(ROTATED) == set(render.value("patroni", "database_passwords", "db1"))
    second = {purpose: role["name"] for purpose, role in ROLES.items() if role.get("second", True)}
    assert {purpose: login["name"] for purpose, login in logins.items()} == second


def test_what_the_rotation_sets_counts_for_clients_and_roles(render: Renderer) -> None:
    logins = {"application": {"name": "enlevohub_next", "password": "new one"}}
    url = render.value("backend", "backend_database_url", "app1", rotation_logins=logins)
    assert url.startswith("postgresql://enlevohub_next:new%20one@")
    password = render.value("patroni", "patroni_rewind_password", "db1", rotation_passwords={"rewind": "new"})
    assert password == "new"


def test_clients_use_the_ordinary_logins_at_rest() -> None:
    found = rotation.rotation_logins(states("rest"), VALUES, ROLES)
    assert found["application"] == {"name": "enlevohub", "password": "old vault_database_app_password"}


def test_clients_use_the_second_logins_while_both_count() -> None:
    found = rotation.rotation_logins(states("open"), VALUES | NEW, ROLES)
    assert found["replication"] == {"name": "replicator_next", "password": "new vault_database_replication_password"}
    assert "superuser" not in found


def test_clients_go_back_when_the_new_password_is_the_only_one() -> None:
    promoted = {name: NEW[f"{name}_next"] for name in VALUES} | NEW
    found = rotation.rotation_logins(states("closing"), promoted, ROLES)
    assert found["application"] == {"name": "enlevohub", "password": "new vault_database_app_password"}


def test_second_logins_have_the_new_passwords_and_replication_its_right() -> None:
    found = {item["name"]: item for item in rotation.rotation_seconds(states("open"), VALUES | NEW, ROLES)}
    assert set(found) == {"enlevohub_next", "storage_next", "replicator_next", "rewind_next"}
    assert [name for name, item in found.items() if item["replication"]] == ["replicator_next"]
    assert found["storage_next"]["password"] == "new vault_database_storage_password"


def test_what_rests_is_left_alone() -> None:
    assert rotation.rotation_seconds(states("rest"), VALUES, ROLES) == []
    assert rotation.rotation_firsts(states("rest"), VALUES, ROLES) == []


def test_roles_get_their_new_passwords_the_superuser_as_well() -> None:
    found = {item["name"]: item["password"] for item in rotation.rotation_firsts(states("open"), VALUES | NEW, ROLES)}
    assert found["postgres"] == "new vault_database_superuser_password"
    assert set(found) == {role["name"] for role in ROLES.values()}


def test_no_second_login_is_left() -> None:
    gone = {item["name"] for item in rotation.rotation_gone(ROLES)}
    assert gone == {item["name"] for item in rotation.rotation_seconds(states("open"), VALUES | NEW, ROLES)}


def test_whole_cluster_is_renewed() -> None:
    found = plan(WELL)
    assert found["refusals"] == []
    assert len(found["lines"]) == len(ROLES) + 1


def test_interrupted_rotation_is_finished_though_another_one_was_named() -> None:
    lines = "\n".join(plan(WELL, state="open", chosen="application")["lines"])
    assert "rewind: password of rewind goes on" in lines


def test_only_what_was_named_is_renewed() -> None:
    assert len(plan(WELL, chosen="application,rewind")["lines"]) == 3


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ([], "there is no leader (timed out)"),
        ([WELL[0]], "db2 does not follow (not a member)"),
        ([WELL[0], {**WELL[1], "state": "start failed"}], "db2 does not follow (start failed)"),
    ],
)
def test_cluster_that_is_not_whole_is_refused(members: list[dict[str, Any]], word: str) -> None:
    assert any(word in line for line in plan(members)["refusals"])


def test_all_reasons_are_told_at_once() -> None:
    assert len(plan([WELL[0]], chosen="jwt")["refusals"]) == 2
    assert plan([], said="error: the vault is broken")["refusals"][-1] == "the vault is broken"
