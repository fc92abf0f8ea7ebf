"""Filter that turns the services of an environment into what one host opens."""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible.errors import AnsibleFilterError


def openings(services: list[dict[str, Any]], host: str) -> list[dict[str, Any]]:
    """Return what a host opens, for the services that it is a member of.

    Args:
        services: entries with ``name``, ``members`` (``name`` or ``host``, and ``port``; left out: every host),
            ``ports``, ``sources`` (addresses or networks, also as ``address`` of a member) and ``anywhere``.
        host: name of the host.

    Returns:
        Entries with ``name``, ``ports`` (ascending, neighbours as ``first-last``) and ``sources``: addresses by ``ip``
        and ``ip6``, or ``any`` without addresses. A service without sources opens nothing.

    Raises:
        AnsibleFilterError: a source is no address and no network.
    """
    found: list[dict[str, Any]] = []
    for service in services:
        members = service.get("members")
        own = [member for member in members or [] if member.get("host", member["name"]) == host]
        if members is not None and not own:
            continue
        ports = {int(port) for port in service.get("ports", [])} | {int(m["port"]) for m in own if "port" in m}
        sources = {"any": []} if service.get("anywhere") else by_family(service["name"], service.get("sources", []))
        if ports and sources:
            found.append({"name": service["name"], "ports": ranges(ports), "sources": sources})
    return found


def ranges(ports: set[int]) -> list[str]:
    """Return ports in order, neighbours as one range."""
    found: list[list[int]] = []
    for port in sorted(ports):
        if found and found[-1][1] == port - 1:
            found[-1][1] = port
        else:
            found.append([port, port])
    return [str(first) if first == last else f"{first}-{last}" for first, last in found]


def by_family(service: str, sources: list[dict[str, Any] | str]) -> dict[str, list[str]]:
    """Return the addresses and networks of sources in order, by their family (``ip``, ``ip6``)."""
    found: dict[str, set[Any]] = {}
    for source in sources:
        try:
            network = ipaddress.ip_network(str(source["address"] if isinstance(source, dict) else source))
        except (KeyError, ValueError) as error:
            raise AnsibleFilterError(
                f"firewall: source {source!r} of '{service}' needs an address, or a network without host bits: {error}"
            ) from error
        found.setdefault("ip" if network.version == 4 else "ip6", set()).add(network)
    return {family: [short(network) for network in merged(found[family])] for family in sorted(found)}


def merged(networks: set[Any]) -> list[Any]:
    """Return networks in order, without those that another one contains: nftables refuses overlapping intervals."""
    return sorted(one for one in networks if not any(one != other and one.subnet_of(other) for other in networks))


def short(network: Any) -> str:
    """Return a network, one address without its length."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"openings": openings}
