"""The caller's company: data, settings, numbers, users, and where the installation stores uploads."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import bad_request, not_found
from enlevohub_api.mail import MailError, server_of_settings, server_of_tenant
from enlevohub_api.schemas import Camel, Email, MessageAnswer, iso
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.settings import SETTINGS
from enlevohub_api.storage import StorageUnavailable
from enlevohub_api.validation import parse_body
from enlevohub_api.web import Router, get, patch, post, put

MASK = "********"
"""Stands for the stored SMTP password; sent back it means: keep it."""
_DEFAULT_STORAGE = next(setting.default for setting in SETTINGS if setting.name == "STORAGE_PATH")

Amount = Annotated[int, Meta(ge=0, le=1_000_000_000)] | Annotated[float, Meta(ge=0, le=1_000_000_000)]
Line = Annotated[str, Meta(max_length=254, pattern=r"^[^\x00-\x1f\x7f]*\Z")]


class FeaturesBody(Camel):
    """Parts of the application that are switched on."""

    projects: bool | UnsetType = UNSET
    financial: bool | UnsetType = UNSET
    units: bool | UnsetType = UNSET
    contracts: bool | UnsetType = UNSET
    suppliers: bool | UnsetType = UNSET
    contractors: bool | UnsetType = UNSET
    brokers: bool | UnsetType = UNSET


class CustomizationBody(Camel):
    """Looks."""

    logo: Annotated[str, Meta(max_length=500_000)] | UnsetType = UNSET
    primary_color: Line | UnsetType = UNSET
    secondary_color: Line | UnsetType = UNSET


class SmtpBody(Camel):
    """The company's mail server; an empty host or user switches it off."""

    host: Annotated[str, Meta(max_length=253, pattern=r"^[A-Za-z0-9.:_\-]*\Z")]
    port: Annotated[int, Meta(ge=1, le=65535)]
    secure: bool
    user: Line
    password: Annotated[str, Meta(max_length=1000)]
    from_name: Line
    from_email: Email


class SettingsBody(Camel):
    """The settings to change; what is left out stays."""

    max_projects: Amount | UnsetType = UNSET
    max_users: Amount | UnsetType = UNSET
    features: FeaturesBody | UnsetType = UNSET
    customization: CustomizationBody | UnsetType = UNSET
    smtp: SmtpBody | UnsetType = UNSET


class TestEmailBody(Camel):
    """Where the test mail goes."""

    to: Email


class StorageConfigBody(Camel):
    """Where uploads should go."""

    storage_path: Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\S")]


class StorageTestBody(Camel):
    """The store to test."""

    path: Annotated[str, Meta(max_length=1000)]


class TenantAnswer(Camel):
    """The caller's company."""

    id: str
    name: str
    document: str
    plan: str
    settings: dict[str, Any]
    created_at: str


class SettingsAnswer(Camel):
    """The settings after a change."""

    id: str
    name: str
    settings: dict[str, Any]


class StatisticsAnswer(Camel):
    """How many rows the company has."""

    projects: int
    users: int
    suppliers: int
    contractors: int
    units: int
    sales: int


class TenantUser(Camel):
    """A user of the company, in short."""

    id: str
    email: str
    name: str
    role: str
    created_at: str


class StorageConfigAnswer(Camel):
    """Where uploads go, and who said so."""

    storage_path: str
    source: Literal["env", "default"]


class StorageTestAnswer(Camel):
    """What the probe of the store found."""

    success: bool
    message: str
    free_gb: float | UnsetType = msgspec.field(default=UNSET, name="freeGB")


class Drive(Camel):
    """A drive to choose as store."""

    letter: str
    label: str
    type: Literal["local", "network", "removable", "other"]
    total_gb: float = msgspec.field(name="totalGB")
    free_gb: float = msgspec.field(name="freeGB")
    used_percent: float


