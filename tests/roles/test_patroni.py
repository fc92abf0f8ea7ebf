"""Patroni: what a member of the database cluster is told."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Renderer, load_yaml

DATABASE_HOSTS = ("db1", "db2")
PKI = "/etc/enlevohub/pki"
# Quotes, a backslash, YAML's and the shell's own signs, a percent sign, a space, letters beyond ASCII.
ODD_PASSWORD = """it's "odd" \\ #{}[]&*!|>%@`:$HOME; -- ção"""
PASSWORDS = {
    "vault_database_superuser_password": ("superuser", "password"),
    "vault_database_replication_password": ("replication", "password"),
    "vault_database_rewind_password": ("rewind", "password"),
}


@pytest.fixture(scope="module")
def config(render: Renderer) -> dict[str, Any]:
    """The configuration of Patroni on db1."""
    found: dict[str, Any] = yaml.safe_load(render("patroni", "config.yml.j2", "db1"))
    return found


@pytest.fixture(scope="module")
def rules(config: dict[str, Any]) -> list[list[str]]:
    """The words of each line of pg_hba."""
    return [line.split() for line in config["postgresql"]["pg_hba"]]


@pytest.mark.parametrize("host", DATABASE_HOSTS)
def test_member_has_its_own_name_and_address(render: Renderer, host: str) -> None:
    found = yaml.safe_load(render("patroni", "config.yml.j2", host))
    address = load_yaml(ROOT / "inventories/lab/hosts.yml")["all"]["hosts"][host]["ansible_host"]
    assert (found["name"], found["postgresql"]["connect_address"]) == (host, f"{address}:5432")


def test_scope_names_the_environment(config: dict[str, Any]) -> None:
    assert config["scope"] == "enlevohub-lab"


def test_patroni_reaches_every_member_of_etcd(config: dict[str, Any]) -> None:
    assert config["etcd3"]["hosts"] == [f"10.89.0.{last}:2379" for last in (11, 12, 13, 21, 22)]


def test_patroni_speaks_mutual_tls_with_etcd(config: dict[str, Any]) -> None:
    assert {key: value for key, value in config["etcd3"].items() if key != "hosts"} == {
        "protocol": "https",
        "cacert": f"{PKI}/ca.crt",
        "cert": f"{PKI}/host.crt",
        "key": f"{PKI}/host.key",
    }


def test_rest_api_asks_every_client_for_a_certificate(config: dict[str, Any]) -> None:
    assert config["restapi"]["verify_client"] == "required"
    assert config["restapi"]["cafile"] == f"{PKI}/ca.crt"


def test_rest_api_has_tls(config: dict[str, Any]) -> None:
    assert (config["restapi"]["certfile"], config["restapi"]["keyfile"]) == (f"{PKI}/host.crt", f"{PKI}/host.key")


def test_rest_api_listens_on_the_private_address_only(config: dict[str, Any]) -> None:
    assert config["restapi"]["listen"] == "10.89.0.21:8008"


def test_rest_api_asks_for_a_password_for_changes(render: Renderer) -> None:
    text = render("patroni", "config.yml.j2", "db1", secrets={"vault_patroni_restapi_password": ODD_PASSWORD})
    assert yaml.safe_load(text)["restapi"]["authentication"] == {"username": "patroni", "password": ODD_PASSWORD}


def test_patronictl_shows_its_certificate(config: dict[str, Any]) -> None:
    assert set(config["ctl"]) == {"cacert", "certfile", "keyfile"}


@pytest.mark.parametrize("role", ["replication", "rewind"])
def test_connection_between_members_verifies_name_and_ca(config: dict[str, Any], role: str) -> None:
    given = config["postgresql"]["authentication"][role]
    assert (given["sslmode"], given["sslrootcert"]) == ("verify-full", f"{PKI}/ca.crt")


@pytest.mark.parametrize("secret", PASSWORDS)
def test_password_with_special_characters_survives(render: Renderer, secret: str) -> None:
    found = yaml.safe_load(render("patroni", "config.yml.j2", "db1", secrets={secret: ODD_PASSWORD}))
    role, key = PASSWORDS[secret]
    assert found["postgresql"]["authentication"][role][key] == ODD_PASSWORD


@pytest.mark.parametrize("setting", ["synchronous_mode", "failsafe_mode", "check_timeline"])
def test_cluster_never_loses_an_acknowledged_write(config: dict[str, Any], setting: str) -> None:
    assert config["bootstrap"]["dcs"][setting] is True


