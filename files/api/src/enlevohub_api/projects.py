"""Projects: list, create, detail. Every query is bound to the caller's tenant; a CONTRACTOR sees assigned projects."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Annotated, Any

import asyncpg
import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, QueryParameter

from enlevohub_api.database import Connection
from enlevohub_api.errors import not_found
from enlevohub_api.schemas import (
    PROJECT_STATUSES,
    CreatedCount,
    DetailCount,
    Evolution,
    EvolutionWithUser,
    ProjectBody,
    ProjectCreated,
    ProjectDetail,
    ProjectPage,
    ProjectRow,
    ProjectStatus,
    RowCount,
    SortField,
    SortOrder,
    Unit,
    UserSummary,
    iso,
    iso_or_none,
    paginate,
)
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.tokens import AccessClaims
from enlevohub_api.validation import parse_body, to_utc

_COLUMNS = """p.id, p.tenant_id, p.name, p.description, p.address, p.status, p.start_date, p.expected_end_date,
p.actual_end_date, p.budget, p.scheduling_mode, p.holidays, p.metadata, p.quantidade_unidades, p.created_at,
p.updated_at"""

_EVOLUTION_COLUMNS = """e.id, e.project_id, e.date, e.percentage, e.phase, e.photos, e.notes, e.reported_by,
e.created_at, e.updated_at"""

_COUNTS = """
(select count(*) from units u where u.project_id = p.id) as unit_count,
(select count(*) from evolutions e where e.project_id = p.id) as evolution_count
"""

_LATEST_EVOLUTIONS = f"""
select distinct on (e.project_id) {_EVOLUTION_COLUMNS} from evolutions e
where e.project_id = any($1) order by e.project_id, e.date desc, e.created_at desc, e.id
"""

_SORT_COLUMNS: dict[str, str] = {
    "name": "p.name",
    "createdAt": "p.created_at",
    "updatedAt": "p.updated_at",
    "status": "array_position(array['" + "','".join(PROJECT_STATUSES) + "'], p.status)",
    "budget": "p.budget",
}

ABSENT_RELATIONS = 0
"""The schema has no activities, purchase orders or financial transactions, so a project has none of them."""


class _Conditions:
    """Collects conditions and their arguments in step."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.arguments: list[Any] = []

    def add(self, text: str, argument: object) -> None:
        """Add a condition whose ``{}`` stands for the argument."""
        self.arguments.append(argument)
        self.texts.append(text.replace("{}", f"${len(self.arguments)}"))

    @property
    def where(self) -> str:
        return " and ".join(self.texts)


def _visible_to(caller: AccessClaims) -> _Conditions:
    """Give the conditions that keep a caller to the own tenant and, for a CONTRACTOR, to assigned projects."""
    conditions = _Conditions()
    conditions.add("p.tenant_id = {}::uuid", caller.tenant_id)
    if caller.role == "CONTRACTOR":
        conditions.add(
            "exists (select 1 from project_contractors pc where pc.project_id = p.id and pc.contractor_id = {}::uuid)",
            caller.contractor_id,
        )
    return conditions