def visible_settings(settings: dict[str, Any], role: str) -> dict[str, Any]:
    """Give what a role may see: the SMTP password is masked, and only who edits the company sees the mail server."""
    smtp = settings.get("smtp")
    if not isinstance(smtp, dict):
        return settings
    if role not in ("ROOT", "MASTER"):
        return {key: value for key, value in settings.items() if key != "smtp"}
    return {**settings, "smtp": {**smtp, "password": MASK if smtp.get("password") else ""}}


def merge_settings(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Merge a change into the settings, objects key by key; a masked password keeps the old one."""
    new = dict(old)
    for key, value in change.items():
        before = old.get(key)
        new[key] = {**before, **value} if isinstance(value, dict) and isinstance(before, dict) else value
    smtp = new.get("smtp")
    if isinstance(smtp, dict) and smtp.get("password") == MASK:
        kept = (old.get("smtp") or {}).get("password")
        if kept is None:
            raise bad_request("Informe a senha do servidor de e-mail")
        new["smtp"] = {**smtp, "password": kept}
    return new


_TENANT = "select id, name, document, plan, settings, created_at from tenants where id = $1"


async def _tenant(request: Request) -> Any:
    tenant = uuid.UUID(caller_of(request).tenant_id)
    row = await services_of(request).database.read(lambda connection: connection.fetchrow(_TENANT, tenant))
    if row is None:
        raise not_found("Empresa não encontrada")
    return row


@get("/", guards=[requires()], summary="The company", responses=failures(401, 404))
async def get_tenant(request: Request) -> TenantAnswer:
    """Give the caller's company."""
    row = await _tenant(request)
    return TenantAnswer(
        id=str(row["id"]),
        name=row["name"],
        document=row["document"],
        plan=row["plan"],
        settings=visible_settings(row["settings"], caller_of(request).role),
        created_at=iso(row["created_at"]),
    )


@get("/settings", guards=[requires()], summary="The company's settings", responses=failures(401, 404))
async def get_settings(request: Request) -> dict[str, Any]:
    """Give the settings that the caller may see."""
    return visible_settings((await _tenant(request))["settings"], caller_of(request).role)


@patch(
    "/settings",
    guards=[requires(role="ROOT")],
    summary="Change the company's settings",
    responses=failures(400, 401, 403, 404, 413),
)
async def update_settings(request: Request) -> SettingsAnswer:
    """Merge the given settings into the stored ones."""
    caller = caller_of(request)
    change = msgspec.to_builtins(parse_body(await request.body(), SettingsBody))

    async def work(connection: Connection) -> SettingsAnswer:
        row = await connection.fetchrow(f"{_TENANT} for update", uuid.UUID(caller.tenant_id))
        if row is None:
            raise not_found("Empresa não encontrada")
        settings = merge_settings(row["settings"], change)
        await connection.execute(
            "update tenants set settings = $2, updated_at = now() where id = $1", row["id"], settings
        )
        return SettingsAnswer(id=str(row["id"]), name=row["name"], settings=visible_settings(settings, caller.role))

    return await services_of(request).database.write(work)


@post(
    "/settings/test-email",
    status_code=200,
    guards=[requires(role="ROOT")],
    summary="Send a test mail",
    responses=failures(400, 401, 403, 404, 413),
)
async def send_test_email(request: Request) -> MessageAnswer:
    """Send a mail the way the company's mails go, and say whether the server took it."""
    services = services_of(request)
    body = parse_body(await request.body(), TestEmailBody)
    row = await _tenant(request)
    server = server_of_tenant(row["settings"]) or server_of_settings(services.settings)
    if server is None:
        raise bad_request("O servidor de e-mail não está configurado")
    text = f"Esta é uma mensagem de teste do EnlevoHub para {row['name']}.\n"
    try:
        await services.mailer.send(server, body.to, "Teste de e-mail do EnlevoHub", text)
    except MailError as error:
        raise bad_request(f"O e-mail não foi enviado: {error}") from None
    return MessageAnswer("E-mail de teste enviado")


_STATISTICS = """
select (select count(*) from projects where tenant_id = $1) as projects,
       (select count(*) from users where tenant_id = $1) as users,
       (select count(*) from contractors where tenant_id = $1) as contractors,
       (select count(*) from units n join projects p on p.id = n.project_id where p.tenant_id = $1) as units
"""


@get("/statistics", guards=[requires()], summary="Numbers of the company", responses=failures(401))
async def statistics(request: Request) -> StatisticsAnswer:
    """Count the company's rows. There are no suppliers and no sales in this version."""
    tenant = uuid.UUID(caller_of(request).tenant_id)
    row = await services_of(request).database.read(lambda connection: connection.fetchrow(_STATISTICS, tenant))
    assert row is not None
    return StatisticsAnswer(**dict(row), suppliers=0, sales=0)


@get("/users", guards=[requires()], summary="Users of the company, in short", responses=failures(401))
async def tenant_users(request: Request) -> list[TenantUser]:
    """Give the users, newest first."""
    tenant = uuid.UUID(caller_of(request).tenant_id)
    rows = await services_of(request).database.read(
        lambda connection: connection.fetch(
            "select id, email, name, role, created_at from users where tenant_id = $1 order by created_at desc, id",
            tenant,
        )
    )
    return [
        TenantUser(
            id=str(row["id"]),
            email=row["email"],
            name=row["name"],
            role=row["role"],
            created_at=iso(row["created_at"]),
        )
        for row in rows
    ]


@get(
    "/settings/storage-config",
    guards=[requires(role="ROOT")],
    summary="Where uploads go",
    responses=failures(401, 403),
)
async def storage_config(request: Request) -> StorageConfigAnswer:
    """Give the store of the whole installation."""
    services = services_of(request)
    default = services.settings.storage_path == _DEFAULT_STORAGE
    return StorageConfigAnswer(storage_path=services.storage.uri, source="default" if default else "env")


@put(
    "/settings/storage-config",
    guards=[requires(role="ROOT")],
    summary="Refuse another store",
    responses=failures(400, 401, 403, 413),
)
async def update_storage_config(request: Request) -> MessageAnswer:
    """Refuse: all copies of the service share one store, and only their settings name it."""
    parse_body(await request.body(), StorageConfigBody)
    raise bad_request("O armazenamento é definido na instalação (STORAGE_PATH) e não pode ser mudado aqui")


@post(
    "/settings/storage-test",
    status_code=200,
    guards=[requires(role="ROOT")],
    summary="Test the store",
    responses=failures(400, 401, 403, 413),
)
async def probe_storage(request: Request) -> StorageTestAnswer:
    """Write, read and delete a small object in the configured store; no other place is touched."""
    storage = services_of(request).storage
    body = parse_body(await request.body(), StorageTestBody)
    if body.path.strip().rstrip("/") != storage.uri.rstrip("/"):
        message = f"Somente o armazenamento da instalação é testado: {storage.uri}"
        return StorageTestAnswer(success=False, message=message)
    try:
        await storage.probe()
    except StorageUnavailable:
        return StorageTestAnswer(success=False, message="O armazenamento não respondeu como deveria")
    free = storage.free_bytes()
    return StorageTestAnswer(
        success=True,
        message="O armazenamento grava, lê e apaga",
        free_gb=UNSET if free is None else round(free / 1024**3, 2),
    )


@get("/settings/drives", guards=[requires(role="ROOT")], summary="Drives to choose from", responses=failures(401, 403))
async def drives() -> list[Drive]:
    """Give none: the store is chosen by the settings of the installation."""
    return []


TENANT_BODIES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("/api/v1/tenant/settings", "patch"): SettingsBody,
    ("/api/v1/tenant/settings/test-email", "post"): TestEmailBody,
    ("/api/v1/tenant/settings/storage-config", "put"): StorageConfigBody,
    ("/api/v1/tenant/settings/storage-test", "post"): StorageTestBody,
}

tenant_router = Router(
    path="/tenant",
    route_handlers=[
        get_tenant,
        get_settings,
        update_settings,
        send_test_email,
        statistics,
        tenant_users,
        storage_config,
        update_storage_config,
        probe_storage,
        drives,
    ],
    tags=["tenant"],
)
