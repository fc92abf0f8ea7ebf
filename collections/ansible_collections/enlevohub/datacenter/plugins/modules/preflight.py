#!/usr/bin/python
"""Look at a host before anything is changed on it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Look at a host before anything is changed on it
description:
  - Checks the system, clock, address, disk, memory and ports of a host in one call. Changes nothing.
  - With I(stage) the action of the same name asks a host, or writes one report about the inventory and all hosts.
    A host that cannot be asked is a finding, not a failure.
options:
  stage:
    description: C(probe) asks the host; C(report) writes the report (action only).
    type: str
    choices: [probe, report]
    required: true
  max_clock_offset_seconds:
    description: Largest difference to the clock of the control machine, in seconds (action only).
    type: float
  probes:
    description: Name of the variable in which the probe of each host was registered (action only).
    type: str
  roles_directory:
    description: Directory of the roles whose options are checked (action only).
    type: path
  systems:
    description: Supported systems, their versions by name.
    type: dict
    default: {}
  min_free_disk_mib:
    description: Free space that /var must have, in MiB.
    type: int
    default: 0
  spaces:
    description: Further directories and the free space that their file systems must have.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory; where it does not exist yet, the nearest one above it counts.
        type: path
        required: true
      min_free_mib:
        description: Free space in MiB.
        type: int
        required: true
      variable:
        description: Variable that sets the space.
        type: str
        default: ""
  min_memory_mib:
    description: Memory that the host must have, in MiB.
    type: int
    default: 0
  address:
    description: Address that must be on an interface; empty skips the check.
    type: str
    default: ""
  ports:
    description: Ports that services of this host will use.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: TCP port.
        type: int
        required: true
      service:
        description: Name of the service.
        type: str
        required: true
      variable:
        description: Variable that sets the port.
        type: str
        default: ""
      owners:
        description: Processes that may hold the port.
        type: list
        elements: str
        required: true
  redis:
    description: How the API will log in to a Redis that this project does not run; empty skips the check.
    type: dict
    default: {}
    suboptions:
      url:
        description: Its URL.
        type: str
        default: ""
      password:
        description: Password of the user of the URL.
        type: str
        default: ""
      sentinel_user:
        description: User at the sentinels; empty when they ask for no login.
        type: str
        default: ""
      ca_certificate:
        description: PEM text of the CA; empty for those of the system.
        type: str
        default: ""
  storage:
    description: Object storage of somebody else, as the API of this host will use it; empty skips the check. One object
      is written, read and deleted.
    type: dict
    default: {}
    suboptions:
      endpoints:
        description: Its URLs.
        type: list
        elements: str
        default: []
      bucket:
        description: Name of the bucket.
        type: str
        default: ""
      region:
        description: Region of the bucket.
        type: str
        default: us-east-1
      access_key:
        description: Access key.
        type: str
        default: ""
      secret_key:
        description: Secret key.
        type: str
        default: ""
  postgresql_version:
    description: Major version whose data directory must be empty or under Patroni; 0 skips the check.
    type: int
    default: 0
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Ask every host what it has
  enlevohub.datacenter.preflight:
    stage: probe
    systems: {Debian: ["12", "13"]}
    min_free_disk_mib: 4096
"""

RETURN = r"""
findings:
  description: What is wrong, each with where, variable, problem and fix.
  type: list
  returned: always
host:
  description: System, version, codename, architecture, memory, processors and free space of the host.
  type: dict
  returned: always
identity:
  description: Host name and machine id.
  type: dict
  returned: always
clock:
  description: Time of the host at the begin and the end of the call, in seconds.
  type: list
  returned: always
"""

import contextlib
import ipaddress
import os
import platform
import secrets
import socket
import sys
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.redis_client import check_access
from ansible_collections.enlevohub.datacenter.plugins.module_utils.s3 import S3Error, error_code, request

ARCHITECTURES = ("x86_64", "aarch64")
OLDEST_PYTHON = (3, 9)
LISTENING = "0A"


def read(path: str) -> str:
    """Return the text of a file; empty when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except OSError:
        return ""


def os_release(text: str) -> dict[str, str]:
    """Return the fields of os-release."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, value in pairs}


def listeners(text: str) -> dict[int, set[str]]:
    """Return the inodes of listening sockets by port, from the text of /proc/net/tcp or tcp6."""
    found: dict[int, set[str]] = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTENING:
            found.setdefault(int(fields[1].rsplit(":", 1)[1], 16), set()).add(fields[9])
    return found


def open_files(pid: str) -> set[str]:
    """Return what a process has open; files that close meanwhile are left out."""
    found: set[str] = set()
    try:
        for item in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(item.path))
    except OSError:
        return found  # the process has ended
    return found


