"""Floor plans of a project, with their rooms and measurements."""

from __future__ import annotations

import uuid

from enlevohub_api.children import delete_child, read_in_project, rows
from enlevohub_api.construction_schemas import (
    FloorPlan,
    FloorPlanBody,
    FloorPlanChanges,
    MeasurementBody,
    RoomBody,
)
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import not_found
from enlevohub_api.idempotency import IdempotencyKey, write_once
from enlevohub_api.schemas import MessageAnswer
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sql import (
    Conditions,
    business_rules,
    decimal,
    fetch_json,
    instant,
    lock_project,
    parse_id,
    sent_fields,
    set_list,
)
from enlevohub_api.validation import parse_body
from enlevohub_api.web import Router, delete, get, patch, post

_NOT_FOUND = "Planta não encontrada"
_RULES = {"floor_plans_project_id_name_key": "Já existe uma planta com este nome no projeto"}

_ROOMS = rows(
    f"""select r.id, r.floor_plan_id as "floorPlanId", r.nome, r.preset_key as "presetKey", r.tags, r.comprimento,
               r.largura, r.pe_direito as "peDireito", r.qtd_portas as "qtdPortas", r.qtd_janelas as "qtdJanelas",
               r.position as "order", {instant("r.created_at")} as "createdAt", {instant("r.updated_at")} as "updatedAt"
        from floor_plan_rooms r where r.floor_plan_id = f.id order by r.position"""
)

_MEASUREMENTS = rows(
    f"""select m.id, m.floor_plan_id as "floorPlanId", m.category, m.label, m.measurement_type as "measurementType",
               m.value, m.area_tipo as "areaTipo", m.position as "order", {instant("m.created_at")} as "createdAt",
               {instant("m.updated_at")} as "updatedAt"
        from floor_plan_measurements m where m.floor_plan_id = f.id order by m.position"""
)

_COLUMNS = f"""
f.id, f.project_id as "projectId", f.name, f.description, f.type, f.area, f.bedrooms, f.bathrooms,
f.default_price as "defaultPrice", f.metadata, {instant("f.created_at")} as "createdAt",
{instant("f.updated_at")} as "updatedAt",
exists (select 1 from floor_plan_rooms r where r.floor_plan_id = f.id)
    or exists (select 1 from floor_plan_measurements m where m.floor_plan_id = f.id) as detalhado,
({_ROOMS}) as rooms, ({_MEASUREMENTS}) as measurements,
json_build_object('units', (select count(*) from units u where u.floor_plan_id = f.id)) as "_count"
"""

_READ = f"select to_json(answer) from (select {_COLUMNS} from floor_plans f where f.id = $1) answer"

