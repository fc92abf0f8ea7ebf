"""etcd: what a member is told."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Renderer

MEMBERS = {
    "app1": "10.89.0.11",
    "app2": "10.89.0.12",
    "app3": "10.89.0.13",
    "db1": "10.89.0.21",
    "db2": "10.89.0.22",
}


def environment(text: str) -> dict[str, str]:
    """Return the assignments of an environment file."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def member(render: Renderer) -> dict[str, str]:
    """The environment file of etcd on db1."""
    return environment(render("etcd", "etcd.j2", "db1"))


@pytest.mark.parametrize("key", ["ETCD_CLIENT_CERT_AUTH", "ETCD_PEER_CLIENT_CERT_AUTH"])
def test_member_asks_for_client_certificates(member: dict[str, str], key: str) -> None:
    assert member[key] == "true"


@pytest.mark.parametrize("key", ["ETCD_TRUSTED_CA_FILE", "ETCD_PEER_TRUSTED_CA_FILE"])
def test_member_trusts_the_ca_of_the_environment(member: dict[str, str], key: str) -> None:
    assert member[key] == "/etc/enlevohub/pki/ca.crt"


def test_initial_cluster_has_all_members_in_the_order_of_the_inventory(member: dict[str, str]) -> None:
    wanted = ",".join(f"{name}=https://{address}:2380" for name, address in MEMBERS.items())
    assert member["ETCD_INITIAL_CLUSTER"] == wanted


def test_initial_cluster_is_the_same_text_on_every_member(render: Renderer) -> None:
    texts = {environment(render("etcd", "etcd.j2", host))["ETCD_INITIAL_CLUSTER"] for host in MEMBERS}
    assert len(texts) == 1


@pytest.mark.parametrize("host", MEMBERS)
def test_member_has_its_own_name_and_address(render: Renderer, host: str) -> None:
    found = environment(render("etcd", "etcd.j2", host))
    assert (found["ETCD_NAME"], found["ETCD_ADVERTISE_CLIENT_URLS"]) == (host, f"https://{MEMBERS[host]}:2379")


def test_member_uses_https_for_everything_but_metrics(member: dict[str, str]) -> None:
    plain = {key: value for key, value in member.items() if re.search(r"\bhttp://", value)}
    assert plain == {"ETCD_LISTEN_METRICS_URLS": "http://127.0.0.1:2381"}


def test_member_listens_on_no_wildcard_address(member: dict[str, str]) -> None:
    assert [key for key, value in member.items() if "0.0.0.0" in value or "[::]" in value] == []


def test_cluster_token_names_the_environment(render: Renderer) -> None:
    found = environment(render("etcd", "etcd.j2", "db1", environment="molecule"))
    assert found["ETCD_INITIAL_CLUSTER_TOKEN"] == "enlevohub-molecule"


def test_single_member_is_a_cluster_without_commas(render: Renderer) -> None:
    alone = render("etcd", "etcd.j2", "db1", etcd_members=[{"name": "db1", "address": "10.89.0.21"}])
    assert environment(alone)["ETCD_INITIAL_CLUSTER"] == "db1=https://10.89.0.21:2380"


def test_etcdctl_knows_every_member(render: Renderer) -> None:
    found = environment(render("etcd", "etcdctl.sh.j2", "db1"))
    assert found["ETCDCTL_ENDPOINTS"] == ",".join(f"https://{address}:2379" for address in MEMBERS.values())


def test_unit_restarts_a_member_whatever_ended_it(render: Renderer) -> None:
    assert "\nRestart=always\n" in render("etcd", "enlevohub.conf.j2", "db1")


def test_unit_may_read_the_key_of_the_host(render: Renderer) -> None:
    assert "\nSupplementaryGroups=ssl-cert\n" in render("etcd", "enlevohub.conf.j2", "db1")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/default/etcd",
        "/etc/systemd/system/etcd.service.d/enlevohub.conf",
        "/etc/enlevohub/pki/ca.crt",
        "/etc/enlevohub/pki/host.crt",
    ],
)
def test_change_of_the_file_restarts_etcd(render: Renderer, path: str) -> None:
    (unit,) = render.value("etcd", "__etcd_units", "db1")
    assert path in unit["restart_on"]


def test_member_is_ready_when_its_own_endpoint_is_healthy(render: Renderer) -> None:
    (unit,) = render.value("etcd", "__etcd_units", "db2")
    assert "--endpoints=https://10.89.0.22:2379" in unit["ready"]
    assert unit["ready"][-2:] == ["endpoint", "health"]
