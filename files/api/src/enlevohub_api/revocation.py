"""Whether an access token still counts: asked for every request, answered by PostgreSQL.

PostgreSQL decides. Redis only says that nothing changed since it was asked: each user has a mark in Redis, a change
that ends tokens replaces it after its COMMIT and before its answer, and a copy of the service takes its own good
answer again only while the mark is still the same, over a connection of the same generation, for `LEASE_SECONDS`
at most. Without Redis every request asks PostgreSQL. Whoever cannot replace the mark waits until every lease is over
before it answers: other copies may still reach Redis. So a token is refused everywhere once its end was acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from enlevohub_api.database import Connection, Database, OutcomeUnknown
from enlevohub_api.redis_link import Mark, RedisAway, RedisLink
from enlevohub_api.tokens import AccessClaims

T = TypeVar("T")

LEASE_SECONDS = 1.0
MARK_SECONDS = 60
"""Life of a mark: any time longer than a lease."""
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


@dataclass(frozen=True)
class _Lease:
    mark: Mark
    until: float


class Revocations:
    """Checks tokens and announces their end."""

    def __init__(self, database: Database, redis: RedisLink | None) -> None:
        """Check with the database, and with Redis if there is one."""
        self._database = database
        self._redis = redis
        self._leases: dict[AccessClaims, _Lease] = {}
        self.by_lease = 0
        self.by_database = 0

    async def stands(self, claims: AccessClaims) -> bool:
        """Tell whether session, account and role of a token are still those of the token. Raises Unavailable."""
        mark: Mark | None = None
        if self._redis is not None:
            with contextlib.suppress(RedisAway):
                mark = await self._redis.read(_key(claims.user_id))
        lease = self._leases.get(claims)
        if mark is not None and lease is not None and lease.mark == mark and _now() < lease.until:
            self.by_lease += 1
            return True
        until = _now() + LEASE_SECONDS
        self.by_database += 1
        good = await self._ask(claims)
        if good and mark is not None:
            self._keep(claims, _Lease(mark, until))
        else:
            self._leases.pop(claims, None)
        return good

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
        if self._redis is None:
            return
        try:
            await self._redis.write(_key(user_id), secrets.token_hex(16), MARK_SECONDS)
        except RedisAway:
            await asyncio.sleep(LEASE_SECONDS)

    async def _ask(self, claims: AccessClaims) -> bool:
        source, arguments = standing(claims, 1)
        return bool(
            await self._database.read(lambda connection: connection.fetchval(f"select true from {source}", *arguments))
        )

    def _keep(self, claims: AccessClaims, lease: _Lease) -> None:
        if len(self._leases) >= MAX_LEASES:
            now = _now()
            self._leases = {key: value for key, value in self._leases.items() if value.until > now}
            if len(self._leases) >= MAX_LEASES:
                self._leases.clear()
        self._leases[claims] = lease


def _key(user_id: str) -> str:
    return f"enlevohub:tokens:{user_id}"


def _now() -> float:
    return asyncio.get_running_loop().time()
