"""Roles and permissions, for any signed-in user."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from enlevohub_api.documented import failures
from enlevohub_api.rbac import PERMISSIONS, PERMISSIONS_BY_ROLE, ROLES, has_permission
from enlevohub_api.schemas import Camel
from enlevohub_api.services import Request, caller_of, requires
from enlevohub_api.validation import parse_body
from enlevohub_api.web import Router, get, post

_DESCRIPTIONS = {
    "ROOT": "Administra a instalação e tem todas as permissões",
    "MASTER": "Responsável pela empresa, com todas as permissões",
    "ENGINEER": "Conduz obras, unidades, atividades e medições",
    "ADMIN_STAFF": "Cuida de compras, financeiro e contratos",
    "CONTRACTOR": "Empreiteiro: vê as obras em que trabalha e registra medições",
    "BROKER": "Corretor: vê obras, unidades e contratos",
    "VIEWER": "Somente leitura",
}


class RoleRow(Camel):
    """A role and what it may do."""

    name: str
    description: str
    permissions: list[str]


class RolesAnswer(Camel):
    """All roles."""

    roles: list[RoleRow]


class PermissionsAnswer(Camel):
    """All permissions."""

    permissions: list[str]


class MyPermissionsAnswer(Camel):
    """The caller's role and permissions."""

    role: str
    permissions: list[str]


class CheckPermissionBody(Camel):
    """A permission to ask for."""

    permission: Annotated[str, Meta(max_length=100)]


class CheckPermissionAnswer(Camel):
    """Whether the caller has it."""

    has_permission: bool
    permission: str


@get("/roles", summary="All roles", responses=failures(401))
async def roles() -> RolesAnswer:
    """Give every role with its permissions."""
    return RolesAnswer(
        roles=[
            RoleRow(name=role, description=_DESCRIPTIONS[role], permissions=sorted(PERMISSIONS_BY_ROLE[role]))
            for role in ROLES
        ]
    )


@get("/permissions", summary="All permissions", responses=failures(401))
async def permissions() -> PermissionsAnswer:
    """Give the names of all permissions."""
    return PermissionsAnswer(permissions=sorted(PERMISSIONS))


@get("/my-permissions", summary="The caller's permissions", responses=failures(401))
async def my_permissions(request: Request) -> MyPermissionsAnswer:
    """Give the caller's role and what it may do."""
    role = caller_of(request).role
    return MyPermissionsAnswer(role=role, permissions=sorted(PERMISSIONS_BY_ROLE[role]))


@post("/check-permission", status_code=200, summary="Ask for one permission", responses=failures(400, 401, 413))
async def check_permission(request: Request) -> CheckPermissionAnswer:
    """Tell whether the caller has a permission; an unknown one gives false."""
    body = parse_body(await request.body(), CheckPermissionBody)
    return CheckPermissionAnswer(
        has_permission=has_permission(caller_of(request).role, body.permission), permission=body.permission
    )


RBAC_BODIES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("/api/v1/rbac/check-permission", "post"): CheckPermissionBody,
}

rbac_router = Router(
    path="/rbac",
    guards=[requires()],
    route_handlers=[roles, permissions, my_permissions, check_permission],
    tags=["rbac"],
)
