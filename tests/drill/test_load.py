"""The drill's users: what counts as a failure, and what does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from enlevohub_drill.cases import rolling
from enlevohub_drill.http import BrokenError, Connection, Reply, StaleError
from enlevohub_drill.load import Load, Period, Sample, percentile
from enlevohub_drill.site import PlaybookRun
from enlevohub_drill.stolen import Stolen
from enlevohub_secrets.authority import make_authority

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


async def with_server(handler: Handler, use: Callable[[Connection], Awaitable[None]]) -> None:
    """Use a connection to a server on loopback, without TLS."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection(f"http://127.0.0.1:{port}", ssl.create_default_context())

    async def open_plain() -> None:
        connection._streams = await asyncio.open_connection("127.0.0.1", port)

    connection._open = open_plain  # type: ignore[method-assign]
    try:
        await use(connection)
    finally:
        connection.close()
        server.close()


def answering(*answers: bytes) -> Handler:
    """Answer each request on a connection with the next text, then close it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not await reader.readline():
                break
            while (await reader.readline()).strip():
                pass
            writer.write(answer)
        await writer.drain()
        writer.close()

    return handle


def test_answer_with_a_length_is_read() -> None:
    async def use(connection: Connection) -> None:
        reply = await connection.request("GET", "/", {})
        assert (reply.status, reply.json, reply.closes) == (200, {}, False)

    asyncio.run(with_server(answering(OK), use))


def test_answer_in_chunks_is_read() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"

    async def use(connection: Connection) -> None:
        assert (await connection.request("GET", "/", {})).json == {}

    asyncio.run(with_server(answering(chunked), use))


def test_kept_connection_that_was_closed_in_peace_is_stale() -> None:
    async def use(connection: Connection) -> None:
        await connection.request("GET", "/", {})
        with pytest.raises(StaleError):
            await connection.request("GET", "/", {})

    asyncio.run(with_server(answering(OK), use))


def test_new_connection_without_an_answer_is_broken() -> None:
    async def use(connection: Connection) -> None:
        with pytest.raises(BrokenError):
            await connection.request("GET", "/", {})

    asyncio.run(with_server(answering(b""), use))


def test_half_an_answer_is_broken() -> None:
    async def use(connection: Connection) -> None:
        with pytest.raises(BrokenError):
            await connection.request("GET", "/", {})

    asyncio.run(with_server(answering(OK[:-1]), use))


def test_polite_close_is_obeyed() -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    async def use(connection: Connection) -> None:
        assert (await connection.request("GET", "/", {})).closes
        assert (await connection.request("GET", "/", {})).status == 200  # on a new connection

    asyncio.run(with_server(answering(closing), use))


@pytest.mark.parametrize(
    ("values", "part", "wanted"),
    [
        ([], 0.5, 0.0),
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        (list(map(float, range(1, 101))), 0.99, 99.0),
    ],
)
def test_percentile_is_the_nearest_rank(values: list[float], part: float, wanted: float) -> None:
    assert percentile(values, part) == wanted


def test_period_counts_failures_by_reason_and_leaves_slow_kinds_out_of_the_times() -> None:
    samples = [Sample(0, "list", 0.1, ""), Sample(0, "slow", 20.0, ""), Sample(0, "list", 9.0, "status 503")]
    period = Period.of(samples, 0, Stolen(), [])
    assert (period.requests, period.failed, period.p99) == (3, 1, 0.1)
    assert period.problems == {"list: status 503": 1}


@contextmanager
def socket_that_nobody_listens_on() -> Iterator[int]:
    """A port that is taken, and refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_load_without_a_server_counts_every_request_as_failed() -> None:
    with socket_that_nobody_listens_on() as port:
        load = Load(
            f"https://127.0.0.1:{port}", make_authority("drill")["vault_pki_ca_certificate"], "token", rate=50, seed=1
        )
        with load:
            while len(load.samples) < 10:
                threading.Event().wait(0.02)
    assert load.samples
    assert all(sample.problem.startswith("no connection") for sample in load.samples)


class Recorder:
    """A connection that keeps what it is asked; the first request finds it closed in peace."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def __init__(self, *_: Any) -> None:
        """Connect to nothing."""

    async def request(self, method: str, _: str, headers: dict[str, str], *__: Any) -> Reply:
        """Answer as the API does."""
        self.asked.append((method, headers))
        if len(self.asked) == 1:
            raise StaleError
        return (
            Reply(201, {}, b'{"id": "1"}', False) if method == "POST" else Reply(200, {}, b'{"pagination": 1}', False)
        )

    def close(self) -> None:
        """Close nothing."""


def test_write_has_a_key_of_its_own_that_stays_when_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enlevohub_drill.load.Connection", Recorder)
    monkeypatch.setattr(Recorder, "asked", [])
    load = Load("https://127.0.0.1", make_authority("drill")["vault_pki_ca_certificate"], "token")
    for kind in ("create", "create", "list"):
        assert asyncio.run(load._ask(kind)) == ""
    keys = [(method, headers.get("Idempotency-Key")) for method, headers in Recorder.asked]
    assert [method for method, _ in keys] == ["POST", "POST", "POST", "GET"]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == ("GET", None)


def test_rolling_part_of_a_run_is_told_per_host() -> None:
    play = "PLAY [Replace one backend after the other] ****"
    run = PlaybookRun(0, [(0.0, "PLAY [x]"), (1.0, play), (4.0, play), (9.0, "PLAY [Plan the frontend]")])
    assert rolling(run) == [3.0, 5.0]
