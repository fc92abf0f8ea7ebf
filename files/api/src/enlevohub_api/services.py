"""What the handlers share, and the caller of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from litestar import Request as LitestarRequest
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from enlevohub_api.database import Database
from enlevohub_api.errors import forbidden, unauthorized
from enlevohub_api.images import Images
from enlevohub_api.mail import Mailer
from enlevohub_api.metrics import Metrics
from enlevohub_api.middleware import Drain
from enlevohub_api.passwords import Passwords
from enlevohub_api.photos import PhotoUrls
from enlevohub_api.rbac import has_permission
from enlevohub_api.redis_link import RedisLink
from enlevohub_api.revocation import Revocations
from enlevohub_api.settings import Settings
from enlevohub_api.storage import Storage
from enlevohub_api.tokens import AccessClaims, TokenError, Tokens

Request: TypeAlias = LitestarRequest[Any, Any, Any]
Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]


@dataclass(frozen=True)
class Services:
    """One set per process. Readiness has a connection of its own: a busy pool is no reason to leave the service."""

    settings: Settings
    database: Database
    health_database: Database
    tokens: Tokens
    passwords: Passwords
    drain: Drain
    redis: RedisLink | None
    revocations: Revocations
    mailer: Mailer
    metrics: Metrics
    storage: Storage
    images: Images
    photos: PhotoUrls


def services_of(request: Request) -> Services:
    """Give the services of the application that serves the request."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


def requires(permission: str | None = None, *, role: str | None = None, ended: bool = False) -> Guard:
    """Make a guard that runs before the request is read.

    Args:
        permission: what the caller's role must hold; None for any signed-in user.
        role: the role that the caller must have; None for any.
        ended: let also the token of an ended session in: whoever ends it again is no intruder.

    The guard raises ApiError: 401 without ``Authorization: Bearer <access token>`` (exactly two parts, scheme
    case-sensitive) or with the token of an ended session or a changed account, 403 without permission or role.
    """

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        parts = connection.headers.get("authorization", "").split(" ")
        if len(parts) != 2 or parts[0] != "Bearer":
            raise unauthorized()
        services = connection.app.state.services
        assert isinstance(services, Services)
        try:
            claims = services.tokens.read_access(parts[1])
        except TokenError:
            raise unauthorized() from None
        if not ended and not await services.revocations.stands(claims):
            raise unauthorized()
        if role is not None and claims.role != role:
            raise forbidden()
        if permission is not None and not has_permission(claims.role, permission):
            raise forbidden()
        connection.state.caller = claims

    return guard


def caller_of(request: Request) -> AccessClaims:
    """Give the caller that the `requires` guard of the handler let in."""
    caller = request.state.caller
    assert isinstance(caller, AccessClaims)
    return caller
