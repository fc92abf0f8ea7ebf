"""Register, login, refresh and the signed-in user.

A login opens a session (a family of refresh tokens). Each refresh uses up one token and issues its successor.
The successor of a token is one row, and the same row signs to the same token: two parallel refreshes, or a repeat
after a lost answer, get the same pair for `GRACE_SECONDS`. A used token that comes later ends the whole session.
"""

from __future__ import annotations

import time
import uuid

import asyncpg
from litestar import Router, get, post

from enlevohub_api.database import Connection
from enlevohub_api.errors import ApiError, bad_request, not_found
from enlevohub_api.schemas import (
    AuthResult,
    ContractorSummary,
    LoginBody,
    LogoutBody,
    Me,
    MessageAnswer,
    RefreshBody,
    RegisterBody,
    SessionUser,
    TenantSummary,
    TokenPair,
    iso,
)
from enlevohub_api.services import Request, Services, caller_of, requires, services_of
from enlevohub_api.tokens import AccessClaims, RefreshClaims, TokenError
from enlevohub_api.validation import parse_body

GRACE_SECONDS = 30
"""A used refresh token is answered again for so long: a failover of the database can eat an answer."""

_ACCOUNT = """
select u.id, u.email, u.name, u.role, u.tenant_id, u.contractor_id, u.broker_id, u.is_active, u.is_approved,
       u.password_hash, u.created_at, t.name as tenant_name, t.plan as tenant_plan
from users u join tenants t on t.id = u.tenant_id
"""

