"""The ASGI application: finds the operation of a request, sends its answer, and keeps the books.

Books: the request id, who served, one log line and the metrics per request, the drain, and the headers that let the
web application read an answer from its own origin.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from enlevohub_api.errors import answer_to, is_outage, unauthorized
from enlevohub_api.logs import REQUEST_ID, log_request
from enlevohub_api.metrics import UNKNOWN_ROUTE
from enlevohub_api.services import Services
from enlevohub_api.web import Receive, Request, Response, Routes, Scope, Send, Stream, Written, WrongMethod

_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")
_METHODS = b"DELETE, GET, HEAD, PATCH, POST, PUT"
_JSON_TYPE = (b"content-type", b"application/json")


class Application:
    """Serves the routes over the services."""

    def __init__(self, routes: Routes, services: Services, stop: Callable[[], Awaitable[None]]) -> None:
        """Serve; ``stop`` is called once at the end."""
        self._routes = routes
        self._services = services
        self._stop = stop
        self._drain = services.drain
        self._observe = services.metrics.observe
        self._instance = services.settings.instance.encode("latin-1", "replace")
        self._origin = services.settings.frontend_url.encode("latin-1", "replace")
        self._now = time.perf_counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the process."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._stop()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._now()
        identity, origin = _identity_and_origin(scope["headers"])
        REQUEST_ID.set(identity)
        path: str = scope["path"]
        health = path == "/health" or path.startswith("/health/")
        drain = self._drain
        drain.running += 1
        if not health:
            drain.last_request = asyncio.get_running_loop().time()
        status, route = 500, UNKNOWN_ROUTE
        try:
            answer, default, route = await self._answer(scope, receive)
            if isinstance(answer, Written):
                status, headers, body = default, [_JSON_TYPE], answer.body
            elif isinstance(answer, (Response, Stream)):
                status = answer.status_code
                headers = _headers_of(answer)
                body = b"" if isinstance(answer, Stream) or status in (204, 304) else answer.payload()
            else:
                status, headers, body = default, [_JSON_TYPE], msgspec.json.encode(answer)
            streamed = isinstance(answer, Stream)
            if not streamed and status not in (204, 304):
                headers.append((b"content-length", b"%d" % len(body)))
            if origin is not None and origin == self._origin:
                headers += _cors_headers(scope, origin)
            headers.append((b"x-request-id", identity.encode()))
            headers.append((b"x-served-by", self._instance))
            if drain.draining:
                headers.append((b"connection", b"close"))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            if isinstance(answer, Stream):
                async for chunk in answer.body:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": body})
        finally:
            drain.running -= 1
            seconds = self._now() - started
            method = scope["method"]
            self._observe(method, route, status, seconds)
            if not (health and 200 <= status < 300):
                log_request(identity, method, path, status, seconds)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Any, int, str]:
        """Give the answer, the status of an answer that has none of its own, and the template of the route."""
        route = UNKNOWN_ROUTE
        request = None
        try:
            operations, template, values = self._routes.find(scope["path"])
            operation = operations.get(scope["method"])
            if operation is None:
                if scope["method"] == "OPTIONS":
                    allowed = ", ".join(sorted([*operations, "OPTIONS"]))
                    return Response(b"", 204, {"allow": allowed}), 204, template
                raise WrongMethod([*operations, "OPTIONS"])
            route = template
            request = Request(scope, receive, self._services, operation.max_body)
            try:
                answer = await operation(request, values)
            finally:
                # Whatever became of it, it may have written.
                if request.caller is not None and operation.method != "GET":
                    await self._services.lists.end(request.caller.tenant_id)
            if request.unproven is not None:
                raise RuntimeError(f"{operation.method} {template} never asked whether the session stands")
            return answer, operation.status, route
        except Exception as error:
            return await self._refusal(request, error), 500, route

    async def _refusal(self, request: Request | None, error: Exception) -> Response:
        """Give the answer to a failure; a caller whose session does not stand learns nothing else."""
        if request is not None and request.unproven is not None and not is_outage(error):
            try:
                if not await self._services.revocations.stands(request.unproven):
                    error = unauthorized()
            except Exception as other:
                error = other
        return answer_to(error)


def _identity_and_origin(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, bytes | None]:
    """Take the caller's request id when it is sane, else make one; give the origin, if there is one."""
    identity, origin = None, None
    for name, value in headers:
        if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
            identity = value.decode("ascii")
        elif name == b"origin":
            origin = value
    return identity or str(uuid.uuid4()), origin


def _headers_of(answer: Response | Stream) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    if answer.status_code not in (204, 304):
        headers.append((b"content-type", answer.media_type.encode("latin-1")))
    return headers


def _cors_headers(scope: Scope, origin: bytes) -> list[tuple[bytes, bytes]]:
    """Let the web application's origin read the answer; to a question before a request, say what it may send."""
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]
    if scope["method"] == "OPTIONS":
        headers.append((b"access-control-allow-methods", _METHODS))
        headers.append((b"access-control-max-age", b"600"))
        for name, value in scope["headers"]:
            if name == b"access-control-request-headers":
                headers.append((b"access-control-allow-headers", value))
    return headers
