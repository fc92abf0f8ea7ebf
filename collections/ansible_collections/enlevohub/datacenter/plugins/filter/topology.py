"""Filters that turn the inventory into the lists that roles take: members, pools, connection strings."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ansible.errors import AnsibleFilterError


def members(
    hosts: list[str], hostvars: Any, port_variable: str = "", copies_variable: str = ""
) -> list[dict[str, Any]]:
    """Return name and address (and port) of hosts, each with its own values.

    Args:
        hosts: names from the inventory, for example ``groups['etcd_servers']``.
        hostvars: Ansible's ``hostvars``.
        port_variable: variable of each host that holds its port, for example ``backend_port``; empty: no port.
        copies_variable: variable of each host with the number of copies that run there, on the port and the ones after
            it; empty: one. Copies are listed server by server within a round (app1, app2, app1-2, app2-2).

    Returns:
        Entries with ``name`` and ``address``; with a port also ``port``, ``host`` and ``number`` (1: the first copy).

    Raises:
        AnsibleFilterError: a host has no ``enlevohub_address`` or no such port.
    """
    found: list[dict[str, Any]] = []
    for host in hosts:
        values = hostvars[host]
        for needed in ("enlevohub_address", port_variable):
            if needed and not values.get(needed):
                raise AnsibleFilterError(f"host '{host}' has no {needed}; see hosts.yml and group_vars")
        entry: dict[str, Any] = {"name": str(host), "address": str(values["enlevohub_address"])}
        if not port_variable:
            found.append(entry)
            continue
        for number in range(1, int(values[copies_variable] if copies_variable else 1) + 1):
            port = int(values[port_variable]) + number - 1
            name = copy_name(str(host), number)
            found.append({**entry, "name": name, "port": port, "host": str(host), "number": number})
    return sorted(found, key=lambda entry: entry["number"]) if port_variable else found


def copy_name(name: str, number: int) -> str:
    """Return the name of a copy of a service or member: the first has the plain name."""
    return name if number == 1 else f"{name}-{number}"


def copies(service: dict[str, Any], name: str, count: int, address: str, port: int, inside: int) -> dict[str, Any]:
    """Return the copies of a service of a stack by their name, each published on a port of its own.

    Args:
        service: the service as in compose.yaml. ``INSTANCE`` in its environment gets the number as well.
        name: name of the first copy.
        count: how many.
        address: where the ports are published.
        port: port of the first copy; the others follow.
        inside: port inside the containers.
    """
    found: dict[str, Any] = {}
    for number in range(1, int(count) + 1):  # a value of the command line is text
        environment = dict(service.get("environment", {}))
        if "INSTANCE" in environment:
            environment["INSTANCE"] = copy_name(environment["INSTANCE"], number)
        published = [f"{address}:{int(port) + number - 1}:{inside}"]
        found[copy_name(name, number)] = {**service, "environment": environment, "ports": published}
    return found


def nearest(entries: list[dict[str, Any]], host: str) -> list[dict[str, Any]]:
    """Return the members with the one on the given host first, if there is one; the order of the others stays."""
    return sorted(entries, key=lambda entry: entry["name"] != host)


def endpoints(entries: list[dict[str, Any]], port: int | None = None, scheme: str = "") -> list[str]:
    """Return ``address:port`` of each member, with ``scheme://`` before it when one is given."""
    prefix = f"{scheme}://" if scheme else ""
    return [f"{prefix}{entry['address']}:{port if port is not None else entry['port']}" for entry in entries]


def database_url(
    entries: list[dict[str, Any]], database: str, user: str, password: str, ca_path: str, port: int = 5432
) -> str:
    """Return the connection string of libpq and asyncpg that finds the leader among all database servers.

    Args:
        entries: the database servers, see :func:`members`.
        database: name of the database.
        user: name of the role.
        password: its password; quoted for a URL.
        ca_path: CA certificate as the client sees it; the server is verified by name and CA.
        port: port of PostgreSQL.
    """
    if not entries:
        raise AnsibleFilterError("there is no database server; see database_servers in hosts.yml")
    hosts = ",".join(endpoints(entries, port))
    options = f"target_session_attrs=read-write&sslmode=verify-full&sslrootcert={quote(ca_path)}"
    return (
        f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@{hosts}/{quote(database, safe='')}?{options}"
    )


def redis_url(entries: list[dict[str, Any]], user: str, service: str, port: int, own: str = "") -> str:
    """Return the URL with which the API asks the Sentinels for the primary; the password stands elsewhere.

    Args:
        entries: the Redis servers, see :func:`members`.
        user: user of Redis.
        service: name that the Sentinels watch.
        port: port of the Sentinels.
        own: address of the host that asks: its own Sentinel is asked first.
    """
    ordered = sorted(entries, key=lambda entry: entry["address"] != own)
    return f"rediss+sentinel://{quote(user, safe='')}@{','.join(endpoints(ordered, port))}/{service}/0"


def ssh_access(hosts: list[str], hostvars: Any) -> dict[str, dict[str, Any]]:
    """Return how programs of the control machine reach hosts by SSH, by name, as Ansible itself does.

    Args:
        hosts: names from the inventory; each counts once.
        hostvars: Ansible's ``hostvars``.

    Returns:
        ``address``, ``service`` (address of the services), ``user``, ``port``, ``key`` and ``arguments`` of ssh; what
        the inventory does not say is empty or 0, and left to ssh's own configuration.
    """
    found: dict[str, dict[str, Any]] = {}
    for host in hosts:
        values = hostvars[host]
        found[str(host)] = {
            "address": str(values.get("ansible_host") or host),
            "service": str(values["enlevohub_address"]),
            "user": str(values.get("ansible_user") or ""),
            "port": int(values.get("ansible_port") or 0),
            "key": str(values.get("ansible_ssh_private_key_file") or ""),
            "arguments": str(values.get("ansible_ssh_common_args") or ""),
        }
    return found


def trusted_certificate(item: dict[str, str]) -> dict[str, str]:
    """Return the file of a trusted CA certificate, from a name (key) and its PEM text (value)."""
    return {"path": f"/usr/local/share/ca-certificates/{item['key']}.crt", "content": item["value"].strip() + "\n"}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "members": members,
            "copies": copies,
            "nearest": nearest,
            "endpoints": endpoints,
            "database_url": database_url,
            "redis_url": redis_url,
            "ssh_access": ssh_access,
            "trusted_certificate": trusted_certificate,
        }
