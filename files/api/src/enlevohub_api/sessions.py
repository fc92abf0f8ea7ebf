"""Sessions: a login opens a family of refresh tokens.

Each refresh uses up one token and issues its successor. The successor of a token is one row, and the same row signs
to the same token: two parallel refreshes, or a repeat after a lost answer, get the same refresh token for
`GRACE_SECONDS`. A used token that comes later ends the whole session, its access tokens too.
"""

from __future__ import annotations

import time
import uuid

import asyncpg

from enlevohub_api.database import Connection
from enlevohub_api.schemas import AuthResult, SessionUser, TenantSummary, TokenPair
from enlevohub_api.services import Services
from enlevohub_api.tokens import AccessClaims, RefreshClaims

GRACE_SECONDS = 30
"""A used refresh token is answered again for so long: a failover of the database can eat an answer."""

ACCOUNT = """
select u.id, u.email, u.name, u.role, u.tenant_id, u.contractor_id, u.broker_id, u.is_active, u.is_approved,
       u.password_hash, u.created_at, t.name as tenant_name, t.plan as tenant_plan
from users u join tenants t on t.id = u.tenant_id
"""

_INSERT_TOKEN = """
insert into refresh_tokens (id, session_id, issued_at, expires_at)
values ($1, $2, to_timestamp($3), to_timestamp($4))
"""


class SessionEnded(Exception):
    """The refresh token ended its session; what that changed is to be committed."""


def text_or_none(value: object) -> str | None:
    """Write an id, or keep None."""
    return None if value is None else str(value)


def _access_token(services: Services, account: asyncpg.Record, session: uuid.UUID, now: int) -> str:
    return services.tokens.sign(
        AccessClaims(
            user_id=str(account["id"]),
            tenant_id=str(account["tenant_id"]),
            email=account["email"],
            role=account["role"],
            sid=str(session),
            jti=str(uuid.uuid4()),
            iat=now,
            exp=now + services.settings.jwt_expires_in,
            typ="access",
            contractor_id=text_or_none(account["contractor_id"]),
            broker_id=text_or_none(account["broker_id"]),
        )
    )


def _refresh_token(
    services: Services, account: asyncpg.Record, session: uuid.UUID, token: uuid.UUID, issued: int, expires: int
) -> str:
    return services.tokens.sign(
        RefreshClaims(
            user_id=str(account["id"]),
            tenant_id=str(account["tenant_id"]),
            sid=str(session),
            jti=str(token),
            iat=issued,
            exp=expires,
            typ="refresh",
        )
    )


async def open_session(services: Services, connection: Connection, account: asyncpg.Record) -> AuthResult:
    """Open a session for a row of `ACCOUNT` and give the answer to register and login."""
    now = int(time.time())
    expires = now + services.settings.jwt_refresh_expires_in
    session, token = uuid.uuid4(), uuid.uuid4()
    await connection.execute(
        "delete from sessions where user_id = $1 and expires_at < now() - interval '1 day'", account["id"]
    )
    await connection.execute(
        "insert into sessions (id, user_id, expires_at) values ($1, $2, to_timestamp($3))",
        session,
        account["id"],
        expires,
    )
    await connection.execute(_INSERT_TOKEN, token, session, now, expires)
    return AuthResult(
        user=SessionUser(
            id=str(account["id"]),
            email=account["email"],
            name=account["name"],
            role=account["role"],
            tenant_id=str(account["tenant_id"]),
            contractor_id=text_or_none(account["contractor_id"]),
            broker_id=text_or_none(account["broker_id"]),
            is_approved=account["is_approved"],
        ),
        tenant=TenantSummary(id=str(account["tenant_id"]), name=account["tenant_name"], plan=account["tenant_plan"]),
        tokens=TokenPair(
            access_token=_access_token(services, account, session, now),
            refresh_token=_refresh_token(services, account, session, token, now, expires),
        ),
    )


async def rotate(services: Services, connection: Connection, claims: RefreshClaims) -> TokenPair | SessionEnded | None:
    """Use up a refresh token inside a transaction that commits whatever comes back; None means refused."""
    session, token = uuid.UUID(claims.sid), uuid.UUID(claims.jti)
    owner = await connection.fetchval(
        "select user_id from sessions where id = $1 and revoked_at is null for update", session
    )
    if owner is None or str(owner) != claims.user_id:
        return None
    row = await connection.fetchrow(
        """select successor_id, used_at is not null as used,
                  coalesce(used_at < clock_timestamp() - make_interval(secs => $3), false) as reused
           from refresh_tokens where id = $1 and session_id = $2""",
        token,
        session,
        GRACE_SECONDS,
    )
    account = await connection.fetchrow(f"{ACCOUNT} where u.id = $1", owner)
    if row is None or account is None or str(account["tenant_id"]) != claims.tenant_id:
        return None
    if row["reused"] or not (account["is_active"] and account["is_approved"]):
        await connection.execute("update sessions set revoked_at = clock_timestamp() where id = $1", session)
        return SessionEnded()
    now = int(time.time())
    if row["used"]:
        successor = row["successor_id"]
        times = await connection.fetchrow(
            """select extract(epoch from issued_at)::bigint as issued, extract(epoch from expires_at)::bigint as expires
               from refresh_tokens where id = $1""",
            successor,
        )
        assert times is not None
        issued, expires = times["issued"], times["expires"]
    else:
        successor, issued, expires = uuid.uuid4(), now, now + services.settings.jwt_refresh_expires_in
        await connection.execute(_INSERT_TOKEN, successor, session, issued, expires)
        await connection.execute(
            "update refresh_tokens set used_at = clock_timestamp(), successor_id = $2 where id = $1", token, successor
        )
        await connection.execute("update sessions set expires_at = to_timestamp($2) where id = $1", session, expires)
    return TokenPair(
        access_token=_access_token(services, account, session, now),
        refresh_token=_refresh_token(services, account, session, successor, issued, expires),
    )


async def end_sessions(
    connection: Connection, user: uuid.UUID, *, only: uuid.UUID | None = None, keep: uuid.UUID | None = None
) -> None:
    """End the sessions of a user: all, ``only`` one, or all but the one to ``keep``."""
    await connection.execute(
        """update sessions set revoked_at = clock_timestamp()
           where user_id = $1 and revoked_at is null and ($2::uuid is null or id = $2)
             and ($3::uuid is null or id <> $3)""",
        user,
        only,
        keep,
    )
