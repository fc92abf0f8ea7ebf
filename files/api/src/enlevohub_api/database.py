"""Access to the PostgreSQL leader of a cluster of several hosts.

All hosts are asked in parallel and the first read-write one wins, so a dead host costs nothing.
A request holds through a failover for a bounded time. What cannot have been committed is done again;
a connection lost while COMMIT was under way is reported as `OutcomeUnknown`.
Writes carry no driver timeout: cancelling a commit that waits for the synchronous standby would make
PostgreSQL acknowledge a transaction that only one host has.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, TypeVar

import asyncpg
import msgspec

from enlevohub_api.dsn import Dsn

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
T = TypeVar("T")

logger = logging.getLogger(__name__)

RECHECK_IDLE_SECONDS = 0.5
"""A connection idle for longer is asked for its role before it is used."""
RECHECK_TIMEOUT = 1.0
PAUSE_SECONDS = (0.1, 0.2)
"""Between two questions to a host that does not lead, at random."""
RETRY_AFTER_SECONDS = 2
"""What a client is told to wait when there is no leader."""
TCP_USER_TIMEOUT_MS = 3000
"""Unacknowledged bytes for so long end a connection: a host that vanished sends no reset."""

_SETTINGS = {
    "application_name": "enlevohub-api",
    # `sql.instant` writes in it.
    "timezone": "UTC",
    # Statements are kept by name and planned once per connection. PostgreSQL would plan the first five executions, and
    # all of a statement whose guessed cost is above theirs, as with a LIMIT that is an argument.
    "plan_cache_mode": "force_generic_plan",
}

FAILOVER_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""What a statement fails with when its connection or its server is no longer the leader's."""


class Unavailable(Exception):
    """No read-write leader, or no free connection, within the limit; nothing was written."""


class OutcomeUnknown(Exception):
    """The connection was lost during COMMIT: the write may or may not have happened."""


class NoLeader(Exception):
    """One round over all hosts found no read-write server; the text names each host and its reason."""


def tls_context(dsn: Dsn) -> ssl.SSLContext | None:
    """Make the TLS context that the URL asks for: chain and host name are checked; None without TLS.

    Python 3.13 also insists on extensions that many company authorities leave out; libpq does not, nor does this.
    """
    if dsn.sslmode == "disable":
        return None
    context = ssl.create_default_context(cafile=dsn.sslrootcert)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


async def connect_leader(
    dsn: Dsn, timeout: float, context: ssl.SSLContext | None, until: float | None = None
) -> Connection:
    """Connect to all hosts in parallel and give the first read-write connection.

    Args:
        dsn: where the hosts are.
        timeout: seconds each host has, handshake and role check included.
        context: from `tls_context`.
        until: moment of the event loop's clock up to which a host that failed is asked again; None: once.
            Each host is asked at its own pace, so one that swallows packets does not delay the news of the others.

    Raises:
        NoLeader: when every host failed or is read-only.
    """
    names = {
        asyncio.create_task(_ask_host(dsn, host, port, timeout, context, until)): f"{host}:{port}"
        for host, port in dsn.hosts
    }
    winner: asyncio.Task[Connection] | None = None
    reasons: list[str] = []
    pending = set(names)
    try:
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if error is None:
                    winner = task
                    return task.result()
                reasons.append(f"{names[task]}: {_describe(error)}")
        raise NoLeader("; ".join(sorted(reasons)))
    finally:
        for task in names:
            if task is not winner:
                task.cancel()
                task.add_done_callback(_drop_late_connection)


