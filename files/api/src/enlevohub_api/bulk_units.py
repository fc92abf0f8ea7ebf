"""The wizard that makes all units of a building, and the deletion of many units."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import asyncpg

from enlevohub_api.construction_schemas import BulkBody, BulkDeleteBody, BulkPreview, CountAnswer, PlannedUnit
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import bad_request
from enlevohub_api.idempotency import IdempotencyKey, write_once
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sql import UNIT_RULES, business_rules, decimal, lock_project
from enlevohub_api.validation import parse_body
from enlevohub_api.web import post

MAX_UNITS = 5000
"""Units of one request."""
DEFAULT_PREFIX = "UN"
CODES_NAMED = 10
"""Codes that a message names."""


def plan_units(
    body: BulkBody, plans: dict[uuid.UUID, asyncpg.Record], blocks: dict[uuid.UUID, str]
) -> Iterator[PlannedUnit]:
    """Go through blocks, floors, items and units in the order in which codes count."""
    prefix = body.code_prefix or DEFAULT_PREFIX
    running = 0
    for block in (*body.block_ids,) or (None,):
        block_name = None if block is None else blocks[block]
        for floor in range(body.start_floor, body.start_floor + body.floors):
            on_floor = 0
            for item in body.items:
                plan = plans[item.floor_plan_id]
                for _ in range(item.units_per_floor):
                    running, on_floor = running + 1, on_floor + 1
                    yield PlannedUnit(
                        code=_code(body.code_pattern, prefix, block_name, floor, on_floor, running),
                        type=plan["type"],
                        floor=floor,
                        area=float(plan["area"]),
                        bedrooms=plan["bedrooms"],
                        bathrooms=plan["bathrooms"],
                        price=float(plan["default_price"] or 0),
                        block_id=None if block is None else str(block),
                        block_name=block_name,
                        floor_plan_id=str(item.floor_plan_id),
                        floor_plan_name=plan["name"],
                    )


def _code(pattern: str, prefix: str, block: str | None, floor: int, on_floor: int, running: int) -> str:
    number = f"{floor}{on_floor:02d}"
    if pattern == "SEQUENCIAL":
        return f"{prefix}-{running:03d}"
    if pattern == "PERSONALIZADO":
        return f"{prefix}{block or ''}-{number}"
    return f"{block}-{number}" if block else number


async def _planned(connection: Connection, project: uuid.UUID, body: BulkBody) -> tuple[list[PlannedUnit], list[str]]:
    """Give the units and those of their codes that exist or repeat. Raises ApiError 400."""
    per_floor = sum(item.units_per_floor for item in body.items)
    if per_floor * body.floors * max(1, len(body.block_ids)) > MAX_UNITS:
        raise bad_request(f"Gere no máximo {MAX_UNITS} unidades de cada vez")
    plan_ids = {item.floor_plan_id for item in body.items}
    found_plans = await connection.fetch(
        """select id, name, type, area, bedrooms, bathrooms, default_price from floor_plans
           where project_id = $1 and id = any($2)""",
        project,
        list(plan_ids),
    )
    if len(found_plans) != len(plan_ids):
        raise bad_request(UNIT_RULES["units_floor_plan"])
    found_blocks = await connection.fetch(
        "select id, name from blocks where project_id = $1 and id = any($2)", project, body.block_ids
    )
    if len(found_blocks) != len(set(body.block_ids)):
        raise bad_request(UNIT_RULES["units_block"])
    plans = {row["id"]: row for row in found_plans}
    units = list(plan_units(body, plans, {row["id"]: row["name"] for row in found_blocks}))
    codes = [unit.code for unit in units]
    existing = await connection.fetch(
        "select code from units where project_id = $1 and code = any($2::text[])", project, codes
    )
    taken = {row["code"] for row in existing}
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            taken.add(code)
        seen.add(code)
    return units, sorted(taken)


@post(
    "/preview-generate", status_code=200, guards=[requires("units:create")], summary="Show the units of the wizard",
    responses=failures(400, 401, 403, 404, 413),
)  # fmt: skip
async def preview_generate(request: Request, project_id: str) -> BulkPreview:
    """Give the units that `bulk-generate` would make; nothing is written."""
    caller = caller_of(request)
    body = parse_body(await request.body(), BulkBody)

    async def work(connection: Connection) -> BulkPreview:
        units, conflicts = await _planned(connection, await lock_project(connection, caller, project_id), body)
        return BulkPreview(units=units, total=len(units), conflicts=conflicts, has_conflicts=bool(conflicts))

    return await services_of(request).database.write(work)


@post(
    "/bulk-generate", guards=[requires("units:create")], summary="Make the units of the wizard",
    responses=failures(400, 401, 403, 404, 409, 413),
)  # fmt: skip
async def bulk_generate(request: Request, project_id: str, idempotency_key: IdempotencyKey = None) -> CountAnswer:
    """Make all units or, when a code exists, none."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, BulkBody)

    async def work(connection: Connection) -> CountAnswer:
        project = await lock_project(connection, caller, project_id)
        units, conflicts = await _planned(connection, project, body)
        if conflicts:
            more = "…" if len(conflicts) > CODES_NAMED else ""
            raise bad_request(f"Já existem unidades com estes códigos: {', '.join(conflicts[:CODES_NAMED])}{more}")
        columns = (
            [unit.code for unit in units],
            [unit.type for unit in units],
            [unit.floor for unit in units],
            [decimal(unit.area) for unit in units],
            [unit.bedrooms for unit in units],
            [unit.bathrooms for unit in units],
            [decimal(unit.price) for unit in units],
            [unit.block_id for unit in units],
            [unit.floor_plan_id for unit in units],
        )
        with business_rules(UNIT_RULES):
            await connection.execute(
                """insert into units (project_id, code, type, floor, area, bedrooms, bathrooms, price, block_id,
                                      floor_plan_id)
                   select $1, * from unnest($2::text[], $3::text[], $4::int[], $5::numeric[], $6::int[], $7::int[],
                                            $8::numeric[], $9::uuid[], $10::uuid[])""",
                project,
                *columns,
            )
        return CountAnswer(message=f"{len(units)} unidades criadas", count=len(units))

    return await write_once(request, idempotency_key, raw, CountAnswer, work)


@post(
    "/bulk-delete", status_code=200, guards=[requires("units:delete")], summary="Delete units",
    responses=failures(400, 401, 403, 404, 409, 413),
)  # fmt: skip
async def bulk_delete(request: Request, project_id: str, idempotency_key: IdempotencyKey = None) -> CountAnswer:
    """Delete those of the units that are the project's."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, BulkDeleteBody)

    async def work(connection: Connection) -> CountAnswer:
        project = await lock_project(connection, caller, project_id)
        deleted = await connection.fetch(
            "delete from units where project_id = $1 and id = any($2) returning id", project, body.unit_ids
        )
        if not deleted:
            raise bad_request("Nenhuma destas unidades existe no projeto")
        return CountAnswer(message=f"{len(deleted)} unidades excluídas", count=len(deleted))

    return await write_once(request, idempotency_key, raw, CountAnswer, work)
