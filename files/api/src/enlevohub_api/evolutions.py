"""Records of progress with photos. A photo is uploaded first; its record then names it by key or URL."""

from __future__ import annotations

import uuid

import msgspec

from enlevohub_api.children import delete_child
from enlevohub_api.construction_schemas import EvolutionBody, EvolutionChanges
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import bad_request, not_found, unauthorized
from enlevohub_api.idempotency import IdempotencyKey, write_once
from enlevohub_api.photos import key_of
from enlevohub_api.schemas import EvolutionWithUser, MessageAnswer
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sql import (
    EVOLUTION_ORDER,
    EVOLUTION_WITH_USER,
    Conditions,
    concat,
    decimal,
    fetch_raw,
    json_rows,
    lock_project,
    parse_id,
    project_not_found,
    read_text,
    sent_fields,
    set_list,
    visible_project,
    written,
)
from enlevohub_api.validation import parse_body, to_utc
from enlevohub_api.web import Router, Written, delete, get, patch, post

_NOT_FOUND = "Evolução não encontrada"

_INSERT = f"""
with e as (
    insert into evolutions (project_id, date, percentage, phase, notes, photos, reported_by)
    select $1, coalesce($2, now()), $3, $4, $5, $6, who.id from users who where who.id = $7::uuid returning *
)
select {concat(EVOLUTION_WITH_USER)} from e join users who on who.id = e.reported_by
"""


async def _stored_keys(connection: Connection, project: uuid.UUID, photos: list[str], kept: list[str]) -> list[str]:
    """Give the keys of the photos that were sent: each is an upload of the project, or is kept from before."""
    keys: list[str] = []
    for photo in photos:
        key = key_of(photo, project) or (photo if photo in kept else None)
        if key is None:
            raise bad_request("Uma das fotos não pertence a este projeto")
        keys.append(key)
    unknown = set(keys) - set(kept)
    if unknown:
        stored = await connection.fetchval(
            "select count(*) from uploads where project_id = $1 and key = any($2::text[])", project, list(unknown)
        )
        if stored != len(unknown):
            raise bad_request("Uma das fotos não foi enviada")
    return keys


@get(
    "/", guards=[requires("projects:view", late=True)], summary="List records of progress",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def list_evolutions(request: Request, project_id: str) -> Written[list[EvolutionWithUser]]:
    """Give all records of a project, newest first."""
    visible = visible_project(caller_of(request), project_id)
    source = "evolutions e join users who on who.id = e.reported_by where e.project_id = p.id"
    evolutions = json_rows(EVOLUTION_WITH_USER, source, EVOLUTION_ORDER)
    query = f"select {evolutions} from projects p where {visible.where}"
    found = await read_text(request, query, *visible.arguments)
    if found is None:
        raise project_not_found()
    return written(request, found)


@post(
    "/", guards=[requires("projects:edit")], summary="Record progress", responses=failures(400, 401, 403, 404, 409, 413)
)
async def create_evolution(
    request: Request, project_id: str, idempotency_key: IdempotencyKey = None
) -> Written[EvolutionWithUser]:
    """Add a record; the caller is who reported it."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, EvolutionBody)
    date = to_utc("date", body.date)

    async def work(connection: Connection) -> msgspec.Raw:
        project = await lock_project(connection, caller, project_id)
        keys = await _stored_keys(connection, project, body.photos, [])
        created = await fetch_raw(
            connection, _INSERT,
            project, date, decimal(body.percentage), body.phase, body.notes, keys, caller.user_id,
        )  # fmt: skip
        if created is None:
            raise unauthorized()
        return created

    return written(request, await write_once(request, idempotency_key, raw, msgspec.Raw, work))


@patch(
    "/{evolution_id}", guards=[requires("projects:edit")], summary="Change a record of progress",
    responses=failures(400, 401, 403, 404, 413),
)  # fmt: skip
async def change_evolution(request: Request, project_id: str, evolution_id: str) -> Written[EvolutionWithUser]:
    """Change the fields that are sent."""
    caller = caller_of(request)
    sent = sent_fields(parse_body(await request.body(), EvolutionChanges))
    if "percentage" in sent:
        sent["percentage"] = decimal(sent["percentage"])
    if "date" in sent:
        sent["date"] = to_utc("date", sent["date"])

    async def work(connection: Connection) -> msgspec.Raw | None:
        project = await lock_project(connection, caller, project_id)
        conditions = Conditions()
        conditions.add("e.project_id = {}", project)
        conditions.add("e.id = {}", parse_id(evolution_id, _NOT_FOUND))
        columns = dict(sent)
        if "photos" in sent:
            kept = await connection.fetchval(
                f"select e.photos from evolutions e where {conditions.where} for update", *conditions.arguments
            )
            columns["photos"] = await _stored_keys(connection, project, sent["photos"], kept or [])
        query = f"""
        with e as (update evolutions e set {set_list(columns, conditions)} where {conditions.where} returning e.*)
        select {concat(EVOLUTION_WITH_USER)} from e join users who on who.id = e.reported_by
        """
        return await fetch_raw(connection, query, *conditions.arguments)

    evolution = await services_of(request).database.write(work)
    if evolution is None:
        raise not_found(_NOT_FOUND)
    return written(request, evolution)


@delete(
    "/{evolution_id}", status_code=200, guards=[requires("projects:delete")], summary="Delete a record of progress",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def delete_evolution(request: Request, project_id: str, evolution_id: str) -> MessageAnswer:
    """Delete a record; stored photos stay."""
    await delete_child(request, project_id, "evolutions", evolution_id, _NOT_FOUND)
    return MessageAnswer("Evolução excluída")


evolutions_router = Router(
    path="/projects/{project_id}/evolutions",
    route_handlers=[list_evolutions, create_evolution, change_evolution, delete_evolution],
    tags=["evolutions"],
)
