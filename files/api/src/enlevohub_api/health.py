"""Health answers. Live: the process runs. Ready: a read-write database with a schema answers, and no drain.

The connections of the first requests are open before a copy is ready.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from enlevohub_api.database import Connection, Unavailable
from enlevohub_api.documented import failures
from enlevohub_api.migrate import SCHEMA_REVISION, current_revision
from enlevohub_api.schemas import iso
from enlevohub_api.services import Request, services_of
from enlevohub_api.web import Response, Router, get

READY_TIMEOUT = 2.0
"""Seconds the readiness check waits for the database."""

_STARTED = time.monotonic()


@get("/", summary="The process runs")
async def health() -> dict[str, Any]:
    """Give status, time and uptime in seconds; the database is not asked."""
    return {"status": "ok", "timestamp": iso(datetime.now(UTC)), "uptime": round(time.monotonic() - _STARTED, 3)}


@get("/live", summary="The process runs")
async def live() -> dict[str, str]:
    """Answer as long as the event loop turns."""
    return {"status": "ok"}


@get("/ready", summary="Requests can be served", responses=failures(503))
async def ready(request: Request) -> Response:
    """Answer 200, or 503 with a reason: ``draining``, ``database`` or ``schema``."""
    services = services_of(request)
    if services.drain.draining:
        return _not_ready("draining", "O serviço está sendo desligado")

    try:
        await services.open_connections(READY_TIMEOUT)
        migrated = await services.health_database.read(_schema_is_there, wait=READY_TIMEOUT)
    except Unavailable:
        return _not_ready("database", "O banco de dados não está disponível")
    if not migrated:
        return _not_ready("schema", "O banco de dados ainda não foi preparado")
    return Response({"status": "ready"}, status_code=200)


async def _schema_is_there(connection: Connection) -> bool:
    """Tell whether the schema is as new as this version needs; a newer one is fine."""
    revision = await current_revision(connection)
    return revision is not None and revision >= SCHEMA_REVISION


def _not_ready(reason: str, message: str) -> Response:
    body = {"error": "Service Unavailable", "message": message, "status": "unavailable", "reason": reason}
    return Response(body, status_code=503)


health_router = Router(path="/health", route_handlers=[health, live, ready], tags=["health"])
