"""What the queries of projects and their children share.

PostgreSQL builds the JSON of an answer in one statement. Answers about projects and evolutions leave as PostgreSQL
wrote them (`concat`); the others are checked by `msgspec` against their type on the way.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from itertools import groupby
from typing import Any, TypeAlias, TypeVar

import asyncpg
import msgspec

from enlevohub_api.database import Connection
from enlevohub_api.errors import bad_request, not_found, unauthorized
from enlevohub_api.revocation import standing
from enlevohub_api.services import Request, services_of
from enlevohub_api.tokens import AccessClaims
from enlevohub_api.web import Written

T = TypeVar("T")


class Literal(str):
    """Text of a JSON document that is not a value of a column."""


Parts: TypeAlias = tuple[str, ...]
"""What `concat` joins to JSON: literals, and expressions of SQL that write a value as they are."""


def instant(column: str) -> str:
    """Write an instant as ``2026-01-02T00:00:00.000Z``; the time zone of our connections is UTC, see `database`."""
    return f"""to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


def concat(parts: Parts) -> str:
    """Write the parts as one text. Literals side by side are one argument, for each costs time in every row."""
    arguments: list[str] = []
    for literal, group in groupby(parts, lambda part: isinstance(part, Literal)):
        run = list(group)
        arguments += ["'" + "".join(run).replace("'", "''") + "'"] if literal else run
    return f"concat({','.join(arguments)})"


def json_object(fields: Mapping[str, Parts]) -> Parts:
    """Give the parts of an object.

    One `concat` writes it with all that is in it: ``to_json`` of a row looks every type up again for every row.
    """
    parts: list[str] = []
    for name, value in fields.items():
        parts += (Literal(f'{"," if parts else "{"}"{name}":'), *value)
    return (*parts, Literal("}"))


def json_items(item: Parts, source: str, order: str) -> str:
    """Write ``item`` for every row of ``source``, in order, with commas between."""
    listed = f"select {concat(item)} as item from {source} order by {order}"
    return f"(select coalesce(string_agg(item, ','), '') from ({listed}) listed)"


def json_rows(item: Parts, source: str, order: str) -> str:
    """Write an array as text, see `json_items`."""
    return f"('[' || {json_items(item, source, order)} || ']')"


def plain(expression: str) -> Parts:
    """Write a number or JSON that is never null."""
    return (expression,)


def nullable(expression: str) -> Parts:
    """Write JSON that may be null."""
    return (f"coalesce({expression}, 'null')",)


def quoted(expression: str) -> Parts:
    """Write a text that needs no escapes and is never null: an id, or one of a list of names."""
    return (Literal('"'), expression, Literal('"'))


def text(expression: str) -> Parts:
    """Write any text."""
    return nullable(f"to_json({expression})")


def moment(expression: str) -> Parts:
    """Write an instant that may be null."""
    return nullable(f"""'"' || {instant(expression)} || '"'""")


def array_of_none_or_one(item: Parts, source: str) -> Parts:
    """Write an array with the row of ``source``, if there is one."""
    return (f"coalesce((select {concat((Literal('['), *item, Literal(']')))} from {source}), '[]')",)


PROJECT_FIELDS: dict[str, Parts] = {
    "id": quoted("p.id"),
    "tenantId": quoted("p.tenant_id"),
    "name": text("p.name"),
    "description": text("p.description"),
    "address": plain("p.address"),
    "status": quoted("p.status"),
    "startDate": moment("p.start_date"),
    "expectedEndDate": moment("p.expected_end_date"),
    "actualEndDate": moment("p.actual_end_date"),
    "budget": plain("p.budget"),
    "schedulingMode": text("p.scheduling_mode"),
    "holidays": nullable("p.holidays"),
    "metadata": nullable("p.metadata"),
    "quantidadeUnidades": plain("p.quantidade_unidades"),
    "createdAt": quoted(instant("p.created_at")),
    "updatedAt": quoted(instant("p.updated_at")),
}

