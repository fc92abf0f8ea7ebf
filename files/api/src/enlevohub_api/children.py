"""What evolutions, units, blocks and floor plans do alike: they are reached through a project that the caller sees."""

from __future__ import annotations

from typing import Any, TypeVar

from enlevohub_api.database import Connection
from enlevohub_api.errors import not_found
from enlevohub_api.services import Request, caller_of, services_of
from enlevohub_api.sql import lock_project, parse_id, project_not_found, read_json, visible_project

T = TypeVar("T")


def rows(query: str) -> str:
    """Make a query that gives the rows of another as one JSON array."""
    return f"select coalesce(json_agg(one), '[]') from ({query}) one"


async def read_in_project(request: Request, project_id: str, kind: type[T], query: str, *arguments: Any) -> T:
    """Read the JSON of one row below a project.

    Args:
        request: tells the caller.
        project_id: from the path.
        kind: type of the JSON.
        query: one row and column; ``p.id`` is the project, and ``{0}``, ``{1}``, ... stand for the arguments.
        arguments: of the query.

    Raises:
        ApiError: 404 when the caller does not see the project.
    """
    visible = visible_project(caller_of(request), project_id)
    for number, value in enumerate(arguments):
        query = query.replace(f"{{{number}}}", visible.argument(value))
    whole = f"select ({query}) from projects p where {visible.where}"
    found = await read_json(request, kind, whole, *visible.arguments)
    if found is None:
        raise project_not_found()
    return found


async def delete_child(request: Request, project_id: str, table: str, child_id: str, missing: str) -> None:
    """Delete a project's row. Raises ApiError 404 with the text ``missing``."""
    caller = caller_of(request)

    async def work(connection: Connection) -> object:
        project = await lock_project(connection, caller, project_id)
        identity = parse_id(child_id, missing)
        return await connection.fetchval(
            f"delete from {table} where project_id = $1 and id = $2 returning id", project, identity
        )

    if await services_of(request).database.write(work) is None:
        raise not_found(missing)