_INSERT_ROOM = """
insert into floor_plan_rooms (floor_plan_id, nome, preset_key, tags, comprimento, largura, pe_direito, qtd_portas,
                              qtd_janelas, position)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

_INSERT_MEASUREMENT = """
insert into floor_plan_measurements (floor_plan_id, category, label, measurement_type, value, area_tipo, position)
values ($1, $2, $3, $4, $5, $6, $7)
"""


async def _replace_rooms(connection: Connection, plan: uuid.UUID, rooms: list[RoomBody]) -> None:
    await connection.execute("delete from floor_plan_rooms where floor_plan_id = $1", plan)
    await connection.executemany(
        _INSERT_ROOM,
        [
            (
                plan,
                room.nome,
                room.preset_key,
                room.tags,
                decimal(room.comprimento),
                decimal(room.largura),
                decimal(room.pe_direito),
                room.qtd_portas,
                room.qtd_janelas,
                position,
            )
            for position, room in enumerate(rooms)
        ],
    )


async def _replace_measurements(connection: Connection, plan: uuid.UUID, measurements: list[MeasurementBody]) -> None:
    await connection.execute("delete from floor_plan_measurements where floor_plan_id = $1", plan)
    await connection.executemany(
        _INSERT_MEASUREMENT,
        [
            (
                plan,
                measurement.category,
                measurement.label,
                measurement.measurement_type,
                decimal(measurement.value, 4),
                measurement.area_tipo,
                position,
            )
            for position, measurement in enumerate(measurements)
        ],
    )


async def _read(connection: Connection, plan: uuid.UUID) -> FloorPlan:
    found = await fetch_json(connection, FloorPlan, _READ, plan)
    assert found is not None
    return found


@get("/", guards=[requires("units:view", late=True)], summary="List floor plans", responses=failures(401, 403, 404))
async def list_floor_plans(request: Request, project_id: str) -> list[FloorPlan]:
    """Give all floor plans of a project by name."""
    query = rows(f"select {_COLUMNS} from floor_plans f where f.project_id = p.id order by f.name")
    return await read_in_project(request, project_id, list[FloorPlan], query)


@post(
    "/",
    guards=[requires("units:create")],
    summary="Create a floor plan",
    responses=failures(400, 401, 403, 404, 409, 413),
)
async def create_floor_plan(request: Request, project_id: str, idempotency_key: IdempotencyKey = None) -> FloorPlan:
    """Add a floor plan; its name is new in the project."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, FloorPlanBody)

    async def work(connection: Connection) -> FloorPlan:
        project = await lock_project(connection, caller, project_id)
        with business_rules(_RULES):
            plan = await connection.fetchval(
                """insert into floor_plans (project_id, name, description, type, area, bedrooms, bathrooms,
                                            default_price, metadata)
                   values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id""",
                project,
                body.name,
                body.description,
                body.type,
                decimal(body.area),
                body.bedrooms,
                body.bathrooms,
                None if body.default_price is None else decimal(body.default_price),
                body.metadata,
            )
        await _replace_rooms(connection, plan, body.rooms)
        await _replace_measurements(connection, plan, body.measurements)
        return await _read(connection, plan)

    return await write_once(request, idempotency_key, raw, FloorPlan, work)


@patch(
    "/{floor_plan_id}", guards=[requires("units:edit")], summary="Change a floor plan",
    responses=failures(400, 401, 403, 404, 413),
)  # fmt: skip
async def change_floor_plan(request: Request, project_id: str, floor_plan_id: str) -> FloorPlan:
    """Change the fields that are sent; rooms and measurements replace the whole list."""
    caller = caller_of(request)
    body = parse_body(await request.body(), FloorPlanChanges)
    sent = sent_fields(body)
    rooms, measurements = sent.pop("rooms", None), sent.pop("measurements", None)
    for name in ("area", "default_price"):
        if sent.get(name) is not None:
            sent[name] = decimal(sent[name])

    async def work(connection: Connection) -> FloorPlan:
        conditions = Conditions()
        conditions.add("f.project_id = {}", await lock_project(connection, caller, project_id))
        conditions.add("f.id = {}", parse_id(floor_plan_id, _NOT_FOUND))
        query = f"update floor_plans f set {set_list(sent, conditions)} where {conditions.where} returning f.id"
        with business_rules(_RULES):
            plan = await connection.fetchval(query, *conditions.arguments)
        if plan is None:
            raise not_found(_NOT_FOUND)
        if rooms is not None:
            await _replace_rooms(connection, plan, rooms)
        if measurements is not None:
            await _replace_measurements(connection, plan, measurements)
        return await _read(connection, plan)

    return await services_of(request).database.write(work)


@delete(
    "/{floor_plan_id}", status_code=200, guards=[requires("units:delete")], summary="Delete a floor plan",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def delete_floor_plan(request: Request, project_id: str, floor_plan_id: str) -> MessageAnswer:
    """Delete a floor plan; its units stay without one."""
    await delete_child(request, project_id, "floor_plans", floor_plan_id, _NOT_FOUND)
    return MessageAnswer("Planta excluída")


floor_plans_router = Router(
    path="/projects/{project_id}/floor-plans",
    route_handlers=[list_floor_plans, create_floor_plan, change_floor_plan, delete_floor_plan],
    tags=["units"],
)
