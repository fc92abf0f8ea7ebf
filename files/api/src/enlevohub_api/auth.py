"""Register, login, refresh and logout."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from enlevohub_api.accounts import change_password, forgot_password, me, reset_password, update_profile
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import ApiError, bad_request
from enlevohub_api.ratelimit import Counter, client_address, count, is_known, succeed, too_many
from enlevohub_api.schemas import (
    AuthResult,
    Camel,
    Email,
    LoginBody,
    LogoutBody,
    MessageAnswer,
    Name,
    NewPassword,
    RefreshBody,
    RegisterBody,
    TokenPair,
)
from enlevohub_api.services import Request, Services, caller_of, requires, services_of
from enlevohub_api.sessions import ACCOUNT, SessionEnded, end_sessions, open_session, rotate
from enlevohub_api.tokens import TokenError
from enlevohub_api.validation import parse_body
from enlevohub_api.web import Router, post

Document = Annotated[str, Meta(min_length=11, max_length=50)]


class RegisterContractorBody(Camel):
    """A contractor who wants to work for a company."""

    email: Email
    password: NewPassword
    name: Name
    tenant_document: Document
    document: Document
    specialty: Annotated[list[Annotated[str, Meta(min_length=1, max_length=100)]], Meta(min_length=1, max_length=50)]
    contacts: Any = None


class RegisterBrokerBody(Camel):
    """A broker who wants to work for a company."""

    email: Email
    password: NewPassword
    name: Name
    tenant_document: Document
    document: Document
    creci: Annotated[str, Meta(max_length=50)] | None = None
    phone: Annotated[str, Meta(max_length=50)] | None = None


async def _count_registration(services: Services, request: Request) -> None:
    counter = Counter(
        services.settings.limit_register, "register", client_address(request, services.settings.trusted_proxies)
    )
    wait = await services.database.write(lambda connection: count(connection, [counter]))
    if wait is not None:
        raise too_many(wait)


def _email_taken() -> ApiError:
    return bad_request("Este e-mail já está cadastrado")


@post("/register", status_code=200, summary="Register a company and its first user", responses=failures(400, 413, 429))
async def register(request: Request) -> AuthResult:
    """Create a tenant and its MASTER user."""
    services = services_of(request)
    body = parse_body(await request.body(), RegisterBody)
    await _count_registration(services, request)
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
            raise _email_taken()
        account = await connection.fetchrow(f"{ACCOUNT} where u.id = $1", user)
        assert account is not None
        return await open_session(services, connection, account)

    return await services.database.write(work)


_PENDING = MessageAnswer("Cadastro recebido: aguarde a aprovação da empresa")


async def _register_partner(
    request: Request,
    body: RegisterContractorBody | RegisterBrokerBody,
    role: str,
    insert: str,
    values: tuple[object, ...],
) -> MessageAnswer:
    """Create a contractor or broker of an existing company, and the user that waits for approval."""
    services = services_of(request)
    await _count_registration(services, request)
    hashed = await services.passwords.hash(body.password)
    column = "contractor_id" if role == "CONTRACTOR" else "broker_id"

    async def work(connection: Connection) -> MessageAnswer:
        tenant = await connection.fetchval("select id from tenants where document = $1", body.tenant_document)
        if tenant is None:
            raise bad_request("Não há empresa com este documento")
        partner = await connection.fetchval(insert, tenant, body.name, body.document, *values)
        user = await connection.fetchval(
            f"""insert into users (tenant_id, email, password_hash, name, role, {column}, is_active, is_approved)
                values ($1, $2, $3, $4, $5, $6, true, false) on conflict (email) do nothing returning id""",
            tenant,
            body.email.lower(),
            hashed,
            body.name,
            role,
            partner,
        )
        if user is None:
            raise _email_taken()
        return _PENDING

    return await services.database.write(work)


@post(
    "/register-contractor",
    status_code=200,
    summary="Register a contractor, who waits for approval",
    responses=failures(400, 413, 429),
)
async def register_contractor(request: Request) -> MessageAnswer:
    """Create a contractor of an existing company and its user."""
    body = parse_body(await request.body(), RegisterContractorBody)
    insert = """insert into contractors (tenant_id, name, document, specialty, contacts)
                values ($1, $2, $3, $4, $5) returning id"""
    return await _register_partner(request, body, "CONTRACTOR", insert, (body.specialty, body.contacts))


@post(
    "/register-broker",
    status_code=200,
    summary="Register a broker, who waits for approval",
    responses=failures(400, 413, 429),
)
async def register_broker(request: Request) -> MessageAnswer:
    """Create a broker of an existing company and its user."""
    body = parse_body(await request.body(), RegisterBrokerBody)
    insert = "insert into brokers (tenant_id, name, document, creci, phone) values ($1, $2, $3, $4, $5) returning id"
    return await _register_partner(request, body, "BROKER", insert, (body.creci, body.phone))


def _login_refused(message: str) -> ApiError:
    return ApiError(401, "Authentication failed", message)


@post("/login", status_code=200, summary="Sign in", responses=failures(400, 401, 413, 429))
async def login(request: Request) -> AuthResult:
    """Check the password and open a session. An unknown e-mail costs the same time as a wrong password."""
    services = services_of(request)
    settings = services.settings
    body = parse_body(await request.body(), LoginBody)
    email = body.email.lower()
    address = client_address(request, settings.trusted_proxies)
    pair = Counter(settings.limit_login, "login", email, address)
    shared = [Counter(settings.limit_login_address, "login-address", address)]

    async def attempt(connection: Connection) -> int | None:
        known = await is_known(connection, email, address)
        if not known and len(shared) == 1:
            shared.append(Counter(settings.limit_login_account, "login-account", email))
        return await count(connection, [pair, *shared])

    wait = await services.database.write(attempt)
    if wait is not None:
        raise too_many(wait)
    found = await services.database.read(
        lambda connection: connection.fetchrow("select id, password_hash from users where email = $1", email)
    )
    hashed = found["password_hash"] if found is not None else None
    if not await services.passwords.verify(hashed, body.password) or found is None:
        raise _login_refused("E-mail ou senha incorretos")

    async def work(connection: Connection) -> AuthResult:
        account = await connection.fetchrow(f"{ACCOUNT} where u.id = $1 for share of u", found["id"])
        if account is None or account["password_hash"] != hashed:
            raise _login_refused("E-mail ou senha incorretos")
        if not account["is_approved"]:
            raise _login_refused("Sua conta aguarda aprovação")
        if not account["is_active"]:
            raise _login_refused("Sua conta está inativa")
        answer = await open_session(services, connection, account)
        await succeed(connection, email, address, pair, shared)
        return answer

    return await services.database.write(work)


def _refresh_refused() -> ApiError:
    return ApiError(401, "Token refresh failed", "Sessão inválida ou expirada, entre de novo")


@post("/refresh", status_code=200, summary="Rotate the refresh token", responses=failures(400, 401, 413))
async def refresh(request: Request) -> TokenPair:
    """Use up a refresh token and give its successor with a new access token."""
    services = services_of(request)
    body = parse_body(await request.body(), RefreshBody)
    try:
        claims = services.tokens.read_refresh(body.refresh_token)
    except TokenError:
        raise _refresh_refused() from None
    result = await services.database.write(lambda connection: rotate(services, connection, claims))
    if isinstance(result, SessionEnded):
        await services.revocations.announce(claims.user_id)
    if not isinstance(result, TokenPair):
        raise _refresh_refused()
    return result


@post(
    "/logout",
    status_code=200,
    guards=[requires(ended=True)],
    summary="End a session",
    responses=failures(400, 401, 413),
)
async def logout(request: Request) -> MessageAnswer:
    """End the session of a refresh token, or all of the caller's; tokens that are already dead change nothing."""
    services, caller = services_of(request), caller_of(request)
    body = parse_body(await request.body() or b"{}", LogoutBody)
    user = uuid.UUID(caller.user_id)
    session: uuid.UUID | None = None
    if body.refresh_token is not None:
        try:
            claims = services.tokens.read_refresh(body.refresh_token)
        except TokenError:
            return MessageAnswer("Sessão encerrada")
        session = uuid.UUID(claims.sid)
    elif not await services.revocations.stands(caller):
        return MessageAnswer("Sessão encerrada")

    async def work(connection: Connection) -> None:
        await end_sessions(connection, user, only=session)

    await services.revocations.change(caller.user_id, work)
    return MessageAnswer("Sessão encerrada")


AUTH_BODIES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("/api/v1/auth/register-contractor", "post"): RegisterContractorBody,
    ("/api/v1/auth/register-broker", "post"): RegisterBrokerBody,
    ("/api/v1/auth/logout", "post"): LogoutBody,
}

auth_router = Router(
    path="/auth",
    route_handlers=[
        register,
        register_contractor,
        register_broker,
        login,
        refresh,
        logout,
        me,
        update_profile,
        change_password,
        forgot_password,
        reset_password,
    ],
    tags=["auth"],
)
