"""A link to Redis that is never waited for long and never trusted alone.

Every call either answers within `TOTAL_TIMEOUT` or raises `RedisAway`; after a failure reads do not even try for
`REST_SECONDS`, so a Redis that swallows packets does not slow every request down.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from redis.asyncio import Redis, Sentinel
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from enlevohub_api.settings import Settings

T = TypeVar("T")

logger = logging.getLogger(__name__)

SOCKET_TIMEOUT = 0.25
TOTAL_TIMEOUT = 0.6
REST_SECONDS = 1.0
MAX_CONNECTIONS = 16
MAX_MARKS = 100
"""Marks that one command asks for."""
READY_CONNECTIONS = 4
"""Connections that a new copy opens before its first request; each costs a question to Sentinel and a handshake."""


class RedisAway(Exception):
    """Redis did not answer in time, or said no."""


class Mark(NamedTuple):
    """A value, and the connection generation over which it was read.

    A new connection may lead to another server, or to one that forgot: marks of two generations do not compare.
    """

    value: bytes | None
    generation: int


class RedisLink:
    """Reads and writes short-lived marks."""

    def __init__(self, settings: Settings) -> None:
        """Prepare the client; nothing connects yet."""
        assert settings.redis_url is not None
        self.up = True
        self._generation = 0
        self._rest_until = 0.0
        self._is_filled = False
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._wanted: list[tuple[str, asyncio.Future[Mark]]] = []
        self._reader: asyncio.Task[None] | None = None
        self._client = _make_client(settings, self._on_connect)

    @property
    def resting(self) -> bool:
        """Whether it failed a moment ago, so that reads do not try."""
        return _now() < self._rest_until

    async def read(self, key: str) -> Mark:
        """Give the mark under a key, as it is after the call. Raises RedisAway.

        Marks that are wanted in the same turn of the event loop, and those that come while an answer is awaited, go
        over one connection with one command: a command costs this service more than Redis needs for a hundred keys.
        """
        if self.resting:
            raise RedisAway
        wanted: asyncio.Future[Mark] = asyncio.get_running_loop().create_future()
        self._wanted.append((key, wanted))
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_wanted())
        return await wanted

    async def _read_wanted(self) -> None:
        try:
            while self._wanted:
                batch, self._wanted = self._wanted[:MAX_MARKS], self._wanted[MAX_MARKS:]
                await self._read_batch(batch)
        finally:
            self._reader = None

    async def _read_batch(self, batch: list[tuple[str, asyncio.Future[Mark]]]) -> None:
        waiting = [(key, wanted) for key, wanted in batch if not wanted.done()]  # those who left do not wait
        keys = list(dict.fromkeys(key for key, _ in waiting))
        if not keys:
            return
        try:
            if self.resting:
                raise RedisAway
            values = dict(zip(keys, await self._run(lambda: self._client.mget(keys)), strict=True))
        except Exception as error:
            for _, wanted in waiting:
                if not wanted.done():
                    wanted.set_exception(error)
            return
        for key, wanted in waiting:
            if not wanted.done():
                wanted.set_result(Mark(values[key], self._generation))

    async def write(self, key: str, value: str, seconds: int) -> None:
        """Set a mark; it is seen by every reader when this returns. Raises RedisAway."""
        await self._run(lambda: self._client.set(key, value, ex=seconds))

    async def fill(self) -> None:
        """Open the first connections, once; a Redis that is away is no reason to wait."""
        if not self._is_filled:
            self._is_filled = True
            await asyncio.gather(*(self._try() for _ in range(READY_CONNECTIONS)))

    async def _try(self) -> None:
        with contextlib.suppress(RedisAway):
            await self._run(self._client.ping)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _run(self, command: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT), self._slots:
                result = await command()
        except (RedisError, OSError, TimeoutError) as error:
            self._rest_until = _now() + REST_SECONDS
            if self.up:
                logger.warning("redis is away", extra={"reason": _reason(error)})
            self.up = False
            raise RedisAway from error
        if not self.up:
            logger.info("redis is back")
        self.up = True
        return result

    async def _on_connect(self, connection: Connection) -> None:
        self._generation += 1
        await connection.on_connect()


def _make_client(settings: Settings, on_connect: Callable[[Connection], Awaitable[None]]) -> Redis:
    target = settings.redis_url
    assert target is not None
    common: dict[str, Any] = {
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": SOCKET_TIMEOUT,
        # Once more over a new connection when an idle one turns out to be dead; never after a silence.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    }
    if target.tls:
        common |= {
            "ssl": True,
            "ssl_ca_certs": settings.redis_ca_file or None,
            "ssl_check_hostname": True,
            "ssl_exclude_verify_flags": [ssl.VerifyFlags.VERIFY_X509_STRICT],
        }
    options = common | {
        "db": target.database,
        "username": target.user or None,
        "password": settings.redis_password or None,
        "redis_connect_func": on_connect,
    }
    if not target.service:
        ((host, port),) = target.hosts
        return Redis(host=host, port=port, **options)
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        list(target.hosts),
        sentinel_kwargs={
            **common,
            "username": settings.redis_sentinel_user or None,
            "password": settings.redis_sentinel_password or None,
        },
        **options,
    )
    client = sentinels.master_for(target.service)
    assert isinstance(client, Redis)
    return client


def _reason(error: Exception) -> str:
    """Say why: a certificate that has ended and a wrong password look the same to everything but the log."""
    return f"{type(error).__name__}: {error}"[:300].rstrip(": ")


def _now() -> float:
    return asyncio.get_running_loop().time()