def socket_owners(inodes: set[str]) -> dict[str, set[str]]:
    """Return the names of the processes that hold sockets, by inode: the name and the first words of the command."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, set[str]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for target in open_files(pid) & set(wanted):
            words = read(f"/proc/{pid}/cmdline").split("\0")[:2]
            names = {read(f"/proc/{pid}/comm").strip(), *(os.path.basename(word) for word in words if word)}
            found.setdefault(wanted[target], set()).update(names)
    return found


def own_address(address: str) -> bool:
    """Return whether an address is on an interface of this host: only then a socket can be bound to it."""
    ip = ipaddress.ip_address(address)
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def memory_mib(text: str) -> int:
    """Return the memory in MiB from the text of /proc/meminfo."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def free_mib(path: str) -> int:
    """Return the free space for root in MiB of the file system that holds a path."""
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize // (1 << 20)


def storage_problem(endpoint: str, given: dict[str, Any]) -> tuple[str, str]:
    """Write, read and delete one object; return what is wrong and the variable to correct, both empty when nothing is.

    Args:
        endpoint: URL of the S3 service.
        given: bucket, region, access_key and secret_key.
    """
    keys = (given["access_key"], given["secret_key"])
    content = secrets.token_hex(16).encode()
    target = f"{given['bucket']}/probe/{secrets.token_hex(16)}"
    for method, body, good in (("PUT", content, (200,)), ("GET", b"", (200,)), ("DELETE", b"", (200, 204))):
        try:
            status, said = request(endpoint, method, target, keys, body, given["region"])
        except S3Error as error:
            return str(error), "storage_external_endpoints"
        if status not in good:
            code = error_code(said)
            variable = "storage_external_bucket" if code in ("NoSuchBucket", "PermanentRedirect") else "storage_secrets"
            return f"{endpoint} answers {method} with HTTP {status} {code}".rstrip(), variable
        if method == "GET" and said != content:
            return f"{endpoint} does not give back what was written", "storage_external_endpoints"
    return "", ""


class Checks:
    """All checks of one host."""

    def __init__(self, params: dict[str, Any]) -> None:
        """Keep the parameters of the module."""
        self.params = params
        self.findings: list[dict[str, str]] = []
        release = os_release(read("/etc/os-release"))
        self.host: dict[str, Any] = {
            "os": release.get("ID", "").capitalize(),
            "os_version": release.get("VERSION_ID", ""),
            "codename": release.get("VERSION_CODENAME", ""),
            "architecture": platform.machine(),
            "memory_mib": memory_mib(read("/proc/meminfo")),
            "cpus": os.cpu_count() or 0,
            "free_disk_mib": free_mib("/var"),
        }

    def add(self, variable: str, problem: str, fix: str) -> None:
        """Keep a finding."""
        self.findings.append({"variable": variable, "problem": problem, "fix": fix})

    def check_system(self) -> None:
        """Check the system, architecture, init, rights and Python."""
        host, systems = self.host, self.params["systems"]
        versions = [str(version) for version in systems.get(host["os"], [])]
        if systems and host["os_version"] not in versions:
            wanted = ", ".join(f"{name} {version}" for name, items in systems.items() for version in items)
            self.add(
                "preflight_systems", f"{host['os']} {host['os_version']} is not supported", f"install one of: {wanted}"
            )
        if host["architecture"] not in ARCHITECTURES:
            self.add("", f"architecture {host['architecture']} is not supported", f"use {' or '.join(ARCHITECTURES)}")
        if not os.path.isdir("/run/systemd/system"):
            self.add("", "systemd does not run", "boot the host with systemd")
        if os.geteuid() != 0:
            self.add("ansible_user", "the checks do not run as root", "let the user become root by sudo (become: true)")
        if sys.version_info < OLDEST_PYTHON:
            found = ".".join(str(part) for part in sys.version_info[:2])
            wanted = ".".join(str(part) for part in OLDEST_PYTHON)
            self.add("ansible_python_interpreter", f"Python {found} is too old", f"install Python {wanted} or later")

    def check_space(self) -> None:
        """Check free disk and memory."""
        for key, option, what, fix in (
            ("free_disk_mib", "min_free_disk_mib", "free on /var", "free space, or enlarge the file system"),
            ("memory_mib", "min_memory_mib", "of memory", "give the host more memory"),
        ):
            if self.host[key] < self.params[option]:
                self.add(
                    f"preflight_{option}", f"{self.host[key]} MiB {what}, {self.params[option]} MiB are wanted", fix
                )

    def check_spaces(self) -> None:
        """Check the free space of further directories."""
        for item in self.params["spaces"]:
            path = item["path"]
            while not os.path.isdir(path):
                path = os.path.dirname(path)
            free = free_mib(path)
            if free < item["min_free_mib"]:
                problem = f"{free} MiB free for {item['path']}, {item['min_free_mib']} MiB are wanted"
                self.add(item["variable"], problem, "free space, or enlarge the file system")

    def check_address(self) -> None:
        """Check that the address of this host is its own."""
        address = self.params["address"]
        if address and not own_address(address):
            self.add(
                "enlevohub_address", f"{address} is on no interface of this host", "correct the address in hosts.yml"
            )

    def check_ports(self) -> None:
        """Check that no foreign process holds a port that a service will use."""
        held = listeners(read("/proc/net/tcp"))
        for port, inodes in listeners(read("/proc/net/tcp6")).items():
            held.setdefault(port, set()).update(inodes)
        wanted = {item["port"]: held[item["port"]] for item in self.params["ports"] if item["port"] in held}
        owners = socket_owners({inode for inodes in wanted.values() for inode in inodes}) if wanted else {}
        for item in self.params["ports"]:
            for inode in sorted(wanted.get(item["port"], ())):
                names = owners.get(inode, set())
                if not names & set(item["owners"]):
                    name = " ".join(sorted(names)) or "a process that is not visible"
                    self.add(
                        item["variable"],
                        f"port {item['port']} for {item['service']} is taken by {name}",
                        f"stop that process, or set another {item['variable']}",
                    )
                    break

    def check_redis(self) -> None:
        """Check that the API of this host can use a Redis that is not ours."""
        given = self.params["redis"]
        if not given.get("url"):
            return
        sentinel_password = given["password"] if given["sentinel_user"] else ""
        problem = check_access(
            given["url"], given["password"], given["sentinel_user"], sentinel_password, given["ca_certificate"]
        )
        if problem:
            self.add(
                "redis_external_url",
                f"the external Redis cannot be used: {problem}",
                "correct redis_external_url, redis_external_ca_certificate or vault_redis_application_password",
            )

    def check_storage(self) -> None:
        """Check that the API of this host can write, read and delete in the bucket of somebody else."""
        given = self.params["storage"]
        for endpoint in given.get("endpoints", []):
            problem, variable = storage_problem(endpoint, given)
            if problem:
                fix = "correct storage_external_bucket, or vault_storage_access_key and vault_storage_secret_key"
                if variable == "storage_external_endpoints":
                    fix = "correct storage_external_endpoints, or base_ca_certificates for its CA"
                self.add(variable, f"the object storage cannot be used: {problem}", fix)

    def check_data(self, root: str = "/var/lib/postgresql", settings: str = "/etc/patroni/config.yml") -> None:
        """Check that the data directory of PostgreSQL is empty, or belongs to Patroni.

        A directory that Patroni's settings name is ours even when its first start was cut off.
        """
        version = self.params["postgresql_version"]
        directory = f"{root}/{version}/main"
        if not version or not os.path.isdir(directory) or not os.listdir(directory):
            return
        ours = os.path.exists(f"{directory}/patroni.dynamic.json") or f"data_dir: {directory}\n" in read(settings)
        if not ours:
            self.add(
                "patroni_postgresql_version",
                f"{directory} has data that is not under Patroni",
                "move the data away, or use a server without PostgreSQL",
            )


