"""Projects. Every query is bound to the caller's tenant; a CONTRACTOR sees assigned projects."""

from __future__ import annotations

import uuid
from typing import Annotated

import msgspec
from msgspec import Meta

from enlevohub_api.construction_schemas import DashboardStats, ProjectChanged, ProjectChanges, ProjectStatistics
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import unauthorized
from enlevohub_api.idempotency import IdempotencyKey, write_once
from enlevohub_api.revocation import standing
from enlevohub_api.schemas import (
    PROJECT_STATUSES,
    MessageAnswer,
    ProjectBody,
    ProjectCreated,
    ProjectDetail,
    ProjectPage,
    ProjectStatus,
    SortField,
    SortOrder,
    paginate,
)
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sql import (
    EVOLUTION_ORDER,
    EVOLUTION_WITH_USER,
    LATEST_EVOLUTION,
    PROJECT_FIELDS,
    UNIT_COLUMNS,
    UNIT_TOTALS,
    Literal,
    Parts,
    concat,
    count_of,
    decimal,
    fetch_raw,
    json_items,
    json_object,
    json_rows,
    like_pattern,
    plain,
    project_not_found,
    read_json,
    read_row,
    read_text,
    sent_fields,
    set_list,
    visible_project,
    visible_projects,
    written,
)
from enlevohub_api.validation import parse_body, to_utc
from enlevohub_api.web import Router, Written, delete, get, patch, post

SORT_COLUMNS: dict[str, str] = {
    "name": "p.name",
    "createdAt": "p.created_at",
    "updatedAt": "p.updated_at",
    "status": "array_position(array['" + "','".join(PROJECT_STATUSES) + "'], p.status)",
    "budget": "p.budget",
}


_NONE = (Literal("0"),)


# The schema has no activities, purchase orders or financial transactions, so a project has none of them.
def _count(*none: str) -> Parts:
    """Write the numbers of a project's children; those of ``none`` are 0."""
    children = {name: count_of(name) for name in ("units", "evolutions")}
    return json_object({**children, **dict.fromkeys(none, _NONE)})


_ROW = json_object({**PROJECT_FIELDS, "evolutions": LATEST_EVOLUTION, "_count": _count("activities")})
_CHANGED = json_object({**PROJECT_FIELDS, "evolutions": LATEST_EVOLUTION, "_count": _count()})
_RECENT = json_object(
    {**PROJECT_FIELDS, "evolutions": LATEST_EVOLUTION, "_count": json_object({"units": count_of("units")})}
)
_CREATED = json_object(
    {**PROJECT_FIELDS, "evolutions": (Literal("[]"),), "_count": json_object({"units": _NONE, "evolutions": _NONE})}
)
_DETAIL = json_object(
    {
        **PROJECT_FIELDS,
        "evolutions": plain(
            json_rows(
                EVOLUTION_WITH_USER,
                "evolutions e join users who on who.id = e.reported_by where e.project_id = p.id",
                EVOLUTION_ORDER,
            )
        ),
        "units": plain(f"""(select coalesce(json_agg(one), '[]') from (
            select {UNIT_COLUMNS.replace("u.price,", "coalesce(u.price, 0) as price,")}
            from units u where u.project_id = p.id order by u.code
        ) one)"""),
        "_count": _count("purchaseOrders", "financialTransactions"),
    }
)

_INSERT = f"""
with p as (
    insert into projects (id, tenant_id, name, description, address, status, start_date, expected_end_date, budget,
                          quantidade_unidades, metadata)
    select $1, caller_user.tenant_id, $2, $3, $4, $5, $6, $7, $8, $9, $10 from {{source}} returning *
)
select {concat(_CREATED)} from p
"""

_DATES = {"start_date": "startDate", "expected_end_date": "expectedEndDate", "actual_end_date": "actualEndDate"}


@get("/", guards=[requires("projects:view", late=True)], summary="List projects", responses=failures(400, 401, 403))
async def list_projects(
    request: Request,
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, Meta(ge=1, le=100)] = 10,
    search: Annotated[str, Meta(max_length=200)] | None = None,
    status: ProjectStatus | None = None,
    sort_by: SortField = "createdAt",
    sort_order: SortOrder = "desc",
) -> Written[ProjectPage]:
    """Give one page of the caller's projects, each with its latest evolution."""
    conditions = visible_projects(caller_of(request))
    if search:
        conditions.add("(p.name ilike {} or p.description ilike {})", like_pattern(search))
    if status:
        conditions.add("p.status = {}", status)
    source, tables = f"projects p where {conditions.where}", ""
    if search:
        # The texts are compared once: both the page and the total are taken from what was found.
        source, tables = "found p", f"with found as materialized (select * from {source})"
    order = f"{SORT_COLUMNS[sort_by]} {'asc' if sort_order == 'asc' else 'desc'}, p.id"
    limits = f"limit {conditions.argument(limit)} offset {conditions.argument((page - 1) * limit)}"
    rows = f"(select * from {source} order by {order} {limits}) p"
    columns = f"(select count(*) from {source}) as total, {json_items(_ROW, rows, order)} as items"

    async def ask() -> str:
        found = await read_row(request, columns, *conditions.arguments, tables=tables)
        pagination = msgspec.json.encode(paginate(page, limit, found["total"])).decode()
        return f'{{"data":[{found["items"]}],"pagination":{pagination}}}'

    lists, company = services_of(request).lists, caller_of(request).tenant_id
    return written(request, await lists.get(company, (tables, columns, *conditions.arguments), ask))


