"""Redis servers and sentinels as unprivileged processes on free loopback ports."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from enlevohub_lab.ports import free_port

from service.support import Api, Postgres, running, wait_until

PASSWORD = "r3dis-pa55"

Pair = tuple[Api, Api]


class RedisProcess:
    """A Redis server or sentinel; it may be killed, frozen and started again on its port."""

    def __init__(self, directory: Path, name: str, lines: list[str], *, sentinel: bool = False) -> None:
        self.port = free_port()
        self.name = name
        self._directory = directory
        self._lines = lines
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, expect: str = "PONG") -> None:
        """Start empty and wait for the first answer."""
        program = shutil.which("redis-server")
        if program is None:
            raise RuntimeError("no redis-server: install the Debian package redis-server")
        config = self._directory / f"{self.name}.conf"
        lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {self._directory}", 'save ""', *self._lines]
        config.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            for path in (self._directory, config):
                shutil.chown(path, "redis", "redis")
        with (self._directory / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_unprivileged(), program, str(config), *(["--sentinel"] if self._sentinel else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: expect in self.ask("PING"), f"{self.name} answers", 60)

    def ask(self, *command: str) -> str:
        """Run one command with redis-cli and give what it prints; empty without a server."""
        result = subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *command],
            env={"PATH": os.environ["PATH"], **({} if self._sentinel else {"REDISCLI_AUTH": PASSWORD})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return result.stdout.strip() if result.returncode == 0 else ""

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self.runs():
            self.kill()


class Wire:
    """A way to a port that can be cut while others still reach it."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._pairs: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target), 10)
            self._pairs += [client, server]
            for source, sink in ((client, server), (server, client)):
                self._threads.append(threading.Thread(target=_pump, args=(source, sink)))
                self._threads[-1].start()

    def cut(self) -> None:
        """Close every connection and take no other; a second cut changes nothing."""
        for end in (self._listener, *self._pairs):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._pairs):
            end.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _unprivileged() -> list[str]:
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=redis", "--regid=redis", "--clear-groups"]


def master(directory: Path, name: str = "redis") -> RedisProcess:
    """Make a server with a password."""
    return RedisProcess(directory, name, [f"requirepass {PASSWORD}", f"masterauth {PASSWORD}"])


def replica(directory: Path, of: RedisProcess) -> RedisProcess:
    """Make a replica of a server."""
    lines = [f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", f"replicaof 127.0.0.1 {of.port}"]
    return RedisProcess(directory, "replica", [*lines, "repl-diskless-sync-delay 0"])


def sentinel(directory: Path, name: str, of: RedisProcess, quorum: int, *more: str) -> RedisProcess:
    """Make a sentinel that watches a server as ``main``; ``more`` are further lines."""
    lines = [
        *more,
        f"sentinel monitor main 127.0.0.1 {of.port} {quorum}",
        f"sentinel auth-pass main {PASSWORD}",
        "sentinel down-after-milliseconds main 1000",
        "sentinel failover-timeout main 5000",
    ]
    return RedisProcess(directory, name, lines, sentinel=True)


BREAKS: dict[str, Callable[[RedisProcess], None]] = {"killed": RedisProcess.kill, "frozen": RedisProcess.freeze}


@contextmanager
def two_copies(
    postgres: Postgres, database: str, directory: Path, redis_url: str, second_url: str | None = None
) -> Iterator[Pair]:
    """Run two copies of the service; the second may have a Redis of its own."""

    def copy(number: int, url: str) -> Api:
        extra = {"REDIS_URL": url, "REDIS_PASSWORD": PASSWORD}
        return Api(postgres.url(database), directory / f"redis{number}.log", f"api{number}", extra)

    pair = (copy(1, redis_url), copy(2, second_url or redis_url))
    with running(*pair):
        yield pair
