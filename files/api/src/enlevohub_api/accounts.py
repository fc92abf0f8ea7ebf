"""The caller's own account: profile, password, and the way back after a forgotten one."""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid
from typing import Annotated

import asyncpg
import msgspec
from msgspec import UNSET, Meta, UnsetType

from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import ApiError, bad_request, not_found
from enlevohub_api.mail import server_of_settings, server_of_tenant
from enlevohub_api.ratelimit import Counter, client_address, count, forget, succeed, too_many
from enlevohub_api.schemas import (
    Camel,
    ContractorSummary,
    Email,
    Me,
    MessageAnswer,
    Name,
    NewPassword,
    TenantSummary,
    iso,
)
from enlevohub_api.services import Request, Services, caller_of, requires, services_of
from enlevohub_api.sessions import end_sessions, text_or_none
from enlevohub_api.validation import parse_body
from enlevohub_api.web import get, patch, post

logger = logging.getLogger(__name__)

RESET_SECONDS = 3600
NOBODY = uuid.UUID(int=0)
"""Stands for the account that does not exist, so that it costs the same statements."""

_ME = """
select u.id, u.email, u.name, u.role, u.tenant_id, u.contractor_id, u.is_approved, u.created_at,
       t.name as tenant_name, t.plan as tenant_plan,
       c.name as contractor_name, c.document as contractor_document, c.specialty as contractor_specialty
from users u join tenants t on t.id = u.tenant_id left join contractors c on c.id = u.contractor_id
where u.id = $1 and u.tenant_id = $2
"""


class ProfileBody(Camel):
    """What a user may change of the own account."""

    name: Name | UnsetType = UNSET
    email: Email | UnsetType = UNSET


class ChangePasswordBody(Camel):
    """The old and the new password."""

    current_password: Annotated[str, Meta(min_length=1, max_length=1000)]
    new_password: NewPassword


class ForgotPasswordBody(Camel):
    """Whose password was forgotten."""

    email: Email


class ResetPasswordBody(Camel):
    """The token of the mail and the new password."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]
    new_password: NewPassword


async def _read_me(connection: Connection, user: str, tenant: str) -> Me:
    row = await connection.fetchrow(_ME, user, tenant)
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
        contractor_id=text_or_none(row["contractor_id"]),
        is_approved=row["is_approved"],
        created_at=iso(row["created_at"]),
        tenant=TenantSummary(id=str(row["tenant_id"]), name=row["tenant_name"], plan=row["tenant_plan"]),
        contractor=contractor,
    )


@get("/me", guards=[requires()], summary="The signed-in user", responses=failures(401, 404))
async def me(request: Request) -> Me:
    """Give the caller's account, company and contractor."""
    caller = caller_of(request)
    return await services_of(request).database.read(
        lambda connection: _read_me(connection, caller.user_id, caller.tenant_id)
    )


@patch("/profile", guards=[requires()], summary="Change name or e-mail", responses=failures(400, 401, 404, 413))
async def update_profile(request: Request) -> Me:
    """Change the caller's own account. A new e-mail voids the reset links sent to the old one."""
    caller = caller_of(request)
    body = parse_body(await request.body(), ProfileBody)
    name = None if body.name is UNSET else body.name
    email = None if body.email is UNSET else body.email.lower()

    async def work(connection: Connection) -> Me:
        await connection.execute(
            """update users set name = coalesce($2, name), email = coalesce($3, email), updated_at = now()
               where id = $1""",
            uuid.UUID(caller.user_id),
            name,
            email,
        )
        if email is not None:
            await connection.execute("delete from password_resets where user_id = $1", uuid.UUID(caller.user_id))
        return await _read_me(connection, caller.user_id, caller.tenant_id)

    try:
        return await services_of(request).database.write(work)
    except asyncpg.UniqueViolationError:
        raise bad_request("Este e-mail já está cadastrado") from None


@post(
    "/change-password",
    status_code=200,
    guards=[requires()],
    summary="Change the password",
    responses=failures(400, 401, 413, 429),
)
async def change_password(request: Request) -> MessageAnswer:
    """Change the caller's password and end all other sessions."""
    services, caller = services_of(request), caller_of(request)
    body = parse_body(await request.body(), ChangePasswordBody)
    user = uuid.UUID(caller.user_id)
    counter = Counter(services.settings.limit_login, "change-password", caller.user_id)
    wait = await services.database.write(lambda connection: count(connection, [counter]))
    if wait is not None:
        raise too_many(wait)
    old = await services.database.read(
        lambda connection: connection.fetchval("select password_hash from users where id = $1", user)
    )
    if not await services.passwords.verify(old, body.current_password):
        raise bad_request("A senha atual está incorreta")
    new = await services.passwords.hash(body.new_password)

    async def work(connection: Connection) -> None:
        changed = await connection.fetchval(
            """update users set password_hash = $2, updated_at = now()
               where id = $1 and password_hash = $3 returning id""",
            user,
            new,
            old,
        )
        if changed is None:
            raise bad_request("A senha atual está incorreta")
        await connection.execute("delete from password_resets where user_id = $1", user)
        await end_sessions(connection, user, keep=uuid.UUID(caller.sid))
        await forget(connection, counter)

    await services.revocations.change(caller.user_id, work)
    return MessageAnswer("Senha alterada")


