"""Lists of projects that are given again while nothing of the company changed.

Every write of a company, whatever it is, ends the answers of that company in all copies of the service before it is
answered. Nobody waits for a Redis that is away: its copies do not give answers again either, except one that still
reaches it, for a lease (`leases.LEASE_SECONDS`) at most.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Hashable

from enlevohub_api.leases import Leases
from enlevohub_api.redis_link import RedisAway, RedisLink

MAX_LISTS = 200
"""A list is some 10 KB, at most some 100."""


class ProjectLists:
    """The answers, as PostgreSQL wrote them."""

    def __init__(self, redis: RedisLink | None) -> None:
        """Keep nothing without Redis."""
        self._redis = redis
        self._leases: Leases[str] = Leases(redis, "lists", MAX_LISTS)

    @property
    def again(self) -> int:
        """How many lists PostgreSQL was not asked for."""
        return self._leases.again

    async def get(self, company: str, question: Hashable, ask: Callable[[], Awaitable[str]]) -> str:
        """Give a list of a company; the question is all that it depends on: the query and its arguments."""
        return await self._leases.get(company, (company, question), ask)

    async def end(self, company: str) -> None:
        """Let every copy ask the database for the lists of a company; to be called after COMMIT, before the answer."""
        if self._redis is not None and not self._redis.resting:
            with contextlib.suppress(RedisAway):
                await self._leases.end(company)
