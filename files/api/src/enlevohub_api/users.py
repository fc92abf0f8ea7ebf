"""The users of the caller's company.

Nobody changes the own role or shuts the own account out, and only a ROOT user makes or changes a ROOT user.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Literal

import asyncpg
import msgspec
from msgspec import UNSET, UnsetType

from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import ApiError, bad_request, forbidden, unauthorized
from enlevohub_api.schemas import Camel, ContractorSummary, Email, Name, NewPassword, iso
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sessions import end_sessions, text_or_none
from enlevohub_api.validation import parse_body
from enlevohub_api.web import Router, get, patch, post

StaffRole = Literal["ROOT", "MASTER", "ENGINEER", "ADMIN_STAFF", "VIEWER"]
"""Contractors and brokers register themselves."""

_COLUMNS = "id, email, name, role, is_active, is_approved, contractor_id, created_at"
_LIST = """
select u.id, u.email, u.name, u.role, u.is_active, u.is_approved, u.contractor_id, u.created_at,
       c.name as contractor_name, c.document as contractor_document, c.specialty as contractor_specialty
from users u left join contractors c on c.id = u.contractor_id
where u.tenant_id = $1 order by u.created_at desc, u.id
"""


class UserCreated(Camel):
    """A user just created."""

    id: str
    email: str
    name: str
    role: str
    is_active: bool
    is_approved: bool
    created_at: str


class UserRow(Camel):
    """A user of the company."""

    id: str
    email: str
    name: str
    role: str
    is_active: bool
    is_approved: bool
    contractor_id: str | None
    created_at: str


class UserListRow(UserRow):
    """A user in the list, with the contractor that the user stands for."""

    contractor: ContractorSummary | None


class UserList(Camel):
    """All users of the company."""

    data: list[UserListRow]


class UserBody(Camel):
    """A new user."""

    email: Email
    password: NewPassword
    name: Name
    role: StaffRole


class UserPatchBody(Camel):
    """What changes of a user."""

    name: Name | UnsetType = UNSET
    role: StaffRole | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


def _row(row: asyncpg.Record) -> UserRow:
    return UserRow(
        id=str(row["id"]),
        email=row["email"],
        name=row["name"],
        role=row["role"],
        is_active=row["is_active"],
        is_approved=row["is_approved"],
        contractor_id=text_or_none(row["contractor_id"]),
        created_at=iso(row["created_at"]),
    )


def _list_row(row: asyncpg.Record) -> UserListRow:
    contractor = None
    if row["contractor_id"] is not None:
        contractor = ContractorSummary(
            id=str(row["contractor_id"]),
            name=row["contractor_name"],
            document=row["contractor_document"],
            specialty=row["contractor_specialty"],
        )
    return UserListRow(**msgspec.structs.asdict(_row(row)), contractor=contractor)


@get("/", guards=[requires("users:view")], summary="All users of the company", responses=failures(401, 403))
async def list_users(request: Request) -> UserList:
    """Give the users, newest first."""
    tenant = uuid.UUID(caller_of(request).tenant_id)
    rows = await services_of(request).database.read(lambda connection: connection.fetch(_LIST, tenant))
    return UserList(data=[_list_row(row) for row in rows])


@post(
    "/",
    status_code=200,
    guards=[requires("users:create")],
    summary="Create a user",
    responses=failures(400, 401, 403, 413),
)
async def create_user(request: Request) -> UserCreated:
    """Create a user who may sign in at once."""
    services, caller = services_of(request), caller_of(request)
    body = parse_body(await request.body(), UserBody)
    if body.role == "ROOT" and caller.role != "ROOT":
        raise _only_root()
    hashed = await services.passwords.hash(body.password)

    async def work(connection: Connection) -> UserCreated:
        row = await connection.fetchrow(
            f"""insert into users (tenant_id, email, password_hash, name, role, is_active, is_approved)
                values ($1, $2, $3, $4, $5, true, true) on conflict (email) do nothing returning {_COLUMNS}""",
            uuid.UUID(caller.tenant_id),
            body.email.lower(),
            hashed,
            body.name,
            body.role,
        )
        if row is None:
            raise bad_request("Este e-mail já está cadastrado")
        fields = msgspec.structs.asdict(_row(row))
        del fields["contractor_id"]
        return UserCreated(**fields)

    return await services.database.write(work)


def _only_root() -> ApiError:
    return forbidden("Somente um usuário ROOT pode criar ou alterar um usuário ROOT")


async def _change(
    request: Request, user_id: str, work: Callable[[Connection, asyncpg.Record], Awaitable[asyncpg.Record]]
) -> UserRow:
    """Change a user of the caller's company; ``work`` gets the locked row and gives the new one."""
    services, caller = services_of(request), caller_of(request)
    unknown = bad_request("Usuário não encontrado")
    try:
        target = uuid.UUID(user_id)
    except ValueError:
        raise unknown from None
    caller_id = uuid.UUID(caller.user_id)

    async def locked(connection: Connection) -> UserRow:
        # Both rows, in one order: of two that shut each other out at once, the second is no longer allowed to.
        rows = await connection.fetch(
            f"select {_COLUMNS} from users where id = any ($1) and tenant_id = $2 order by id for update",
            [target, caller_id],
            uuid.UUID(caller.tenant_id),
        )
        by_id = {row["id"]: row for row in rows}
        actor = by_id.get(caller_id)
        if actor is None or not (actor["is_active"] and actor["is_approved"]) or actor["role"] != caller.role:
            raise unauthorized()
        if target not in by_id:
            raise unknown
        row = by_id[target]
        if row["role"] == "ROOT" and caller.role != "ROOT":
            raise _only_root()
        new = await work(connection, row)
        if not (new["is_active"] and new["is_approved"]):
            await end_sessions(connection, target)
        return _row(new)

    return await services.revocations.change(str(target), locked)


