"""Checks of values: known names, types, ports, secrets, certificates."""

from __future__ import annotations

import datetime
import os
import re
import stat
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_certificates import authority_problems
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_inventory import (
    common,
    environment_groups,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import (
    LAB_NAME,
    SERVICES,
    TIERS,
    Encrypted,
    Entry,
    Finding,
    Inventory,
    did_you_mean,
    is_template,
    references,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_sources import value_files
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_types import FIXES, NAMES, compare, kind

Resolver = Callable[[str, str], Any]

KNOWN = ("failure_domain",)
CHOICES: dict[str, dict[str, Any]] = {
    "load_balancer_driver": {"type": "str", "choices": ["haproxy", "f5", "render", "external"]},
    "redis_driver": {"type": "str", "choices": ["internal", "external", "none"]},
    "enlevohub_storage": {"type": "str", "choices": ["none", "filesystem", "seaweedfs", "external"]},
    "enlevohub_container_uid": {"type": "int"},
    "enlevohub_public_port": {"type": "int"},
    "postgresql_version": {"type": "int"},
    "failure_domain": {"type": "str"},
}
POSTGRESQL_VERSIONS = (15, 16, 17, 18)
SHORTEST_SECRET = 16
_PLACEHOLDER = re.compile(
    r"change.?me|example|secret|password|placeholder|^<.*>$|\b(?:todo|fixme|x{3,})\b|^(.)\1*$",
    re.IGNORECASE | re.DOTALL,
)
_UNDEFINED = re.compile(r"'(\w+)' is undefined")


class ResolveError(Exception):
    """A template does not resolve; the text says why."""


class ValueChecks:
    """All checks of the values of one inventory."""

    def __init__(
        self, inventory: Inventory, resolve: Resolver, now: datetime.datetime, broken: Iterable[str] = ()
    ) -> None:
        """Prepare.

        Args:
            inventory: the inventory.
            resolve: returns the value of a variable on a host with all templates resolved; raises ResolveError.
            now: present time.
            broken: names that templates cannot use because they have findings already.
        """
        self.inventory = inventory
        self.resolve = resolve
        self.now = now
        self.findings: list[Finding] = []
        self.broken = set(broken)
        self.used: list[Entry] = []
        self.winners: dict[int, str] = {}  # id of an entry: a host on which it wins
        for host in inventory.hosts:
            for entry in inventory.effective(host).values():
                if id(entry) not in self.winners:
                    self.winners[id(entry)] = host
        scopes = {"all", *inventory.hosts, *(group for group, hosts in inventory.groups.items() if hosts)}
        self.used = [entry for entry in inventory.entries if entry.scope in scopes]

    def run(self) -> list[Finding]:
        """Return all findings about values."""
        self.check_names()
        self.check_tier_files()
        self.check_secrets()
        self.check_vault_files()
        self.check_types()
        self.check_required()
        self.check_ports()
        self.check_versions()
        self.check_authority()
        return self.findings

    def add(self, entry: Entry, problem: str, fix: str, path: str = "", warning: bool = False) -> None:
        """Keep a finding, once for each variable and place; templates that use the variable are not looked at."""
        self.broken.add(entry.name)
        finding = Finding(entry.where, entry.name + path, problem, fix, warning)
        if not any((old.where, old.variable) == (finding.where, finding.variable) for old in self.findings):
            self.findings.append(finding)

    # --- names

    def check_names(self) -> None:
        """Refuse a name that nothing uses."""
        inventory = self.inventory
        used = {name for entry in inventory.entries for name in references(entry.value)}
        shared = {entry.name for entry in inventory.entries if entry.scope == "all" and entry.rank[0] == 2}
        known = {*inventory.specs, *shared, *used, *KNOWN}
        for entry in inventory.entries:
            name = entry.name
            if name in known or name.startswith("ansible_"):
                continue
            if name.startswith("vault_") and name.endswith("_next") and name.removesuffix("_next") in known:
                fix = "run playbooks/rotate-secrets.yml: it goes on where it stopped"
                self.add(entry, "the rotation of this secret is not finished", fix, warning=True)
                continue
            close = did_you_mean(name, sorted(known))
            fix = f"did you mean {close}?" if close else "remove it, or give it a value in group_vars/all/"
            self.add(entry, "unknown variable: no role has this option and nothing uses it", fix)

    def check_tier_files(self) -> None:
        """Refuse a variable in the files of two tiers: on a host of both, the name of the group would decide."""
        seen: dict[str, Entry] = {}
        for entry in self.inventory.entries:
            if entry.scope not in TIERS or entry.rank[0] != 3:
                continue
            first = seen.setdefault(entry.name, entry)
            if first.scope != entry.scope:
                self.add(
                    entry,
                    f"is set in {first.where} as well; on a host of both tiers the name of the group decides",
                    "keep it in one file, or move it to group_vars/all/",
                )

    # --- secrets

    def check_secrets(self) -> None:
        """Each secret that values name is there, is text, is long enough and is not a placeholder."""
        inventory = self.inventory
        environment = inventory.environment
        make = f"make secrets ENV={environment}"
        wanted = sorted({name for entry in self.used for name in references(entry.value) if name.startswith("vault_")})
        present: dict[str, Entry] = {}
        for host in inventory.hosts:
            for name, entry in inventory.effective(host).items():
                present.setdefault(name, entry)
        missing = [name for name in wanted if name not in present]
        if missing and inventory.has_values:
            self.broken.update(missing)
            problem = "the secret is missing" if len(missing) == 1 else f"{len(missing)} secrets are missing"
            where = f"group_vars/{environment}/vault.yml"
            self.findings.append(Finding(where, ", ".join(missing), problem, make))
        for name in wanted:
            entry = present.get(name)
            if entry is not None:
                self._check_secret(entry, make)

    def _check_secret(self, entry: Entry, make: str) -> None:
        value = self.value(entry) if isinstance(entry.value, Encrypted) else entry.value
        if isinstance(value, Encrypted) or is_template(value):
            return
        again = f"remove the line, then {make}"
        if value in (None, ""):
            self.add(entry, "the secret is empty", again)
        elif not isinstance(value, str):
            self.add(entry, f"is {NAMES.get(kind(value), 'not text')}, text is wanted", FIXES["str"])
        elif "-----BEGIN" not in value:
            if _PLACEHOLDER.search(value.strip()):
                self.add(entry, "the secret is a placeholder", again)
            elif len(value) < SHORTEST_SECRET and not entry.name.startswith("vault_pki_"):
                self.add(entry, f"the secret has {len(value)} characters, {SHORTEST_SECRET} are the least", again)

    def check_vault_files(self) -> None:
        """Secrets are encrypted, except in a lab, where nobody else may read them."""
        folder = os.path.join(self.inventory.directory, "group_vars")
        for group in environment_groups(self.inventory):
            for path in value_files(folder, group):
                if os.path.basename(path) != "vault.yml":
                    continue
                where = f"group_vars/{group}/vault.yml"
                with open(path, "rb") as handle:
                    encrypted = handle.read(14) == b"$ANSIBLE_VAULT"
                if encrypted:
                    continue
                if not LAB_NAME.match(group):
                    self.findings.append(
                        Finding(where, "vault.yml", "the secrets are not encrypted", f"ansible-vault encrypt {where}")
                    )
                elif stat.S_IMODE(os.stat(path).st_mode) & 0o077:
                    self.findings.append(
                        Finding(where, "vault.yml", "others on this machine can read the secrets", f"chmod 600 {where}")
                    )

    # --- types

    def value(self, entry: Entry) -> Any:
        """Return the resolved value of an entry; the entry's raw value when it cannot or must not be resolved."""
        host = self.winners.get(id(entry))
        if not is_template(entry.value) or host is None or self.is_broken(host, entry):
            return entry.value
        try:
            return self.resolve(host, entry.name)
        except ResolveError as error:
            self._unresolved(host, entry, str(error))
            return entry.value

    def is_broken(self, host: str, entry: Entry) -> bool:
        """Return whether a value depends on one that has a finding."""
        values = self.inventory.effective(host)
        todo, seen = [entry], {entry.name}
        while todo:
            for name in references(todo.pop().value):
                if name in self.broken:
                    return True
                if name in values and name not in seen:
                    seen.add(name)
                    todo.append(values[name])
        return False

    def _unresolved(self, host: str, entry: Entry, error: str) -> None:
        """Report a template that does not resolve, unless a role sets the missing name while it runs."""
        match = _UNDEFINED.search(error)
        name = match.group(1) if match else ""
        environment = self.inventory.members(self.inventory.environment)
        if (name and self._set_by_role(name)) or (environment and host not in environment):
            return  # a host outside the environment has a finding of its own
        values = list(self.inventory.effective(host))
        close = did_you_mean(name, values) if name else ""
        origin = next((item for item in self._chain(host, entry) if name and name in references(item.value)), entry)
        secret = any(word.startswith("vault_") for item in self._chain(host, entry) for word in references(item.value))
        said = f"'{name}' is undefined" if name else ("the template fails" if secret else error)
        fix = f"did you mean {close}?" if close else "correct the template"
        self.add(origin, f"does not resolve on {host}: {said}", fix)

    def _set_by_role(self, name: str) -> bool:
        """Return whether the tasks of the role whose prefix a name has set it while they run."""
        for role in self.inventory.roles:
            tasks = os.path.join(self.inventory.roles_directory, role, "tasks")
            if not name.startswith(f"{role}_") or not os.path.isdir(tasks):
                continue
            for item in sorted(os.listdir(tasks)):
                with open(os.path.join(tasks, item), encoding="utf-8") as handle:
                    if re.search(rf"^\s+(?:register: )?{name}\b", handle.read(), re.MULTILINE):
                        return True
        return False

    def _chain(self, host: str, entry: Entry) -> list[Entry]:
        """Return an entry and all that its value is made of."""
        values = self.inventory.effective(host)
        found = [entry]
        for item in found:
            found += [
                values[name] for name in sorted(references(item.value)) if name in values and values[name] not in found
            ]
        return found

    def spec(self, entry: Entry) -> dict[str, Any] | None:
        """Return what the value of an entry has to look like; None when anything will do."""
        name = entry.name
        if name in self.inventory.specs:
            return self.inventory.specs[name]
        if name in CHOICES:
            return CHOICES[name]
        if name.startswith(("ansible_", "vault_")) or name == "enlevohub_environment":
            return None
        default = next((item for item in self.inventory.entries if item.name == name and item.rank[0] == 2), None)
        if default is None or default is entry:
            return None
        wanted = kind(self.value(default))
        return {"type": wanted} if wanted in NAMES and not is_template(self.value(default)) else None

    def check_types(self) -> None:
        """Each value has the type that its option asks for; a finding stands where the value was written."""
        templates = [entry for entry in self.used if is_template(entry.value)]
        for entry in [item for item in self.used if not is_template(item.value)] + templates:
            if entry.name in self.broken:
                continue
            spec = self.spec(entry)
            value = self.value(entry)
            if spec is None or is_template(value):
                continue
            host = self.winners.get(id(entry))
            origin = (self.inventory.origin(host, entry.name) if host is not None else None) or entry
            origin = origin if host is not None and is_template(entry.value) else entry
            for path, problem, fix in compare(value, spec):
                self.add(origin, problem, fix, path)
            if (
                spec.get("type") == "int"
                and entry.name.endswith("_port")
                and fits_int(value)
                and not 1 <= value <= 65535
            ):
                self.add(origin, f"{value} is not a port", "use a number from 1 to 65535")

    def check_required(self) -> None:
        """Each option that a role must have has a value on the hosts that get the role."""
        inventory = self.inventory
        required = [(name, spec["role"]) for name, spec in inventory.specs.items() if spec.get("required")]
        for role, groups in inventory.role_groups.items():
            names = [name for name, owner in required if owner == role]
            for group in groups:
                missing: dict[str, list[str]] = {}
                for host in inventory.hosts if group == "all" else inventory.members(group):
                    for name in names:
                        if name not in inventory.effective(host) and name not in self.broken:
                            missing.setdefault(name, []).append(host)
                place = "group_vars/all/" if group == "all" else f"group_vars/{group}.yml"
                self.findings += [
                    Finding(place, name, f"has no value on {', '.join(hosts)}; the role {role} needs it", f"set {name}")
                    for name, hosts in missing.items()
                ]

    # --- ports, versions, certificates

    def port(self, host: str, variable: str, default: int) -> int | None:
        """Return a port as a host uses it; None when it is not a number."""
        entry = self.inventory.effective(host).get(variable)
        value = default if entry is None else self.value(entry)
        return value if fits_int(value) else None

    def check_ports(self) -> None:
        """No two services of a host want the same port."""
        inventory = self.inventory
        drivers = {name: common(inventory, name)[0] for name in {service.driver for service in SERVICES}}
        clashes: dict[tuple[str, str, int], list[str]] = {}
        for host in inventory.hosts:
            groups = inventory.groups_of(host)
            taken: dict[int, str] = {}
            for service in SERVICES:
                if service.group not in groups or (service.drivers and drivers[service.driver] not in service.drivers):
                    continue
                port = self.port(host, service.variable, service.port)
                if port is None:
                    continue
                if taken.get(port, service.variable) != service.variable:
                    clashes.setdefault((taken[port], service.variable, port), []).append(host)
                taken.setdefault(port, service.variable)
        for (first, second, port), hosts in clashes.items():
            entries = [inventory.effective(hosts[0]).get(name) for name in (second, first)]
            entry = next((item for item in entries if item is not None), None)
            where = (
                entry.where
                if entry is not None
                else f"roles/{inventory.specs.get(second, {}).get('role', '')}/defaults/main.yml"
            )
            self.findings.append(
                Finding(
                    where,
                    second,
                    f"{first} and {second} are both {port} on {', '.join(hosts)}",
                    "give each service of a host a port of its own",
                )
            )

    def check_versions(self) -> None:
        """PostgreSQL has a version that the roles know."""
        for host in self.inventory.members("database_servers")[:1]:
            entry = self.inventory.origin(host, "patroni_postgresql_version")
            if entry is None or entry.name in self.broken:
                continue
            value = self.value(entry)
            if fits_int(value) and value not in POSTGRESQL_VERSIONS:
                versions = ", ".join(str(version) for version in POSTGRESQL_VERSIONS)
                self.add(entry, f"PostgreSQL {value} is not supported", f"use one of {versions}")

    def check_authority(self) -> None:
        """The CA of the environment can sign."""
        if not self.inventory.hosts:
            return
        host = self.inventory.hosts[0]
        entries = {
            "certificate": self.inventory.origin(host, "pki_ca_certificate"),
            "key": self.inventory.origin(host, "pki_ca_key"),
        }
        texts: dict[str, str] = {}
        for name, entry in entries.items():
            if entry is None or entry.name in self.broken:
                return
            value = self.value(entry)
            if not isinstance(value, str) or is_template(value):
                return
            texts[name] = value
        for name, problem, fix, warning in authority_problems(texts["certificate"], texts["key"], self.now):
            entry = entries[name]
            if entry is not None:
                self.add(entry, problem, fix, warning=warning)


def fits_int(value: Any) -> bool:
    """Return whether a value is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_values(
    inventory: Inventory, resolve: Resolver, now: datetime.datetime, earlier: list[Finding]
) -> list[Finding]:
    """Return all findings about values.

    Args:
        inventory: the inventory.
        resolve: see :class:`ValueChecks`.
        now: present time with a time zone.
        earlier: findings about hosts and groups; templates that use the inventory are not resolved when there are any.
    """
    if not inventory.has_values:
        return []
    broken = {"groups", "hostvars", "ansible_host"} if any(not finding.warning for finding in earlier) else set()
    broken |= {finding.variable for finding in earlier if not finding.warning}
    return ValueChecks(inventory, resolve, now, broken).run()
