"""Projects. Every query is bound to the caller's tenant; a CONTRACTOR sees assigned projects."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from enlevohub_api.construction_schemas import DashboardStats, ProjectChanged, ProjectChanges, ProjectStatistics
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import not_found
from enlevohub_api.idempotency import IdempotencyKey, write_once
from enlevohub_api.schemas import (
    PROJECT_STATUSES,
    Camel,
    Evolution,
    MessageAnswer,
    ProjectBody,
    ProjectCreated,
    ProjectDetail,
    ProjectPage,
    ProjectRow,
    ProjectStatus,
    SortField,
    SortOrder,
    paginate,
)
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sql import (
    EVOLUTION_COLUMNS,
    EVOLUTION_ORDER,
    LATEST_EVOLUTION,
    PROJECT_COLUMNS,
    UNIT_COLUMNS,
    UNIT_TOTALS,
    count_of,
    decimal,
    fetch_json,
    like_pattern,
    project_not_found,
    sent_fields,
    set_list,
    visible_project,
    visible_projects,
)
from enlevohub_api.validation import parse_body, to_utc
from enlevohub_api.web import Router, delete, get, patch, post

SORT_COLUMNS: dict[str, str] = {
    "name": "p.name",
    "createdAt": "p.created_at",
    "updatedAt": "p.updated_at",
    "status": "array_position(array['" + "','".join(PROJECT_STATUSES) + "'], p.status)",
    "budget": "p.budget",
}

# The schema has no activities, purchase orders or financial transactions, so a project has none of them.
_ROW = f"""
{PROJECT_COLUMNS}, {LATEST_EVOLUTION},
json_build_object('units', {count_of("units")}, 'evolutions', {count_of("evolutions")}, 'activities', 0) as "_count"
"""

_CHANGED = f"""
{PROJECT_COLUMNS}, {LATEST_EVOLUTION},
json_build_object('units', {count_of("units")}, 'evolutions', {count_of("evolutions")}) as "_count"
"""

_RECENT = f"""
{PROJECT_COLUMNS}, {LATEST_EVOLUTION}, json_build_object('units', {count_of("units")}) as "_count"
"""

_DETAIL = f"""
{PROJECT_COLUMNS},
(select coalesce(json_agg(one), '[]') from (
    select {EVOLUTION_COLUMNS}, json_build_object('id', who.id, 'name', who.name) as user
    from evolutions e join users who on who.id = e.reported_by
    where e.project_id = p.id order by {EVOLUTION_ORDER}
) one) as evolutions,
(select coalesce(json_agg(one), '[]') from (
    select {UNIT_COLUMNS.replace("u.price,", "coalesce(u.price, 0) as price,")}
    from units u where u.project_id = p.id order by u.code
) one) as units,
json_build_object('units', {count_of("units")}, 'evolutions', {count_of("evolutions")}, 'purchaseOrders', 0,
                  'financialTransactions', 0) as "_count"
