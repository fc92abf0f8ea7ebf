"""PostgreSQL under Patroni: one leader, one synchronous standby, TLS only."""

from __future__ import annotations

from typing import Any

import pytest

from enlevohub_drill.site import TLS_REFUSED

PKI = "/etc/enlevohub/pki"


def test_cluster_has_one_leader_and_one_synchronous_standby(datacenter: Any) -> None:
    assert datacenter.whole(), datacenter.cluster()


def test_standby_streams_over_tls(datacenter: Any) -> None:
    row = datacenter.sql(
        datacenter.leader(),
        "select r.state, r.sync_state, s.ssl from pg_stat_replication r join pg_stat_ssl s using (pid)",
        "postgres",
    )
    assert row == "streaming|sync|t"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("ssl", "on"),
        ("password_encryption", "scram-sha-256"),
        ("wal_log_hints", "on"),
        ("wal_sender_timeout", "5s"),
        ("max_slot_wal_keep_size", "2GB"),
    ],
)
def test_postgresql_setting(datacenter: Any, database_server: str, setting: str, value: str) -> None:
    assert datacenter.sql(database_server, f"show {setting}", "postgres") == value


def test_pg_hba_allows_only_tls_with_scram_and_the_local_superuser(datacenter: Any, database_server: str) -> None:
    rules = datacenter.sql(
        database_server, "select distinct type, auth_method from pg_hba_file_rules order by 1", "postgres"
    )
    assert rules.splitlines() == ["hostssl|scram-sha-256", "local|peer"]


@pytest.mark.parametrize("mode", ["disable", "allow"])
def test_postgresql_refuses_a_plain_connection(datacenter: Any, database_server: str, mode: str) -> None:
    leader = datacenter.address(database_server)
    script = f"PGCONNECT_TIMEOUT=5 psql 'host={leader} user=enlevohub dbname=enlevohub sslmode=disable' -c 'select 1'"
    if mode == "allow":
        script = script.replace("user=enlevohub", "user=postgres")
    result = datacenter.host(database_server).run(script)
    assert result.rc == 2
    assert "no pg_hba.conf entry" in result.stderr


def test_patroni_api_refuses_a_client_without_certificate(datacenter: Any, database_server: str) -> None:
    url = f"https://{datacenter.address(database_server)}:8008/patroni"
    assert datacenter.host(database_server).run(f"curl -sS --cacert {PKI}/ca.crt {url}").rc in TLS_REFUSED


@pytest.mark.parametrize(("key", "value"), [("synchronous_mode", "true"), ("failsafe_mode", "true"), ("ttl", "20")])
def test_cluster_setting(datacenter: Any, key: str, value: str) -> None:
    shown = datacenter.run(datacenter.leader(), "bash -lc 'patronictl show-config'")
    assert f"{key}: {value}" in shown.splitlines()


def test_the_distribution_made_no_cluster_of_its_own(datacenter: Any, database_server: str) -> None:
    assert not datacenter.host(database_server).file("/etc/postgresql/17").exists


def test_patroni_configuration_is_readable_for_postgres_only(datacenter: Any, database_server: str) -> None:
    file = datacenter.host(database_server).file("/etc/patroni/config.yml")
    assert (file.user, file.group, file.mode) == ("root", "postgres", 0o640)
