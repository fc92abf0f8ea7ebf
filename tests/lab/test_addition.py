"""One more server in a lab."""

import ipaddress
from pathlib import Path

import pytest

from enlevohub_lab.addition import inventory_lines, next_address
from enlevohub_lab.errors import LabError
from enlevohub_lab.inventory import Environment, Host

NETWORK = ipaddress.IPv4Network("10.89.0.0/24")
NAMES = {"app1": 11, "app2": 12, "app3": 13, "db1": 21, "db2": 22, "lb1": 31}
USED = {name: NETWORK[number] for name, number in NAMES.items()}
GROUPS = {
    "backend_servers": ("app1", "app2", "app3"),
    "frontend_servers": ("app1",),
    "etcd_servers": ("app1", "app2", "app3", "db1", "db2"),
    "lab": tuple(NAMES),
}
LAB = Environment("lab", Path("inventories/lab"), {name: Host(name, address) for name, address in USED.items()}, GROUPS)


@pytest.mark.parametrize(("name", "last"), [("app4", 14), ("db3", 23), ("lb2", 32), ("cache1", 41)])
def test_address_follows_the_tier(name: str, last: int) -> None:
    assert next_address(name, USED, NETWORK) == NETWORK[last]


def test_address_of_a_full_tier_skips_the_next_tier() -> None:
    tier = {f"app{number}": NETWORK[10 + number] for number in range(1, 11)}
    assert next_address("app11", {**USED, **tier}, NETWORK) == NETWORK[23]


def test_address_of_a_full_end_comes_from_the_start() -> None:
    assert next_address("z2", {"z1": NETWORK[254]}, NETWORK) == NETWORK[2]


def test_full_network_is_an_error() -> None:
    used = {f"x{number}": NETWORK[number] for number in range(2, 255)}
    with pytest.raises(LabError, match="No address is free"):
        next_address("y1", used, NETWORK)


def test_lines_put_the_server_into_the_groups_of_its_whole_tier() -> None:
    lines = inventory_lines(LAB, Host("app4", NETWORK[14]))
    assert "backend_servers:\n  hosts:\n    app4:\n" in lines


def test_lines_leave_out_groups_of_single_servers() -> None:
    assert "frontend_servers" not in inventory_lines(LAB, Host("app4", NETWORK[14]))


def test_lines_keep_the_quorum_odd() -> None:
    assert "etcd_servers:" not in inventory_lines(LAB, Host("app4", NETWORK[14]))


def test_lines_put_a_server_of_a_new_tier_into_the_environment_only() -> None:
    lines = inventory_lines(LAB, Host("cache1", NETWORK[41]))
    assert [line for line in lines.splitlines() if line.endswith(":") and line[0] != " "][1:] == ["all:", "lab:"]
