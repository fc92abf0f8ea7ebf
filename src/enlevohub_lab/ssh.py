"""SSH to the lab's servers: one key pair and one list of known hosts per environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from enlevohub_lab.process import docker, run

USER = "operator"


@dataclass(frozen=True)
class Access:
    """The files that open the servers of one environment.

    Attributes:
        directory: .lab/ENVIRONMENT of the repository.
    """

    directory: Path

    @property
    def key(self) -> Path:
        """The private key."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The public keys of the servers."""
        return self.directory / "known_hosts"

    def command(self, address: str, *, user: str = USER) -> list[str]:
        """The ssh command that logs in, never asks, and trusts only the known host keys."""
        options = [
            "BatchMode=yes",
            "IdentitiesOnly=yes",
            "ConnectTimeout=5",
            "StrictHostKeyChecking=yes",
            f"UserKnownHostsFile={self.known_hosts}",
            "GlobalKnownHostsFile=/dev/null",
            "ServerAliveInterval=5",
        ]
        arguments = [argument for option in options for argument in ("-o", option)]
        return ["ssh", "-F", "none", "-i", str(self.key), *arguments, f"{user}@{address}"]

    def run(self, address: str, command: str, *, timeout: float = 20) -> subprocess.CompletedProcess[str]:
        """Run a command on a server; limit in seconds; the exit status is not checked (255: no connection)."""
        return run([*self.command(address), command], timeout=timeout, check=False)


def access(project: Path, environment: str) -> Access:
    """The access files of an environment."""
    return Access(project / ".lab" / environment)


def ensure_key(entry: Access) -> None:
    """Make the key pair of an environment unless it is there."""
    entry.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not entry.key.exists():
        comment = f"{USER}@{entry.directory.name}"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(entry.key)], timeout=30)


def install_key(container: str, entry: Access) -> None:
    """Put the public key into a running container, the way a data centre hands over a server."""
    script = (
        "set -eu; umask 077; cd ~operator; mkdir -p .ssh; cat > .ssh/authorized_keys.new; "
        "mv .ssh/authorized_keys.new .ssh/authorized_keys; chown -R operator:operator .ssh"
    )
    public = entry.key.with_suffix(".pub").read_text()
    docker("exec", "--interactive", container, "sh", "-c", script, stdin=public)


def host_key(container: str) -> str:
    """The public host key of a container ("ssh-ed25519 AAAA..."), empty while it has none."""
    answer = docker("exec", container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub", check=False).split()
    return " ".join(answer[:2]) if len(answer) >= 2 else ""


def write_known_hosts(entry: Access, keys: Mapping[str, str]) -> None:
    """Replace the list of known hosts by these addresses and keys, in one step."""
    text = "".join(f"{address} {key}\n" for address, key in sorted(keys.items()))
    temporary = entry.known_hosts.with_suffix(".new")
    temporary.write_text(text)
    temporary.replace(entry.known_hosts)
