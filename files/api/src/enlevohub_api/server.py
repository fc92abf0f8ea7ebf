"""The HTTP server and its way out.

SIGTERM starts the drain: readiness answers 503 and every answer carries ``Connection: close``, while the service still
listens for the notice, so that a load balancer's next request on an open connection is answered and not reset.
The notice ends when no request came for a second, and at its limit.
Then it stops listening, running requests finish within the limit, and the process exits with 0.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import uvicorn
import uvloop

from enlevohub_api.app import create_app
from enlevohub_api.database import Database
from enlevohub_api.images import Images
from enlevohub_api.logs import configure_logging
from enlevohub_api.mail import Mailer
from enlevohub_api.metrics import Metrics, metrics_server
from enlevohub_api.passwords import Passwords
from enlevohub_api.photos import PhotoUrls
from enlevohub_api.project_lists import ProjectLists
from enlevohub_api.redis_link import RedisLink
from enlevohub_api.revocation import Revocations
from enlevohub_api.services import Drain, Services
from enlevohub_api.settings import Settings
from enlevohub_api.storage import open_storage
from enlevohub_api.tokens import Tokens

logger = logging.getLogger(__name__)

QUIET_SECONDS = 1.0
"""The notice ends early after so long without a new request; health probes do not count."""
KEEP_ALIVE_SECONDS = 75
"""Longer than a load balancer keeps an idle connection, so that the balancer closes first."""


class DrainingServer(uvicorn.Server):
    """A uvicorn server that leaves in three steps: notice, finish, exit."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        """Keep what the drain needs."""
        super().__init__(config)
        self._services = services
        self._drain_task: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take SIGTERM and SIGINT as the start of the drain; the process then exits with 0."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.begin_drain)
        try:
            yield
        finally:
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(name)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start the drain."""
        self.begin_drain()

    def begin_drain(self) -> None:
        """Leave the service; a second signal changes nothing."""
        if self._drain_task is None:
            self._services.drain.draining = True
            logger.info("draining", extra={"running": self._services.drain.running})
            self._drain_task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        settings = self._services.settings
        loop = asyncio.get_running_loop()
        started = loop.time()
        limit = started + settings.drain_notice_seconds
        while (left := notice_left(loop.time(), started, limit, self._services.drain.last_request)) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)
        self.should_exit = True
        await asyncio.sleep(started + settings.drain_seconds - loop.time())
        if self._services.drain.running:
            logger.error("drain limit reached", extra={"running": self._services.drain.running})
        self._services.database.abort()
        self._services.health_database.abort()
        self.force_exit = True
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()


def notice_left(now: float, started: float, limit: float, last_request: float) -> float:
    """Give the seconds until the notice may end: it is quiet since the last request, or the limit is reached."""
    return max(0.0, min(max(started, last_request) + QUIET_SECONDS, limit) - now)


def serve(settings: Settings) -> int:
    """Answer requests until a signal ends the service; give the exit code."""
    configure_logging(settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_serve(settings))
    except SystemExit:
        # So the server leaves when it cannot listen; it has logged why.
        logger.error("cannot start", extra={"port": settings.port, "metrics_port": settings.metrics_port})
        return 1


async def _serve(settings: Settings) -> int:
    def pool(size: int) -> Database:
        return Database(
            settings.database_url,
            size=size,
            connect_timeout=settings.database_connect_timeout,
            wait=settings.database_wait,
        )

    database = pool(settings.database_pool_size)
    redis = RedisLink(settings) if settings.redis_url is not None else None
    services = Services(
        settings=settings,
        database=database,
        health_database=pool(1),
        tokens=Tokens(settings.jwt_secret),
        passwords=Passwords(),
        drain=Drain(),
        redis=redis,
        revocations=Revocations(database, redis),
        lists=ProjectLists(redis),
        mailer=Mailer(settings.smtp_ca_file),
        metrics=Metrics(),
        storage=open_storage(settings),
        images=Images(settings.upload_max_size),
        photos=PhotoUrls(settings.jwt_secret, settings.upload_url_expires_in),
    )
    config = uvicorn.Config(
        create_app(services),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        lifespan="on",
        ws="none",
    )
    server = DrainingServer(config, services)
    if settings.metrics_port == 0:
        await server.serve()
        return 0
    metrics = metrics_server(services)
    listener = asyncio.create_task(metrics.serve(sockets=[metrics.config.bind_socket()]))
    try:
        await server.serve()
    finally:
        metrics.should_exit = metrics.force_exit = True
        await listener
    return 0
