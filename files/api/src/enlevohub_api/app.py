"""Puts the application together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar, Router, get
from litestar.config.cors import CORSConfig
from litestar.datastructures import State

from enlevohub_api import __version__
from enlevohub_api.auth import auth_router
from enlevohub_api.construction import construction_router
from enlevohub_api.errors import EXCEPTION_HANDLERS
from enlevohub_api.health import health, live, ready
from enlevohub_api.middleware import RequestLayer
from enlevohub_api.openapi import openapi_config
from enlevohub_api.rbac_routes import rbac_router
from enlevohub_api.services import Services
from enlevohub_api.tenant import tenant_router
from enlevohub_api.users import users_router

MAX_JSON_BODY = 1024 * 1024
"""Bytes; a larger body gives 413."""
MAIL_SECONDS = 5.0
"""What waiting mails get when the service stops."""


@get("/", tags=["service"], summary="Name and version")
async def index() -> dict[str, str]:
    """Say which service answers."""
    return {"message": "EnlevoHub API", "version": __version__}


def create_app(services: Services) -> RequestLayer:
    """Make the ASGI application over the given services."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await services.mailer.close(MAIL_SECONDS)
            await services.database.close()
            await services.health_database.close()
            if services.redis is not None:
                await services.redis.close()
            services.passwords.close()
            services.images.close()

    app = Litestar(
        route_handlers=[
            health,
            live,
            ready,
            Router(
                path="/api/v1",
                route_handlers=[index, auth_router, rbac_router, tenant_router, users_router, construction_router],
            ),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        cors_config=CORSConfig(
            allow_origins=[services.settings.frontend_url],
            allow_methods=["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"],
            allow_credentials=True,
        ),
        openapi_config=openapi_config(),
        request_max_body_size=MAX_JSON_BODY,
        state=State({"services": services}),
        lifespan=[lifespan],
        logging_config=None,
        debug=False,
    )
    return RequestLayer(app, services.drain, services.settings.instance, services.metrics)
