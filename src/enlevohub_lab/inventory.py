"""The servers of a lab, as the resolved inventory names them."""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from enlevohub_lab.errors import LabError
from enlevohub_lab.process import run, tail
from enlevohub_secrets.store import LAB_NAME

HOST_NAME = re.compile(r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")
_QUESTION = (
    "{{ {'address': ansible_host | default(''), 'groups': group_names, "
    "'published_ports': lab_published_ports | default([]), "
    "'shm_size': lab_shm_size | default(''), 'memory': lab_memory | default('')} }}"
)
PUBLISHED_PORT = re.compile(r"^127\.0\.0\.1:\d{1,5}:\d{1,5}$")


@dataclass(frozen=True)
class Host:
    """One lab server.

    Attributes:
        name: inventory name.
        address: IPv4 address on the lab's network.
        published_ports: "127.0.0.1:PORT:CONTAINER_PORT" entries.
        shm_size: size of /dev/shm in Docker's notation.
        memory: memory limit in Docker's notation, empty for none.
    """

    name: str
    address: ipaddress.IPv4Address
    published_ports: tuple[str, ...] = ()
    shm_size: str = "256m"
    memory: str = ""


@dataclass(frozen=True)
class Environment:
    """A lab: its name (the inventory directory's), its servers by name, and who is in which group."""

    name: str
    inventory: Path
    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The /24 network of all addresses.

        Raises:
            LabError: no host, or the addresses are not in one private /24.
        """
        return common_network(self)


def tool(name: str) -> str:
    """The path of a program that is installed beside this Python (ansible-inventory, ansible-playbook)."""
    return str(Path(sys.executable).parent / name)


def environment_name(inventory: Path) -> str:
    """The environment an inventory directory belongs to.

    Raises:
        LabError: not a directory, or not one of the environments that may be made of containers.
    """
    if not inventory.is_dir():
        raise LabError(f"--inventory {inventory}: no such directory.")
    name = inventory.resolve().name
    if not LAB_NAME.match(name):
        raise LabError(
            f"--inventory {inventory}: only lab, molecule, lab_NAME and molecule_NAME are made of containers."
        )
    return name


def read(inventory: Path) -> Environment:
    """Resolve an inventory with Ansible itself, templates included (nothing is contacted).

    Raises:
        LabError: the inventory cannot be read, or a lab variable of a host is wrong.
    """
    name = environment_name(inventory)
    command = [tool("ansible"), "all", "-i", str(inventory), "-m", "ansible.builtin.debug", "-a", f"msg={_QUESTION}"]
    plain = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    done = run(command, timeout=60, check=False, env=plain)
    if done.returncode != 0:
        raise LabError(f"The inventory {inventory} cannot be resolved:\n{tail(done.stdout + done.stderr)}")
    return environment_of(name, inventory, parse(done.stdout))


def parse(output: str) -> dict[str, dict[str, Any]]:
    """The answers of `ansible -m debug` by host: blocks of "HOST | SUCCESS => {JSON}"."""
    decoder = json.JSONDecoder()
    answers = {}
    for match in re.finditer(r"^(\S+) \| SUCCESS => ", output, re.MULTILINE):
        answers[match.group(1)] = decoder.raw_decode(output, match.end())[0]["msg"]
    return answers


def environment_of(name: str, inventory: Path, answers: Mapping[str, Mapping[str, Any]]) -> Environment:
    """The environment made of what each host answered."""
    groups: dict[str, tuple[str, ...]] = {}
    for host in sorted(answers):
        for group in answers[host]["groups"]:
            groups[group] = (*groups.get(group, ()), host)
    return Environment(name, inventory, {host: _host(host, answers[host]) for host in sorted(answers)}, groups)


def _host(name: str, variables: Mapping[str, Any]) -> Host:
    if not HOST_NAME.match(name):
        raise LabError(f"Host {name!r}: use lower-case letters, digits and hyphens, starting with a letter.")
    try:
        address = ipaddress.IPv4Address(str(variables.get("address", "")))
    except ValueError as error:
        raise LabError(f"Host {name}: ansible_host must be an IPv4 address of the lab's network.") from error
    ports = variables.get("published_ports") or []
    if not isinstance(ports, list) or not all(isinstance(port, str) and PUBLISHED_PORT.match(port) for port in ports):
        raise LabError(f'Host {name}: lab_published_ports must be a list like ["127.0.0.1:8443:443"].')
    sizes = {key: str(variables.get(key) or "") for key in ("shm_size", "memory")}
    for key, value in sizes.items():
        if value and not re.match(r"^\d+[kmg]$", value):
            raise LabError(f"Host {name}: lab_{key} must be a size such as 256m or 2g, not {value!r}.")
    return Host(name, address, tuple(ports), sizes["shm_size"] or "256m", sizes["memory"])


def common_network(environment: Environment) -> ipaddress.IPv4Network:
    """The one private /24 network that holds every address of the environment.

    Raises:
        LabError: no host, a public address, addresses in several networks, or an address used twice.
    """
    where = f"{environment.inventory}/hosts.yml"
    hosts = list(environment.hosts.values())
    if not hosts:
        raise LabError(f"{where}: no hosts.")
    network = ipaddress.IPv4Network(f"{hosts[0].address}/24", strict=False)
    seen: dict[ipaddress.IPv4Address, str] = {}
    for host in hosts:
        if host.address not in network or not host.address.is_private:
            raise LabError(
                f"{where}: ansible_host of {host.name} ({host.address}) is not in one private /24 ({network})."
            )
        if host.address in (network[0], network[1], network[-1]):
            raise LabError(f"{where}: ansible_host of {host.name} ({host.address}) is reserved in {network}.")
        if host.address in seen:
            raise LabError(f"{where}: {host.name} and {seen[host.address]} have the same address {host.address}.")
        seen[host.address] = host.name
    return network