EVOLUTION_FIELDS: dict[str, Parts] = {
    "id": quoted("e.id"),
    "date": quoted(instant("e.date")),
    "percentage": plain("e.percentage"),
    "phase": text("e.phase"),
    "notes": text("e.notes"),
    "reportedBy": quoted("e.reported_by"),
    "createdAt": quoted(instant("e.created_at")),
    "updatedAt": quoted(instant("e.updated_at")),
    # `PhotoUrls.sign_json` looks for these two side by side.
    "projectId": quoted("e.project_id"),
    "photos": plain("e.photos"),
}

EVOLUTION_ORDER = "e.date desc, e.created_at desc, e.id"

EVOLUTION_WITH_USER = json_object(
    {**EVOLUTION_FIELDS, "user": json_object({"id": quoted("who.id"), "name": text("who.name")})}
)

LATEST_EVOLUTION = array_of_none_or_one(
    json_object(EVOLUTION_FIELDS),
    f"evolutions e where e.project_id = p.id order by {EVOLUTION_ORDER} limit 1",
)

UNIT_COLUMNS = f"""
u.id, u.project_id as "projectId", u.code, u.type, u.floor, u.area, u.bedrooms, u.bathrooms, u.price, u.status,
u.block_id as "blockId", u.floor_plan_id as "floorPlanId", u.metadata, {instant("u.created_at")} as "createdAt",
{instant("u.updated_at")} as "updatedAt"
"""

UNIT_TOTALS = """
json_build_object(
    'total', count(*),
    'available', count(*) filter (where u.status = 'AVAILABLE'),
    'reserved', count(*) filter (where u.status = 'RESERVED'),
    'sold', count(*) filter (where u.status = 'SOLD'),
    'blocked', count(*) filter (where u.status = 'BLOCKED')
)
"""


UNIT_RULES = {
    "units_project_id_code_key": "Já existe uma unidade com este código no projeto",
    "units_block": "O bloco não existe neste projeto",
    "units_floor_plan": "A planta não existe neste projeto",
}

_TOUCHED = "updated_at = now()"


def count_of(table: str) -> Parts:
    """Count a project's rows in a table."""
    return plain(f"(select count(*) from {table} child where child.project_id = p.id)")


class Conditions:
    """Collects conditions and their arguments in step."""

    def __init__(self) -> None:
        """Start with none."""
        self.texts: list[str] = []
        self.arguments: list[Any] = []

    def argument(self, value: object) -> str:
        """Add an argument; give its placeholder."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"

    def add(self, text: str, value: object) -> None:
        """Add a condition whose ``{}`` stands for the argument."""
        self.texts.append(text.replace("{}", self.argument(value)))

    @property
    def where(self) -> str:
        """All conditions together."""
        return " and ".join(self.texts)


def visible_projects(caller: AccessClaims) -> Conditions:
    """Give the conditions that keep a caller to the own tenant and, for a CONTRACTOR, to assigned projects."""
    conditions = Conditions()
    conditions.add("p.tenant_id = {}::uuid", caller.tenant_id)
    if caller.role == "CONTRACTOR":
        conditions.add(
            "exists (select 1 from project_contractors pc where pc.project_id = p.id and pc.contractor_id = {}::uuid)",
            caller.contractor_id,
        )
    return conditions


def visible_project(caller: AccessClaims, project_id: str) -> Conditions:
    """Give the conditions of one project; ``$<last>`` is its id. Raises ApiError 404 for a malformed id."""
    conditions = visible_projects(caller)
    conditions.add("p.id = {}", parse_id(project_id))
    return conditions


def project_not_found() -> Exception:
    """Make the 404 of a project that the caller cannot see."""
    return not_found("Projeto não encontrado")


def parse_id(text: str, message: str = "Projeto não encontrado") -> uuid.UUID:
    """Read an id of a path. A malformed id is an id that does not exist: raises ApiError 404."""
    try:
        identity = uuid.UUID(text)
    except ValueError:
        raise not_found(message) from None
    if str(identity) != text.lower():
        raise not_found(message)
    return identity


async def lock_project(connection: Connection, caller: AccessClaims, project_id: str) -> uuid.UUID:
    """Give the id of a project that the caller sees and keep it from being deleted. Raises ApiError 404."""
    visible = visible_project(caller, project_id)
    query = f"select p.id from projects p where {visible.where} for key share"
    found = await connection.fetchval(query, *visible.arguments)
    if found is None:
        raise project_not_found()
    assert isinstance(found, uuid.UUID)
    return found


def decimal(value: float, places: int = 2) -> Decimal:
    """Round a JSON number to what the column keeps."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-places))


