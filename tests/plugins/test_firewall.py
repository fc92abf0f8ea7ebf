"""Filter of the firewall: what one host opens, for whom."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.enlevohub.datacenter.plugins.filter import firewall

MEMBERS = [{"name": "app1", "address": "192.0.2.11"}, {"name": "app2", "address": "192.0.2.12"}]


def opened(host: str = "app1", **service: Any) -> list[dict[str, Any]]:
    """Return what a host opens for one service."""
    found: list[dict[str, Any]] = firewall.openings([{"name": "service", **service}], host)
    return found


def test_member_opens_its_ports_for_the_sources() -> None:
    assert opened(members=MEMBERS, ports=[2379], sources=MEMBERS) == [
        {"name": "service", "ports": ["2379"], "sources": {"ip": ["192.0.2.11", "192.0.2.12"]}}
    ]


def test_host_that_is_no_member_opens_nothing() -> None:
    assert opened("db1", members=MEMBERS, ports=[2379], anywhere=True) == []


def test_service_without_members_is_on_every_host() -> None:
    assert opened("db1", ports=[22], anywhere=True)[0]["ports"] == ["22"]


def test_service_without_any_member_is_nowhere() -> None:
    assert opened(members=[], ports=[80], anywhere=True) == []


def test_service_without_sources_opens_nothing() -> None:
    assert opened(ports=[22]) == []


def test_everybody_is_told_from_nobody() -> None:
    assert opened(ports=[22], anywhere=True)[0]["sources"] == {"any": []}


def test_copies_open_the_ports_of_their_host_only() -> None:
    copies = [
        {"name": "app1", "host": "app1", "port": 3001},
        {"name": "app1-2", "host": "app1", "port": 3002},
        {"name": "app2", "host": "app2", "port": 4000},
    ]
    assert opened(members=copies, anywhere=True)[0]["ports"] == ["3001-3002"]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [({1}, ["1"]), ({3, 1, 2}, ["1-3"]), ({1, 3}, ["1", "3"]), ({5, 4, 9, 10, 7}, ["4-5", "7", "9-10"]), (set(), [])],
)
def test_neighbour_ports_are_one_range(ports: set[int], expected: list[str]) -> None:
    assert firewall.ranges(ports) == expected


def test_sources_stand_by_family_and_in_order() -> None:
    sources = ["2001:db8::1", "192.0.2.12", {"address": "192.0.2.9"}, "198.51.100.0/24"]
    assert opened(ports=[1], sources=sources)[0]["sources"] == {
        "ip": ["192.0.2.9", "192.0.2.12", "198.51.100.0/24"],
        "ip6": ["2001:db8::1"],
    }


def test_sources_do_not_overlap() -> None:
    sources = ["192.0.2.12", "192.0.2.0/24", "192.0.2.12"]
    assert opened(ports=[1], sources=sources)[0]["sources"] == {"ip": ["192.0.2.0/24"]}


@pytest.mark.parametrize("source", ["192.0.2.1/24", "a name", "", {"name": "app1"}])
def test_source_that_is_no_address_is_refused_by_its_service(source: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="of 'service' needs an address"):
        opened(ports=[1], sources=[source])
