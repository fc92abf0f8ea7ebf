"""Answers of PostgreSQL that are taken again while a mark in Redis says that nothing changed.

Each answer belongs to a mark, a value in Redis. Whoever changes what answers tell replaces their mark after its COMMIT
and before its own answer. A copy of the service takes its answer again only while the mark is still the same, over a
connection of the same generation, and for `LEASE_SECONDS` at most: someone whom Redis does not answer may have
changed it. Without Redis every question goes to PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from enlevohub_api.redis_link import Mark, RedisAway, RedisLink

T = TypeVar("T")

LEASE_SECONDS = 1.0
MARK_SECONDS = 60
"""Life of a mark: any time longer than a lease."""


@dataclass(frozen=True)
class _Lease(Generic[T]):
    answer: T
    mark: Mark
    until: float


class Leases(Generic[T]):
    """Keeps answers of one kind.

    Attributes:
        again: how many questions were answered by what was kept.
    """

    def __init__(self, redis: RedisLink | None, kind: str, most: int) -> None:
        """Keep at most ``most`` answers; ``kind`` is part of the names of their marks."""
        self._redis = redis
        self._kind = kind
        self._most = most
        self._kept: dict[Hashable, _Lease[T]] = {}
        self.again = 0

    async def get(
        self,
        owner: str,
        question: Hashable,
        ask: Callable[[], Awaitable[T]],
        keep: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """Give the answer to a question.

        Args:
            owner: whose mark it belongs to.
            question: what tells it from all other questions of all owners.
            ask: asks PostgreSQL; what it raises is raised.
            keep: whether an answer may be taken again.
        """
        mark: Mark | None = None
        if self._redis is not None:
            with contextlib.suppress(RedisAway):
                mark = await self._redis.read(self._key(owner))
        lease = self._kept.get(question)
        if mark is not None and lease is not None and lease.mark == mark and _now() < lease.until:
            self.again += 1
            return lease.answer
        until = _now() + LEASE_SECONDS
        answer = await ask()
        if mark is not None and keep(answer):
            self._make_room()
            self._kept[question] = _Lease(answer, mark, until)
        else:
            self._kept.pop(question, None)
        return answer

    async def end(self, owner: str) -> None:
        """Replace the mark: when this returns, no copy gives an answer of before. Raises RedisAway."""
        if self._redis is not None:
            await self._redis.write(self._key(owner), secrets.token_hex(16), MARK_SECONDS)

    def _make_room(self) -> None:
        if len(self._kept) < self._most:
            return
        now = _now()
        self._kept = {key: value for key, value in self._kept.items() if value.until > now}
        if len(self._kept) >= self._most:
            self._kept.clear()

    def _key(self, owner: str) -> str:
        return f"enlevohub:{self._kind}:{owner}"


def _now() -> float:
    return asyncio.get_running_loop().time()
