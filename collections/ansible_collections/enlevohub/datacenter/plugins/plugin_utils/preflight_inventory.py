"""Checks of hosts and groups: who is where, and can that work."""

from __future__ import annotations

import ipaddress
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import (
    TIERS,
    Entry,
    Finding,
    Inventory,
    did_you_mean,
    is_template,
)
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_survival import quorum

REQUIRED_TIERS = ("backend_servers", "frontend_servers", "etcd_servers", "database_servers")


def plain(inventory: Inventory, host: str, name: str) -> Any:
    """Return the value of a variable that is not a template; None when there is none or it has to be resolved."""
    entry = inventory.origin(host, name)
    return None if entry is None or is_template(entry.value) else entry.value


def common(inventory: Inventory, name: str) -> tuple[Any, Entry | None]:
    """Return the value, and its place, of a variable that is the same on all hosts."""
    for host in inventory.hosts:
        entry = inventory.origin(host, name)
        if entry is not None:
            return plain(inventory, host, name), entry
    return None, None


def is_address(text: str) -> bool:
    """Return whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_addresses(inventory: Inventory) -> Iterator[Finding]:
    """Each host has an address of its own."""
    for variable in ("ansible_host", "enlevohub_address"):
        users: dict[str, str] = {}
        for host in inventory.hosts:
            entry = inventory.effective(host).get(variable)
            if entry is None or entry.value in (None, ""):
                if variable == "ansible_host":
                    yield Finding(
                        inventory.place(host),
                        "ansible_host",
                        f"host {host} has no address",
                        f"write {host}: {{ansible_host: <IP address>}}",
                    )
                continue
            if is_template(entry.value):
                continue
            if not is_address(str(entry.value)):
                yield Finding(
                    entry.where,
                    variable,
                    f"'{entry.value}' of host {host} is not an IP address",
                    "write an IPv4 or IPv6 address",
                )
                continue
            address = str(ipaddress.ip_address(str(entry.value)))
            if address in users:
                yield Finding(
                    entry.where,
                    variable,
                    f"{address} is the address of {users[address]} and of {host}",
                    "give each host an address of its own",
                )
            users.setdefault(address, host)


def check_tiers(inventory: Inventory) -> Iterator[Finding]:
    """The tiers have the members that they need."""
    driver, _ = common(inventory, "load_balancer_driver")
    required = [*REQUIRED_TIERS, *(["load_balancers"] if driver == "haproxy" else [])]
    for tier in required:
        if not inventory.members(tier):
            fix = f"add hosts to {tier}"
            if tier == "load_balancers":
                fix += ", or set load_balancer_driver: external"
            yield Finding(inventory.place(tier), tier, "the tier has no host", fix)
    yield from check_f5(inventory, driver)
    yield from check_redis(inventory)
    for tier in ("etcd_servers", "redis_servers"):
        members = len(inventory.members(tier))
        if members and members % 2 == 0:
            yield Finding(
                inventory.place(tier),
                tier,
                f"{members} members: an even number survives no more losses than {members - 1}",
                f"use {members - 1} or {members + 1} members",
            )
    if len(inventory.members("database_servers")) == 1:
        yield Finding(
            inventory.place("database_servers"),
            "database_servers",
            "one database server: there is no standby",
            "add a second server to database_servers",
            warning=True,
        )
    yield from check_storage(inventory)


def check_storage(inventory: Inventory) -> Iterator[Finding]:
    """Uploads go to where every backend finds them, and to two servers at least when they are our own."""
    storage, entry = common(inventory, "enlevohub_storage")
    backends = len(inventory.members("backend_servers"))
    if entry is not None and storage == "filesystem" and backends > 1:
        yield Finding(
            entry.where,
            "enlevohub_storage",
            f"filesystem with {backends} backends: an upload is on one of them only",
            "use seaweedfs or external, or keep one host in backend_servers",
        )
    servers = len(inventory.members("storage_servers"))
    if entry is not None and storage == "seaweedfs" and servers < 3:
        yield Finding(
            inventory.place("storage_servers"),
            "storage_servers",
            f"{servers} servers: the masters of the object storage need three to survive the loss of one",
            "add hosts to storage_servers, or set enlevohub_storage: external or filesystem",
        )
    if entry is not None and storage == "external":
        needed = {"storage_external_endpoints": "its URLs are", "storage_external_bucket": "its bucket is"}
        for name, what in needed.items():
            _, found = common(inventory, name)
            if found is None or not found.value:
                where = found.where if found is not None else entry.where
                yield Finding(where, name, f"enlevohub_storage is external, but {what} missing", f"set {name}")


def check_f5(inventory: Inventory, driver: Any) -> Iterator[Finding]:
    """An F5 that is driven has an address and a user; virtual servers have an address."""
    if driver not in ("f5", "render"):
        return
    _, entry = common(inventory, "load_balancer_driver")
    where = entry.where if entry is not None else "group_vars/all/main.yml"
    needed = [("f5_pool_server", "its management address"), ("f5_pool_user", "its user")] if driver == "f5" else []
    virtual, _ = common(inventory, "f5_pool_virtual_servers")
    if virtual is True:
        needed.append(("f5_pool_virtual_address", "the address for users"))
    for name, what in needed:
        _, found = common(inventory, name)
        if found is None or found.value in (None, ""):
            problem = f"load_balancer_driver is {driver}, but {what} is not known"
            yield Finding(found.where if found is not None else where, name, problem, f"set {name}")


def check_redis(inventory: Inventory) -> Iterator[Finding]:
    """Redis has hosts where this project runs it, and an address where it does not."""
    driver, entry = common(inventory, "redis_driver")
    if driver == "internal" and not inventory.members("redis_servers"):
        fix = "add hosts to redis_servers, or set redis_driver: none"
        yield Finding(inventory.place("redis_servers"), "redis_servers", "the tier has no host", fix)
    url, found = common(inventory, "redis_external_url")
    if driver == "external" and url in (None, "") and entry is not None:
        problem = "redis_driver is external, but its URL is not known"
        where = found.where if found is not None else entry.where
        yield Finding(where, "redis_external_url", problem, "set redis_external_url")


def check_backup(inventory: Inventory) -> Iterator[Finding]:
    """Backups lie somewhere, and not on a database server: its loss would take both."""
    place, repositories = inventory.place("backup_servers"), inventory.members("backup_servers")
    repository, entry = common(inventory, "backup_repository")
    where = entry.where if entry is not None else place
    both = sorted({*repositories} & {*inventory.members("database_servers")})
    if both:
        problem = f"{', '.join(both)} holds the database as well: its loss would take the backups with it"
        yield Finding(place, "backup_servers", problem, "name a host that is no database server")
    if len(repositories) > 1:
        problem = f"{len(repositories)} hosts: there is one repository"
        yield Finding(place, "backup_servers", problem, "keep one host")
    if repository == "host" and not repositories:
        yield Finding(
            where, "backup_repository", "is host, but backup_servers has none", "add a host to backup_servers"
        )
    if repository == "s3":
        bucket, _ = common(inventory, "backup_s3")
        missing = [key for key in ("endpoint", "bucket") if not isinstance(bucket, dict) or not bucket.get(key)]
        if missing:
            yield Finding(
                where, "backup_s3", f"has no {' and no '.join(missing)}", "set it, see roles/backup/README.md"
            )
    if repository == "none" or (repository is None and not repositories):
        yield Finding(
            where,
            "backup_repository",
            "the database has no backup: an error of a person or the loss of all database servers is final",
            "add a host to backup_servers, or set backup_repository: s3",
            warning=True,
        )


def check_failure_domains(inventory: Inventory) -> Iterator[Finding]:
    """No failure domain holds the quorum of etcd."""
    members = inventory.members("etcd_servers")
    domains = Counter(str(plain(inventory, host, "failure_domain") or "") for host in members)
    for domain, count in sorted(domains.items()):
        if domain and len(members) - count < quorum(len(members)):
            yield Finding(
                inventory.place("etcd_servers"),
                "failure_domain",
                f"{domain} holds {count} of {len(members)} members of etcd; without it no database takes over",
                "spread etcd_servers over three failure domains",
                warning=True,
            )


def check_groups(inventory: Inventory) -> Iterator[Finding]:
    """Groups are tiers or environments, flat, and each host is in one of either kind."""
    environments = environment_groups(inventory)
    for group in inventory.groups:
        if group in TIERS or group in environments or group == "ungrouped":
            continue
        close = did_you_mean(group, [*TIERS, *environments])
        yield Finding(
            inventory.place(group),
            group,
            "unknown group: neither a tier nor an environment with values in group_vars",
            f"did you mean {close}?" if close else f"use one of {', '.join(TIERS)}, or add group_vars/{group}/main.yml",
        )
    for parent, children in inventory.children.items():
        yield Finding(
            inventory.place(parent),
            parent,
            f"has groups inside ({', '.join(children)}); values of nested groups win over those of the environment",
            "list the hosts below `hosts:` and remove `children:`",
        )
    if inventory.children:
        return
    for host in inventory.hosts:
        if not any(host in inventory.members(tier) for tier in TIERS):
            yield Finding(
                inventory.place(host),
                host,
                "the host is in no tier",
                f"add it to one of {', '.join(TIERS)}, or remove it",
            )


def environment_groups(inventory: Inventory) -> list[str]:
    """Return the groups that are environments: the inventory's own name, and those with a folder in group_vars."""
    folder = os.path.join(inventory.directory, "group_vars")
    return [
        group
        for group in inventory.groups
        if group not in TIERS and (group == inventory.environment or os.path.isdir(os.path.join(folder, group)))
    ]


