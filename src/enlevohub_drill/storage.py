"""The object storage of a datacenter under test: its bucket as the API uses it, and what its servers say."""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import os
import socket
import ssl
import subprocess
import time
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

from enlevohub_drill.site import ROOT, Datacenter
from enlevohub_lab.ports import free_port

PORT = 8333
ELECTION_LIMIT = 30.0
"""Seconds for the election after a master went or came back; each of them needs one or two."""
HEAL_LIMIT = 400.0
"""Seconds until a repair is done, which begins every five minutes."""
CLIENT = "collections/ansible_collections/enlevohub/datacenter/plugins/module_utils/s3.py"


def _client() -> ModuleType:
    """Load the client of our modules by its path: outside of Ansible nothing finds collections by name."""
    spec = importlib.util.spec_from_file_location("enlevohub_s3", ROOT / CLIENT)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


s3 = _client()
S3Error: type[Exception] = s3.S3Error


class RefusedError(RuntimeError):
    """No server did what was asked; the text says why for each."""


_tunnels: dict[tuple[str, str, int], tuple[subprocess.Popen[bytes], int]] = {}


def tunnel(site: Datacenter, server: str, target: int = PORT) -> int:
    """Return a port of this machine that leads to a port of a server, through SSH: its firewall lets no stranger in.

    Raises S3Error when the server does not answer.
    """
    address = site.address(server)
    known = _tunnels.get((site.inventory.name, server, target))
    if known is not None and known[0].poll() is None:
        return known[1]
    port = free_port()
    state = ROOT / ".lab" / site.inventory.name
    options = ["ConnectTimeout=3", "ServerAliveInterval=2", "ServerAliveCountMax=2", "ExitOnForwardFailure=yes"]
    command = [
        "ssh",
        "-N",
        "-i",
        f"{state}/id_ed25519",
        "-o",
        f"UserKnownHostsFile={state}/known_hosts",
        "-o",
        "BatchMode=yes",
    ]
    command += [word for option in options for word in ("-o", option)]
    process = subprocess.Popen(
        [*command, "-L", f"127.0.0.1:{port}:{address}:{target}", f"operator@{address}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(process.kill)
    end = time.monotonic() + 15
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
            continue
        _tunnels[site.inventory.name, server, target] = (process, port)
        return port
    process.kill()
    raise S3Error(f"{server}: SSH does not answer")


@dataclass
class Bucket:
    """The bucket of the environment, asked at every server in turn like the API does.

    Attributes:
        site: the datacenter.
        kind: ``""`` for the keys of the API, ``operator_`` for those of the operator.
        timeout: seconds for one server.
    """

    site: Datacenter
    kind: str = ""
    timeout: float = 8
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the servers in the order of the inventory."""
        self.names = self.names or list(self.site.groups["storage_servers"])

    @cached_property
    def context(self) -> ssl.SSLContext:
        """TLS that trusts the environment's CA and nobody else."""
        return ssl.create_default_context(cadata=self.site.secrets["vault_pki_ca_certificate"])

    @property
    def keys(self) -> tuple[str, str]:
        """Access key and secret key."""
        return (
            self.site.secrets[f"vault_storage_{self.kind}access_key"],
            self.site.secrets[f"vault_storage_{self.kind}secret_key"],
        )

    @property
    def name(self) -> str:
        """Name of the bucket."""
        return "enlevohub-" + self.site.inventory.name.replace("_", "-")

    def endpoint(self, server: str) -> str:
        """Return a URL of S3 on a server. Raises S3Error."""
        return f"https://127.0.0.1:{tunnel(self.site, server)}"

    def ask(
        self, server: str, method: str, target: str, body: bytes = b"", keys: tuple[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send one signed request to one server. Raises S3Error."""
        found: tuple[int, bytes] = s3.request(
            self.endpoint(server), method, target, keys or self.keys, body, context=self.context, timeout=self.timeout
        )
        return found

    def _try(self, method: str, key: str, body: bytes = b"") -> bytes:
        why: list[str] = []
        for server in list(self.names):
            try:
                status, said = self.ask(server, method, f"{self.name}/{key}", body)
            except S3Error as error:
                why.append(str(error))
                continue
            if status in (200, 204):
                self.names.sort(key=lambda other: other != server)
                return said
            why.append(f"{server}: HTTP {status} {s3.error_code(said)}")
        raise RefusedError("; ".join(why))

    def put(self, key: str, content: bytes) -> None:
        """Store an object. Raises RefusedError."""
        self._try("PUT", key, content)

    def get(self, key: str) -> bytes:
        """Read an object. Raises RefusedError."""
        return self._try("GET", key)

    def fill(self, prefix: str, count: int, size: int = 3000) -> dict[str, str]:
        """Store objects of random bytes, tried again while the masters elect; returns their checksums by key."""
        found = {}
        for number in range(count):
            content = os.urandom(size)
            self.put_within(f"{prefix}/{number}", content, ELECTION_LIMIT)
            found[f"{prefix}/{number}"] = hashlib.sha256(content).hexdigest()
        return found

    def put_within(self, key: str, content: bytes, seconds: float) -> float:
        """Store an object, tried again while it is refused; returns the seconds it took. Raises AssertionError."""

        def put() -> bool:
            self.put(key, content)
            return True

        return self.site.wait(f"a write of {key}", put, seconds, 0.1)

    def wrong(self, written: dict[str, str]) -> list[str]:
        """Return the keys of the objects that are not readable, or not what was written."""
        found = []
        for key, digest in written.items():
            try:
                if hashlib.sha256(self.get(key)).hexdigest() != digest:
                    found.append(f"{key}: other content")
            except RefusedError as error:
                found.append(f"{key}: {error}")
        return found

    def state(self) -> dict[str, Any]:
        """Return what the first server that answers says of the storage."""
        why = []
        for server in self.names:
            done = self.site.host(server).run("/usr/local/sbin/object-storage")
            if done.rc == 0:
                found: dict[str, Any] = json.loads(done.stdout)
                return found
            why.append(f"{server}: {done.stderr.strip()[-200:]}")
        raise RefusedError("; ".join(why))

    def whole(self) -> bool:
        """Whether every server is up and every object has all its copies."""
        state = self.state()
        assert not state["problems"], "; ".join(state["problems"])
        return True

    def wait_until_whole(self) -> None:
        """Wait until it is `whole`; the storage repairs itself. Raises AssertionError."""
        self.site.wait("a whole object storage", self.whole, HEAL_LIMIT)

    def volumes(self) -> dict[str, set[int]]:
        """Return the volumes of each server by its address, as the first server knows them; a server may have none."""
        server, pki = self.names[0], "/etc/enlevohub/pki"
        command = f"curl -sS --cacert {pki}/ca.crt --cert {pki}/host.crt --key {pki}/host.key"
        text = self.site.run(server, f"{command} https://{self.site.address(server)}:9333/vol/status")
        found: dict[str, set[int]] = {}
        for racks in json.loads(text)["Volumes"]["DataCenters"].values():
            for nodes in racks.values():
                for node, volumes in nodes.items():
                    found.setdefault(node.split(":")[0], set()).update(volume["Id"] for volume in volumes or [])
        return found

    def repair(self) -> None:
        """Make missing copies now instead of within minutes."""
        self.site.run(self.names[0], "/usr/local/sbin/object-storage repair --timeout 120")
