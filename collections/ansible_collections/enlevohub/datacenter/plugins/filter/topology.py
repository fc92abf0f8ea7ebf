"""Filters that turn the inventory into the lists that roles take: members, pools, connection strings."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ansible.errors import AnsibleFilterError


def members(hosts: list[str], hostvars: Any, port_variable: str = "") -> list[dict[str, Any]]:
    """Return name and address (and port) of hosts, each with its own values.

    Args:
        hosts: names from the inventory, for example ``groups['etcd_servers']``.
        hostvars: Ansible's ``hostvars``.
        port_variable: variable of each host that holds its port, for example ``backend_port``; empty: no port.

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
        if port_variable:
            entry["port"] = int(values[port_variable])
        found.append(entry)
    return found


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


def trusted_certificate(item: dict[str, str]) -> dict[str, str]:
    """Return the file of a trusted CA certificate, from a name (key) and its PEM text (value)."""
    return {"path": f"/usr/local/share/ca-certificates/{item['key']}.crt", "content": item["value"].strip() + "\n"}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "members": members,
            "endpoints": endpoints,
            "database_url": database_url,
            "trusted_certificate": trusted_certificate,
        }