async def fetch_json(connection: Connection, kind: type[T], query: str, *arguments: object) -> T | None:
    """Run a query of one row and one column of JSON; None when there is no row."""
    text = await connection.fetchval(query, *arguments)
    return None if text is None else msgspec.json.decode(text, type=kind)


async def read_row(request: Request, columns: str, *arguments: object, tables: str = "") -> asyncpg.Record:
    """Read the one row of expressions; the same statement asks whether the session stands, if nobody has.

    Args:
        request: tells the caller.
        columns: the expressions.
        arguments: those of the expressions.
        tables: what the expressions read beside the database's own tables, as a WITH clause.

    Raises:
        ApiError: 401, it does not.
    """
    claims, services = request.unproven, services_of(request)
    query, values = f"{tables} select {columns}", arguments
    if claims is not None:
        source, more = standing(claims, len(arguments) + 1)
        query, values = f"{query} from {source}", (*arguments, *more)
        services.revocations.by_database += 1
    row = await services.database.read(lambda connection: connection.fetchrow(query, *values))
    request.unproven = None
    if row is None:
        raise unauthorized()
    return row


async def read_json(request: Request, kind: type[T], query: str, *arguments: object) -> T | None:
    """Read one row and column of JSON, see `read_row`; None when there is no row."""
    row = await read_row(request, f"({query}) as answer", *arguments)
    return None if row["answer"] is None else msgspec.json.decode(row["answer"], type=kind)


async def read_text(request: Request, query: str, *arguments: object) -> str | None:
    """Read one row and column of JSON as text, see `read_row`; None when there is no row."""
    text: str | None = (await read_row(request, f"({query}) as answer", *arguments))["answer"]
    return text


async def fetch_raw(connection: Connection, query: str, *arguments: object) -> msgspec.Raw | None:
    """Run a query of one row and one column of JSON; give its text, or None when there is no row."""
    text = await connection.fetchval(query, *arguments)
    return None if text is None else msgspec.Raw(text)


def written(request: Request, text: str | msgspec.Raw) -> Written[Any]:
    """Make the answer of a JSON text that PostgreSQL wrote: keys of photos become URLs."""
    if isinstance(text, msgspec.Raw):
        text = bytes(text).decode()
    return Written(services_of(request).photos.sign_json(text).encode())


@contextmanager
def business_rules(messages: Mapping[str, str]) -> Iterator[None]:
    """Turn the violation of a constraint, by its name, into a 400 with a message."""
    try:
        yield
    except (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError) as error:
        message = messages.get(error.constraint_name or "")
        if message is None:
            raise
        raise bad_request(message) from None


def sent_fields(body: msgspec.Struct) -> dict[str, Any]:
    """Give the fields of a change that were sent; they are named as their columns."""
    fields = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in fields if value is not msgspec.UNSET}


def set_list(sent: Mapping[str, Any], conditions: Conditions) -> str:
    """Make the SET list of an update; the values become further arguments of the conditions."""
    return ", ".join([*(f"{column} = {conditions.argument(value)}" for column, value in sent.items()), _TOUCHED])


def like_pattern(text: str) -> str:
    """Make the pattern of a substring search; the text's own wildcards mean themselves."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