def _drop_late_connection(task: asyncio.Task[Connection]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().terminate()


def _describe(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    return str(error).strip().partition("\n")[0] or type(error).__name__


async def _ask_host(
    dsn: Dsn, host: str, port: int, timeout: float, context: ssl.SSLContext | None, until: float | None
) -> Connection:
    while True:
        left = timeout if until is None else max(0.05, min(timeout, until - _now()))
        try:
            return await _connect_host(dsn, host, port, left, context)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, NoLeader):
            pause = random.uniform(*PAUSE_SECONDS)
            if until is None or _now() + pause >= until:
                raise
            await asyncio.sleep(pause)


async def _connect_host(dsn: Dsn, host: str, port: int, timeout: float, context: ssl.SSLContext | None) -> Connection:
    async with asyncio.timeout(timeout):
        connection: Connection = await asyncpg.connect(
            host=host,
            port=port,
            user=dsn.user,
            password=dsn.password,
            database=dsn.database,
            ssl=context if context is not None else False,
            timeout=timeout,
            server_settings=_SETTINGS,
        )
        try:
            _bound_silence(connection)
            if await _is_read_only(connection):
                raise NoLeader("read-only")
            await connection.set_type_codec(
                "jsonb", schema="pg_catalog", encoder=_encode_json, decoder=msgspec.json.decode
            )
        except BaseException:
            connection.terminate()
            raise
        return connection


def _encode_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


async def _is_read_only(connection: Connection) -> bool:
    query = "select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean"
    return bool(await connection.fetchval(query))


def _bound_silence(connection: Connection) -> None:
    """Make the kernel give up on a silent peer. The driver has no public door to its socket."""
    transport = getattr(connection, "_transport", None)
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None:
        raise RuntimeError("the driver no longer shows its socket: TCP limits cannot be set")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)


@dataclass
class _Pooled:
    connection: Connection
    generation: int
    released_at: float = 0.0