def main() -> None:
    """Run all checks; what is wrong is returned, never a failure."""
    began = time.time()
    port_spec = {
        "port": {"type": "int", "required": True},
        "service": {"type": "str", "required": True},
        "variable": {"type": "str", "default": ""},
        "owners": {"type": "list", "elements": "str", "required": True},
    }
    storage_spec = {
        "endpoints": {"type": "list", "elements": "str", "default": []},
        "bucket": {"type": "str", "default": ""},
        "region": {"type": "str", "default": "us-east-1"},
        "access_key": {"type": "str", "default": "", "no_log": True},
        "secret_key": {"type": "str", "default": "", "no_log": True},
    }
    space_spec = {
        "path": {"type": "path", "required": True},
        "min_free_mib": {"type": "int", "required": True},
        "variable": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "spaces": {"type": "list", "elements": "dict", "options": space_spec, "default": []},
            "systems": {"type": "dict", "default": {}},
            "min_free_disk_mib": {"type": "int", "default": 0},
            "min_memory_mib": {"type": "int", "default": 0},
            "address": {"type": "str", "default": ""},
            "ports": {"type": "list", "elements": "dict", "options": port_spec, "default": []},
            "redis": {
                "type": "dict",
                "default": {},
                "options": {
                    "url": {"type": "str", "default": ""},
                    "password": {"type": "str", "default": "", "no_log": True},
                    "sentinel_user": {"type": "str", "default": ""},
                    "ca_certificate": {"type": "str", "default": ""},
                },
            },
            "storage": {"type": "dict", "default": {}, "options": storage_spec},
            "postgresql_version": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    checks = Checks(module.params)
    checks.check_system()
    checks.check_space()
    checks.check_spaces()
    checks.check_address()
    checks.check_ports()
    checks.check_storage()
    checks.check_data()
    checks.check_redis()
    identity = {"hostname": socket.gethostname(), "machine_id": read("/etc/machine-id").strip()}
    clock = [began, time.time()]
    module.exit_json(changed=False, findings=checks.findings, host=checks.host, identity=identity, clock=clock)


if __name__ == "__main__":
    main()