def _project_fields(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "tenant_id": str(row["tenant_id"]),
        "name": row["name"],
        "description": row["description"],
        "address": row["address"],
        "status": row["status"],
        "start_date": iso_or_none(row["start_date"]),
        "expected_end_date": iso_or_none(row["expected_end_date"]),
        "actual_end_date": iso_or_none(row["actual_end_date"]),
        "budget": float(row["budget"]),
        "scheduling_mode": row["scheduling_mode"],
        "holidays": row["holidays"],
        "metadata": row["metadata"],
        "quantidade_unidades": row["quantidade_unidades"],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def _evolution_fields(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": str(row["id"]),
        "project_id": str(row["project_id"]),
        "date": iso(row["date"]),
        "percentage": float(row["percentage"]),
        "phase": row["phase"],
        "photos": row["photos"],
        "notes": row["notes"],
        "reported_by": str(row["reported_by"]),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def _unit(row: asyncpg.Record) -> Unit:
    return Unit(
        id=str(row["id"]),
        project_id=str(row["project_id"]),
        code=row["code"],
        type=row["type"],
        floor=row["floor"],
        area=float(row["area"]),
        bedrooms=row["bedrooms"],
        bathrooms=row["bathrooms"],
        price=float(row["price"] or 0),
        status=row["status"],
        block_id=None if row["block_id"] is None else str(row["block_id"]),
        floor_plan_id=None if row["floor_plan_id"] is None else str(row["floor_plan_id"]),
        metadata=row["metadata"],
        created_at=iso(row["created_at"]),
        updated_at=iso(row["updated_at"]),
    )


def like_pattern(text: str) -> str:
    """Make the pattern of a substring search; the text's own wildcards mean themselves."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


@get("/", guards=[requires("projects:view")], summary="List projects")
async def list_projects(
    request: Request,
    page: Annotated[int, QueryParameter(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 10,
    search: Annotated[str | None, QueryParameter(max_length=200)] = None,
    status: Annotated[ProjectStatus | None, QueryParameter()] = None,
    sort_by: Annotated[SortField, QueryParameter(name="sortBy")] = "createdAt",
    sort_order: Annotated[SortOrder, QueryParameter(name="sortOrder")] = "desc",
) -> ProjectPage:
    """Give one page of the caller's projects, each with its latest evolution."""
    conditions = _visible_to(caller_of(request))
    if search:
        conditions.add("(p.name ilike {} or p.description ilike {})", like_pattern(search))
    if status:
        conditions.add("p.status = {}", status)
    order = f"{_SORT_COLUMNS[sort_by]} {'asc' if sort_order == 'asc' else 'desc'}, p.id"
    count_query = f"select count(*) from projects p where {conditions.where}"
    page_query = (
        f"select {_COLUMNS}, {_COUNTS} from projects p where {conditions.where} "
        f"order by {order} limit {limit:d} offset {(page - 1) * limit:d}"
    )

    async def work(connection: Connection) -> ProjectPage:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            total = await connection.fetchval(count_query, *conditions.arguments)
            rows = await connection.fetch(page_query, *conditions.arguments)
            latest = await connection.fetch(_LATEST_EVOLUTIONS, [row["id"] for row in rows])
        evolutions = {row["project_id"]: [Evolution(**_evolution_fields(row))] for row in latest}
        data = [
            ProjectRow(
                **_project_fields(row),
                evolutions=evolutions.get(row["id"], []),
                count=RowCount(units=row["unit_count"], evolutions=row["evolution_count"], activities=ABSENT_RELATIONS),
            )
            for row in rows
        ]
        return ProjectPage(data=data, pagination=paginate(page, limit, total))

    return await services_of(request).database.read(work)


@post("/", guards=[requires("projects:create")], summary="Create a project")
async def create_project(request: Request) -> ProjectCreated:
    """Create a project of the caller's tenant."""
    caller = caller_of(request)
    body = parse_body(await request.body(), ProjectBody)
    start, end = to_utc("startDate", body.start_date), to_utc("expectedEndDate", body.expected_end_date)
    identity = uuid.uuid4()

    async def work(connection: Connection) -> asyncpg.Record | None:
        return await connection.fetchrow(
            f"""insert into projects as p (id, tenant_id, name, description, address, status, start_date,
                    expected_end_date, budget, quantidade_unidades, metadata)
                select $1, t.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 from tenants t where t.id = $2
                returning {_COLUMNS}""",
            identity,
            caller.tenant_id,
            body.name,
            body.description,
            msgspec.to_builtins(body.address),
            body.status,
            start,
            end,
            Decimal(str(body.budget or 0)).quantize(Decimal("0.01")),
            body.quantidade_unidades,
            body.metadata,
        )

    row = await services_of(request).database.write(work)
    if row is None:
        raise not_found("Empresa não encontrada")
    return ProjectCreated(**_project_fields(row), evolutions=[], count=CreatedCount(units=0, evolutions=0))


@get("/{project_id:str}", guards=[requires("projects:view")], summary="One project")
async def get_project(request: Request, project_id: FromPath[str]) -> ProjectDetail:
    """Give a project with all its evolutions and units."""
    conditions = _visible_to(caller_of(request))
    identity = _parse_id(project_id)
    conditions.add("p.id = {}", identity)

    async def work(connection: Connection) -> ProjectDetail | None:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            row = await connection.fetchrow(
                f"select {_COLUMNS} from projects p where {conditions.where}", *conditions.arguments
            )
            if row is None:
                return None
            evolutions = await connection.fetch(
                f"""select {_EVOLUTION_COLUMNS}, u.name as user_name
                    from evolutions e join users u on u.id = e.reported_by
                    where e.project_id = $1 order by e.date desc, e.created_at desc, e.id""",
                identity,
            )
            units = await connection.fetch(
                """select id, project_id, code, type, floor, area, bedrooms, bathrooms, price, status, block_id,
                          floor_plan_id, metadata, created_at, updated_at
                   from units where project_id = $1 order by code""",
                identity,
            )
        return ProjectDetail(
            **_project_fields(row),
            evolutions=[
                EvolutionWithUser(
                    **_evolution_fields(item), user=UserSummary(id=str(item["reported_by"]), name=item["user_name"])
                )
                for item in evolutions
            ],
            units=[_unit(item) for item in units],
            count=DetailCount(
                units=len(units),
                evolutions=len(evolutions),
                purchase_orders=ABSENT_RELATIONS,
                financial_transactions=ABSENT_RELATIONS,
            ),
        )

    project = await services_of(request).database.read(work)
    if project is None:
        raise not_found("Projeto não encontrado")
    return project


def _parse_id(text: str) -> uuid.UUID:
    """A malformed id is an id that does not exist."""
    try:
        identity = uuid.UUID(text)
    except ValueError:
        raise not_found("Projeto não encontrado") from None
    if str(identity) != text.lower():
        raise not_found("Projeto não encontrado")
    return identity


projects_router = Router(
    path="/projects", route_handlers=[list_projects, create_project, get_project], tags=["projects"]
)