class Database:
    """A small pool of connections to the current leader."""

    def __init__(self, dsn: Dsn, *, size: int, connect_timeout: float, wait: float) -> None:
        """Prepare the pool; no connection is made yet.

        Args:
            dsn: the cluster.
            size: most connections at a time.
            connect_timeout: seconds per host and attempt.
            wait: seconds a request may wait for a connection to a leader.
        """
        self._dsn = dsn
        self._context = tls_context(dsn)
        self._connect_timeout = connect_timeout
        self._wait = wait
        self._slots = asyncio.Semaphore(size)
        self._leaderless = True
        self._looking = asyncio.Lock()
        self._filling = asyncio.Lock()
        self._is_filled = False
        self._idle: list[_Pooled] = []
        self._busy: set[Connection] = set()
        self._writes: set[asyncio.Task[Any]] = set()
        self._generation = 0
        self._closed = False

    async def read(self, work: Callable[[Connection], Awaitable[T]], *, wait: float | None = None) -> T:
        """Run queries that change nothing; they are run again when the connection is lost on the way.

        Raises:
            Unavailable: no leader within ``wait`` seconds (default: the pool's limit).
        """
        deadline = _now() + (self._wait if wait is None else wait)
        while True:
            pooled = await self._acquire(deadline)
            try:
                result = await work(pooled.connection)
            except BaseException as error:
                lost = self._settle_failure(pooled, error)
                if not lost:
                    raise
                await self._pause_or_give_up(deadline, error)
            else:
                self._release(pooled)
                return result

    async def write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run ``work`` in one transaction and commit it.

        ``work`` touches nothing but the database: it is run again when its connection is lost before COMMIT
        was sent. It is not cancelled with its caller.

        Raises:
            Unavailable: no leader within the limit; nothing was written.
            OutcomeUnknown: the connection was lost during COMMIT.
        """
        task: asyncio.Task[T] = asyncio.create_task(self._write(work))
        self._writes.add(task)
        task.add_done_callback(self._forget_write)
        return await asyncio.shield(task)

    def _forget_write(self, task: asyncio.Task[Any]) -> None:
        self._writes.discard(task)
        if not task.cancelled():
            task.exception()

    async def _write(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        deadline = _now() + self._wait
        while True:
            pooled = await self._acquire(deadline)
            commit_sent = False
            try:
                transaction = pooled.connection.transaction()
                await transaction.start()
                try:
                    result = await work(pooled.connection)
                except Exception:
                    if not pooled.connection.is_closed():
                        await transaction.rollback()
                    raise
                commit_sent = True
                await transaction.commit()
            except BaseException as error:
                lost = self._settle_failure(pooled, error)
                if not lost:
                    raise
                if commit_sent:
                    raise OutcomeUnknown(_describe(error)) from error
                await self._pause_or_give_up(deadline, error)
            else:
                self._release(pooled)
                return result

    async def fill(self, wait: float) -> None:
        """Open every connection that no request uses, once: the first requests of a new copy find them open.

        Raises:
            Unavailable: not all are open within ``wait`` seconds; those that are stay so.
        """
        deadline = _now() + wait
        taken: list[_Pooled] = []
        try:
            async with asyncio.timeout_at(deadline), self._filling:
                while not self._is_filled and not self._slots.locked():
                    taken.append(await self._acquire(deadline))
                self._is_filled = True
        except TimeoutError:
            raise Unavailable("the database connections do not open in time") from None
        finally:
            for pooled in taken:
                self._release(pooled)

    def usage(self) -> dict[str, int]:
        """Count the connections by their state."""
        return {"busy": len(self._busy), "idle": len(self._idle)}

    async def close(self) -> None:
        """Wait for the running writes and close every connection."""
        self._closed = True
        if self._writes:
            await asyncio.wait(self._writes)
        while self._idle:
            self._idle.pop().connection.terminate()

    def abort(self) -> None:
        """Drop every connection at once, without asking the server to cancel what runs."""
        self._closed = True
        for connection in list(self._busy):
            connection.terminate()
        while self._idle:
            self._idle.pop().connection.terminate()

    async def _acquire(self, deadline: float) -> _Pooled:
        if not self._slots.locked():
            await self._slots.acquire()
        else:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._slots.acquire()
            except TimeoutError:
                raise Unavailable("every database connection is busy") from None
        try:
            pooled = await self._take_idle() or await self._connect(deadline)
        except BaseException:
            self._slots.release()
            raise
        self._busy.add(pooled.connection)
        return pooled

    async def _take_idle(self) -> _Pooled | None:
        while self._idle:
            pooled = self._idle.pop()
            if pooled.connection.is_closed():
                continue
            fresh = _now() - pooled.released_at < RECHECK_IDLE_SECONDS
            if fresh and pooled.generation == self._generation:
                return pooled
            try:
                async with asyncio.timeout(RECHECK_TIMEOUT):
                    read_only = await _is_read_only(pooled.connection)
            except BaseException as error:
                pooled.connection.terminate()
                if not isinstance(error, Exception):
                    raise
                continue
            if read_only:
                self._leaderless = True
                pooled.connection.terminate()
                continue
            pooled.generation = self._generation
            return pooled
        return None

    async def _connect(self, deadline: float) -> _Pooled:
        """Connect to the leader. While there may be none, one request looks for all that wait.

        Each look costs the servers a handshake, and they need their time for the one that takes over.
        """
        while True:
            if not self._leaderless:
                try:
                    return await self._look(deadline, None)
                except NoLeader:
                    continue
            try:
                async with asyncio.timeout_at(deadline):
                    await self._looking.acquire()
            except TimeoutError:
                raise Unavailable("no read-write database") from None
            try:
                if self._leaderless:
                    return await self._look(deadline, deadline)
            except NoLeader as error:
                _give_up(error)
            finally:
                self._looking.release()

    async def _look(self, deadline: float, until: float | None) -> _Pooled:
        if self._closed:
            raise Unavailable("the service is stopping")
        timeout = max(0.05, min(self._connect_timeout, deadline - _now()))
        try:
            connection = await connect_leader(self._dsn, timeout, self._context, until)
        except NoLeader:
            self._leaderless = True
            raise
        self._leaderless = False
        return _Pooled(connection, self._generation)

    async def _pause_or_give_up(self, deadline: float, error: BaseException) -> None:
        pause = random.uniform(*PAUSE_SECONDS)
        if _now() + pause >= deadline:
            _give_up(error)
        await asyncio.sleep(pause)

    def _release(self, pooled: _Pooled) -> None:
        self._busy.discard(pooled.connection)
        self._slots.release()
        if self._closed:
            pooled.connection.terminate()
            return
        pooled.released_at = _now()
        self._idle.append(pooled)

    def _settle_failure(self, pooled: _Pooled, error: BaseException) -> bool:
        """Give the connection back or drop it; tell whether the leader was lost."""
        connection = pooled.connection
        lost = isinstance(error, FAILOVER_ERRORS) or (isinstance(error, Exception) and connection.is_closed())
        self._leaderless = self._leaderless or lost
        if lost or not isinstance(error, Exception):
            self._generation += 1
            self._busy.discard(connection)
            connection.terminate()
            self._slots.release()
        else:
            self._release(pooled)
        return lost


def _give_up(error: BaseException) -> NoReturn:
    reason = _describe(error)
    logger.warning("no read-write database", extra={"reason": reason})
    raise Unavailable(f"no read-write database: {reason}") from error


def _now() -> float:
    return asyncio.get_running_loop().time()