_INSERT_TOKEN = """
insert into refresh_tokens (id, session_id, issued_at, expires_at)
values ($1, $2, to_timestamp($3), to_timestamp($4))
"""


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _access_token(services: Services, account: asyncpg.Record, session: uuid.UUID, now: int) -> str:
    return services.tokens.sign(
        AccessClaims(
            user_id=str(account["id"]),
            tenant_id=str(account["tenant_id"]),
            email=account["email"],
            role=account["role"],
            sid=str(session),
            iat=now,
            exp=now + services.settings.jwt_expires_in,
            typ="access",
            contractor_id=_text_or_none(account["contractor_id"]),
            broker_id=_text_or_none(account["broker_id"]),
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


async def _open_session(services: Services, connection: Connection, account: asyncpg.Record) -> TokenPair:
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
    return TokenPair(
        access_token=_access_token(services, account, session, now),
        refresh_token=_refresh_token(services, account, session, token, now, expires),
    )


def _auth_result(account: asyncpg.Record, tokens: TokenPair) -> AuthResult:
    return AuthResult(
        user=SessionUser(
            id=str(account["id"]),
            email=account["email"],
            name=account["name"],
            role=account["role"],
            tenant_id=str(account["tenant_id"]),
            contractor_id=_text_or_none(account["contractor_id"]),
            broker_id=_text_or_none(account["broker_id"]),
            is_approved=account["is_approved"],
        ),
        tenant=TenantSummary(id=str(account["tenant_id"]), name=account["tenant_name"], plan=account["tenant_plan"]),
        tokens=tokens,
    )


@post("/register", status_code=200, summary="Register a company and its first user")
async def register(request: Request) -> AuthResult:
    """Create a tenant and its MASTER user."""
    services = services_of(request)
    body = parse_body(await request.body(), RegisterBody)
    hashed = await services.passwords.hash(body.password)

    async def work(connection: Connection) -> AuthResult:
        tenant = await connection.fetchval(
            "insert into tenants (name, document) values ($1, $2) on conflict (document) do nothing returning id",
            body.tenant_name,
            body.tenant_document,
        )
        if tenant is None:
            raise bad_request("Já existe uma empresa com este documento")
        user = await connection.fetchval(
            """insert into users (tenant_id, email, password_hash, name, role, is_active, is_approved)
               values ($1, $2, $3, $4, 'MASTER', true, true) on conflict (email) do nothing returning id""",
            tenant,
            body.email.lower(),
            hashed,
            body.name,
        )
        if user is None:
            raise bad_request("Este e-mail já está cadastrado")
        account = await connection.fetchrow(f"{_ACCOUNT} where u.id = $1", user)
        assert account is not None
        return _auth_result(account, await _open_session(services, connection, account))

    return await services.database.write(work)


def _login_refused(message: str) -> ApiError:
    return ApiError(401, "Authentication failed", message)


@post("/login", status_code=200, summary="Sign in")
async def login(request: Request) -> AuthResult:
    """Check the password and open a session. An unknown e-mail costs the same time as a wrong password."""
    services = services_of(request)
    body = parse_body(await request.body(), LoginBody)
    email = body.email.lower()
    found = await services.database.read(
        lambda connection: connection.fetchrow("select id, password_hash from users where email = $1", email)
    )
    hashed = found["password_hash"] if found is not None else None
    if not await services.passwords.verify(hashed, body.password) or found is None:
        raise _login_refused("E-mail ou senha incorretos")

    async def work(connection: Connection) -> AuthResult:
        account = await connection.fetchrow(f"{_ACCOUNT} where u.id = $1 for share of u", found["id"])
        if account is None or account["password_hash"] != hashed:
            raise _login_refused("E-mail ou senha incorretos")
        if not account["is_approved"]:
            raise _login_refused("Sua conta aguarda aprovação")
        if not account["is_active"]:
            raise _login_refused("Sua conta está inativa")
        return _auth_result(account, await _open_session(services, connection, account))

    return await services.database.write(work)


def _refresh_refused() -> ApiError:
    return ApiError(401, "Token refresh failed", "Sessão inválida ou expirada, entre de novo")


@post("/refresh", status_code=200, summary="Rotate the refresh token")
async def refresh(request: Request) -> TokenPair:
    """Use up a refresh token and give its successor with a new access token."""
    services = services_of(request)
    body = parse_body(await request.body(), RefreshBody)
    try:
        claims = services.tokens.read_refresh(body.refresh_token)
    except TokenError:
        raise _refresh_refused() from None
    pair = await services.database.write(lambda connection: _rotate(services, connection, claims))
    if pair is None:
        raise _refresh_refused()
    return pair


async def _rotate(services: Services, connection: Connection, claims: RefreshClaims) -> TokenPair | None:
    """Rotate inside a transaction; None means refused (and what that changed must be committed)."""
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
    account = await connection.fetchrow(f"{_ACCOUNT} where u.id = $1", owner)
    if row is None or account is None or str(account["tenant_id"]) != claims.tenant_id:
        return None
    if row["reused"] or not (account["is_active"] and account["is_approved"]):
        await connection.execute("update sessions set revoked_at = clock_timestamp() where id = $1", session)
        return None
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


@post("/logout", status_code=200, guards=[requires()], summary="End a session")
async def logout(request: Request) -> MessageAnswer:
    """End the session of a refresh token, or all of the caller's; a token that is already dead changes nothing."""
    services, caller = services_of(request), caller_of(request)
    body = parse_body(await request.body() or b"{}", LogoutBody)
    session: uuid.UUID | None = None
    if body.refresh_token is not None:
        try:
            claims = services.tokens.read_refresh(body.refresh_token)
        except TokenError:
            return MessageAnswer("Sessão encerrada")
        session = uuid.UUID(claims.sid)
    await services.database.write(
        lambda connection: connection.execute(
            """update sessions set revoked_at = clock_timestamp()
               where user_id = $1 and revoked_at is null and ($2::uuid is null or id = $2)""",
            uuid.UUID(caller.user_id),
            session,
        )
    )
    return MessageAnswer("Sessão encerrada")


_ME = """
select u.id, u.email, u.name, u.role, u.tenant_id, u.contractor_id, u.is_approved, u.created_at,
       t.name as tenant_name, t.plan as tenant_plan,
       c.name as contractor_name, c.document as contractor_document, c.specialty as contractor_specialty
from users u join tenants t on t.id = u.tenant_id left join contractors c on c.id = u.contractor_id
where u.id = $1 and u.tenant_id = $2
"""


@get("/me", guards=[requires()], summary="The signed-in user")
async def me(request: Request) -> Me:
    """Give the caller's account, company and contractor."""
    caller = caller_of(request)
    row = await services_of(request).database.read(
        lambda connection: connection.fetchrow(_ME, caller.user_id, caller.tenant_id)
    )
    if row is None:
        raise not_found("Usuário não encontrado")
    contractor = None
    if row["contractor_id"] is not None:
        contractor = ContractorSummary(
            id=str(row["contractor_id"]),
            name=row["contractor_name"],
            document=row["contractor_document"],
            specialty=row["contractor_specialty"],
        )
    return Me(
        id=str(row["id"]),
        email=row["email"],
        name=row["name"],
        role=row["role"],
        tenant_id=str(row["tenant_id"]),
        contractor_id=_text_or_none(row["contractor_id"]),
        is_approved=row["is_approved"],
        created_at=iso(row["created_at"]),
        tenant=TenantSummary(id=str(row["tenant_id"]), name=row["tenant_name"], plan=row["tenant_plan"]),
        contractor=contractor,
    )


auth_router = Router(path="/auth", route_handlers=[register, login, refresh, logout, me], tags=["auth"])
