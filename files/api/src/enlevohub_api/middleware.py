"""The outermost layer: request id, who served, one log line per request, and the drain."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Iterable

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from enlevohub_api.logs import REQUEST_ID
from enlevohub_api.metrics import UNKNOWN_ROUTE, Metrics

logger = logging.getLogger("enlevohub_api.request")

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")


class Drain:
    """Whether the service is leaving, how many requests run, and when the last one came that is no health probe."""

    def __init__(self) -> None:
        """Start in service."""
        self.draining = False
        self.running = 0
        self.last_request = 0.0


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Take the caller's request id when it is sane, else make one."""
    for name, value in headers:
        if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return str(uuid.uuid4())


class RequestLayer:
    """Wraps the application; adds headers to every answer and logs it."""

    def __init__(self, app: ASGIApp, drain: Drain, instance: str, metrics: Metrics) -> None:
        """Wrap ``app``; ``instance`` goes into X-Served-By."""
        self._app = app
        self._drain = drain
        self._metrics = metrics
        self._instance = instance.encode("latin-1", "replace")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or hand the lifespan through."""
        if scope["type"] == ScopeType.HTTP:
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        identity = request_id(scope["headers"])
        REQUEST_ID.set(identity)
        started = time.perf_counter()
        status = 0
        path = scope["path"]
        health = path == "/health" or path.startswith("/health/")

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", []), (b"x-request-id", identity.encode())]
                headers.append((b"x-served-by", self._instance))
                if self._drain.draining:
                    headers.append((b"connection", b"close"))
                message["headers"] = headers
            await send(message)

        self._drain.running += 1
        if not health:
            self._drain.last_request = asyncio.get_running_loop().time()
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._drain.running -= 1
            seconds = time.perf_counter() - started
            self._metrics.observe(scope["method"], scope.get("path_template") or UNKNOWN_ROUTE, status or 500, seconds)
            if not (health and 200 <= status < 300):
                logger.info(
                    "request",
                    extra={
                        "method": scope["method"],
                        "path": path,
                        "status": status,
                        "ms": round(seconds * 1000, 1),
                    },
                )
