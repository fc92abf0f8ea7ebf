"""One lab server as a container: its flags, its creation, its state."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from enlevohub_lab.errors import LabError
from enlevohub_lab.images import HOST_IMAGE
from enlevohub_lab.inventory import Host
from enlevohub_lab.process import docker

ENVIRONMENT_LABEL = "enlevohub.environment"
SETTINGS_LABEL = "enlevohub.settings"
HOST_LABEL = "enlevohub.host"


@dataclass(frozen=True)
class Container:
    """What Docker knows of one lab server."""

    host: str
    name: str
    running: bool
    image: str
    settings: str
    address: str


def cgroup_version(root: Path = Path("/sys/fs/cgroup")) -> int:
    """The control group version of this machine: 2 (unified) or 1."""
    return 2 if (root / "cgroup.controllers").exists() else 1


def system_flags(version: int) -> tuple[list[str], list[str]]:
    """The flags that let systemd and an inner Docker engine run in a container, and the command to start.

    Version 1 does without --privileged: the container gets control groups of its own on a tmpfs, and systemd has to be
    told that the old hierarchy is meant.

    Args:
        version: control group version of the machine, 1 or 2.

    Returns:
        Flags of `docker create`, and the command.
    """
    temporary = ["--tmpfs", "/run", "--tmpfs", "/tmp:exec"]
    if version == 2:
        return ["--privileged", "--cgroupns=private", *temporary], ["/lib/systemd/systemd"]
    flags = [
        "--cap-add=ALL",
        "--cap-drop=SYS_RESOURCE",
        "--security-opt=seccomp=unconfined",
        "--security-opt=apparmor=unconfined",
        "--security-opt=systempaths=unconfined",
        "--cgroupns=private",
        *("--tmpfs", "/sys/fs/cgroup"),
        *temporary,
    ]
    return flags, ["/lib/systemd/systemd", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"]


def network_name(environment: str) -> str:
    """The Docker network of an environment."""
    return f"enlevohub-{environment}"


def container_name(environment: str, host: str) -> str:
    """The container of a host."""
    return f"enlevohub-{environment}-{host}"


def settings_of(host: Host) -> str:
    """A short digest of what a container is created with, to notice that the inventory asks for something else."""
    parts = [str(host.address), list(host.published_ports), host.shm_size, host.memory]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def create_command(environment: str, host: Host, version: int) -> list[str]:
    """The arguments of `docker` that create the container of a host."""
    name = container_name(environment, host.name)
    flags, command = system_flags(version)
    labels = {ENVIRONMENT_LABEL: environment, HOST_LABEL: host.name, SETTINGS_LABEL: settings_of(host)}
    published = [argument for port in host.published_ports for argument in ("--publish", port)]
    return [
        *("create", "--name", name, "--hostname", host.name, "--restart", "no"),
        *(argument for key, value in labels.items() for argument in ("--label", f"{key}={value}")),
        *("--network", network_name(environment), "--ip", str(host.address)),
        *published,
        *("--shm-size", host.shm_size),
        *(("--memory", host.memory) if host.memory else ()),
        *("--volume", f"{name}-docker:/var/lib/docker"),
        *flags,
        HOST_IMAGE,
        *command,
    ]


def existing(environment: str) -> dict[str, Container]:
    """The containers of an environment by host name, running or not."""
    identifiers = docker("ps", "--all", "--quiet", "--filter", f"label={ENVIRONMENT_LABEL}={environment}").split()
    found = {}
    for item in json.loads(docker("inspect", *identifiers)) if identifiers else []:
        labels = item["Config"]["Labels"]
        network = item["NetworkSettings"]["Networks"].get(network_name(environment)) or {}
        host = labels.get(HOST_LABEL, "")
        found[host] = Container(
            host=host,
            name=item["Name"].lstrip("/"),
            running=item["State"]["Running"],
            image=item["Image"],
            settings=labels.get(SETTINGS_LABEL, ""),
            address=((network.get("IPAMConfig") or {}).get("IPv4Address")) or network.get("IPAddress", ""),
        )
    return found


def ensure_started(environment: str, host: Host, container: Container | None) -> None:
    """Create the container of a host when there is none, and start it when it does not run.

    Raises:
        LabError: Docker refuses, with its reason.
    """
    name = container_name(environment, host.name)
    if container is None:
        volume = f"{name}-docker"
        docker("volume", "create", "--label", f"{ENVIRONMENT_LABEL}={environment}", volume)
        docker(*create_command(environment, host, cgroup_version()), timeout=120)
    if container is None or not container.running:
        try:
            docker("start", name, timeout=120)
        except LabError as error:
            hint = ""
            if "port is already allocated" in str(error) or "address already in use" in str(error):
                hint = f"\nAnother program uses a port that {host.name} publishes (lab_published_ports)."
            raise LabError(f"{host.name}: {error}{hint}") from error
