"""Load: keep-alive connections of HTTP/1.1 on one thread, whose own CPU time is told apart.

Closed loop: every connection sends its next request when it has its answer. Open loop: requests come at random moments
of a fixed mean rate whatever the answers do, and wait when every connection is busy; their time begins at that moment.

The load runs on the machine that it measures, so it is bare: `select` and blocking sockets, and of an answer only the
head is looked at.
"""

from __future__ import annotations

import gc
import itertools
import random
import re
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from enlevohub_bench_api.servers import HOST

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
ANSWER_LIMIT = 60.0
"""Seconds that the last answers may take after the last request."""
PIECE = 256 * 1024
"""Bytes that are taken from a connection at once, at most."""


class AnswerError(Exception):
    """An answer that does not count: another status than expected, or none."""


@dataclass(frozen=True)
class Load:
    """What the clients saw: one latency per request, in seconds, in the order of the answers."""

    latencies: list[float]
    seconds: float
    client_cpu_seconds: float


class Connection:
    """One connection: sends a request, and takes its answer piece by piece."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._socket = socket.create_connection((HOST, port), ANSWER_LIMIT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self._socket.fileno()
        self.began = 0.0
        self.waits = False
        self._head = b""
        self._missing = 0

    def send(self, request: bytes, began: float) -> None:
        """Send a request whose time began at ``began``."""
        self.began = began
        self.waits = True
        self._socket.sendall(request)

    def receive(self, buffer: bytearray) -> tuple[int, bytes] | None:
        """Take what has come; give the status and the beginning of the answer once it is complete.

        Raises:
            AnswerError: the server closed the connection, gave no length, or sent what nobody asked for.
        """
        size = self._socket.recv_into(buffer)
        if not size or not self.waits:
            raise AnswerError("the server closed a connection, or sent more than its answers")
        if self._missing:
            self._missing -= size
        else:
            self._head += buffer[:size]
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = LENGTH.search(self._head, 0, end + 2)
            if length is None:
                raise AnswerError("an answer without a length")
            self._missing = end + 4 + int(length[1]) - len(self._head)
        if self._missing > 0:
            return None
        if self._missing < 0:
            raise AnswerError("an answer longer than its length")
        head, self._head, self.waits = self._head, b"", False
        return int(head[9:12]), head

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


class _Run:
    """What both loops share: the connections, the latencies, the end."""

    def __init__(self, ports: Sequence[int], requests: Sequence[bytes], status: int) -> None:
        self._requests = itertools.cycle(requests)
        self._status = status
        self.connections = [Connection(port) for port in ports]
        self.latencies: list[float] = []
        self.outstanding = 0

    def send(self, connection: Connection, began: float) -> None:
        self.outstanding += 1
        connection.send(next(self._requests), began)

    def answered(self, connection: Connection, status: int, answer: bytes) -> None:
        now = time.perf_counter()
        self.outstanding -= 1
        self.latencies.append(now - connection.began)
        if status != self._status:
            raise AnswerError(f"status {status}: {answer[-500:].decode(errors='replace')}")
        self.next(connection, now)

    def begin(self, now: float) -> None:
        raise NotImplementedError

    def arrive(self, now: float) -> float | None:
        """Send what is due; give the seconds until more is, None when nothing else comes by itself."""
        raise NotImplementedError

    def next(self, connection: Connection, now: float) -> None:
        raise NotImplementedError

    def go_on(self, seconds: float) -> None:
        """Run until everything is answered.

        Raises:
            AnswerError: also when the answers take too long.
        """
        buffer = bytearray(PIECE)
        by_file = {connection.file: connection for connection in self.connections}
        files = list(by_file)
        now = time.perf_counter()
        limit = now + seconds + ANSWER_LIMIT
        self.begin(now)
        while (now := time.perf_counter()) < limit:
            pause = self.arrive(now)
            if pause is None and not self.outstanding:
                return
            # select() waits to the microsecond; poll() and epoll only to the millisecond.
            ready, _, _ = select.select(files, (), (), limit - now if pause is None else pause)
            for file in ready:
                connection = by_file[file]
                answer = connection.receive(buffer)
                if answer is not None:
                    self.answered(connection, *answer)
        raise AnswerError(f"{self.outstanding} answers did not come in time")


class _Closed(_Run):
    def __init__(self, ports: Sequence[int], requests: Sequence[bytes], status: int, seconds: float) -> None:
        super().__init__(ports, requests, status)
        self._seconds = seconds
        self._until = 0.0

    def begin(self, now: float) -> None:
        self._until = now + self._seconds
        for connection in self.connections:
            self.send(connection, time.perf_counter())

    def arrive(self, now: float) -> float | None:
        return None

    def next(self, connection: Connection, now: float) -> None:
        if now < self._until:
            self.send(connection, now)


class _Open(_Run):
    def __init__(self, ports: Sequence[int], requests: Sequence[bytes], status: int, moments: Sequence[float]) -> None:
        super().__init__(ports, requests, status)
        self._moments = moments
        self._coming: deque[float] = deque()
        self._waiting: deque[float] = deque()
        self._idle = list(self.connections)

    def begin(self, now: float) -> None:
        self._coming.extend(now + moment for moment in self._moments)

    def arrive(self, now: float) -> float | None:
        while self._coming and self._coming[0] <= now:
            moment = self._coming.popleft()
            if self._idle:
                self.send(self._idle.pop(), moment)
            else:
                self._waiting.append(moment)
        return max(0.0, self._coming[0] - time.perf_counter()) if self._coming else None

    def next(self, connection: Connection, now: float) -> None:
        if self._waiting:
            self.send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)


def closed_loop(ports: Sequence[int], requests: Sequence[bytes], status: int, seconds: float) -> Load:
    """Send requests for some seconds, one after the other on one connection per entry of ``ports``.

    Raises:
        AnswerError: an answer had another status.
    """
    return _measure(_Closed(ports, requests, status, seconds), seconds)


def open_loop(
    port: int, requests: Sequence[bytes], status: int, seconds: float, rate: float, connections: int, seed: int
) -> Load:
    """Send requests at a mean rate per second over some connections; what finds none idle waits, and that counts.

    Raises:
        AnswerError: an answer had another status.
    """
    return _measure(_Open([port] * connections, requests, status, arrivals(rate, seconds, seed)), seconds)


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return the moments of independent arrivals at a mean rate; at least one."""
    dice = random.Random(seed)
    moments = [dice.expovariate(rate)]
    while moments[-1] < seconds:
        moments.append(moments[-1] + dice.expovariate(rate))
    return moments[:-1] or moments


def _measure(run: _Run, seconds: float) -> Load:
    gc.collect()
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        run.go_on(seconds)
        return Load(run.latencies, time.perf_counter() - wall, time.process_time() - cpu)
    except OSError as error:
        raise AnswerError(f"a connection broke: {error}") from error
    finally:
        gc.enable()
        for connection in run.connections:
            connection.close()
