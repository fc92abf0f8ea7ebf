"""Make every server of a lab run and answer by SSH, side by side."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TypeVar

from enlevohub_lab import containers, ssh
from enlevohub_lab.console import Console
from enlevohub_lab.containers import Container
from enlevohub_lab.errors import LabError
from enlevohub_lab.images import HOST_IMAGE
from enlevohub_lab.inventory import Environment, Host
from enlevohub_lab.network import ensure_network
from enlevohub_lab.process import count, docker, run, tail

ANSWERS_WITHIN = 120

Result = TypeVar("Result")


class Deadline:
    """A moment until which several threads wait; it can be brought forward when a person interrupts."""

    def __init__(self, seconds: float) -> None:
        """Start now."""
        self._end = time.monotonic() + seconds

    def passed(self) -> bool:
        """Whether the moment is over."""
        return time.monotonic() > self._end

    def expire(self) -> None:
        """End all waiting."""
        self._end = 0


def extra_hosts(environment: Environment, found: dict[str, Container]) -> list[Host]:
    """Servers that exist as containers but are not in the inventory yet (made by `host NAME`)."""
    return [
        Host(name, ipaddress.IPv4Address(container.address))
        for name, container in sorted(found.items())
        if name not in environment.hosts and container.address
    ]


def differences(environment: Environment, found: dict[str, Container], image: str) -> list[str]:
    """What existing containers have that a new one would not have; they are kept, but a person should know."""
    lines = []
    for name, container in sorted(found.items()):
        reasons = ["an older image"] if container.image != image else []
        host = environment.hosts.get(name)
        if host and container.settings != containers.settings_of(host):
            reasons.append("other settings than the inventory (address, published ports, sizes)")
        if reasons:
            lines.append(f"{name} is kept although it has {' and '.join(reasons)}; lab-down and a new lab replace it")
    return lines


def ensure_hosts(environment: Environment, project: Path, console: Console) -> list[Host]:
    """Create, start and open every server of the environment.

    Returns:
        The servers, those of the inventory first.

    Raises:
        LabError: a container cannot be made, or a server does not answer by SSH within 120 s.
    """
    entry = ssh.access(project, environment.name)
    ssh.ensure_key(entry)
    ensure_network(environment.name, environment.network)
    found = containers.existing(environment.name)
    hosts = [*environment.hosts.values(), *extra_hosts(environment, found)]
    for line in differences(environment, found, docker("image", "inspect", "-f", "{{.Id}}", HOST_IMAGE)):
        console.line(line)
    bring_up(environment.name, hosts, found, entry, console)
    return hosts


def bring_up(
    environment: str, hosts: list[Host], found: dict[str, Container], entry: ssh.Access, console: Console
) -> None:
    """Create and start these hosts, give them the key, and wait for a login on each."""
    with console.step(f"Start {count(len(hosts), 'server')} ({', '.join(host.name for host in hosts)})"):
        start = Deadline(ANSWERS_WITHIN)
        _each(hosts, lambda host: containers.ensure_started(environment, host, found.get(host.name)), start)
    with console.step("Wait until every server answers by SSH"):
        answer = Deadline(ANSWERS_WITHIN)
        keys = _each(hosts, lambda host: _open(environment, host, entry, answer), answer)
        known = {str(host.address): keys[host.name] for host in hosts}
        ssh.write_known_hosts(entry, {**_known(entry, environment), **known})
        _each(hosts, lambda host: _log_in(environment, host, entry, answer), answer)


def _known(entry: ssh.Access, environment: str) -> dict[str, str]:
    """Entries of the list that belong to containers which are still there."""
    addresses = {container.address for container in containers.existing(environment).values()}
    lines = entry.known_hosts.read_text().splitlines() if entry.known_hosts.exists() else []
    pairs = (line.split(" ", 1) for line in lines if " " in line)
    return {address: key for address, key in pairs if address in addresses}


def _each(hosts: Iterable[Host], action: Callable[[Host], Result], deadline: Deadline) -> dict[str, Result]:
    """Run an action for all hosts at once; every failure is reported, not only the first."""
    results: dict[str, Result] = {}
    errors: list[str] = []
    with ThreadPoolExecutor(max_workers=16) as pool:
        futures = {pool.submit(action, host): host.name for host in hosts}
        try:
            for future in as_completed(futures):
                try:
                    results[futures[future]] = future.result()
                except LabError as error:
                    errors.append(str(error))
        except KeyboardInterrupt:
            deadline.expire()
            raise
    if errors:
        raise LabError("\n".join(sorted(errors)))
    return results


def _open(environment: str, host: Host, entry: ssh.Access, deadline: Deadline) -> str:
    """Install the operator's key and return the host key, as soon as the server has one."""
    name = containers.container_name(environment, host.name)
    ssh.install_key(name, entry)
    while not (key := ssh.host_key(name)):
        if deadline.passed():
            raise LabError(f"{host.name} made no SSH host key within {ANSWERS_WITHIN} s.\n{diagnosis(name)}")
        time.sleep(0.3)
    return key


def _log_in(environment: str, host: Host, entry: ssh.Access, deadline: Deadline) -> None:
    """Return as soon as the operator can log in and use sudo."""
    name = containers.container_name(environment, host.name)
    while (done := entry.run(str(host.address), "sudo -n true")).returncode != 0:
        if deadline.passed():
            raise LabError(
                f"{host.name} ({host.address}) did not answer by SSH within {ANSWERS_WITHIN} s:\n"
                f"{tail(done.stderr, 3)}\n{diagnosis(name)}"
            )
        time.sleep(0.3)


def diagnosis(container: str) -> str:
    """What helps to see why a container does not serve: its log, and the units that failed."""
    log = run(["docker", "logs", "--tail", "10", container], timeout=20, check=False)
    failed = run(["docker", "exec", container, "systemctl", "--failed", "--no-legend"], timeout=20, check=False)
    return (
        f"  last lines of `docker logs {container}`:\n{tail(log.stdout + log.stderr, 10)}\n"
        f"  `systemctl --failed` there:\n{tail(failed.stdout + failed.stderr, 10)}"
    )