def _forgot_counters(services: Services, email: str, address: str) -> tuple[list[Counter], Counter]:
    settings = services.settings
    return [
        Counter(settings.limit_forgot, "forgot", email, address),
        Counter(settings.limit_forgot_address, "forgot-address", address),
    ], Counter(settings.limit_forgot, "forgot-account", email)


@post("/forgot-password", status_code=200, summary="Ask for a reset link", responses=failures(400, 413, 429))
async def forgot_password(request: Request) -> MessageAnswer:
    """Mail a link that sets a new password; the answer and its cost are the same without such an account.

    Beyond the limit of an account the last link stays good and no other is sent, whoever asks.
    """
    services = services_of(request)
    body = parse_body(await request.body(), ForgotPasswordBody)
    email = body.email.lower()
    callers, account = _forgot_counters(services, email, client_address(request, services.settings.trusted_proxies))
    token = secrets.token_hex(32)

    async def work(connection: Connection) -> tuple[int | None, asyncpg.Record | None]:
        wait = await count(connection, callers)
        if wait is not None:
            return wait, None
        enough = await count(connection, [account]) is not None
        await connection.execute("set local synchronous_commit to default")
        row = await connection.fetchrow(
            """select u.id, u.name, u.email, t.settings from users u join tenants t on t.id = u.tenant_id
               where u.email = $1 and u.is_active""",
            email,
        )
        user = NOBODY if row is None or enough else row["id"]
        await connection.execute("delete from password_resets where user_id = $1", user)
        await connection.execute(
            """insert into password_resets (token_hash, user_id, expires_at)
               select $1, id, now() + make_interval(secs => $3) from users where id = $2""",
            _hash(token),
            user,
            RESET_SECONDS,
        )
        return None, None if enough else row

    wait, row = await services.database.write(work)
    if wait is not None:
        raise too_many(wait)
    if row is not None:
        _send_link(services, row, token)
    return MessageAnswer("Se houver uma conta com este e-mail, enviaremos um link para criar uma nova senha")


def _send_link(services: Services, row: asyncpg.Record, token: str) -> None:
    settings = services.settings
    link = f"{settings.frontend_url}/reset-password?token={token}"
    server = server_of_tenant(row["settings"]) or server_of_settings(settings)
    if server is not None:
        text = (
            f"Olá, {row['name']}!\n\nRecebemos um pedido para criar uma nova senha para a sua conta no EnlevoHub.\n"
            f"Abra este link dentro de uma hora:\n\n{link}\n\n"
            "Se você não fez este pedido, ignore esta mensagem: a sua senha continua a mesma.\n"
        )
        services.mailer.send_later(server, row["email"], "Nova senha do EnlevoHub", text)
    elif settings.environment == "development":
        logger.warning("no mail server: reset link", extra={"link": link})
    else:
        logger.error("no mail server: reset link not sent", extra={"user": str(row["id"])})


def _token_refused() -> ApiError:
    return bad_request("O link é inválido ou expirou, peça outro")


@post("/reset-password", status_code=200, summary="Set a new password", responses=failures(400, 413))
async def reset_password(request: Request) -> MessageAnswer:
    """Use up the token of a reset link, set the password and end all sessions."""
    services = services_of(request)
    body = parse_body(await request.body(), ResetPasswordBody)
    address = client_address(request, services.settings.trusted_proxies)
    digest = _hash(body.token)
    owner = await services.database.read(
        lambda connection: connection.fetchval(
            "select user_id from password_resets where token_hash = $1 and expires_at > clock_timestamp()", digest
        )
    )
    if owner is None:
        raise _token_refused()
    hashed = await services.passwords.hash(body.new_password)

    async def work(connection: Connection) -> None:
        # The account first: login, change and reset of one account take their turns on its row.
        email = await connection.fetchval(
            "update users set password_hash = $2, updated_at = now() where id = $1 and is_active returning email",
            owner,
            hashed,
        )
        used = await connection.fetchval(
            "delete from password_resets where token_hash = $1 and expires_at > clock_timestamp() returning user_id",
            digest,
        )
        if email is None or used is None:
            raise _token_refused()
        await connection.execute("delete from password_resets where user_id = $1", owner)
        await end_sessions(connection, owner)
        await succeed(connection, email, address, Counter(services.settings.limit_login, "login", email, address))

    await services.revocations.change(str(owner), work)
    return MessageAnswer("Senha alterada, entre com a nova")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


ACCOUNT_BODIES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("/api/v1/auth/profile", "patch"): ProfileBody,
    ("/api/v1/auth/change-password", "post"): ChangePasswordBody,
    ("/api/v1/auth/forgot-password", "post"): ForgotPasswordBody,
    ("/api/v1/auth/reset-password", "post"): ResetPasswordBody,
}
