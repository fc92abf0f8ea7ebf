"""What preflight works on: findings, tiers, services, and an inventory with the place of every value."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Any

TIERS = ("backend_servers", "frontend_servers", "etcd_servers", "database_servers", "load_balancers")
# Environments that are containers on one machine: their secrets may lie unencrypted there.
LAB_NAME = re.compile(r"^(lab|molecule)(_[a-z0-9]+)?$")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        where: file and line relative to the project, or the name of a host.
        variable: variable, group or host that is meant; may be empty.
        problem: what is wrong. Never contains the value of a secret.
        fix: what to do.
        warning: whether the run may go on.
    """

    where: str
    variable: str
    problem: str
    fix: str
    warning: bool = False


@dataclass(frozen=True)
class Service:
    """A port that a tier needs.

    Attributes:
        name: name of the service.
        group: the tier.
        variable: option of the role that holds the port.
        port: default of that option.
        owners: processes that may hold the port.
        drivers: values of load_balancer_driver with which the service runs; empty: always.
    """

    name: str
    group: str
    variable: str
    port: int
    owners: tuple[str, ...]
    drivers: tuple[str, ...] = ()


DOCKER = ("docker-proxy", "dockerd")
SERVICES = (
    Service("backend", "backend_servers", "backend_port", 3001, DOCKER),
    Service("frontend", "frontend_servers", "frontend_port", 80, DOCKER),
    Service("etcd (clients)", "etcd_servers", "etcd_client_port", 2379, ("etcd",)),
    Service("etcd (members)", "etcd_servers", "etcd_peer_port", 2380, ("etcd",)),
    Service("PostgreSQL", "database_servers", "patroni_port", 5432, ("postgres",)),
    Service("Patroni", "database_servers", "patroni_restapi_port", 8008, ("patroni",)),
    Service("HAProxy (HTTP)", "load_balancers", "haproxy_http_port", 80, ("haproxy",), ("haproxy",)),
    Service("HAProxy (HTTPS)", "load_balancers", "haproxy_https_port", 443, ("haproxy",), ("haproxy",)),
    Service("HAProxy (statistics)", "load_balancers", "haproxy_stats_port", 8404, ("haproxy",), ("haproxy",)),
)


@dataclass(frozen=True)
class Entry:
    """A value where it was written.

    Attributes:
        name: name of the variable.
        value: raw value; templates are not resolved.
        path: file.
        where: file and line for people.
        scope: ``all``, a group or a host.
        rank: order of precedence; a higher one wins.
    """

    name: str
    value: Any = field(hash=False)
    path: str
    where: str
    scope: str
    rank: tuple[int, int, str]


@dataclass
class Inventory:
    """One inventory and the values that belong to it.

    Attributes:
        directory: its directory; the name of the directory is the name of the environment.
        environment: that name.
        file: its first file, for people.
        hosts: names of all hosts.
        groups: hosts of each group; ``all`` is not among them.
        children: groups inside each group other than ``all``.
        priorities: ansible_group_priority of each group that has one.
        places: file and line of a host or a group, by its name.
        entries: all values.
        specs: options of all roles, by name; each with the key ``role``.
        roles: names of the roles that have a specification.
        roles_directory: directory of all roles.
        role_groups: groups that get a role by site.yml.
        findings: what was wrong while reading.
        has_values: whether group_vars was found.
    """

    directory: str
    environment: str
    file: str = ""
    hosts: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    priorities: dict[str, int] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    specs: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    roles_directory: str = ""
    role_groups: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    has_values: bool = True
    _effective: dict[str, dict[str, Entry]] = field(default_factory=dict)

    def members(self, group: str) -> list[str]:
        """Return the hosts of a group; empty when there is no such group."""
        return self.groups.get(group, [])

    def groups_of(self, host: str) -> list[str]:
        """Return the groups of a host."""
        return [group for group, hosts in self.groups.items() if host in hosts]

    def place(self, name: str) -> str:
        """Return file and line of a host or a group; the inventory's file when it stands nowhere."""
        return self.places.get(name, self.file)

    def effective(self, host: str) -> dict[str, Entry]:
        """Return the values that win on a host, by name."""
        if host not in self._effective:
            scopes = {"all", host, *self.groups_of(host)}
            found: dict[str, Entry] = {}
            for entry in self.entries:
                if entry.scope in scopes and (entry.name not in found or found[entry.name].rank <= entry.rank):
                    found[entry.name] = entry
            self._effective[host] = found
        return self._effective[host]

    def origin(self, host: str, name: str) -> Entry | None:
        """Return where the value of a variable comes from: an alias ``{{ other }}`` is followed to the other."""
        values = self.effective(host)
        entry = values.get(name)
        for _ in range(10):
            alias = (
                re.fullmatch(r"\{\{\s*(\w+)\s*\}\}", entry.value.strip()) if entry and is_text(entry.value) else None
            )
            if alias is None or alias.group(1) not in values:
                break
            entry = values[alias.group(1)]
        return entry


def is_text(value: Any) -> bool:
    """Return whether a value is text."""
    return isinstance(value, str)


def strings(value: Any) -> list[str]:
    """Return all texts inside a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in strings(item)]
    return []


def is_template(value: Any) -> bool:
    """Return whether a value has to be resolved before it can be checked."""
    return isinstance(value, Encrypted) or any("{{" in text or "{%" in text for text in strings(value))


class Encrypted:
    """Stands for a value that is encrypted in its file (``!vault``)."""


_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_LITERAL = re.compile(r"'[^']*'|\"[^\"]*\"")
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def references(value: Any) -> set[str]:
    """Return the names inside the templates of a value."""
    found: set[str] = set()
    for text in strings(value):
        if "{{" in text or "{%" in text:
            for part in _TEMPLATE.findall(text):
                found.update(_NAME.findall(_LITERAL.sub(" ", part)))
    return found


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a known name that looks like the name; empty when none does."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return close[0] if close else ""