def test_cluster_is_made_with_data_checksums(config: dict[str, Any]) -> None:
    assert "data-checksums" in config["bootstrap"]["initdb"]


def test_cluster_is_made_with_scram_and_peer(config: dict[str, Any]) -> None:
    given = {
        key: value for item in config["bootstrap"]["initdb"] if isinstance(item, dict) for key, value in item.items()
    }
    assert (given["auth-host"], given["auth-local"]) == ("scram-sha-256", "peer")


def test_settings_of_the_cluster_are_those_that_the_api_keeps(render: Renderer, config: dict[str, Any]) -> None:
    assert config["bootstrap"]["dcs"] == render.value("patroni", "__patroni_settings", "db1")


def test_leader_key_outlives_a_loop_and_two_retries(config: dict[str, Any]) -> None:
    settings = config["bootstrap"]["dcs"]
    assert settings["loop_wait"] + 2 * settings["retry_timeout"] <= settings["ttl"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("ssl", "on"),
        ("ssl_min_protocol_version", "TLSv1.2"),
        ("password_encryption", "scram-sha-256"),
        ("ssl_ca_file", f"{PKI}/ca.crt"),
    ],
)
def test_postgresql_runs_with_the_parameter(config: dict[str, Any], parameter: str, value: str) -> None:
    assert config["postgresql"]["parameters"][parameter] == value


def test_parameter_of_the_environment_reaches_the_member(config: dict[str, Any]) -> None:
    assert config["postgresql"]["parameters"]["shared_buffers"] == "64MB"


def test_pg_hba_lets_in_by_tls_or_as_the_local_owner_only(rules: list[list[str]]) -> None:
    assert {(words[0], words[-1]) for words in rules} == {("hostssl", "scram-sha-256"), ("local", "peer")}


def test_pg_hba_has_one_local_rule_for_the_superuser(rules: list[list[str]]) -> None:
    assert [words for words in rules if words[0] == "local"] == [["local", "all", "postgres", "peer"]]


def test_pg_hba_names_single_addresses_of_the_inventory_only(rules: list[list[str]]) -> None:
    hosts = load_yaml(ROOT / "inventories/lab/hosts.yml")["all"]["hosts"].values()
    known = {ipaddress.ip_network(host["ansible_host"]) for host in hosts} | {ipaddress.ip_network("127.0.0.1")}
    assert {ipaddress.ip_network(words[3]) for words in rules if words[0] == "hostssl"} <= known


def test_pg_hba_lets_the_application_in_from_every_backend_and_nowhere_else(rules: list[list[str]]) -> None:
    found = [words[3] for words in rules if words[1:3] == ["enlevohub", "+enlevohub"]]
    assert found == ["10.89.0.11/32", "10.89.0.12/32", "10.89.0.13/32"]


def test_pg_hba_names_no_database_all_over_the_network(rules: list[list[str]]) -> None:
    assert [words for words in rules if words[0] != "local" and "all" in words[1:3]] == []


@pytest.mark.parametrize("host", DATABASE_HOSTS)
def test_pg_hba_lets_every_member_replicate(rules: list[list[str]], host: str) -> None:
    address = load_yaml(ROOT / "inventories/lab/hosts.yml")["all"]["hosts"][host]["ansible_host"]
    assert ["hostssl", "replication", "+replicator", f"{address}/32", "scram-sha-256"] in rules


@pytest.mark.parametrize("path", ["/etc/patroni/config.yml"])
def test_file_with_passwords_is_secret_and_not_for_everybody(render: Renderer, path: str) -> None:
    entry = render.files("patroni", "__patroni_files", "db1")[path]
    assert (entry["secret"], entry["mode"]) == (True, "0640")


def test_every_file_with_a_secret_is_marked(render: Renderer) -> None:
    files = render.files("patroni", "__patroni_files", "db1")
    assert [
        path for path, entry in files.items() if "dummy vault_" in entry["content"] and not entry.get("secret")
    ] == []


def test_package_must_not_make_a_cluster_of_its_own(render: Renderer) -> None:
    files = render.files("patroni", "__patroni_early_files", "db1", __patroni_early_files=render.value(
        "patroni", "__patroni_early_files", "db1")["debian"])  # fmt: skip
    assert "create_main_cluster = false" in files["/etc/postgresql-common/createcluster.conf"]["content"]
