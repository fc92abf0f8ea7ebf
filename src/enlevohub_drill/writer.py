"""Writes with the application's own connection URL at a steady rate, and tells what became of every write.

Runs on an application server with that server's own Python; needs asyncpg and the application's `dsn.py` beside it.
Each write is one JSON line on standard output. Lines on standard input command it: ``read`` ends the writing and gives
all ids that the leader has, ``drop`` removes the table, and the end of the input ends the program.

Outcomes: ``ok`` was acknowledged; ``fail`` cannot have been committed; ``unknown`` may have been. No write is ever
cancelled: PostgreSQL would then acknowledge a transaction that only one server has.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-not-found]
from dsn import Dsn, parse_dsn  # type: ignore[import-not-found]

RATE = 50.0
WARM_CONNECTIONS = 4
MOST_CONNECTIONS = 12
CONNECT_SECONDS = 1.0
PAUSE_SECONDS = 0.05
SUSPECT_SECONDS = 0.5
TCP_USER_TIMEOUT_MS = 3000
LAST_WRITES_SECONDS = 30.0
READ_SECONDS = 60.0
TABLE = "enlevohub_drill_failover"

NEVER_COMMITTED = ("25006", "57P03", "53300", "42P01")
"""Read-only server, server that starts or stops, too many connections, no such table."""


def tell(**line: Any) -> None:
    """Print one line."""
    print(json.dumps(line, separators=(",", ":")), flush=True)


def tls(dsn: Dsn) -> Any:
    """The TLS context that the connection URL asks for."""
    if dsn.sslmode == "disable":
        return False
    context = ssl.create_default_context(cafile=dsn.sslrootcert)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


class Server:
    """One server of the connection URL and the writes that hang on it."""

    def __init__(self, host: str, port: int) -> None:
        """Nothing is contacted yet."""
        self.host, self.port = host, port
        self.pending: dict[int, float] = {}

    def suspect(self) -> bool:
        """Whether a write hangs on it."""
        return any(time.monotonic() - since > SUSPECT_SECONDS for since in self.pending.values())


class Client:
    """Connections to the leader, and the writes."""

    def __init__(self, dsn: Dsn) -> None:
        """Use a connection URL."""
        self.dsn = dsn
        self.context = tls(dsn)
        self.servers = [Server(host, port) for host, port in dsn.hosts]
        self.idle: list[tuple[Any, Server]] = []
        self.open = 0
        self.search: asyncio.Task[None] | None = None
        self.writes: set[asyncio.Task[None]] = set()

    async def attempt(self, server: Server) -> Any:
        """Connect to one server and return the connection when it takes writes, else None.

        Raises:
            OSError, asyncio.TimeoutError, asyncpg.PostgresError: it does not answer, or refuses.
        """
        connection = await asyncio.wait_for(
            asyncpg.connect(
                host=server.host,
                port=server.port,
                user=self.dsn.user,
                password=self.dsn.password,
                database=self.dsn.database,
                ssl=self.context,
                timeout=CONNECT_SECONDS,
                server_settings={"application_name": "enlevohub-drill"},
            ),
            CONNECT_SECONDS,
        )
        try:
            query = "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean"
            if await asyncio.wait_for(connection.fetchval(query), CONNECT_SECONDS):
                connection.terminate()
                return None
        except BaseException:
            connection.terminate()
            raise
        raw = connection._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
        return connection

    async def find(self) -> None:
        """Ask every server again and again, each at its own pace, until one takes writes."""

        async def ask(server: Server) -> tuple[Any, Server]:
            while True:
                if server.suspect():
                    await asyncio.sleep(SUSPECT_SECONDS)
                try:
                    connection = await self.attempt(server)
                    if connection is not None:
                        return connection, server
                except (OSError, asyncio.TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    pass
                await asyncio.sleep(PAUSE_SECONDS)

        tasks = [asyncio.ensure_future(ask(server)) for server in self.servers]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                self.idle.append(task.result())
                self.open += 1
        finally:
            for task in tasks:
                task.cancel()

    def want_connection(self) -> None:
        """Look for one connection more unless somebody does already."""
        if self.open < MOST_CONNECTIONS and (self.search is None or self.search.done()):
            self.search = asyncio.ensure_future(self.find())

    def write(self, number: int) -> None:
        """Begin a write; without a free connection it fails at once, for nothing was sent."""
        while self.idle and self.idle[-1][0].is_closed():
            self.idle.pop()
            self.open -= 1
        if len(self.idle) < 2:
            self.want_connection()
        if not self.idle:
            now = time.monotonic()
            tell(id=number, sent=now, end=now, outcome="fail", by="", why="no connection to a leader")
            return
        task = asyncio.ensure_future(self._write(number, *self.idle.pop()))
        self.writes.add(task)
        task.add_done_callback(self.writes.discard)

    async def _write(self, number: int, connection: Any, server: Server) -> None:
        begun, warnings = time.monotonic(), []

        def listen(_: Any, message: Any) -> None:
            warnings.append(str(message))

        connection.add_log_listener(listen)
        server.pending[number] = begun
        outcome, why = "ok", ""
        try:
            await connection.execute(f"insert into {TABLE} values ($1)", number)
            if warnings:  # committed here, perhaps not on the standby
                outcome, why = "unknown", warnings[0]
        except Exception as error:  # whatever it is, this write has an outcome
            state = getattr(error, "sqlstate", None) or ""
            outcome = "fail" if state in NEVER_COMMITTED else "unknown"
            why = f"{type(error).__name__}: {error}"[:200]
        server.pending.pop(number, None)
        tell(id=number, sent=begun, end=time.monotonic(), outcome=outcome, by=server.host, why=why)
        if outcome == "ok" and not connection.is_closed():
            connection.remove_log_listener(listen)
            self.idle.append((connection, server))
        else:
            self.open -= 1
            connection.terminate()

    async def leader(self) -> tuple[Any, Server]:
        """Wait for a connection to the leader."""
        limit = time.monotonic() + READ_SECONDS
        while True:
            while self.idle:
                connection, server = self.idle.pop()
                if not connection.is_closed():
                    return connection, server
                self.open -= 1
            self.want_connection()
            if time.monotonic() > limit:
                raise SystemExit(f"no server takes writes within {READ_SECONDS:.0f} s")
            await asyncio.sleep(PAUSE_SECONDS)

    async def command(self, statement: str) -> None:
        """Run a statement on the leader."""
        connection, server = await self.leader()
        await connection.execute(statement)
        self.idle.append((connection, server))

    async def read(self, first: int) -> tuple[list[int], str]:
        """Return the ids that the leader has, and its address; a connection that breaks on the way costs a new try."""
        limit = time.monotonic() + READ_SECONDS
        while True:
            connection, server = await self.leader()
            try:
                rows = await connection.fetch(f"select id from {TABLE} where id >= $1 for update", first)
                return [row[0] for row in rows], server.host
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()
                self.open -= 1
                if time.monotonic() > limit:
                    raise


async def lines() -> asyncio.StreamReader:
    """Standard input as lines."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def main() -> None:
    """Write until told otherwise."""
    client = Client(parse_dsn(Path(sys.argv[1]).read_text(encoding="utf-8").strip()))
    await client.command(f"create table if not exists {TABLE} (id bigint primary key)")
    while client.open < WARM_CONNECTIONS:
        await client.find()
    first = number = time.time_ns() // 1000
    commands = await lines()
    asked = asyncio.ensure_future(commands.readline())
    moment = time.monotonic()
    while not asked.done():
        number += 1
        client.write(number)
        moment = max(moment + 1 / RATE, time.monotonic() - 1)
        await asyncio.wait([asked], timeout=max(0.0, moment - time.monotonic()))
    while word := (await asked).decode().strip():
        if word == "read":
            if client.writes:
                await asyncio.wait(client.writes, timeout=LAST_WRITES_SECONDS)
            for server in client.servers:
                for pending, since in server.pending.items():
                    now = time.monotonic()
                    tell(id=pending, sent=since, end=now, outcome="unknown", by=server.host, why="still hangs")
            present, address = await client.read(first)
            tell(present=present, leader=address)
        elif word == "drop":
            await client.command(f"drop table {TABLE}")
            tell(dropped=True)
        asked = asyncio.ensure_future(commands.readline())


if __name__ == "__main__":
    asyncio.run(main())
