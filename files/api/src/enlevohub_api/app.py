"""Puts the application together."""

from __future__ import annotations

from enlevohub_api import __version__
from enlevohub_api.application import Application
from enlevohub_api.auth import auth_router
from enlevohub_api.construction import construction_router
from enlevohub_api.health import health_router
from enlevohub_api.openapi import docs_router
from enlevohub_api.rbac_routes import rbac_router
from enlevohub_api.services import Services
from enlevohub_api.tenant import tenant_router
from enlevohub_api.users import users_router
from enlevohub_api.web import Router, Routes, get

MAIL_SECONDS = 5.0
"""What waiting mails get when the service stops."""


@get("/", summary="Name and version")
async def index() -> dict[str, str]:
    """Say which service answers."""
    return {"message": "EnlevoHub API", "version": __version__}


api_router = Router(
    path="/",
    route_handlers=[
        health_router,
        Router(
            path="/api/v1",
            route_handlers=[
                Router(path="/", route_handlers=[index], tags=["service"]),
                auth_router,
                rbac_router,
                tenant_router,
                users_router,
                construction_router,
            ],
        ),
    ],
)
"""What the OpenAPI document describes."""


def create_app(services: Services) -> Application:
    """Make the ASGI application over the given services."""

    async def stop() -> None:
        await services.mailer.close(MAIL_SECONDS)
        await services.database.close()
        await services.health_database.close()
        if services.redis is not None:
            await services.redis.close()
        services.passwords.close()
        services.images.close()

    operations = api_router.operations()
    return Application(Routes([*operations, *docs_router(operations).operations()]), services, stop)
