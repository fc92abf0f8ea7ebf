"""Small backends on loopback that tell which requests they got and when; they can be replaced as a release does."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from enlevohub_f5sim.plane import Head, read_head

LIMIT = 60.0


def until(what: str, condition: object, seconds: float = LIMIT) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        threading.Event().wait(0.02)


@dataclass
class Backend:
    """One backend.

    Attributes:
        address: its loopback address.
        port: its port, the same for all.
        ready: what its health answer says.
        requests: moment (monotonic) and path of each request but the health checks.
        seconds: how long a request takes.
    """

    address: str
    port: int = 0
    ready: bool = True
    requests: list[tuple[float, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    running: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _server: asyncio.Server | None = None

    def between(self, begin: float, end: float) -> list[str]:
        """Return the paths of the requests that came between two moments."""
        return [path for moment, path in self.requests if begin <= moment < end]

    async def start(self) -> None:
        """Begin to listen."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._client, self.address, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """End like a process that is killed: nothing is listened on, and nothing is waited for."""
        assert self._server is not None
        self._server.close()

    def replace(self, dead: float = 0.3) -> tuple[float, float]:
        """Be gone for a moment, as a container that is replaced; returns from when till when."""
        assert self._loop is not None
        begin = time.monotonic()
        asyncio.run_coroutine_threadsafe(self.stop(), self._loop).result(LIMIT)
        threading.Event().wait(dead)
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(LIMIT)
        return begin, time.monotonic()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await read_head(reader)
            if head is not None:
                await reader.readexactly(int(head.get("content-length") or 0))
                await self._answer(head, writer)
        except OSError:
            pass
        finally:
            writer.close()

    async def _answer(self, head: Head, writer: asyncio.StreamWriter) -> None:
        method, path = head.start.split(" ")[:2]
        status, body = 200, json.dumps({"pagination": {}, "from": self.address})
        if path in ("/health/ready", "/healthz"):
            status = 200 if self.ready else 503
        else:
            self.requests.append((time.monotonic(), path))
            self.headers.append({name.lower(): value for name, value in head.headers})
            self.running += 1
            await asyncio.sleep(self.seconds)
            self.running -= 1
            if method == "POST":
                status, body = 201, json.dumps({"id": str(len(self.requests))})
        text = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        writer.write(text.encode())
        await writer.drain()


@contextmanager
def running(*addresses: str) -> Iterator[list[Backend]]:
    """Run backends on addresses of loopback, all on one free port."""
    backends = [Backend(address) for address in addresses]
    started, end = threading.Event(), threading.Event()

    async def run() -> None:
        for backend in backends:
            backend.port = backends[0].port
            await backend.start()
        started.set()
        while not end.is_set():
            await asyncio.sleep(0.05)
        for backend in backends:
            await backend.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="backends")
    thread.start()
    try:
        assert started.wait(LIMIT)
        yield backends
    finally:
        end.set()
        thread.join()
