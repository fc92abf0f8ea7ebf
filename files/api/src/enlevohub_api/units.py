"""Units of a project."""

from __future__ import annotations

import uuid
from typing import Annotated

from msgspec import Meta

from enlevohub_api.bulk_units import bulk_delete, bulk_generate, preview_generate
from enlevohub_api.children import delete_child, read_in_project, rows
from enlevohub_api.construction_schemas import (
    UnitBody,
    UnitChanges,
    UnitListed,
    UnitPage,
    UnitRow,
    UnitStatus,
    UnitType,
)
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import not_found
from enlevohub_api.idempotency import IdempotencyKey, write_once
from enlevohub_api.schemas import Camel, MessageAnswer, paginate
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sql import (
    UNIT_COLUMNS,
    UNIT_RULES,
    Conditions,
    business_rules,
    decimal,
    fetch_json,
    like_pattern,
    lock_project,
    parse_id,
    sent_fields,
    set_list,
)
from enlevohub_api.validation import parse_body
from enlevohub_api.web import Router, delete, get, patch, post

_NOT_FOUND = "Unidade não encontrada"

_WITH_REFERENCES = f"""
{UNIT_COLUMNS},
(select json_build_object('id', b.id, 'name', b.name) from blocks b where b.id = u.block_id) as block,
(select json_build_object('id', f.id, 'name', f.name) from floor_plans f where f.id = u.floor_plan_id) as "floorPlan"
"""

_INSERT = f"""
with u as (
    insert into units (project_id, code, type, area, floor, bedrooms, bathrooms, price, status, block_id,
                       floor_plan_id, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning *
)
select to_json(answer) from (select {_WITH_REFERENCES} from u) answer
"""


class _Found(Camel):
    """What the list query gives."""

    total: int
    data: list[UnitListed]


def _filter_id(text: str) -> uuid.UUID:
    """Read an id of a filter; a malformed one is the id of nothing."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


@get("/", guards=[requires("units:view", late=True)], summary="List units", responses=failures(400, 401, 403, 404))
async def list_units(
    request: Request,
    project_id: str,
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1,
    limit: Annotated[int, Meta(ge=1, le=200)] = 50,
    search: Annotated[str, Meta(max_length=200)] | None = None,
    status: UnitStatus | None = None,
    type_: UnitType | None = None,
    block_id: str | None = None,
    floor_plan_id: str | None = None,
) -> UnitPage:
    """Give one page of a project's units by code; the measurement form asks for 200 at a time."""
    wanted = {
        "u.code ilike": like_pattern(search) if search else None,
        "u.status =": status,
        "u.type =": type_,
        "u.block_id =": _filter_id(block_id) if block_id else None,
        "u.floor_plan_id =": _filter_id(floor_plan_id) if floor_plan_id else None,
    }
    filters = {text: value for text, value in wanted.items() if value is not None}
    where = " and ".join(
        ["u.project_id = p.id", *(f"{text} {{{number}}}" for number, text in enumerate(filters, start=2))]
    )
    found_rows = rows(
        f"""select {_WITH_REFERENCES}, '[]'::json as "unitActivities" from units u where {where}
            order by u.code limit {{0}} offset {{1}}"""
    )
    found = await read_in_project(
        request,
        project_id,
        _Found,
        f"select json_build_object('total', (select count(*) from units u where {where}), 'data', ({found_rows}))",
        limit,
        (page - 1) * limit,
        *filters.values(),
    )
    return UnitPage(data=found.data, pagination=paginate(page, limit, found.total))


@get("/{unit_id}", guards=[requires("units:view", late=True)], summary="One unit", responses=failures(401, 403, 404))
async def get_unit(request: Request, project_id: str, unit_id: str) -> UnitRow:
    """Give a unit with its block and floor plan."""
    query = f"""
    select coalesce((select to_json(one) from (
        select {_WITH_REFERENCES} from units u where u.project_id = p.id and u.id = {{0}}
    ) one), 'null')
    """
    unit = await read_in_project(
        request,
        project_id,
        UnitRow | None,  # type: ignore[arg-type]
        query,
        parse_id(unit_id, _NOT_FOUND),
    )
    if unit is None:
        raise not_found(_NOT_FOUND)
    return unit


@post("/", guards=[requires("units:create")], summary="Create a unit", responses=failures(400, 401, 403, 404, 409, 413))
async def create_unit(request: Request, project_id: str, idempotency_key: IdempotencyKey = None) -> UnitRow:
    """Add a unit; its code is new in the project, its block and floor plan are the project's own."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, UnitBody)

    async def work(connection: Connection) -> UnitRow:
        project = await lock_project(connection, caller, project_id)
        with business_rules(UNIT_RULES):
            unit = await fetch_json(
                connection,
                UnitRow,
                _INSERT,
                project,
                body.code,
                body.type,
                decimal(body.area),
                body.floor,
                body.bedrooms,
                body.bathrooms,
                None if body.price is None else decimal(body.price),
                body.status,
                body.block_id,
                body.floor_plan_id,
                body.metadata,
            )
        assert unit is not None
        return unit

    return await write_once(request, idempotency_key, raw, UnitRow, work)


@patch(
    "/{unit_id}",
    guards=[requires("units:edit")],
    summary="Change a unit",
    responses=failures(400, 401, 403, 404, 413),
)
async def change_unit(request: Request, project_id: str, unit_id: str) -> UnitRow:
    """Change the fields that are sent; null takes the unit out of its block or floor plan."""
    caller = caller_of(request)
    sent = sent_fields(parse_body(await request.body(), UnitChanges))
    for name in ("area", "price"):
        if sent.get(name) is not None:
            sent[name] = decimal(sent[name])

    async def work(connection: Connection) -> UnitRow | None:
        conditions = Conditions()
        conditions.add("u.project_id = {}", await lock_project(connection, caller, project_id))
        conditions.add("u.id = {}", parse_id(unit_id, _NOT_FOUND))
        query = f"""
        with u as (update units u set {set_list(sent, conditions)} where {conditions.where} returning u.*)
        select to_json(answer) from (select {_WITH_REFERENCES} from u) answer
        """
        with business_rules(UNIT_RULES):
            return await fetch_json(connection, UnitRow, query, *conditions.arguments)

    unit = await services_of(request).database.write(work)
    if unit is None:
        raise not_found(_NOT_FOUND)
    return unit


@delete(
    "/{unit_id}", status_code=200, guards=[requires("units:delete")], summary="Delete a unit",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def delete_unit(request: Request, project_id: str, unit_id: str) -> MessageAnswer:
    """Delete a unit."""
    await delete_child(request, project_id, "units", unit_id, _NOT_FOUND)
    return MessageAnswer("Unidade excluída")


units_router = Router(
    path="/projects/{project_id}/units",
    route_handlers=[
        list_units,
        get_unit,
        create_unit,
        change_unit,
        delete_unit,
        preview_generate,
        bulk_generate,
        bulk_delete,
    ],
    tags=["units"],
)
