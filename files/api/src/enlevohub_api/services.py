"""What the handlers share, and the caller of a request."""

from __future__ import annotations

from dataclasses import dataclass

from enlevohub_api.database import Database
from enlevohub_api.errors import forbidden, unauthorized
from enlevohub_api.images import Images
from enlevohub_api.mail import Mailer
from enlevohub_api.metrics import Metrics
from enlevohub_api.passwords import Passwords
from enlevohub_api.photos import PhotoUrls
from enlevohub_api.project_lists import ProjectLists
from enlevohub_api.rbac import has_permission
from enlevohub_api.redis_link import RedisLink
from enlevohub_api.revocation import Revocations
from enlevohub_api.settings import Settings
from enlevohub_api.storage import Storage
from enlevohub_api.tokens import AccessClaims, TokenError, Tokens
from enlevohub_api.web import Guard, Request

__all__ = ["Drain", "Request", "Services", "caller_of", "prove", "requires", "services_of"]


class Drain:
    """Whether the service is leaving, how many requests run, and when the last one came that is no health probe."""

    def __init__(self) -> None:
        """Start in service."""
        self.draining = False
        self.running = 0
        self.last_request = 0.0


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
    lists: ProjectLists
    mailer: Mailer
    metrics: Metrics
    storage: Storage
    images: Images
    photos: PhotoUrls

    async def open_connections(self, wait: float) -> None:
        """Open what the first requests need, once. Raises Unavailable after ``wait`` seconds without the database."""
        if self.redis is not None:
            await self.redis.fill()
        await self.database.fill(wait)


def services_of(request: Request) -> Services:
    """Give the services of the application that serves the request."""
    return request.services


def requires(
    permission: str | None = None, *, role: str | None = None, ended: bool = False, late: bool = False
) -> Guard:
    """Make a guard that runs before the request is read.

    Args:
        permission: what the caller's role must hold; None for any signed-in user.
        role: the role that the caller must have; None for any.
        ended: let also the token of an ended session in: whoever ends it again is no intruder.
        late: the handler's one statement asks whether the session stands (`sql.standing`), which spares a question
            to the database. Nothing leaves the service before it was asked.

    The guard raises ApiError: 401 without ``Authorization: Bearer <access token>`` (exactly two parts, scheme
    case-sensitive) or with the token of an ended session or a changed account, 403 without permission or role.
    """

    async def guard(request: Request) -> None:
        parts = (request.header(b"authorization") or "").split(" ")
        if len(parts) != 2 or parts[0] != "Bearer":
            raise unauthorized()
        services = request.services
        try:
            claims = services.tokens.read_access(parts[1])
        except TokenError:
            raise unauthorized() from None
        if not ended:
            if late and services.redis is None:
                request.unproven = claims
            elif not await services.revocations.stands(claims):
                raise unauthorized()
        if role is not None and claims.role != role:
            raise forbidden()
        if permission is not None and not has_permission(claims.role, permission):
            raise forbidden()
        request.caller = claims

    return guard


async def prove(request: Request) -> None:
    """Ask whether the caller's session stands, if nobody has yet. Raises ApiError 401."""
    claims, request.unproven = request.unproven, None
    if claims is not None and not await request.services.revocations.stands(claims):
        raise unauthorized()


def caller_of(request: Request) -> AccessClaims:
    """Give the caller that the `requires` guard of the handler let in."""
    assert request.caller is not None
    return request.caller
