"""The roles of PostgreSQL, its tuning, and what guards it."""

from __future__ import annotations

from typing import Any

import pytest


def test_only_the_owner_of_the_system_is_a_superuser(datacenter: Any) -> None:
    rows = datacenter.sql(datacenter.leader(), "select rolname from pg_roles where rolsuper", "postgres")
    assert rows.splitlines() == ["postgres"]


def test_application_owns_its_database_and_may_do_nothing_else(datacenter: Any) -> None:
    row = datacenter.sql(
        datacenter.leader(),
        "select rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles where rolname = 'enlevohub'",
        "postgres",
    )
    assert row == "f|f|f|f"


def test_every_password_is_kept_as_scram(datacenter: Any) -> None:
    rows = datacenter.sql(
        datacenter.leader(),
        "select rolname, split_part(rolpassword, '$', 1) from pg_authid where rolpassword is not null order by 1",
        "postgres",
    )
    assert rows.splitlines() == [f"{name}|SCRAM-SHA-256" for name in ("enlevohub", "postgres", "replicator", "rewind")]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("shared_buffers", "64MB"),
        ("shared_preload_libraries", "pg_stat_statements"),
        ("huge_pages", "try"),
        ("max_parallel_workers", "2"),
        ("log_parameter_max_length", "0"),
    ],
)
def test_postgresql_is_tuned_for_its_server(datacenter: Any, database_server: str, setting: str, value: str) -> None:
    assert datacenter.sql(database_server, f"show {setting}", "postgres") == value


def test_statistics_of_statements_are_kept(datacenter: Any) -> None:
    count = datacenter.sql(datacenter.leader(), "select count(*) from pg_stat_statements", "postgres")
    assert int(count) > 0


def test_nothing_waits_for_a_restart(datacenter: Any, database_server: str) -> None:
    assert datacenter.sql(database_server, "select name from pg_settings where pending_restart", "postgres") == ""


def test_guard_of_the_database_runs(datacenter: Any, database_server: str) -> None:
    service = datacenter.host(database_server).service("enlevohub-database-guard")
    assert service.is_running
    assert service.is_enabled


def test_witness_runs_on_every_member_of_the_quorum(datacenter: Any, etcd_server: str) -> None:
    service = datacenter.host(etcd_server).service("enlevohub-witness")
    assert service.is_running
    assert service.is_enabled


def test_slot_of_a_lost_standby_is_bounded(datacenter: Any, database_server: str) -> None:
    assert datacenter.sql(database_server, "show max_slot_wal_keep_size", "postgres") == "2GB"


def test_patronictl_works_for_an_operator_without_options(datacenter: Any, database_server: str) -> None:
    assert "Leader" in datacenter.run(database_server, "bash -lc 'patronictl list'")
