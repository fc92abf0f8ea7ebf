"""The files of group_vars: who owns a key, where secrets stand, and that every value resolves."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from enlevohub_secrets.table import NAMES
from tests.conftest import ENVIRONMENTS, ROOT, RUN, Renderer, load_yaml

VALUES = ROOT / "group_vars"
TIER_FILES = sorted(VALUES.glob("*.yml"))
COMMITTED = sorted(path for path in VALUES.rglob("*.yml") if path.name != "vault.yml")
HOSTS = [
    (environment, host)
    for environment in ENVIRONMENTS
    for host in load_yaml(ROOT / "inventories" / environment / "hosts.yml")["all"]["hosts"]
]
# Who keeps users and who is one must know the same password: Redis, object storage, a simulated F5.
# Operations on the database ask the REST API of Patroni, as its own role does.
SHARED_SECRETS = {
    "vault_f5_password": 2,
    "vault_patroni_restapi_password": 2,
    "vault_redis_application_password": 2,
    "vault_storage_access_key": 2,
    "vault_storage_secret_key": 2,
}
SECRET_NAME = re.compile(r"(password|secret|_key)$")


def references(path: Path) -> list[str]:
    """Return every vault_ name that the values of a file refer to."""
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#"))
    return re.findall(r"\bvault_\w+", "\n".join(lines))


def scalars(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Return every (innermost key, value) of nested values."""
    if isinstance(value, dict):
        return [item for name, inner in value.items() for item in scalars(inner, str(name))]
    if isinstance(value, list):
        return [item for inner in value for item in scalars(inner, key)]
    return [(key, value)]


@pytest.mark.parametrize(("first", "second"), list(combinations(TIER_FILES, 2)), ids=lambda path: path.stem)
def test_no_key_is_set_by_two_tiers(first: Path, second: Path) -> None:
    assert sorted(set(load_yaml(first)) & set(load_yaml(second))) == []


def test_no_key_is_set_by_two_files_of_all() -> None:
    counted = Counter(key for path in (VALUES / "all").glob("*.yml") for key in load_yaml(path))
    assert [key for key, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("path", TIER_FILES, ids=lambda path: path.stem)
def test_tier_file_has_the_name_of_a_group(path: Path) -> None:
    assert path.stem in load_yaml(ROOT / "inventories" / "lab" / "hosts.yml")


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: str(path.relative_to(VALUES)))
def test_vault_references_are_known_to_the_table_of_secrets(path: Path) -> None:
    assert sorted(set(references(path)) - set(NAMES)) == []


@pytest.mark.parametrize("name", NAMES)
def test_secret_is_referenced_once_unless_it_is_listed_as_shared(name: str) -> None:
    found = sum(references(path).count(name) for path in COMMITTED)
    assert found == SHARED_SECRETS.get(name, 1)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: str(path.relative_to(VALUES)))
def test_secrets_are_never_values_of_a_committed_file(path: Path) -> None:
    given = [
        key
        for key, value in scalars(load_yaml(path))
        if SECRET_NAME.search(key) and not re.search(r"\b(?:vault_|database_(?:passwords|logins)\.)", str(value))
    ]
    assert given == []


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: str(path.relative_to(VALUES)))
def test_committed_file_defines_no_vault_variable(path: Path) -> None:
    assert [key for key in load_yaml(path) if key.startswith("vault_")] == []


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: str(path.relative_to(VALUES)))
def test_committed_file_holds_no_private_key(path: Path) -> None:
    assert "PRIVATE KEY" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("environment", "host"), HOSTS, ids=lambda item: item)
def test_every_value_of_a_host_resolves(render: Renderer, environment: str, host: str) -> None:
    variables = {**render.host_variables(environment, host), **RUN}
    templar = Templar(loader=DataLoader(), variables=variables)
    own = {key for path in COMMITTED for key in load_yaml(path)} & set(variables)
    resolved = {key: templar.template(variables[key]) for key in own}
    assert [key for key, value in resolved.items() if "{{" in str(value)] == []


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ("lab", "https://localhost:8443"),
        ("molecule", "https://localhost:9443"),
        ("datacenter", "https://enlevohub.example"),
    ],
)
def test_frontend_url_is_the_public_address(render: Renderer, environment: str, address: str) -> None:
    assert render.value("backend", "backend_frontend_url", "app1", environment=environment) == address


@pytest.mark.parametrize(
    ("environment", "published"), [("lab", ["127.0.0.1:8443:443"]), ("molecule", ["127.0.0.1:9443:443"])]
)
def test_load_balancer_of_a_lab_is_published_on_loopback(
    render: Renderer, environment: str, published: list[str]
) -> None:
    assert render.value("base", "lab_published_ports", "lb1", environment=environment) == published


@pytest.mark.parametrize("host", ["app1", "db1"])
def test_other_hosts_of_a_lab_publish_nothing(render: Renderer, host: str) -> None:
    assert render.value("base", "lab_published_ports", host) == []


def test_real_servers_publish_nothing(render: Renderer) -> None:
    assert render.value("base", "lab_published_ports", "app1", environment="datacenter") == []


def test_backend_pool_has_every_backend_with_its_port(render: Renderer) -> None:
    pools = {pool["name"]: pool for pool in render.value("haproxy", "haproxy_pools", "lb1")}
    assert [(member["name"], member["address"], member["port"]) for member in pools["backend"]["members"]] == [
        ("app1", "10.89.0.11", 3001),
        ("app2", "10.89.0.12", 3001),
        ("app3", "10.89.0.13", 3001),
    ]


def test_certificate_of_a_host_names_its_service_address_and_loopback(render: Renderer) -> None:
    assert render.value("pki", "pki_addresses", "db1") == ["10.89.0.21", "127.0.0.1"]
