"""An S3 service of somebody else: a process of this machine that the servers of a lab reach."""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import subprocess
import time
from pathlib import Path

from enlevohub_drill.site import BIN, Datacenter
from enlevohub_drill.storage import S3Error, s3
from enlevohub_lab.ports import free_port
from enlevohub_lab.power import server_certificate
from enlevohub_secrets.authority import CERTIFICATE, KEY, make_authority

START_SECONDS = 120


def address_for(datacenter: Datacenter) -> str:
    """Return the address by which the servers of a lab reach this machine."""
    server = datacenter.address(next(iter(datacenter.variables)))
    command = ["ip", "-json", "route", "get", server]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    return str(json.loads(found.stdout)[0]["prefsrc"])


class ForeignBucket:
    """A bucket of that service; as a context it is there from begin to end.

    Attributes:
        name: its name.
        keys: access key and secret key.
        endpoint: URL of the service.
        authority: certificate of the authority of its TLS as PEM text; empty: it speaks plain HTTP.
    """

    def __init__(self, address: str, directory: Path, name: str, tls: bool = False) -> None:
        """Start the service on an address of this machine, with its data in a directory."""
        self.name = name
        self.keys = (f"AK{secrets.token_hex(8)}", secrets.token_hex(20))
        port = free_port(address)
        self.endpoint = f"{'https' if tls else 'http'}://{address}:{port}"
        self.authority, self._context = "", None
        identities, pair, self._log = directory / "identities.json", directory / "server.pem", directory / "log"
        actions = ["Admin", "Read", "Write", "List"]
        credentials = [{"accessKey": self.keys[0], "secretKey": self.keys[1]}]
        identities.write_text(
            json.dumps({"identities": [{"name": "enlevohub", "credentials": credentials, "actions": actions}]})
        )
        options = {
            **{f"{part}.port": free_port(address) for part in ("master", "volume", "filer")},
            **{f"{part}.port.grpc": free_port(address) for part in ("master", "volume", "filer", "s3")},
            "dir": directory,
            "ip": address,
            "ip.bind": address,
            "master.volumeSizeLimitMB": 64,
            "master.telemetry": "false",
            "volume.max": 8,
            "volume.minFreeSpacePercent": 0,
            "filer": "true",
            "s3": "true",
            "s3.port": port,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": identities,
        }
        if tls:
            made = make_authority("foreign")
            self.authority = made[CERTIFICATE]
            self._context = ssl.create_default_context(cadata=self.authority)
            pair.write_text(server_certificate(made[CERTIFICATE], made[KEY], address))
            options |= {"s3.cert.file": pair, "s3.key.file": pair}
        with self._log.open("wb") as log:
            words = [f"-{key}={value}" for key, value in options.items()]
            command = [str(BIN / "weed"), "-logtostderr=true", "server", *words]
            self._process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)

    def __enter__(self) -> ForeignBucket:
        """Wait until the bucket is there; an exception ends the service."""
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the service."""
        self.stop()

    def wait(self) -> None:
        """Wait until the bucket is made.

        Raises:
            AssertionError: the service does not start.
        """
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(S3Error):
                if self.ask("PUT")[0] == 200 and self.ask("PUT", "ready", b"1")[0] == 200:
                    return
            time.sleep(0.2)
        raise AssertionError(f"the S3 service does not start: {self._log.read_text()[-2000:]}")

    def ask(self, method: str, key: str = "", body: bytes = b"", query: str = "") -> tuple[int, bytes]:
        """Send a signed request about an object, or about the bucket."""
        target = f"{self.name}/{key}" if key else self.name
        found: tuple[int, bytes] = s3.request(
            self.endpoint, method, target, self.keys, body, context=self._context, query=query
        )
        return found

    def stop(self) -> None:
        """End the service."""
        self._process.kill()
        self._process.wait(30)
