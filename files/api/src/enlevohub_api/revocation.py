"""Whether an access token still counts: asked for every request, answered by PostgreSQL.

PostgreSQL decides. Its good answers are taken again under leases (`leases`), with one mark in Redis per user. Whoever
cannot replace the mark waits until every lease is over before it answers: other copies may still reach Redis. So a
token is refused everywhere once its end was acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from enlevohub_api.database import Connection, Database, OutcomeUnknown
from enlevohub_api.leases import LEASE_SECONDS, Leases
from enlevohub_api.redis_link import RedisAway, RedisLink
from enlevohub_api.tokens import AccessClaims

T = TypeVar("T")

MAX_LEASES = 20_000


def standing(claims: AccessClaims, first: int) -> tuple[str, tuple[str, ...]]:
    """Write what follows ``from`` in a query that has its row only while a token counts.

    Args:
        claims: the token's.
        first: number of the first of the query's arguments that are given back.
    """
    text = f"""
    sessions caller_session join users caller_user on caller_user.id = caller_session.user_id
    where caller_session.id = ${first}::uuid and caller_session.revoked_at is null
      and caller_user.id = ${first + 1}::uuid and caller_user.tenant_id = ${first + 2}::uuid
      and caller_user.role = ${first + 3} and caller_user.is_active and caller_user.is_approved
    """
    return text, (claims.sid, claims.user_id, claims.tenant_id, claims.role)


class Revocations:
    """Checks tokens and announces their end."""

    def __init__(self, database: Database, redis: RedisLink | None) -> None:
        """Check with the database, and with Redis if there is one."""
        self._database = database
        self._leases: Leases[bool] = Leases(redis, "tokens", MAX_LEASES)
        self.by_database = 0

    @property
    def by_lease(self) -> int:
        """How many checks PostgreSQL was not asked for."""
        return self._leases.again

    async def stands(self, claims: AccessClaims) -> bool:
        """Tell whether session, account and role of a token are still those of the token. Raises Unavailable."""
        return await self._leases.get(claims.user_id, claims, lambda: self._ask(claims), keep=bool)

    async def change(self, user_id: str, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a write that may end tokens of a user; when it returns, no copy takes them any more."""
        try:
            result = await self._database.write(work)
        except OutcomeUnknown:
            await self.announce(user_id)
            raise
        await self.announce(user_id)
        return result

    async def announce(self, user_id: str) -> None:
        """Make every copy ask the database about a user's tokens; to be called after COMMIT, before the answer."""
        try:
            await self._leases.end(user_id)
        except RedisAway:
            await asyncio.sleep(LEASE_SECONDS)

    async def _ask(self, claims: AccessClaims) -> bool:
        self.by_database += 1
        source, arguments = standing(claims, 1)
        return bool(
            await self._database.read(lambda connection: connection.fetchval(f"select true from {source}", *arguments))
        )