@post(
    "/", guards=[requires("projects:create", late=True)], summary="Create a project",
    responses=failures(400, 401, 403, 409, 413),
)  # fmt: skip
async def create_project(request: Request, idempotency_key: IdempotencyKey = None) -> Written[ProjectCreated]:
    """Create a project of the caller's tenant."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, ProjectBody)
    arguments = (
        uuid.uuid4(),
        body.name,
        body.description,
        msgspec.to_builtins(body.address),
        body.status,
        to_utc("startDate", body.start_date),
        to_utc("expectedEndDate", body.expected_end_date),
        decimal(body.budget or 0),
        body.quantidade_unidades,
        body.metadata,
    )

    # The row is there only if the caller's session stands: the insert asks for it.
    source, who = standing(caller, len(arguments) + 1)
    query = _INSERT.replace("{source}", source)

    async def work(connection: Connection) -> msgspec.Raw:
        created = await fetch_raw(connection, query, *arguments, *who)
        if created is None:
            raise unauthorized()
        return created

    created = await write_once(request, idempotency_key, raw, msgspec.Raw, work)
    request.unproven = None
    return written(request, created)


@get(
    "/dashboard/stats", guards=[requires("projects:view", late=True)], summary="Numbers of all projects",
    responses=failures(401, 403),
)  # fmt: skip
async def dashboard_stats(request: Request) -> Written[DashboardStats]:
    """Count the caller's projects and units by status, and give the five projects changed last."""
    visible = visible_projects(caller_of(request))
    recent = f"(select * from projects p where {visible.where} order by p.updated_at desc, p.id limit 5) p"
    query = f"""
    select json_build_object(
        'projects', (select json_build_object(
            'total', count(*),
            'planning', count(*) filter (where p.status = 'PLANNING'),
            'inProgress', count(*) filter (where p.status = 'IN_PROGRESS'),
            'paused', count(*) filter (where p.status = 'PAUSED'),
            'completed', count(*) filter (where p.status = 'COMPLETED'),
            'cancelled', count(*) filter (where p.status = 'CANCELLED')
        ) from projects p where {visible.where}),
        'units', (
            select {UNIT_TOTALS} from units u join projects p on p.id = u.project_id where {visible.where}
        ),
        'recentProjects', {json_rows(_RECENT, recent, "p.updated_at desc, p.id")}::json
    )
    """
    stats = await read_text(request, query, *visible.arguments)
    assert stats is not None
    return written(request, stats)


@get(
    "/{project_id}", guards=[requires("projects:view", late=True)], summary="One project",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def get_project(request: Request, project_id: str) -> Written[ProjectDetail]:
    """Give a project with all its evolutions and units."""
    visible = visible_project(caller_of(request), project_id)
    query = f"select {concat(_DETAIL)} from projects p where {visible.where}"
    project = await read_text(request, query, *visible.arguments)
    if project is None:
        raise project_not_found()
    return written(request, project)


@patch(
    "/{project_id}", guards=[requires("projects:edit")], summary="Change a project",
    responses=failures(400, 401, 403, 404, 413),
)  # fmt: skip
async def change_project(request: Request, project_id: str) -> Written[ProjectChanged]:
    """Change the fields that are sent."""
    sent = sent_fields(parse_body(await request.body(), ProjectChanges))
    for field, name in _DATES.items():
        if field in sent:
            sent[field] = to_utc(name, sent[field])
    if "address" in sent:
        sent["address"] = msgspec.to_builtins(sent["address"])
    if "budget" in sent:
        sent["budget"] = decimal(sent["budget"])
    visible = visible_project(caller_of(request), project_id)
    query = f"""
    with p as (update projects p set {set_list(sent, visible)} where {visible.where} returning p.*)
    select {concat(_CHANGED)} from p
    """
    project = await services_of(request).database.write(
        lambda connection: fetch_raw(connection, query, *visible.arguments)
    )
    if project is None:
        raise project_not_found()
    return written(request, project)


@delete(
    "/{project_id}", status_code=200, guards=[requires("projects:delete")], summary="Delete a project",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def delete_project(request: Request, project_id: str) -> MessageAnswer:
    """Delete a project with all its rows; stored photos stay."""
    visible = visible_project(caller_of(request), project_id)
    deleted = await services_of(request).database.write(
        lambda connection: connection.fetchval(
            f"delete from projects p where {visible.where} returning p.id", *visible.arguments
        )
    )
    if deleted is None:
        raise project_not_found()
    return MessageAnswer("Projeto excluído")


@get(
    "/{project_id}/statistics", guards=[requires("projects:view", late=True)], summary="Numbers of a project",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def project_statistics(request: Request, project_id: str) -> ProjectStatistics:
    """Count a project's units by status; activities and money are not kept by this service."""
    visible = visible_project(caller_of(request), project_id)
    query = f"""
    select json_build_object(
        'units', (select {UNIT_TOTALS} from units u where u.project_id = p.id),
        'activitiesCount', 0, 'currentProgress', 0, 'purchaseOrders', 0, 'financialTransactions', 0,
        'totalSpent', 0, 'budget', p.budget
    ) from projects p where {visible.where}
    """
    statistics = await read_json(request, ProjectStatistics, query, *visible.arguments)
    if statistics is None:
        raise project_not_found()
    return statistics


projects_router = Router(
    path="/projects",
    route_handlers=[
        list_projects,
        create_project,
        dashboard_stats,
        get_project,
        change_project,
        delete_project,
        project_statistics,
    ],
    tags=["projects"],
)