def check_environment(inventory: Inventory) -> Iterator[Finding]:
    """The environment is a group of all hosts whose values win."""
    name = inventory.environment
    if name not in inventory.groups:
        if not any(did_you_mean(group, [name]) for group in inventory.groups if group not in TIERS):
            yield Finding(
                inventory.file,
                name,
                f"there is no group {name}, so no value of group_vars/{name}/ is used",
                f"add the group {name} with all hosts and ansible_group_priority: 10",
            )
        return
    for host in inventory.hosts:
        if host not in inventory.members(name):
            yield Finding(
                inventory.place(host),
                host,
                f"the host is not in the group {name}; it gets no value of that environment",
                f"add it to {name}",
            )
    for group in environment_groups(inventory):
        if group not in inventory.priorities:
            yield Finding(
                inventory.place(group),
                "ansible_group_priority",
                f"{group} has none: values of the tiers can win over its values",
                "add `vars: {ansible_group_priority: 10}` to the group",
            )
    if not inventory.has_values:
        return
    hosts = inventory.members(name)
    entry = inventory.origin(hosts[0], "enlevohub_environment") if hosts else None
    if hosts and (entry is None or entry.value in (None, "")):
        where = entry.where if entry is not None and entry.scope == name else f"group_vars/{name}/main.yml"
        yield Finding(where, "enlevohub_environment", "is empty", f"write enlevohub_environment: {name}")
    elif entry is not None and not is_template(entry.value) and entry.value != name:
        yield Finding(
            entry.where,
            "enlevohub_environment",
            f"is '{entry.value}', but the inventory is {name}",
            f"write enlevohub_environment: {name}",
        )


def check_wiring(inventory: Inventory) -> Iterator[Finding]:
    """The values are where Ansible looks for them."""
    if not inventory.has_values:
        yield Finding(
            f"{os.path.dirname(inventory.file)}/group_vars",
            "group_vars",
            "is missing, so no value is loaded",
            f"ln -s ../../group_vars {os.path.dirname(inventory.file)}/group_vars",
        )


def check_inventory(inventory: Inventory) -> list[Finding]:
    """Return all findings about hosts and groups."""
    checks = (
        check_wiring,
        check_addresses,
        check_groups,
        check_environment,
        check_tiers,
        check_backup,
        check_failure_domains,
    )
    return [*inventory.findings, *(finding for check in checks for finding in check(inventory))]
