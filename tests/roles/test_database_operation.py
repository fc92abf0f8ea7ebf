"""Operations on the database: what the operator gives, and what the role makes of it."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT, Renderer, load_yaml

ROLE = "database_operation"
KINDS = load_yaml(ROOT / "roles" / ROLE / "meta/argument_specs.yml")["argument_specs"]["main"]["options"][
    "database_operation_kind"
]["choices"]
PLAYBOOKS = {"switchover": "switchover", "reinit": "reinit-standby", "restart": "restart-database",
             "upgrade": "upgrade-database", "add": "add-standby"}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_has_its_playbook(kind: str) -> None:
    text = (ROOT / "playbooks" / f"{PLAYBOOKS[kind]}.yml").read_text(encoding="utf-8")
    assert f"database_operation_kind: {kind}" in text


@pytest.mark.parametrize(("kind", "variable"), [("switchover", "to"), ("reinit", "standby"), ("add", "standby")])
def test_server_is_named_by_the_variable_of_the_playbook(render: Renderer, kind: str, variable: str) -> None:
    given = {"database_operation_kind": kind, variable: "db2"}
    assert render.value(ROLE, "database_operation_target", "db1", **given) == "db2"
    assert render.value(ROLE, "__database_operation_variable", "db1", **given) == variable


@pytest.mark.parametrize("environment", ["lab", "datacenter"])
def test_operation_takes_the_lock_of_the_releases(render: Renderer, environment: str) -> None:
    for mine, theirs in (("prefix", "prefix"), ("endpoints", "endpoints"), ("unlock", "unlock")):
        assert render.value(ROLE, f"database_operation_{mine}", "db1", environment=environment) == render.value(
            "release", f"release_{theirs}", "app1", environment=environment
        )


def test_confirmation_wants_the_name_of_the_cluster(render: Renderer) -> None:
    assert render.value(ROLE, "database_operation_cluster", "db1") == render.value("patroni", "patroni_scope", "db1")


def test_upgrade_brings_the_major_version_that_patroni_runs(render: Renderer) -> None:
    version = render.value("patroni", "patroni_postgresql_version", "db1")
    assert {f"postgresql-{version}", "patroni"} <= set(render.value(ROLE, "__database_operation_packages", "db1"))


def test_upgrade_covers_what_the_role_patroni_installs(render: Renderer) -> None:
    installed = set(render.value("patroni", "__patroni_packages", "db1"))
    assert installed <= set(render.value(ROLE, "__database_operation_packages", "db1"))


def test_restart_follows_from_the_lists_of_files_of_the_packages(render: Renderer) -> None:
    files = render.value(ROLE, "__database_operation_package_files", "db1")
    assert {"/var/lib/dpkg/info/patroni.list", "/var/lib/dpkg/info/libpq5:amd64.list"} <= set(files)
    assert not [path for path in files if "pgbackrest" in path]


def test_member_is_asked_at_its_own_address(render: Renderer) -> None:
    step = {"action": "upgrade", "member": "db2"}
    (unit,) = render.value(ROLE, "__database_operation_units", "db1", __database_operation_do=step)
    assert unit["ready"][-1] == "https://10.89.0.22:8008/readiness"


def test_refusal_of_the_lock_is_told_with_the_other_findings(render: Renderer) -> None:
    told = render.value(
        ROLE,
        "__database_operation_findings",
        "db1",
        __database_operation_lock={"msg": "another run holds the lock"},
        __database_operation_plan={"findings": ["no leader"]},
    )
    assert told == ["another run holds the lock", "no leader"]
