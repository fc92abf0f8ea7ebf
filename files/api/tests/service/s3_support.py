"""A real S3 server (SeaweedFS) as a process of its own, and a gate that can be shut between it and the service."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import httpx
import obstore
from enlevohub_lab.ports import free_port
from obstore.store import S3Store

from service.support import wait_until

ACCESS_KEY = "AKIDTESTS0001"
SECRET_KEY = "sk-9f3b7c1d5e8a2046"
BUCKET = "enlevohub"


def _weed() -> str:
    """Find the program of the Python package; a missing one is a failure, not a skip."""
    found = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        raise RuntimeError("weed is missing: install requirements-test.txt")
    return found


class S3Server:
    """Master, volume, filer and S3 in one process; the bucket is made with its first object."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._filer = (free_port(), free_port())
        self._processes: list[subprocess.Popen[bytes]] = []
        self._config = directory / "identities.json"
        identity = {
            "name": "enlevohub",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        self._config.write_text(json.dumps({"identities": [identity]}))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self, name: str, *arguments: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [_weed(), "-logtostderr=true", name, *arguments], cwd=self.directory, stdout=log, stderr=log
                )
            )

    def start(self) -> None:
        self._run(
            "server",
            f"-dir={self.directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={free_port()}", f"-master.port.grpc={free_port()}", "-master.volumeSizeLimitMB=64",
            "-master.telemetry=false", f"-volume.port={free_port()}", f"-volume.port.grpc={free_port()}",
            "-volume.max=8", "-volume.minFreeSpacePercent=0", "-filer", f"-filer.port={self._filer[0]}",
            f"-filer.port.grpc={self._filer[1]}", "-s3", f"-s3.port={self.port}", f"-s3.port.grpc={free_port()}",
            "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={self._config}",
        )  # fmt: skip
        wait_until(self._ready, f"S3 answers on port {self.port}: {self.directory}", 120)

    def _ready(self) -> bool:
        assert self._processes[0].poll() is None, (self.directory / "server.log").read_text()[-2000:]
        try:
            obstore.put(self.store(), "ready", b"1", use_multipart=False)
        except Exception:
            return False
        return True

    def start_tls_gateway(self, certificate: Path, key: Path) -> int:
        """Serve the same bucket over TLS; give the port."""
        port = free_port()
        self._run(
            "s3", "-ip.bind=127.0.0.1", f"-port={port}", f"-port.grpc={free_port()}", "-port.iceberg=0",
            "-port.lance=0", f"-filer=127.0.0.1:{self._filer[0]}.{self._filer[1]}", f"-config={self._config}",
            f"-cert.file={certificate}", f"-key.file={key}",
        )  # fmt: skip

        def answers() -> bool:
            try:
                return httpx.get(f"https://127.0.0.1:{port}/", verify=False).status_code < 500
            except httpx.TransportError:
                return False

        wait_until(answers, "S3 answers over TLS", 60)
        return port

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait(20)

    def store(self, prefix: str | None = None) -> S3Store:
        """A client of the test's own."""
        return S3Store(
            BUCKET,
            prefix=prefix,
            config={
                "endpoint": self.endpoint,
                "region": "us-east-1",
                "access_key_id": ACCESS_KEY,
                "secret_access_key": SECRET_KEY,
            },
            client_options={"allow_http": True, "timeout": timedelta(seconds=20)},
            retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=20)},
        )

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects below a prefix."""
        return sorted(item["path"] for page in self.store().list(prefix) for item in page)

    def environment(self, prefix: str, *endpoints: str) -> dict[str, str]:
        """The settings of a service that stores below the prefix."""
        return {
            "STORAGE_PATH": f"s3://{BUCKET}/{prefix}",
            "S3_ENDPOINT": ",".join(endpoints or (self.endpoint,)),
            "S3_ACCESS_KEY_ID": ACCESS_KEY,
            "S3_SECRET_ACCESS_KEY": SECRET_KEY,
        }


class Gate:
    """A TCP relay to a port; shut, it swallows what comes and answers nothing, like a host that hangs."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.objects_let_in: int | None = None
        """Objects that may be stored before the gate shuts itself; None for no limit."""
        self._is_open = threading.Event()
        self._is_open.set()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._is_open.set()

    def shut(self) -> None:
        """Stop all connections, also the idle ones."""
        self._is_open.clear()

    def close(self) -> None:
        self.shut()
        self._listener.close()
        for end in self._sockets:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._relay, args=(source, sink), daemon=True).start()

    def _count(self, data: bytes) -> None:
        if data.startswith(b"PUT ") and self.objects_let_in is not None:
            if self.objects_let_in == 0:
                self.shut()
            else:
                self.objects_let_in -= 1

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self._count(data)
                if self._is_open.is_set():
                    sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    end.close()
