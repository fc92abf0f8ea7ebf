"""Processes of a run: a private PostgreSQL and Redis, and services over them. All listen on loopback only."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from enlevohub_lab.ports import free_port

HOST = "127.0.0.1"
START_LIMIT = 60.0
STOP_LIMIT = 30.0
# No vacuum and no checkpoint of its own accord: neither would hit all contenders alike.
POSTGRES_SETTINGS = {"autovacuum": "off", "checkpoint_timeout": "1h", "max_wal_size": "4GB"}


def find_postgres() -> Path:
    """Return the directory of the newest installed PostgreSQL server's programs.

    Raises:
        SystemExit: there is none.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise SystemExit("no PostgreSQL server in /usr/lib/postgresql: install the Debian package postgresql")
    return found[-1].parent


class Postgres:
    """A PostgreSQL server with default settings, but for `POSTGRES_SETTINGS`."""

    def __init__(self, directory: Path) -> None:
        """Take an empty directory for the data."""
        self._programs = find_postgres()
        self._directory = directory
        self._data = directory / "data"
        self.port = free_port()
        # PostgreSQL refuses to run as root.
        self._become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] * (os.geteuid() == 0)
        if self._become:
            shutil.chown(directory, "postgres", "postgres")

    def _run(self, program: str, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            [*self._become, str(self._programs / program), *arguments],
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"{program} failed with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout.strip()

    def start(self) -> None:
        """Make the data directory and start the server."""
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8")
        settings = "".join(f" -c {name}={value}" for name, value in POSTGRES_SETTINGS.items())
        options = f"-p {self.port} -k {self._directory} -h {HOST}{settings}"
        # pg_ctl's own output goes to a pipe that the server would keep open without a log file.
        log = str(self._directory / "log")
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop the server if it runs; open connections are cut."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "fast", "stop")

    def sql(self, script: str, database: str = "postgres") -> str:
        """Run statements one by one and return the unaligned answer."""
        return self._run(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", HOST, "-p", str(self.port), "-U", "postgres",
            "-d", database, stdin=script,
        )  # fmt: skip

    def url(self, database: str) -> str:
        """Return the address of a database; the server asks for no password, but the API wants one in the address."""
        return f"postgresql://postgres:{secrets.token_hex()}@{HOST}:{self.port}/{database}"

    @property
    def pid(self) -> int:
        """The id of the server's first process."""
        return int((self._data / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0])


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server in a directory of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="enlevohub-bench-") as path:
        server = Postgres(Path(path))
        try:
            server.start()
            yield server
        finally:
            server.stop()


class Redis:
    """A Redis server that writes nothing to the disk."""

    def __init__(self, address: str = HOST, password: str = "") -> None:
        """Start it on a free port, and wait until it takes connections.

        Args:
            address: address of this machine that it listens on.
            password: what clients must know; empty: nothing.

        Raises:
            SystemExit: there is no program of it, or it takes none in time.
        """
        program = shutil.which("redis-server")
        if program is None:
            raise SystemExit("no redis-server: install the Debian package redis-server")
        self.host, self.port = address, free_port(address)
        self.url = f"redis://{address}:{self.port}/0"
        settings = f"bind {address}\nport {self.port}\nsave ''\nappendonly no\n"
        settings += f"requirepass {password}\n" if password else ""
        self._process = subprocess.Popen([program, "-"], cwd="/", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.pid = self._process.pid
        try:
            assert self._process.stdin is not None
            with self._process.stdin as stream:
                stream.write(settings.encode())
            self._wait_until_open()
        except BaseException:
            self.stop()
            raise

    def _wait_until_open(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), 5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit("Redis takes no connection")

    def stop(self) -> None:
        """End the server."""
        stop(self._process)


class Service:
    """One process of a contender; it writes its log lines to a file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start the process on a free port.

        Args:
            name: what a failure is called by.
            command: program and arguments.
            environment: all variables but PATH and PORT.
            log: where the output goes.
        """
        self.name = name
        self.port = free_port()
        self._log = log
        variables = {"PATH": os.environ["PATH"], **environment, "PORT": str(self.port)}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                list(command), env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.pid = self._process.pid

    def wait_until_live(self) -> None:
        """Wait for the first answer.

        Raises:
            SystemExit: the process ended, or did not answer in time.
        """
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
                connection.request("GET", "/health/live")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise SystemExit(f"{self.name} does not answer; its last lines:\n{self.last_lines()}")

    def last_lines(self) -> str:
        """Return the end of the log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def stop(self) -> None:
        """End the process."""
        stop(self._process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and kill it if it does not."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Stranger:
    """A process that takes all that its control group may have and shares nothing with a service but the CPUs."""

    PROGRAM = "import json\nrows = [{str(n): n} for n in range(200)]\nwhile True: json.loads(json.dumps(rows))"

    def __init__(self, group: Path) -> None:
        """Take the file of a group that gets the id of the process."""
        self._group = group

    def __enter__(self) -> Stranger:
        """Start it; it waits."""
        self._process = subprocess.Popen([sys.executable, "-c", self.PROGRAM])
        self._process.send_signal(signal.SIGSTOP)
        try:
            self._group.write_text(str(self._process.pid), encoding="ascii")
        except OSError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(STOP_LIMIT)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let it run."""
        self._process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGSTOP)