"""

_INSERT = f"""
with p as (
    insert into projects (id, tenant_id, name, description, address, status, start_date, expected_end_date, budget,
                          quantidade_unidades, metadata)
    select $1, t.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 from tenants t where t.id = $2::uuid
    returning *
)
select to_json(answer) from (
    select {PROJECT_COLUMNS}, '[]'::json as evolutions, '{{"units": 0, "evolutions": 0}}'::json as "_count" from p
) answer
"""

_DATES = {"start_date": "startDate", "expected_end_date": "expectedEndDate", "actual_end_date": "actualEndDate"}


class _Found(Camel):
    """What the list query gives."""

    total: int
    data: list[ProjectRow]


def sign_photos(request: Request, evolutions: Iterable[Evolution]) -> None:
    """Turn the keys of photos into URLs."""
    photos = services_of(request).photos
    for evolution in evolutions:
        if evolution.photos:
            evolution.photos = photos.sign_all(evolution.photos, evolution.project_id)


@get("/", guards=[requires("projects:view")], summary="List projects", responses=failures(400, 401, 403))
async def list_projects(
    request: Request,
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, Meta(ge=1, le=100)] = 10,
    search: Annotated[str, Meta(max_length=200)] | None = None,
    status: ProjectStatus | None = None,
    sort_by: SortField = "createdAt",
    sort_order: SortOrder = "desc",
) -> ProjectPage:
    """Give one page of the caller's projects, each with its latest evolution."""
    conditions = visible_projects(caller_of(request))
    if search:
        conditions.add("(p.name ilike {} or p.description ilike {})", like_pattern(search))
    if status:
        conditions.add("p.status = {}", status)
    where = conditions.where
    order = f"{SORT_COLUMNS[sort_by]} {'asc' if sort_order == 'asc' else 'desc'}, p.id"
    query = f"""
    select json_build_object(
        'total', (select count(*) from projects p where {where}),
        'data', (select coalesce(json_agg(one), '[]') from (
            select {_ROW} from (
                select * from projects p where {where} order by {order}
                limit {conditions.argument(limit)} offset {conditions.argument((page - 1) * limit)}
            ) p order by {order}
        ) one)
    )
    """
    found = await services_of(request).database.read(
        lambda connection: fetch_json(connection, _Found, query, *conditions.arguments)
    )
    assert found is not None
    for row in found.data:
        sign_photos(request, row.evolutions)
    return ProjectPage(data=found.data, pagination=paginate(page, limit, found.total))


@post(
    "/", guards=[requires("projects:create")], summary="Create a project", responses=failures(400, 401, 403, 409, 413)
)
async def create_project(request: Request, idempotency_key: IdempotencyKey = None) -> ProjectCreated:
    """Create a project of the caller's tenant."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, ProjectBody)
    arguments = (
        uuid.uuid4(),
        caller.tenant_id,
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

    async def work(connection: Connection) -> ProjectCreated:
        created = await fetch_json(connection, ProjectCreated, _INSERT, *arguments)
        if created is None:
            raise not_found("Empresa não encontrada")
        return created

    return await write_once(request, idempotency_key, raw, ProjectCreated, work)


@get(
    "/dashboard/stats", guards=[requires("projects:view")], summary="Numbers of all projects",
    responses=failures(401, 403),
)  # fmt: skip
async def dashboard_stats(request: Request) -> DashboardStats:
    """Count the caller's projects and units by status, and give the five projects changed last."""
    visible = visible_projects(caller_of(request))
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
        'recentProjects', (select coalesce(json_agg(one), '[]') from (
            select {_RECENT} from projects p where {visible.where} order by p.updated_at desc, p.id limit 5
        ) one)
    )
    """
    stats = await services_of(request).database.read(
        lambda connection: fetch_json(connection, DashboardStats, query, *visible.arguments)
    )
    assert stats is not None
    for project in stats.recent_projects:
        sign_photos(request, project.evolutions)
    return stats


@get("/{project_id}", guards=[requires("projects:view")], summary="One project", responses=failures(401, 403, 404))
async def get_project(request: Request, project_id: str) -> ProjectDetail:
    """Give a project with all its evolutions and units."""
    visible = visible_project(caller_of(request), project_id)
    query = f"select to_json(answer) from (select {_DETAIL} from projects p where {visible.where}) answer"
    project = await services_of(request).database.read(
        lambda connection: fetch_json(connection, ProjectDetail, query, *visible.arguments)
    )
    if project is None:
        raise project_not_found()
    sign_photos(request, project.evolutions)
    return project


@patch(
    "/{project_id}", guards=[requires("projects:edit")], summary="Change a project",
    responses=failures(400, 401, 403, 404, 413),
)  # fmt: skip
async def change_project(request: Request, project_id: str) -> ProjectChanged:
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
    select to_json(answer) from (select {_CHANGED} from p) answer
    """
    project = await services_of(request).database.write(
        lambda connection: fetch_json(connection, ProjectChanged, query, *visible.arguments)
    )
    if project is None:
        raise project_not_found()
    sign_photos(request, project.evolutions)
    return project


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
    "/{project_id}/statistics", guards=[requires("projects:view")], summary="Numbers of a project",
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
    statistics = await services_of(request).database.read(
        lambda connection: fetch_json(connection, ProjectStatistics, query, *visible.arguments)
    )
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
