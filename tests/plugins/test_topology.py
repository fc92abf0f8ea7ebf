"""Filters that turn the inventory into lists and connection strings."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.enlevohub.datacenter.plugins.filter import topology

HOSTVARS: dict[str, dict[str, Any]] = {
    "db1": {"enlevohub_address": "192.0.2.21", "database_port": "5432"},
    "db2": {"enlevohub_address": "192.0.2.22", "database_port": 6432},
    "lost": {"ansible_host": "192.0.2.99", "database_port": 5432},
}
DATABASES = [{"name": "db1", "address": "192.0.2.21"}, {"name": "db2", "address": "192.0.2.22"}]
ODD_TEXTS = ["plain", "it's", 'say "hi"', "a@b:c/d?e#f", "100% {x}", "back\\slash", "ação €", "$HOME `id`", "+ &=;,"]


def url(password: str = "secret", user: str = "enlevohub", **options: Any) -> str:
    """Return a connection string for the two databases."""
    found: str = topology.database_url(DATABASES, "enlevohub", user, password, "/etc/enlevohub/ca.crt", **options)
    return found


def test_members_keep_the_order_of_the_inventory() -> None:
    assert topology.members(["db2", "db1"], HOSTVARS) == [DATABASES[1], DATABASES[0]]


def test_members_get_the_port_of_their_own_host_as_a_number() -> None:
    assert [member["port"] for member in topology.members(["db1", "db2"], HOSTVARS, "database_port")] == [5432, 6432]


def test_members_without_a_port_variable_have_no_port() -> None:
    assert [set(member) for member in topology.members(["db1"], HOSTVARS)] == [{"name", "address"}]


def test_members_of_an_empty_group_are_an_empty_list() -> None:
    assert topology.members([], HOSTVARS) == []


def test_member_without_an_address_is_named_in_the_error() -> None:
    with pytest.raises(AnsibleFilterError, match=r"host 'lost' has no enlevohub_address.*hosts\.yml"):
        topology.members(["db1", "lost"], HOSTVARS)


def test_member_without_the_port_is_named_in_the_error() -> None:
    with pytest.raises(AnsibleFilterError, match="host 'db1' has no backend_port"):
        topology.members(["db1"], HOSTVARS, "backend_port")


@pytest.mark.parametrize(
    ("port", "scheme", "wanted"),
    [(2379, "", "192.0.2.21:2379"), (2379, "https", "https://192.0.2.21:2379"), (None, "", "192.0.2.21:3001")],
)
def test_endpoint_has_scheme_address_and_port(port: int | None, scheme: str, wanted: str) -> None:
    assert topology.endpoints([{"name": "db1", "address": "192.0.2.21", "port": 3001}], port, scheme) == [wanted]


def test_database_url_names_every_server_with_its_port() -> None:
    assert url().split("@")[1].split("/")[0] == "192.0.2.21:5432,192.0.2.22:5432"


def test_database_url_has_the_port_that_is_given() -> None:
    assert "192.0.2.22:6432/" in url(port=6432)


def test_database_url_looks_for_the_leader_with_full_verification() -> None:
    assert parse_qs(urlsplit(url()).query) == {
        "target_session_attrs": ["read-write"],
        "sslmode": ["verify-full"],
        "sslrootcert": ["/etc/enlevohub/ca.crt"],
    }


@pytest.mark.parametrize("password", ODD_TEXTS)
def test_database_url_gives_the_password_back(password: str) -> None:
    credentials = urlsplit(url(password)).netloc.rpartition("@")[0]
    assert unquote(credentials.partition(":")[2]) == password


@pytest.mark.parametrize("user", ODD_TEXTS)
def test_database_url_gives_the_user_back(user: str) -> None:
    credentials = urlsplit(url(user=user)).netloc.rpartition("@")[0]
    assert unquote(credentials.partition(":")[0]) == user


@pytest.mark.parametrize("password", ODD_TEXTS)
def test_database_url_splits_at_one_at_sign_only(password: str) -> None:
    assert url(password).count("@") == 1


def test_database_url_without_servers_says_where_they_belong() -> None:
    with pytest.raises(AnsibleFilterError, match=r"database_servers in hosts\.yml"):
        topology.database_url([], "enlevohub", "enlevohub", "secret", "/ca.crt")


def test_trusted_certificate_ends_with_one_line_break() -> None:
    assert topology.trusted_certificate({"key": "root", "value": "\nPEM\n\n"})["content"] == "PEM\n"


def test_trusted_certificate_is_a_file_that_debian_collects() -> None:
    path = topology.trusted_certificate({"key": "root", "value": "PEM"})["path"]
    assert path == "/usr/local/share/ca-certificates/root.crt"


def test_copies_take_the_ports_after_the_first_and_are_listed_round_by_round() -> None:
    values = {"enlevohub_address": "192.0.2.1", "backend_port": 3001, "backend_replicas": "2"}
    found = topology.members(["app1", "app2"], {"app1": values, "app2": values}, "backend_port", "backend_replicas")
    assert [(entry["name"], entry["port"], entry["host"], entry["number"]) for entry in found] == [
        ("app1", 3001, "app1", 1),
        ("app2", 3001, "app2", 1),
        ("app1-2", 3002, "app1", 2),
        ("app2-2", 3002, "app2", 2),
    ]


def test_copies_of_a_service_have_their_own_port_and_name() -> None:
    found = topology.copies({"image": "x", "environment": {"INSTANCE": "app1"}}, "api", 2, "192.0.2.1", 3001, 3001)
    assert {name: service["ports"] for name, service in found.items()} == {
        "api": ["192.0.2.1:3001:3001"],
        "api-2": ["192.0.2.1:3002:3001"],
    }
    assert [service["environment"]["INSTANCE"] for service in found.values()] == ["app1", "app1-2"]
