"""Servers of any environment over SSH, as the inventory describes them; nothing but ssh is needed."""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

PKI = "/etc/enlevohub/pki"


class ServerError(Exception):
    """A command on a server failed; the text names both and what was said."""


@dataclass(frozen=True)
class Server:
    """One server.

    Attributes:
        name: inventory name.
        address: where SSH reaches it.
        service: address of its services.
        user, port, key, arguments: how SSH logs in; empty or 0 where ssh's own configuration says it.
    """

    name: str
    address: str
    service: str
    user: str = ""
    port: int = 0
    key: str = ""
    arguments: str = ""

    def command(self, sockets: str) -> list[str]:
        """The ssh command that logs in and never asks; connections are kept below a directory."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "ServerAliveInterval": "2",
            "ServerAliveCountMax": "3",
            "ControlMaster": "auto",
            "ControlPersist": "120",
            "ControlPath": f"{sockets}/%C",
        }
        return [
            "ssh",
            *(argument for key, value in options.items() for argument in ("-o", f"{key}={value}")),
            *(("-i", self.key) if self.key else ()),
            *(("-p", str(self.port)) if self.port else ()),
            *shlex.split(self.arguments),
            f"{self.user}@{self.address}" if self.user else self.address,
        ]


@dataclass
class Servers:
    """All servers of a drill, and the database cluster on them.

    Attributes:
        all: every server by name.
        databases, etcd: names of those with a database, with a member of etcd.
        restapi_port: port of Patroni's API.
    """

    all: dict[str, Server]
    databases: list[str]
    etcd: list[str]
    restapi_port: int = 8008
    _answered: str = field(default="", repr=False)
    _sockets: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="enlevohub-"), repr=False
    )

    def ssh(self, name: str) -> list[str]:
        """The ssh command for a server."""
        return self.all[name].command(self._sockets.name)

    def attempt(self, name: str, script: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root; 255 when the server is not reached or takes longer than the limit (seconds)."""
        command = [*self.ssh(name), "sudo -n sh -c " + shlex.quote(script)]
        try:
            return subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 255, "", f"no answer within {timeout:.0f} s")

    def run(self, name: str, script: str, timeout: float = 30) -> str:
        """Run a shell script as root.

        Raises:
            ServerError: it failed.
        """
        done = self.attempt(name, script, timeout)
        if done.returncode != 0:
            raise ServerError(f"{name}: `{script}` failed ({done.returncode}): {(done.stderr + done.stdout)[-600:]}")
        return done.stdout.strip()

    def each(self, names: list[str], script: str, timeout: float = 30) -> None:
        """Run a shell script as root on several servers at once; raises ServerError like `run`."""
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda name: self.run(name, script, timeout), names))

    def seen_as(self, name: str) -> str:
        """Return the address under which a server sees this machine."""
        command = [*self.ssh(name), "echo $SSH_CONNECTION"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.split()[0]

    def cluster(self, ask: list[str] | None = None) -> list[dict[str, Any]]:
        """Return the members of the database cluster as the first server that answers knows them.

        Args:
            ask: names of the servers to ask; all databases when absent.

        Raises:
            ServerError: none answers.
        """
        said = []
        for name in sorted(ask or self.databases, key=lambda name: name != self._answered):
            url = f"https://{self.all[name].service}:{self.restapi_port}/cluster"
            tls = f"--cacert {PKI}/ca.crt --cert {PKI}/host.crt --key {PKI}/host.key"
            done = self.attempt(name, f"curl -fsS --max-time 3 {tls} {url}", 10)
            if done.returncode == 0:
                self._answered = name
                members: list[dict[str, Any]] = json.loads(done.stdout)["members"]
                return members
            said.append(f"{name}: {done.stderr.strip()[-200:]}")
        raise ServerError("no database server answers: " + "; ".join(said))

    def leader(self) -> str:
        """Return the name of the leader, empty when there is none."""
        return next((item["name"] for item in self.cluster() if item["role"] == "leader"), "")

    def standby(self) -> str:
        """Return the name of the synchronous standby, empty when there is none."""
        return next((item["name"] for item in self.cluster() if item["role"] == "sync_standby"), "")

    def whole(self) -> bool:
        """Whether every server is a member and well, one leads, and a synchronous standby streams, as each server says.

        A server that comes back from a cut tells for a moment what was before the cut.
        """
        return all(self.seen_whole(self.cluster([name])) for name in self.databases)

    def seen_whole(self, cluster: list[dict[str, Any]]) -> bool:
        """Whether the members of the cluster, as one server knows them, are all there and well."""
        members = {item["name"]: (item["role"], item["state"]) for item in cluster}
        states = sorted(members.values())
        well = all(state in (("leader", "running"), ("sync_standby", "streaming")) for state in states)
        return well and set(members) == set(self.databases) and [role for role, _ in states].count("leader") == 1

    def close(self) -> None:
        """Forget all connections."""
        self._sockets.cleanup()


def wait(what: str, condition: Callable[[], Any], seconds: float, every: float = 0.3) -> float:
    """Wait until a condition holds; returns the seconds it took.

    Raises:
        ServerError: it did not within ``seconds``, with the last reason.
    """
    begin, reason = time.monotonic(), "not yet"
    while time.monotonic() - begin < seconds:
        try:
            if condition():
                return time.monotonic() - begin
            reason = "not yet"
        except (ServerError, ValueError) as error:
            reason = str(error)
        pause(every)
    raise ServerError(f"{what}: not within {seconds:.0f} s ({reason})")


def pause(seconds: float) -> None:
    """Let a fault last for some time."""
    threading.Event().wait(seconds)
