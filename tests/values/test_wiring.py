"""Which value a host gets when several places set it, as ansible-inventory sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from enlevohub_secrets.table import NAMES
from tests.conftest import ENVIRONMENTS, ROOT, copy_values, load_yaml

TIERS = ("backend_servers", "frontend_servers", "etcd_servers", "database_servers", "redis_servers", "load_balancers")
Ask = Callable[[str], dict[str, Any]]


def read_inventory(site: Path, environment: str) -> dict[str, Any]:
    """Return what ``ansible-inventory --list`` says about one environment of a site."""
    program = str(Path(sys.executable).with_name("ansible-inventory"))
    command = [program, "--list", "--playbook-dir", str(site / "playbooks"), "-i", f"inventories/{environment}"]
    variables = {**os.environ, "LC_ALL": "C.UTF-8"}
    answer = subprocess.run(
        command, cwd=site, env=variables, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def append(path: Path, **values: str) -> None:
    """Add values to the end of a file of group_vars."""
    with path.open("a", encoding="utf-8") as handle:
        handle.write(yaml.safe_dump(values))


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Inventories whose files of group_vars each set probes that name the file."""
    site = copy_values(tmp_path_factory.mktemp("probed"))
    values = site / "group_vars"
    append(values / "all" / "main.yml", probe_all="all", probe_environment="all", probe_last="all")
    append(values / "all" / "main.yml", **{f"probe_{tier}": "all" for tier in TIERS})
    for tier in TIERS:
        append(values / f"{tier}.yml", **{f"probe_{tier}": tier}, probe_environment=tier, probe_last=tier)
    for environment in ENVIRONMENTS:
        if environment != "molecule":
            append(values / environment / "main.yml", probe_environment=environment, probe_last=environment)
    append(values / "molecule" / "main.yml", probe_last="molecule")
    known: dict[str, dict[str, Any]] = {}

    def ask(environment: str) -> dict[str, Any]:
        if environment not in known:
            known[environment] = read_inventory(site, environment)["_meta"]["hostvars"]
        return known[environment]

    return ask


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_group_vars_is_a_relative_link_in_every_inventory(environment: str) -> None:
    link = ROOT / "inventories" / environment / "group_vars"
    assert link.is_symlink()
    assert str(link.readlink()) == "../../group_vars"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_group_vars_all_reaches_every_host(probed: Ask, environment: str) -> None:
    assert {host: values.get("probe_all") for host, values in probed(environment).items()} == dict.fromkeys(
        probed(environment), "all"
    )


@pytest.mark.parametrize(
    ("environment", "host", "tier"),
    [
        ("lab", "app2", "backend_servers"),
        ("lab", "app2", "etcd_servers"),
        ("lab", "app1", "frontend_servers"),
        ("lab", "db1", "database_servers"),
        ("lab", "lb1", "load_balancers"),
        ("datacenter", "db2", "database_servers"),
    ],
)
def test_tier_wins_over_all(probed: Ask, environment: str, host: str, tier: str) -> None:
    assert probed(environment)[host][f"probe_{tier}"] == tier


@pytest.mark.parametrize(
    ("host", "tier"), [("app2", "frontend_servers"), ("db1", "backend_servers"), ("lb1", "etcd_servers")]
)
def test_tier_reaches_no_host_outside_its_group(probed: Ask, host: str, tier: str) -> None:
    assert probed("lab")[host][f"probe_{tier}"] == "all"


@pytest.mark.parametrize(("environment", "winner"), [("lab", "lab"), ("datacenter", "datacenter"), ("molecule", "lab")])
def test_environment_wins_over_tier_and_all(probed: Ask, environment: str, winner: str) -> None:
    assert {values["probe_environment"] for values in probed(environment).values()} == {winner}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_environment_with_its_own_name_has_the_last_word(probed: Ask, environment: str) -> None:
    assert {values["probe_last"] for values in probed(environment).values()} == {environment}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_enlevohub_environment_is_the_name_of_the_inventory(probed: Ask, environment: str) -> None:
    assert {values["enlevohub_environment"] for values in probed(environment).values()} == {environment}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_vault_of_the_environment_reaches_every_host(probed: Ask, environment: str) -> None:
    for values in probed(environment).values():
        assert {name: values[name] for name in NAMES} == {name: f"dummy {name} of {environment}" for name in NAMES}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_tier_groups_are_flat(environment: str) -> None:
    groups = load_yaml(ROOT / "inventories" / environment / "hosts.yml")
    assert [name for name, group in groups.items() if "children" in (group or {})] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_tier_is_a_group_of_the_inventory(environment: str) -> None:
    groups = load_yaml(ROOT / "inventories" / environment / "hosts.yml")
    assert sorted(set(TIERS) - set(groups)) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_group_lists_every_host(environment: str) -> None:
    groups = load_yaml(ROOT / "inventories" / environment / "hosts.yml")
    assert set(groups[environment]["hosts"]) == set(groups["all"]["hosts"])


@pytest.mark.parametrize(("environment", "priority"), [("lab", 10), ("datacenter", 10), ("molecule", 20)])
def test_environment_group_has_its_priority(environment: str, priority: int) -> None:
    groups = load_yaml(ROOT / "inventories" / environment / "hosts.yml")
    assert groups[environment]["vars"] == {"ansible_group_priority": priority}


def test_molecule_lists_its_hosts_as_a_lab_too() -> None:
    groups = load_yaml(ROOT / "inventories" / "molecule" / "hosts.yml")
    assert groups["lab"] == {"hosts": dict.fromkeys(groups["all"]["hosts"]), "vars": {"ansible_group_priority": 10}}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_hosts_file_gives_a_host_nothing_but_address_and_failure_domain(environment: str) -> None:
    groups = load_yaml(ROOT / "inventories" / environment / "hosts.yml")
    given = {key for group in groups.values() for values in (group.get("hosts") or {}).values() for key in values or {}}
    assert given - {"ansible_host", "failure_domain"} == set()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_hosts_file_gives_a_group_no_variable_but_its_priority(environment: str) -> None:
    groups = load_yaml(ROOT / "inventories" / environment / "hosts.yml")
    assert {key for group in groups.values() for key in group.get("vars") or {}} == {"ansible_group_priority"}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_host_has_an_address_of_its_own(environment: str) -> None:
    hosts = load_yaml(ROOT / "inventories" / environment / "hosts.yml")["all"]["hosts"]
    addresses = [values["ansible_host"] for values in hosts.values()]
    assert sorted(set(addresses)) == sorted(addresses)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_etcd_has_an_odd_number_of_members(environment: str) -> None:
    groups = load_yaml(ROOT / "inventories" / environment / "hosts.yml")
    assert len(groups["etcd_servers"]["hosts"]) % 2 == 1
