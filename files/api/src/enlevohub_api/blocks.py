"""Blocks of a project."""

from __future__ import annotations

from enlevohub_api.children import delete_child, read_in_project, rows
from enlevohub_api.construction_schemas import Block, BlockBody, BlockChanges
from enlevohub_api.database import Connection
from enlevohub_api.documented import failures
from enlevohub_api.errors import not_found
from enlevohub_api.idempotency import IdempotencyKey, write_once
from enlevohub_api.schemas import MessageAnswer
from enlevohub_api.services import Request, caller_of, requires, services_of
from enlevohub_api.sql import (
    Conditions,
    business_rules,
    fetch_json,
    instant,
    lock_project,
    parse_id,
    sent_fields,
    set_list,
)
from enlevohub_api.validation import parse_body
from enlevohub_api.web import Router, delete, get, patch, post

_NOT_FOUND = "Bloco não encontrado"
_RULES = {"blocks_project_id_name_key": "Já existe um bloco com este nome no projeto"}

_COLUMNS = f"""
b.id, b.project_id as "projectId", b.name, b.floors, b.metadata, {instant("b.created_at")} as "createdAt",
{instant("b.updated_at")} as "updatedAt",
json_build_object('units', (select count(*) from units u where u.block_id = b.id)) as "_count"
"""


@get("/", guards=[requires("units:view", late=True)], summary="List blocks", responses=failures(401, 403, 404))
async def list_blocks(request: Request, project_id: str) -> list[Block]:
    """Give all blocks of a project by name."""
    query = rows(f"select {_COLUMNS} from blocks b where b.project_id = p.id order by b.name")
    return await read_in_project(request, project_id, list[Block], query)


@post(
    "/", guards=[requires("units:create")], summary="Create a block", responses=failures(400, 401, 403, 404, 409, 413)
)
async def create_block(request: Request, project_id: str, idempotency_key: IdempotencyKey = None) -> Block:
    """Add a block; its name is new in the project."""
    caller, raw = caller_of(request), await request.body()
    body = parse_body(raw, BlockBody)

    async def work(connection: Connection) -> Block:
        project = await lock_project(connection, caller, project_id)
        query = f"""
        with b as (insert into blocks (project_id, name, floors, metadata) values ($1, $2, $3, $4) returning *)
        select to_json(answer) from (select {_COLUMNS} from b) answer
        """
        with business_rules(_RULES):
            block = await fetch_json(connection, Block, query, project, body.name, body.floors, body.metadata)
        assert block is not None
        return block

    return await write_once(request, idempotency_key, raw, Block, work)


@patch(
    "/{block_id}", guards=[requires("units:edit")], summary="Change a block",
    responses=failures(400, 401, 403, 404, 413),
)  # fmt: skip
async def change_block(request: Request, project_id: str, block_id: str) -> Block:
    """Change the fields that are sent."""
    caller = caller_of(request)
    sent = sent_fields(parse_body(await request.body(), BlockChanges))

    async def work(connection: Connection) -> Block | None:
        conditions = Conditions()
        conditions.add("b.project_id = {}", await lock_project(connection, caller, project_id))
        conditions.add("b.id = {}", parse_id(block_id, _NOT_FOUND))
        query = f"""
        with b as (update blocks b set {set_list(sent, conditions)} where {conditions.where} returning b.*)
        select to_json(answer) from (select {_COLUMNS} from b) answer
        """
        with business_rules(_RULES):
            return await fetch_json(connection, Block, query, *conditions.arguments)

    block = await services_of(request).database.write(work)
    if block is None:
        raise not_found(_NOT_FOUND)
    return block


@delete(
    "/{block_id}", status_code=200, guards=[requires("units:delete")], summary="Delete a block",
    responses=failures(401, 403, 404),
)  # fmt: skip
async def delete_block(request: Request, project_id: str, block_id: str) -> MessageAnswer:
    """Delete a block; its units stay without one."""
    await delete_child(request, project_id, "blocks", block_id, _NOT_FOUND)
    return MessageAnswer("Bloco excluído")


blocks_router = Router(
    path="/projects/{project_id}/blocks",
    route_handlers=[list_blocks, create_block, change_block, delete_block],
    tags=["units"],
)