async def _update(connection: Connection, query: str, *values: object) -> asyncpg.Record:
    row = await connection.fetchrow(
        f"update users set {query}, updated_at = now() where id = $1 returning {_COLUMNS}", *values
    )
    assert row is not None
    return row


@patch(
    "/{user_id}",
    guards=[requires("users:edit")],
    summary="Change a user",
    responses=failures(400, 401, 403, 413),
)
async def update_user(request: Request, user_id: str) -> UserRow:
    """Change name, role or whether the user may sign in."""
    caller = caller_of(request)
    body = parse_body(await request.body(), UserPatchBody)
    if body.role == "ROOT" and caller.role != "ROOT":
        raise _only_root()

    async def work(connection: Connection, row: asyncpg.Record) -> asyncpg.Record:
        if str(row["id"]) == caller.user_id:
            if body.role is not UNSET and body.role != row["role"]:
                raise bad_request("Você não pode mudar o seu próprio perfil de acesso")
            if body.is_active is False:
                raise bad_request("Você não pode desativar a sua própria conta")
        return await _update(
            connection,
            "name = coalesce($2, name), role = coalesce($3, role), is_active = coalesce($4, is_active)",
            row["id"],
            None if body.name is UNSET else body.name,
            None if body.role is UNSET else body.role,
            None if body.is_active is UNSET else body.is_active,
        )

    return await _change(request, user_id, work)


@post(
    "/{user_id}/approve",
    status_code=200,
    guards=[requires("users:edit")],
    summary="Approve a registration",
    responses=failures(400, 401, 403),
)
async def approve_user(request: Request, user_id: str) -> UserRow:
    """Let a registered user in; a rejected one stays inactive."""

    async def work(connection: Connection, row: asyncpg.Record) -> asyncpg.Record:
        if row["is_approved"]:
            raise bad_request("Este usuário já está aprovado")
        return await _update(connection, "is_approved = true", row["id"])

    return await _change(request, user_id, work)


@post(
    "/{user_id}/reject",
    status_code=200,
    guards=[requires("users:edit")],
    summary="Reject a registration",
    responses=failures(400, 401, 403),
)
async def reject_user(request: Request, user_id: str) -> UserRow:
    """Shut a user out and end the user's sessions."""
    caller = caller_of(request)

    async def work(connection: Connection, row: asyncpg.Record) -> asyncpg.Record:
        if str(row["id"]) == caller.user_id:
            raise bad_request("Você não pode rejeitar a sua própria conta")
        return await _update(connection, "is_approved = false, is_active = false", row["id"])

    return await _change(request, user_id, work)


USER_BODIES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("/api/v1/users", "post"): UserBody,
    ("/api/v1/users/{user_id}", "patch"): UserPatchBody,
}

users_router = Router(
    path="/users",
    route_handlers=[list_users, create_user, update_user, approve_user, reject_user],
    tags=["users"],
)
