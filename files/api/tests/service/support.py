"""A PostgreSQL server and copies of the API as processes of their own, on free loopback ports."""

from __future__ import annotations

import ipaddress
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from enlevohub_lab.ports import free_port

ROOT = Path(__file__).parents[2]
JWT_SECRET = "0f5a3c7e9b1d2f4a6c8e0b2d4f6a8c0e"
PASSWORD = "Abcdefg1"
PROJECT = {
    "name": "Obra",
    "address": {
        "street": "Rua A",
        "number": "1",
        "neighborhood": "Centro",
        "city": "Natal",
        "state": "RN",
        "zipCode": "59000000",
    },
}


@contextmanager
def shared_directory(purpose: str) -> Iterator[Path]:
    """A directory that an unprivileged server can reach; pytest's own ones are closed to other users."""
    with tempfile.TemporaryDirectory(prefix=f"enlevohub-{purpose}-") as path:
        yield Path(path)


def random_address() -> str:
    """Give an address of the range for documentation that no other client of the tests has."""
    return str(ipaddress.IPv6Address("2001:db8::") + (secrets.randbits(48) << 64))


def wait_until(condition: Callable[[], bool], what: str, limit: float = 20.0) -> None:
    """Poll a condition; fail with its name when the limit (seconds) is over."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit:g} s: {what}")
        time.sleep(0.05)


def find_binaries() -> Path:
    """Find the newest installed PostgreSQL server. A missing one is a failure, not a skip."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise RuntimeError("no PostgreSQL server in /usr/lib/postgresql: install the Debian package postgresql")
    return found[-1].parent


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root: become the package's user."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise RuntimeError("setpriv is missing: install the Debian package util-linux, or run as a normal user")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


class Postgres:
    """One server; it may be stopped, killed, made read-only and started again on its port."""

    def __init__(self, directory: Path) -> None:
        self.binaries = find_binaries()
        self.directory = directory
        self.data = directory / "data"
        self.port = free_port()
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres", "postgres")

    def run(self, program: str, *arguments: str) -> str:
        return self.run_as_owner(str(self.binaries / program), *arguments)

    def run_as_owner(self, program: str, *arguments: str) -> str:
        result = subprocess.run(
            [*_unprivileged(), program, *arguments],
            cwd="/",
            env={
                "PATH": os.environ["PATH"],
                "LC_ALL": "C.UTF-8",
                "PGOPTIONS": "-c default_transaction_read_only=off",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if result.returncode != 0:
            raise RuntimeError(f"{program} failed: {result.stderr or result.stdout}")
        return result.stdout

    def create(self) -> None:
        """Make a new cluster; fsync is off, so it is for tests only."""
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")

    def copy_from(self, other: Postgres) -> None:
        """Take the files of a stopped server: quicker than a new cluster."""
        self.run_as_owner("cp", "-a", str(other.data), str(self.data))

    def start(self) -> None:
        settings = f"-p {self.port} -k {self.directory} -h 127.0.0.1 -c fsync=off -c shared_buffers=16MB"
        log = str(self.directory / "log")
        self.run("pg_ctl", "-D", str(self.data), "-w", "-t", "30", "-l", log, "-o", settings, "start")

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run SQL as superuser and give the unaligned answer."""
        return self.run(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.directory), "-p", str(self.port),
            "-U", "postgres", "-d", database, "-c", statement,
        ).strip()  # fmt: skip

    def create_database(self) -> str:
        name = f"t{uuid.uuid4().hex[:12]}"
        self.sql(f'create database "{name}"')
        return name

    def url(self, database: str, *other_ports: int) -> str:
        """Make a multi-host URL; the other ports come first."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in (*other_ports, self.port))
        return f"postgresql://postgres:pa55-w0rd@{hosts}/{database}?target_session_attrs=read-write"


def run_cli(command: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "enlevohub_api", command, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def migrate(url: str) -> None:
    result = run_cli("migrate", {"DATABASE_URL": url})
    assert result.returncode == 0, result.stderr


@dataclass
class Api:
    """One copy of the service as a process."""

    url: str
    log_path: Path
    instance: str = "api1"
    extra: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "DATABASE_URL": self.url,
            "JWT_SECRET": JWT_SECRET,
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "INSTANCE": self.instance,
            "DRAIN_NOTICE_SECONDS": "0.5",
            **self.extra,
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "enlevohub_api", "serve"], env=environment, stdout=log, stderr=log
            )
        wait_until(self._alive, f"the API answers on port {self.port}: {self.log_path}")

    def _alive(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the API stopped: {self.log_path.read_text()}")
        try:
            return httpx.get(f"{self.base}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def cpu_seconds(self) -> float:
        """CPU time of the process so far; unlike the time of a clock it does not grow when others are busy."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def terminate(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def client(self, token: str | None = None, timeout: float = 30.0, address: str | None = None) -> httpx.Client:
        """Make a client that comes from an address of its own, as through a load balancer: limits are per address."""
        headers = {"X-Forwarded-For": address or random_address()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return httpx.Client(base_url=self.base, headers=headers, timeout=timeout)

    def metrics(self) -> str:
        """The page of the metrics."""
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=30).text

    def logs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]


@contextmanager
def running(*copies: Api) -> Iterator[None]:
    """Start copies of the service, and stop them in the end."""
    try:
        for api in copies:
            api.start()
        yield
    finally:
        for api in copies:
            api.stop()


@dataclass
class Account:
    """A registered user, and what register answered."""

    email: str
    document: str
    answer: dict[str, Any]

    @property
    def access(self) -> str:
        return str(self.answer["tokens"]["accessToken"])

    @property
    def refresh(self) -> str:
        return str(self.answer["tokens"]["refreshToken"])

    @property
    def tenant_id(self) -> str:
        return str(self.answer["tenant"]["id"])

    @property
    def user_id(self) -> str:
        return str(self.answer["user"]["id"])


def register(api: Api) -> Account:
    unique = uuid.uuid4().hex
    body = {
        "email": f"{unique}@obra.com",
        "password": PASSWORD,
        "name": "Ana",
        "tenantName": "Obra",
        "tenantDocument": unique,
    }
    with api.client() as client:
        response = client.post("/api/v1/auth/register", json=body)
    assert response.status_code == 200, response.text
    return Account(body["email"], body["tenantDocument"], response.json())


def login(api: Api, email: str, password: str = PASSWORD) -> httpx.Response:
    with api.client() as client:
        return client.post("/api/v1/auth/login", json={"email": email, "password": password})


def refresh(api: Api, token: str) -> httpx.Response:
    with api.client() as client:
        return client.post("/api/v1/auth/refresh", json={"refreshToken": token})
