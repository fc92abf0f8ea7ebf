"""What a lab takes from the inventory."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from enlevohub_lab.errors import LabError
from enlevohub_lab.inventory import Environment, environment_name, environment_of, parse

OUTPUT = """\
[WARNING]: something
app1 | SUCCESS => {
    "changed": false,
    "msg": {"address": "10.89.0.11", "groups": ["backend_servers", "lab"], "published_ports": []}
}
lb1 | SUCCESS => {
    "changed": false,
    "msg": {"address": "10.89.0.31", "groups": ["lab"], "published_ports": ["127.0.0.1:8443:443"]}
}
"""


def environment(**variables: Any) -> Environment:
    """A lab of one host with these variables."""
    return environment_of(
        "lab", Path("inventories/lab"), {"app1": {"address": "10.89.0.11", "groups": [], **variables}}
    )


def with_addresses(**addresses: str) -> Environment:
    """A lab with these hosts and addresses."""
    answers = {name: {"address": address, "groups": ["lab"]} for name, address in addresses.items()}
    return environment_of("lab", Path("inventories/lab"), answers)


def test_answer_of_every_host_is_read() -> None:
    assert {name: answer["address"] for name, answer in parse(OUTPUT).items()} == {
        "app1": "10.89.0.11",
        "lb1": "10.89.0.31",
    }


def test_groups_hold_the_hosts_that_name_them() -> None:
    assert environment_of("lab", Path("inventories/lab"), parse(OUTPUT)).groups == {
        "backend_servers": ("app1",),
        "lab": ("app1", "lb1"),
    }


def test_shm_size_has_a_default() -> None:
    assert environment().hosts["app1"].shm_size == "256m"


def test_published_ports_of_a_host_are_kept() -> None:
    assert environment(published_ports=["127.0.0.1:1:2"]).hosts["app1"].published_ports == ("127.0.0.1:1:2",)


@pytest.mark.parametrize("value", ["127.0.0.1:8443:443", ["8443:443"], ["0.0.0.0:8443:443"]])
def test_published_ports_of_another_form_are_refused(value: Any) -> None:
    with pytest.raises(LabError, match="Host app1: lab_published_ports must be"):
        environment(published_ports=value)


def test_memory_of_another_form_is_refused() -> None:
    with pytest.raises(LabError, match="lab_memory must be a size"):
        environment(memory="much")


def test_address_that_is_a_name_is_refused() -> None:
    with pytest.raises(LabError, match="Host app1: ansible_host must be an IPv4 address"):
        environment(address="app1.example")


def test_network_is_the_24_of_the_addresses() -> None:
    network = with_addresses(app1="10.89.0.11", lb1="10.89.0.31").network
    assert network == ipaddress.IPv4Network("10.89.0.0/24")


@pytest.mark.parametrize(
    ("addresses", "reason"),
    [
        ({"app1": "10.89.0.11", "db1": "10.89.1.21"}, "db1 .* is not in one private /24"),
        ({"app1": "8.8.8.8"}, "app1 .* is not in one private /24"),
        ({"app1": "10.89.0.1"}, "app1 .* is reserved"),
        ({"app1": "10.89.0.11", "app2": "10.89.0.11"}, "app2 and app1 have the same address"),
        ({}, "no hosts"),
    ],
)
def test_addresses_that_make_no_network_are_refused(addresses: dict[str, str], reason: str) -> None:
    with pytest.raises(LabError, match=reason):
        _ = with_addresses(**addresses).network


@pytest.mark.parametrize("name", ["datacenter", "laboratory", "lab_", "lab-2", "my_lab"])
def test_environment_of_real_servers_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(LabError, match="only lab, molecule, lab_NAME and molecule_NAME are made of containers"):
        environment_name(tmp_path / name)


@pytest.mark.parametrize("name", ["lab", "molecule", "lab_f5", "molecule_database"])
def test_environment_with_the_name_of_a_lab_is_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert environment_name(tmp_path / name) == name


def test_missing_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such directory"):
        environment_name(tmp_path / "lab")
