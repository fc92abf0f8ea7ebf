"""The load on a server of the test's own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from enlevohub_bench_api.load import AnswerError, arrivals, closed_loop, open_loop

SEED = 7
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Server:
    """Answers every request after a delay, one at a time over all connections; the answer comes in two pieces."""

    def __init__(self, delay: float, answer: bytes) -> None:
        """Prepare the thread; `delay` is in seconds."""
        self.served = 0
        self.port = 0
        self.started = threading.Event()
        self._delay = delay
        self._answer = answer
        self._stop: asyncio.Event | None = None
        self._loop = asyncio.new_event_loop()
        self._one = asyncio.Lock()
        self.thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.started.set()
        await self._stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                async with self._one:
                    await asyncio.sleep(self._delay)
                self.served += 1
                writer.write(self._answer[:30])
                await writer.drain()
                await asyncio.sleep(0)
                writer.write(self._answer[30:])
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def stop(self) -> None:
        """End the thread."""
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self.thread.join(30)


def answer(status: str = "200 OK", body: bytes = b'{"a": 1}') -> bytes:
    """Make an answer whose length stands in its head."""
    return b"HTTP/1.1 %s\r\nServer: x\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@contextmanager
def serving(delay: float = 0.0, text: bytes | None = None) -> Iterator[Server]:
    """Run a server in a thread."""
    server = Server(delay, text if text is not None else answer())
    server.thread.start()
    assert server.started.wait(30)
    try:
        yield server
    finally:
        server.stop()


def test_closed_loop_counts_every_answer_once() -> None:
    with serving() as server:
        load = closed_loop([server.port] * 4, [REQUEST], 200, 0.3)
        assert len(load.latencies) == server.served > 4
    assert load.seconds >= 0.3
    assert min(load.latencies) > 0


def test_closed_loop_spreads_over_its_ports() -> None:
    with serving() as one, serving() as other:
        load = closed_loop([one.port, other.port], [REQUEST], 200, 0.2)
        assert one.served + other.served == len(load.latencies)
        assert one.served > 0
        assert other.served > 0


def test_another_status_is_an_error() -> None:
    with serving(text=answer("500 No")) as server, pytest.raises(AnswerError, match="status 500"):
        closed_loop([server.port], [REQUEST], 200, 0.2)


def test_answer_without_length_is_an_error() -> None:
    with serving(text=b"HTTP/1.1 200 OK\r\nServer: x\r\nA: b\r\n\r\n{}") as server, pytest.raises(AnswerError):
        closed_loop([server.port], [REQUEST], 200, 0.2)


def test_open_loop_sends_at_its_rate_whatever_the_answers_do() -> None:
    with serving() as server:
        load = open_loop(server.port, [REQUEST], 200, 0.5, 200, 8, SEED)
        assert len(load.latencies) == server.served == len(arrivals(200, 0.5, SEED))


def test_open_loop_counts_the_time_that_a_request_waits_for_a_connection() -> None:
    with serving(delay=0.02) as server:
        load = open_loop(server.port, [REQUEST], 200, 0.5, 100, 1, SEED)
    number = len(load.latencies)
    # 50 requests a second are served, 100 come: the last one waits for about half of all that came before.
    assert max(load.latencies) > 0.02 * number / 4


def test_arrivals_have_their_mean_rate_and_repeat_with_their_seed() -> None:
    moments = arrivals(1000, 10, SEED)
    assert moments == arrivals(1000, 10, SEED) != arrivals(1000, 10, SEED + 1)
    assert 9000 < len(moments) < 11000
    assert moments == sorted(moments)
    assert moments[-1] < 10
    assert len(arrivals(0.001, 0.1, SEED)) == 1
