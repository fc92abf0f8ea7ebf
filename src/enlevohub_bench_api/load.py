"""Load: keep-alive connections of HTTP/1.1 on one thread, whose own CPU time is told apart.

Closed loop: every connection sends its next request when it has its answer. Open loop: requests come at random moments
of a fixed mean rate whatever the answers do, and wait when every connection is busy; their time begins at that moment.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import re
import selectors
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from enlevohub_bench_api.servers import HOST

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
ANSWER_LIMIT = 60.0
"""Seconds that the last answers may take after the last request."""


class AnswerError(Exception):
    """An answer that does not count: another status than expected, or none."""


@dataclass(frozen=True)
class Load:
    """What the clients saw: one latency per request, in seconds, in the order of the answers."""

    latencies: list[float]
    seconds: float
    client_cpu_seconds: float


class Connection(asyncio.Protocol):
    """One connection: sends a request, calls back with its answer's status."""

    def __init__(self, answered: Callable[[Connection, int, bytes], None], lost: Callable[[], None]) -> None:
        """Keep the calls: ``answered`` gets the status and the whole answer, ``lost`` an end without close."""
        self._answered = answered
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._missing = 0
        self.began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, request: bytes, began: float) -> None:
        """Send a request whose time began at ``began``."""
        assert self._transport is not None
        self.began = began
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Collect an answer; its length is known once its head is complete."""
        self._received += data
        if not self._missing:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            length = LENGTH.search(self._received, 0, head + 2)
            if length is None:
                self._lost()
                return
            self._missing = head + 4 + int(length[1])
        if len(self._received) >= self._missing:
            answer, self._received, self._missing = self._received, b"", 0
            self._answered(self, int(answer[9:12]), answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell of an end that nobody asked for."""
        if self._transport is not None and not self._transport.is_closing():
            self._lost()

    def eof_received(self) -> None:
        """Tell of the server's end."""
        self._lost()

    def close(self) -> None:
        """End the connection."""
        assert self._transport is not None
        self._transport.close()


class _Run:
    """What both loops share: the connections, the latencies, the end."""

    def __init__(self, status: int) -> None:
        self._status = status
        self.clock = time.perf_counter
        self.latencies: list[float] = []
        self.outstanding = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.connections: list[Connection] = []

    async def connect(self, ports: Sequence[int]) -> None:
        loop = asyncio.get_running_loop()
        for port in ports:
            _, connection = await loop.create_connection(lambda: Connection(self.answered, self.lost), HOST, port)
            self.connections.append(connection)

    def send(self, connection: Connection, request: bytes, began: float) -> None:
        self.outstanding += 1
        connection.send(request, began)

    def answered(self, connection: Connection, status: int, answer: bytes) -> None:
        self.outstanding -= 1
        self.latencies.append(self.clock() - connection.began)
        if status != self._status:
            self.fail(f"status {status}: {answer[-500:].decode(errors='replace')}")
        else:
            self.next(connection)

    def lost(self) -> None:
        self.fail("the server closed a connection, or gave no length")

    def fail(self, text: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(AnswerError(text))

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def begin(self) -> None:
        raise NotImplementedError

    def next(self, connection: Connection) -> None:
        raise NotImplementedError


class _Closed(_Run):
    def __init__(self, status: int, requests: Sequence[bytes], seconds: float) -> None:
        super().__init__(status)
        self._requests = itertools.cycle(requests)
        self._seconds = seconds
        self._until = 0.0

    def begin(self) -> None:
        self._until = self.clock() + self._seconds
        for connection in self.connections:
            self.next(connection)

    def next(self, connection: Connection) -> None:
        now = self.clock()
        if now < self._until:
            self.send(connection, next(self._requests), now)
        elif not self.outstanding:
            self.end()


class _Open(_Run):
    def __init__(self, status: int, requests: Sequence[bytes], moments: Sequence[float]) -> None:
        super().__init__(status)
        self._requests = itertools.cycle(requests)
        begin = self.clock()
        self._coming = deque(begin + moment for moment in moments)
        self._waiting: deque[float] = deque()
        self._idle: list[Connection] = []

    def begin(self) -> None:
        self._idle = list(self.connections)
        self._arrive()

    def _arrive(self) -> None:
        now = self.clock()
        while self._coming and self._coming[0] <= now:
            moment = self._coming.popleft()
            if self._idle:
                self.send(self._idle.pop(), next(self._requests), moment)
            else:
                self._waiting.append(moment)
        if self._coming:
            asyncio.get_running_loop().call_later(self._coming[0] - self.clock(), self._arrive)

    def next(self, connection: Connection) -> None:
        if self._waiting:
            self.send(connection, next(self._requests), self._waiting.popleft())
            return
        self._idle.append(connection)
        if not self._coming and not self.outstanding:
            self.end()


def closed_loop(ports: Sequence[int], requests: Sequence[bytes], status: int, seconds: float) -> Load:
    """Send requests for some seconds, one after the other on one connection per entry of ``ports``.

    Raises:
        AnswerError: an answer had another status.
    """

    async def work() -> Load:
        return await _measure(_Closed(status, requests, seconds), ports, seconds)

    return _in_loop(work())


def open_loop(
    port: int, requests: Sequence[bytes], status: int, seconds: float, rate: float, connections: int, seed: int
) -> Load:
    """Send requests at a mean rate per second over some connections; what finds none idle waits, and that counts.

    Raises:
        AnswerError: an answer had another status.
    """
    moments = arrivals(rate, seconds, seed)

    async def work() -> Load:
        return await _measure(_Open(status, requests, moments), [port] * connections, seconds)

    return _in_loop(work())


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the moments of independent arrivals at a mean rate; at least one."""
    dice = random.Random(seed)
    moments = [dice.expovariate(rate)]
    while moments[-1] < seconds:
        moments.append(moments[-1] + dice.expovariate(rate))
    return moments[:-1] or moments


async def _measure(run: _Run, ports: Sequence[int], seconds: float) -> Load:
    await run.connect(ports)
    gc.collect()
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        run.begin()
        await asyncio.wait_for(run.ended, seconds + ANSWER_LIMIT)
        return Load(run.latencies, time.perf_counter() - wall, time.process_time() - cpu)
    finally:
        gc.enable()
        for connection in run.connections:
            connection.close()


def _in_loop(work: Coroutine[Any, Any, Load]) -> Load:
    # select() waits to the microsecond; epoll, the default, only to the millisecond.
    loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
