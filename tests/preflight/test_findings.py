"""Each defect gives exactly its finding: where it was written, which variable, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from enlevohub_secrets.table import NAMES
from tests.preflight.site import Site

HOSTS = "inventories/lab/hosts.yml"
ALL = "group_vars/all/main.yml"
LAB = "group_vars/lab/main.yml"
BACKUP = "group_vars/all/backup.yml"
VAULT = "group_vars/lab/vault.yml"
BACKEND = "group_vars/backend_servers.yml"
FRONTEND = "group_vars/frontend_servers.yml"
ETCD = "group_vars/etcd_servers.yml"
DATABASE = "group_vars/database_servers.yml"
TIERS = (
    "backend_servers, frontend_servers, etcd_servers, database_servers, redis_servers, storage_servers, "
    "backup_servers, load_balancers"
)


@dataclass(frozen=True)
class Defect:
    """A defect and the one finding that it must give.

    Attributes:
        name: name of the case.
        make: puts the defect into a site.
        where: file and a text on the line, or the place itself when the text is empty.
        variable: the variable that the finding names.
        problem: part of the problem.
        fix: the fix.
        warning: whether it is only a warning.
    """

    name: str
    make: Callable[[Site], None]
    where: tuple[str, str]
    variable: str
    problem: str
    fix: str
    warning: bool = False


def replaced(path: str, old: str, new: str) -> Callable[[Site], None]:
    """A defect that replaces a text."""
    return lambda site: site.replace(path, old, new)


def appended(path: str, text: str) -> Callable[[Site], None]:
    """A defect that adds a line."""
    return lambda site: site.append(path, text)


def secret(name: str, value: object) -> Callable[[Site], None]:
    """A defect that changes a secret."""
    return lambda site: site.secrets(**{name: value})


def unlink_values(site: Site) -> None:
    """Remove the link to the values."""
    (site.root / "inventories/lab/group_vars").unlink()


def no_database_standby(site: Site) -> None:
    """Take one database server away; etcd stays odd."""
    site.replace(HOSTS, "    db2: {ansible_host: 10.89.0.22}\n", "")
    site.replace(
        HOSTS,
        "    db1:\n    db2:\n\ndatabase_servers:\n  hosts:\n    db1:\n    db2:\n",
        "\ndatabase_servers:\n  hosts:\n    db1:\n",
    )
    site.replace(HOSTS, "    db1:\n    db2:\n    lb1:\n", "    db1:\n    lb1:\n")


def no_load_balancer(site: Site) -> None:
    """Take the load balancer away."""
    site.replace(HOSTS, "    lb1: {ansible_host: 10.89.0.31}\n", "")
    site.replace(HOSTS, "load_balancers:\n  hosts:\n    lb1:\n", "load_balancers:\n  hosts: {}\n")
    site.replace(HOSTS, "    lb1:\n", "")


def no_environment_group(site: Site) -> None:
    """Leave the group of the environment out; its values are found elsewhere."""
    text = (site.root / HOSTS).read_text()
    (site.root / HOSTS).write_text(text[: text.index("lab:\n  hosts:")])
    for name in ("main", "vault"):
        (site.root / f"group_vars/lab/{name}.yml").rename(site.root / f"group_vars/all/zz_{name}.yml")
    (site.root / "group_vars/lab").rmdir()


def three_members_in_one_rack(site: Site) -> None:
    """Put three of five members of etcd into one failure domain."""
    for last in (11, 12, 13):
        site.replace(HOSTS, f"10.89.0.{last}}}", f"10.89.0.{last}, failure_domain: rack1}}")


def one_address_for_two_services(site: Site) -> None:
    """Give two hosts the same address for services."""
    for last in (11, 12):
        site.replace(HOSTS, f"10.89.0.{last}}}", f"10.89.0.{last}, enlevohub_address: 10.90.0.1}}")


def host_without_tier(site: Site) -> None:
    """Add a host to the environment only."""
    site.replace(HOSTS, "    lb1: {", "    app9: {ansible_host: 10.89.0.19}\n    lb1: {")
    site.replace(HOSTS, "    lb1:\n  vars", "    lb1:\n    app9:\n  vars")


def file_of_no_group(site: Site) -> None:
    """Give the file of a tier a wrong name."""
    (site.root / "group_vars/backend_server.yml").write_text("backend_memory: 512m\n")


def secrets_for_everybody(site: Site) -> None:
    """Let others read the secrets."""
    (site.root / VAULT).chmod(0o644)


def no_secrets(site: Site) -> None:
    """Have no file of secrets."""
    (site.root / VAULT).unlink()


INVENTORY = [
    Defect(
        "no_values",
        unlink_values,
        ("inventories/lab/group_vars", ""),
        "group_vars",
        "is missing, so no value is loaded",
        "ln -s ../../group_vars inventories/lab/group_vars",
    ),
    Defect(
        "file_of_no_group",
        file_of_no_group,
        ("group_vars/backend_server.yml", ""),
        "backend_server",
        "no group has this name",
        "rename it to backend_servers.yml",
    ),
    Defect(
        "even_etcd",
        replaced(HOSTS, "    db1:\n    db2:\n\ndatabase", "    db1:\n\ndatabase"),
        (HOSTS, "etcd_servers:"),
        "etcd_servers",
        "4 members: an even number",
        "use 3 or 5 members",
    ),
    Defect(
        "no_etcd",
        replaced(
            HOSTS,
            "  hosts:\n    app1:\n    app2:\n    app3:\n    db1:\n    db2:\n\ndatabase",
            "  hosts: {}\n\ndatabase",
        ),
        (HOSTS, "etcd_servers:"),
        "etcd_servers",
        "the tier has no host",
        "add hosts to etcd_servers",
    ),
    Defect(
        "even_redis",
        replaced(HOSTS, "    app2:\n    app3:\n\nstorage", "    app2:\n\nstorage"),
        (HOSTS, "redis_servers:"),
        "redis_servers",
        "2 members: an even number",
        "use 1 or 3 members",
    ),
    Defect(
        "no_redis",
        replaced(HOSTS, "redis_servers:\n  hosts:\n    app1:\n    app2:\n    app3:\n", "redis_servers:\n  hosts: {}\n"),
        (HOSTS, "redis_servers:"),
        "redis_servers",
        "the tier has no host",
        "add hosts to redis_servers, or set redis_driver: none",
    ),
    Defect(
        "external_redis_without_url",
        replaced(ALL, "redis_driver: internal", "redis_driver: external"),
        ("group_vars/all/redis.yml", "redis_external_url"),
        "redis_external_url",
        "redis_driver is external, but its URL is not known",
        "set redis_external_url",
    ),
    Defect(
        "no_frontend",
        replaced(HOSTS, "frontend_servers:\n  hosts:\n    app1:\n", "frontend_servers:\n  hosts: {}\n"),
        (HOSTS, "frontend_servers:"),
        "frontend_servers",
        "the tier has no host",
        "add hosts to frontend_servers",
    ),
    Defect(
        "no_database_group",
        replaced(HOSTS, "database_servers:\n  hosts:\n    db1:\n    db2:\n", ""),
        (HOSTS, ""),
        "database_servers",
        "the tier has no host",
        "add hosts to database_servers",
    ),
    Defect(
        "no_load_balancer",
        no_load_balancer,
        (HOSTS, "load_balancers:"),
        "load_balancers",
        "the tier has no host",
        "add hosts to load_balancers, or set load_balancer_driver: external",
    ),
    Defect(
        "no_standby",
        no_database_standby,
        (HOSTS, "database_servers:"),
        "database_servers",
        "one database server",
        "add a second server to database_servers",
        warning=True,
    ),
    Defect(
        "no_backup",
        replaced(HOSTS, "backup_servers:\n  hosts:\n    app3:\n", "backup_servers:\n  hosts: {}\n"),
        (BACKUP, "backup_repository:"),
        "backup_repository",
        "the database has no backup",
        "add a host to backup_servers, or set backup_repository: s3",
        warning=True,
    ),
    Defect(
        "backup_on_a_database_server",
        replaced(HOSTS, "backup_servers:\n  hosts:\n    app3:\n", "backup_servers:\n  hosts:\n    db1:\n"),
        (HOSTS, "backup_servers:"),
        "backup_servers",
        "db1 holds the database as well",
        "name a host that is no database server",
    ),
    Defect(
        "two_repositories",
        replaced(HOSTS, "backup_servers:\n  hosts:\n    app3:\n", "backup_servers:\n  hosts:\n    app2:\n    app3:\n"),
        (HOSTS, "backup_servers:"),
        "backup_servers",
        "2 hosts: there is one repository",
        "keep one host",
    ),
    Defect(
        "bucket_without_endpoint",
        appended(LAB, "backup_repository: s3\nbackup_s3: {bucket: enlevohub}"),
        (LAB, "backup_repository:"),
        "backup_s3",
        "has no endpoint",
        "set it, see roles/backup/README.md",
    ),
    Defect(
        "no_address",
        replaced(HOSTS, "app2: {ansible_host: 10.89.0.12}", "app2:"),
        (HOSTS, "    app2:"),
        "ansible_host",
        "host app2 has no address",
        "write app2: {ansible_host: <IP address>}",
    ),
    Defect(
        "malformed_address",
        replaced(HOSTS, "10.89.0.12", "10.89.0.312"),
        (HOSTS, "10.89.0.312"),
        "ansible_host",
        "'10.89.0.312' of host app2 is not an IP address",
        "write an IPv4 or IPv6 address",
    ),
    Defect(
        "same_address",
        replaced(HOSTS, "10.89.0.12", "10.89.0.11"),
        (HOSTS, "app2: {ansible_host: 10.89.0.11"),
        "ansible_host",
        "10.89.0.11 is the address of app1 and of app2",
        "give each host an address of its own",
    ),
    Defect(
        "same_service_address",
        one_address_for_two_services,
        (HOSTS, "app2: {"),
        "enlevohub_address",
        "10.90.0.1 is the address of app1 and of app2",
        "give each host an address of its own",
    ),
    Defect(
        "host_twice",
        replaced(HOSTS, "    lb1: {", "    app2: {ansible_host: 10.89.0.12}\n    lb1: {"),
        (f"{HOSTS}:11", ""),
        "app2",
        "stands twice in the same place",
        "keep one of the two",
    ),
    Defect(
        "unknown_group",
        appended(HOSTS, "databse_servers:\n  hosts:\n    db1:"),
        (HOSTS, "databse_servers:"),
        "databse_servers",
        "unknown group",
        "did you mean database_servers?",
    ),
    Defect(
        "unlike_group",
        appended(HOSTS, "printers:\n  hosts:\n    db1:"),
        (HOSTS, "printers:"),
        "printers",
        "unknown group",
        f"use one of {TIERS}, or add group_vars/printers/main.yml",
    ),
    Defect(
        "nested_tiers",
        replaced(HOSTS, "    app3:\n\nfrontend", "    app3:\n  children:\n    frontend_servers:\n\nfrontend"),
        (HOSTS, "backend_servers:"),
        "backend_servers",
        "has groups inside (frontend_servers)",
        "list the hosts below `hosts:` and remove `children:`",
    ),
    Defect(
        "host_in_no_tier",
        host_without_tier,
        (HOSTS, "app9: {"),
        "app9",
        "the host is in no tier",
        f"add it to one of {TIERS}, or remove it",
    ),
    Defect(
        "host_not_in_environment",
        replaced(HOSTS, "    db2:\n    lb1:\n  vars", "    db2:\n  vars"),
        (HOSTS, "lb1: {ansible_host"),
        "lb1",
        "the host is not in the group lab",
        "add it to lab",
    ),
    Defect(
        "no_priority",
        replaced(HOSTS, "  vars:\n    ansible_group_priority: 10\n", ""),
        (f"{HOSTS}:57", ""),
        "ansible_group_priority",
        "values of the tiers can win",
        "add `vars: {ansible_group_priority: 10}` to the group",
    ),
    Defect(
        "no_environment_group",
        no_environment_group,
        (HOSTS, ""),
        "lab",
        "there is no group lab",
        "add the group lab with all hosts and ansible_group_priority: 10",
    ),
    Defect(
        "empty_environment",
        replaced(LAB, "enlevohub_environment: lab", "enlevohub_environment:"),
        (LAB, "enlevohub_environment"),
        "enlevohub_environment",
        "is empty",
        "write enlevohub_environment: lab",
    ),
    Defect(
        "other_environment",
        replaced(LAB, "enlevohub_environment: lab", "enlevohub_environment: datacenter"),
        (LAB, "enlevohub_environment"),
        "enlevohub_environment",
        "is 'datacenter', but the inventory is lab",
        "write enlevohub_environment: lab",
    ),
    Defect(
        "failure_domain",
        three_members_in_one_rack,
        (HOSTS, "etcd_servers:"),
        "failure_domain",
        "rack1 holds 3 of 5 members of etcd",
        "spread etcd_servers over three failure domains",
        warning=True,
    ),
    Defect(
        "uploads_on_many_backends",
        replaced(ALL, "enlevohub_storage: seaweedfs", "enlevohub_storage: filesystem"),
        (ALL, "enlevohub_storage:"),
        "enlevohub_storage",
        "filesystem with 3 backends",
        "use seaweedfs or external, or keep one host in backend_servers",
    ),
    Defect(
        "storage_on_two_servers",
        replaced(HOSTS, "storage_servers:\n  hosts:\n    app1:\n", "storage_servers:\n  hosts:\n"),
        (HOSTS, "storage_servers:"),
        "storage_servers",
        "2 servers: the masters of the object storage need three",
        "add hosts to storage_servers, or set enlevohub_storage: external or filesystem",
    ),
    Defect(
        "external_storage_without_a_bucket",
        appended(LAB, "enlevohub_storage: external\nstorage_external_endpoints: ['https://s3.example']"),
        ("group_vars/all/storage.yml", "storage_external_bucket:"),
        "storage_external_bucket",
        "enlevohub_storage is external, but its bucket is missing",
        "set storage_external_bucket",
    ),
]

VALUES = [
    Defect(
        "misspelled_option",
        appended(BACKEND, "backend_memroy: 300m"),
        (BACKEND, "backend_memroy"),
        "backend_memroy",
        "unknown variable",
        "did you mean backend_memory?",
    ),
    Defect(
        "unlike_anything",
        appended(LAB, "colour_of_the_rack: red"),
        (LAB, "colour_of_the_rack"),
        "colour_of_the_rack",
        "unknown variable",
        "remove it, or give it a value in group_vars/all/",
    ),
    Defect(
        "misspelled_on_host",
        replaced(HOSTS, "10.89.0.12}", "10.89.0.12, etcd_client_prt: 2379}"),
        (HOSTS, "etcd_client_prt"),
        "etcd_client_prt",
        "unknown variable",
        "did you mean etcd_client_port?",
    ),
    Defect(
        "unused_secret",
        secret("vault_jwt_secrets", "x1" * 16),
        (VAULT, "vault_jwt_secrets"),
        "vault_jwt_secrets",
        "unknown variable",
        "did you mean vault_jwt_secret?",
    ),
    Defect(
        "key_twice",
        appended(LAB, "enlevohub_public_port: 8443"),
        (f"{LAB}:30", ""),
        "enlevohub_public_port",
        "stands twice",
        "keep one of the two",
    ),
    Defect(
        "text_for_number",
        replaced(BACKEND, "3001", "'3001'"),
        (BACKEND, "backend_port"),
        "backend_port",
        "is text, a whole number is wanted",
        "write a whole number without quotes",
    ),
    Defect(
        "no_choice",
        replaced(LAB, "base_time_service: none", "base_time_service: ntpd"),
        (LAB, "base_time_service"),
        "base_time_service",
        "is not one of the choices",
        "use one of: chrony, none",
    ),
    Defect(
        "bool_for_choice",
        replaced(LAB, "base_time_service: none", "base_time_service: no"),
        (LAB, "base_time_service"),
        "base_time_service",
        "is true or false, text is wanted",
        "put the value in quotes",
    ),
    Defect(
        "text_for_list",
        appended(LAB, "base_packages: curl"),
        (LAB, "base_packages"),
        "base_packages",
        "is text, a list is wanted",
        "write a list: [a, b]",
    ),
    Defect(
        "number_in_list",
        appended(LAB, "base_packages: [curl, 7]"),
        (LAB, "base_packages"),
        "base_packages[1]",
        "is a whole number, text is wanted",
        "put the value in quotes",
    ),
    Defect(
        "list_for_mapping",
        appended(LAB, "base_sysctl: [vm.swappiness]"),
        (LAB, "base_sysctl"),
        "base_sysctl",
        "is a list, a mapping is wanted",
        "write a mapping: {name: value}",
    ),
    Defect(
        "missing_key",
        replaced(DATABASE, "    owner: enlevohub\n", ""),
        (DATABASE, "patroni_databases"),
        "patroni_databases[0].owner",
        "is missing",
        "add owner",
    ),
    Defect(
        "unknown_key",
        replaced(DATABASE, "owner:", "ownr: x\n    owner:"),
        (DATABASE, "patroni_databases"),
        "patroni_databases[0].ownr",
        "is not an option",
        "use: name, owner, password, clients",
    ),
    Defect(
        "empty_value",
        appended(BACKEND, "rollout_timeout:"),
        (BACKEND, "rollout_timeout"),
        "rollout_timeout",
        "is empty, a whole number is wanted",
        "write a whole number without quotes",
    ),
    Defect(
        "text_for_shared_list",
        appended(LAB, "load_balancer_pools: all"),
        (LAB, "load_balancer_pools"),
        "load_balancer_pools",
        "is text, a list is wanted",
        "write a list: [a, b]",
    ),
    Defect(
        "unknown_driver",
        replaced(ALL, "load_balancer_driver: haproxy", "load_balancer_driver: nginx"),
        (ALL, "load_balancer_driver"),
        "load_balancer_driver",
        "is not one of the choices",
        "use one of: haproxy, f5, render, external",
    ),
    Defect(
        "f5_without_a_server",
        appended(LAB, "load_balancer_driver: f5\nf5_pool_user: enlevohub"),
        (LAB, "load_balancer_driver"),
        "f5_pool_server",
        "load_balancer_driver is f5, but its management address is not known",
        "set f5_pool_server",
    ),
    Defect(
        "virtual_servers_without_an_address",
        appended(LAB, "load_balancer_driver: render\nf5_pool_virtual_servers: true\nf5_pool_virtual_address: ''"),
        (LAB, "f5_pool_virtual_address"),
        "f5_pool_virtual_address",
        "load_balancer_driver is render, but the address for users is not known",
        "set f5_pool_virtual_address",
    ),
    Defect(
        "alias_of_text",
        replaced(LAB, "enlevohub_public_port: 8443", "enlevohub_public_port: '8443'"),
        (LAB, "enlevohub_public_port"),
        "enlevohub_public_port",
        "is text, a whole number is wanted",
        "write a whole number without quotes",
    ),
    Defect(
        "no_port",
        replaced(FRONTEND, "frontend_port: 80", "frontend_port: 80080"),
        (FRONTEND, "frontend_port"),
        "frontend_port",
        "80080 is not a port",
        "use a number from 1 to 65535",
    ),
    Defect(
        "same_port",
        replaced(FRONTEND, "frontend_port: 80", "frontend_port: 3001"),
        (FRONTEND, "frontend_port"),
        "frontend_port",
        "backend_port and frontend_port are both 3001 on app1",
        "give each service of a host a port of its own",
    ),
    Defect(
        "port_of_etcd",
        replaced(BACKEND, "3001", "2379"),
        (BACKEND, "backend_port"),
        "etcd_client_port",
        "backend_port and etcd_client_port are both 2379 on app1, app2, app3",
        "give each service of a host a port of its own",
    ),
    Defect(
        "port_of_redis",
        replaced(BACKEND, "3001", "6379"),
        (BACKEND, "backend_port"),
        "redis_port",
        "backend_port and redis_port are both 6379 on app1, app2, app3",
        "give each service of a host a port of its own",
    ),
    Defect(
        "old_postgresql",
        replaced(ALL, "postgresql_version: 17", "postgresql_version: 12"),
        (ALL, "postgresql_version: 12"),
        "postgresql_version",
        "PostgreSQL 12 is not supported",
        "use one of 15, 16, 17, 18",
    ),
    Defect(
        "unknown_channel",
        replaced(ALL, "postgresql_channel: debian", "postgresql_channel: rpm"),
        (ALL, "postgresql_channel: rpm"),
        "postgresql_channel",
        "is not one of the choices",
        "use one of: debian, pgdg",
    ),
    Defect(
        "two_tier_files",
        appended(FRONTEND, "backend_port: 3001"),
        (FRONTEND, "backend_port"),
        "backend_port",
        "is set in group_vars/backend_servers.yml:3 as well",
        "keep it in one file, or move it to group_vars/all/",
    ),
    Defect(
        "undefined_name",
        replaced(FRONTEND, "enlevohub_directory", "enlevohub_directry"),
        (FRONTEND, "frontend_directory"),
        "frontend_directory",
        "does not resolve on app1: 'enlevohub_directry' is undefined",
        "did you mean enlevohub_directory?",
    ),
    Defect(
        "malformed_template",
        replaced(FRONTEND, "{{ enlevohub_directory }}", "{{ enlevohub_directory | }}"),
        (FRONTEND, "frontend_directory"),
        "frontend_directory",
        "does not resolve on app1",
        "correct the template",
    ),
]

REQUIRED = [
    Defect(
        "missing_option",
        replaced(
            BACKEND, 'backend_uid: "{{ enlevohub_container_uid }}"\nbackend_instance: "{{ inventory_hostname }}"\n', ""
        ),
        (BACKEND, ""),
        "backend_instance",
        "has no value on app1, app2, app3; the role backend needs it",
        "set backend_instance",
    ),
    Defect(
        "missing_option_of_a_database",
        replaced(DATABASE, 'patroni_name: "{{ inventory_hostname }}"\n', ""),
        (DATABASE, ""),
        "patroni_name",
        "has no value on db1, db2; the role patroni needs it",
        "set patroni_name",
    ),
]

SECRETS = [
    Defect(
        "missing_secret",
        secret("vault_jwt_secret", None),
        (VAULT, ""),
        "vault_jwt_secret",
        "the secret is missing",
        "make secrets ENV=lab",
    ),
    Defect(
        "no_secrets",
        no_secrets,
        (VAULT, ""),
        ", ".join(sorted(NAMES)),
        f"{len(NAMES)} secrets are missing",
        "make secrets ENV=lab",
    ),
    Defect(
        "empty_secret",
        secret("vault_jwt_secret", ""),
        (VAULT, "vault_jwt_secret"),
        "vault_jwt_secret",
        "the secret is empty",
        "remove the line, then make secrets ENV=lab",
    ),
    Defect(
        "short_secret",
        secret("vault_jwt_secret", "k3Rt9vQ"),
        (VAULT, "vault_jwt_secret"),
        "vault_jwt_secret",
        "the secret has 7 characters, 16 are the least",
        "remove the line, then make secrets ENV=lab",
    ),
    Defect(
        "number_as_secret",
        secret("vault_jwt_secret", 12345678901234567),
        (VAULT, "vault_jwt_secret"),
        "vault_jwt_secret",
        "is a whole number, text is wanted",
        "put the value in quotes",
    ),
    Defect(
        "readable_secrets",
        secrets_for_everybody,
        (VAULT, ""),
        "vault.yml",
        "others on this machine can read the secrets",
        f"chmod 600 {VAULT}",
    ),
    *(
        Defect(
            f"placeholder_{number}",
            secret("vault_jwt_secret", text),
            (VAULT, "vault_jwt_secret"),
            "vault_jwt_secret",
            "the secret is a placeholder",
            "remove the line, then make secrets ENV=lab",
        )
        for number, text in enumerate(
            (
                "change-me",
                "CHANGEME-CHANGEME",
                "an example secret",
                "<your secret here>",
                "TODO: fill this in",
                "xxxxxxxxxxxxxxxxxxxx",
                "my-long-password-for-now",
                "aaaaaaaaaaaaaaaaaaaaaaa",
            )
        )
    ),
]


@pytest.mark.parametrize("defect", [*INVENTORY, *VALUES, *REQUIRED, *SECRETS], ids=lambda defect: defect.name)
def test_defect_gives_its_finding(site: Site, defect: Defect) -> None:
    """One defect, one finding, with file, variable and fix."""
    defect.make(site)
    path, text = defect.where
    where = site.line(path, text) if text else path
    found = site.findings()
    assert [(item.where, item.variable, item.fix, item.warning) for item in found] == [
        (where, defect.variable, defect.fix, defect.warning)
    ], "\n".join(f"{item}" for item in found)
    assert defect.problem in found[0].problem


def test_many_defects_give_all_findings(site: Site) -> None:
    """Defects in the inventory, the values and the secrets are all told at once."""
    chosen = [
        next(item for item in [*INVENTORY, *VALUES, *SECRETS] if item.name == name)
        for name in ("even_etcd", "same_address", "misspelled_option", "no_choice", "text_for_list", "missing_secret")
    ]
    for defect in chosen:
        defect.make(site)
    found = {item.variable for item in site.findings()}
    assert found == {defect.variable for defect in chosen}


def test_secret_values_never_stand_in_findings(site: Site) -> None:
    """A finding about a secret, or about what is made of it, does not show it."""
    site.secrets(vault_jwt_secret="k3Rt9vQ")
    site.replace(
        BACKEND,
        "database_logins.application.password,",
        "database_logins.application.password | int('x') | nothing,",
    )
    said = " ".join(f"{item}" for item in site.findings())
    assert "backend_database_url" in said
    assert "k3Rt9vQ" not in said


def test_rotation_that_is_not_finished_is_a_warning_and_no_finding(site: Site) -> None:
    site.secrets(vault_database_app_password_next="Zk4tQ9vB1mXw7sLc")
    (found,) = site.findings()
    assert (found.variable, found.warning) == ("vault_database_app_password_next", True)
    assert "playbooks/rotate-secrets.yml" in found.fix
