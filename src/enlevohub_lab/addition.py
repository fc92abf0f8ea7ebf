"""One more blank server beside those of the inventory."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path

from enlevohub_lab import containers, ssh
from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from enlevohub_lab.hosts import bring_up, extra_hosts
from enlevohub_lab.inventory import HOST_NAME, Environment, Host
from enlevohub_lab.network import subnet_of

# A quorum wants an odd number of members: growing these groups is a decision, not a habit.
QUORUM_GROUPS = frozenset({"etcd_servers", "redis_servers"})


def prefix_of(name: str) -> str:
    """The name without its number: "app" of "app4"."""
    return re.sub(r"\d+$", "", name)


def next_address(
    name: str, used: Mapping[str, ipaddress.IPv4Address], network: ipaddress.IPv4Network
) -> ipaddress.IPv4Address:
    """The address of a new server: behind its tier's last one, or at the start of a new tier (.41 after .31).

    Args:
        name: name of the new server.
        used: the address of every existing server by name.
        network: the lab's network.

    Raises:
        LabError: no address is free.
    """
    taken = set(used.values()) | {network[0], network[1], network[-1]}
    tier = [address for host, address in used.items() if prefix_of(host) == prefix_of(name)]
    highest = int(max(used.values())) - int(network[0])
    first = max(tier) + 1 if tier else network[0] + (highest // 10 + 1) * 10 + 1
    candidates = [*range(int(first), int(network[-1])), *range(int(network[2]), min(int(first), int(network[-1])))]
    for number in candidates:
        address = ipaddress.IPv4Address(number)
        if address not in taken:
            return address
    raise LabError(f"No address is free in {network}.")


def inventory_lines(environment: Environment, host: Host) -> str:
    """What to write into hosts.yml to put a new server to work."""
    peers = [name for name in environment.hosts if prefix_of(name) == prefix_of(host.name)]
    shared = [
        group
        for group, members in environment.groups.items()
        if (peers and set(peers) <= set(members)) or set(environment.hosts) <= set(members)
    ]
    lines = [
        f"To use {host.name}, add these lines to the groups in {environment.inventory}/hosts.yml:",
        "",
        "all:",
        "  hosts:",
        f"    {host.name}: {{ansible_host: {host.address}}}",
    ]
    for group in [group for group in shared if group not in QUORUM_GROUPS]:
        lines += ["", f"{group}:", "  hosts:", f"    {host.name}:"]
    for group in [group for group in shared if group in QUORUM_GROUPS]:
        lines += ["", f"({group} stays as it is: it needs an odd number of members.)"]
    return "\n".join(lines)


def add_host(environment: Environment, name: str, project: Path, console: Console) -> Host:
    """Make a blank server and wait until it answers by SSH; only Docker's labels remember it.

    Raises:
        LabError: the name is not valid or taken, or there is no lab yet.
    """
    if not HOST_NAME.match(name):
        raise LabError(f"NAME={name}: use lower-case letters, digits and hyphens, starting with a letter (app4).")
    found = containers.existing(environment.name)
    if name in environment.hosts or name in found:
        raise LabError(f"NAME={name}: this server exists already.")
    if not found or not subnet_of(containers.network_name(environment.name)):
        raise LabError(f"There is no lab {environment.name} yet: make it first.")
    known = [*environment.hosts.values(), *extra_hosts(environment, found)]
    address = next_address(name, {host.name: host.address for host in known}, environment.network)
    host = Host(name, address)
    entry = ssh.access(project, environment.name)
    ssh.ensure_key(entry)
    bring_up(environment.name, [host], {}, entry, console)
    return host
