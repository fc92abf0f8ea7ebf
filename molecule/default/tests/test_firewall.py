"""The firewall: whoever needs a port reaches it, nobody else does."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

# Who may open a connection to which port of whom, by tiers; the rest of all pairs may not.
PORTS = [
    (22, "all", "all"),
    (80, "frontend_servers", "load_balancers"),
    (3001, "backend_servers", "load_balancers frontend_servers"),
    (5432, "database_servers", "database_servers backend_servers storage_servers"),
    (8008, "database_servers", "database_servers"),
    (2379, "etcd_servers", "etcd_servers database_servers frontend_servers"),
    (2380, "etcd_servers", "etcd_servers"),
    (6379, "redis_servers", "redis_servers backend_servers"),
    (26379, "redis_servers", "redis_servers backend_servers"),
    (8333, "storage_servers", "storage_servers backend_servers"),
    (9333, "storage_servers", "storage_servers"),
    (19334, "storage_servers", "storage_servers"),
    (8432, "backup_servers", "database_servers"),
    (8432, "database_servers", "backup_servers"),
]
PROGRAM = """
import json, socket, sys
def opens(address, port):
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex((address, port)) == 0
print(json.dumps([opens(address, port) for address, port in json.loads(sys.argv[1])]))
"""


def hosts_of(datacenter: Any, tiers: str) -> set[str]:
    """Return the hosts of some tiers."""
    names = datacenter.variables if tiers == "all" else [h for tier in tiers.split() for h in datacenter.groups[tier]]
    return set(names)


def listening(datacenter: Any, host: str) -> set[int]:
    """Return the TCP ports of a host that listen on more than its loopback address."""
    lines = datacenter.run(host, "ss -Hltn").splitlines()
    places = [line.split()[3] for line in lines]
    return {int(place.rsplit(":", 1)[1]) for place in places if not re.match(r"127\.|\[::1\]|\[::ffff:127\.", place)}


def test_hosts_reach_what_they_need_and_nothing_else(datacenter: Any, any_server: str) -> None:
    allowed = {
        (target, port): any_server in hosts_of(datacenter, sources)
        for port, targets, sources in PORTS
        for target in sorted(hosts_of(datacenter, targets) - {any_server})
    }
    asked = json.dumps([(datacenter.address(target), port) for target, port in allowed])
    answers = json.loads(datacenter.run(any_server, f"python3 -c '{PROGRAM}' '{asked}'"))
    assert dict(zip(allowed, answers, strict=True)) == allowed


def test_stranger_reaches_only_what_is_for_everybody(datacenter: Any, any_server: str) -> None:
    ports = listening(datacenter, any_server)
    assert 22 in ports
    found = set()
    for port in sorted(ports):
        with socket.socket() as client:
            client.settimeout(5)
            if client.connect_ex((datacenter.address(any_server), port)) == 0:
                found.add(port)
    assert found == ({22, 80, 443, 8404} if any_server in datacenter.groups["load_balancers"] else {22})


def test_rules_are_loaded_before_the_network_at_boot(datacenter: Any, any_server: str) -> None:
    unit = "enlevohub-firewall.service"
    assert datacenter.host(any_server).service(unit).is_enabled
    assert "network-pre.target" in datacenter.run(any_server, f"systemctl show --property Before {unit}")


@pytest.mark.parametrize("chain", ["DOCKER", "DOCKER-USER"])
def test_rules_leave_those_of_docker_alone(datacenter: Any, backend_server: str, chain: str) -> None:
    assert datacenter.host(backend_server).run(f"iptables -S {chain}").rc == 0
