"""OpenAPI at /docs/json and a page at /docs that needs no network: a closed site has no content servers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec

from enlevohub_api import __version__
from enlevohub_api.accounts import ACCOUNT_BODIES
from enlevohub_api.auth import AUTH_BODIES
from enlevohub_api.construction import CONSTRUCTION_BODIES, UPLOADS
from enlevohub_api.documented import Documented
from enlevohub_api.rbac_routes import RBAC_BODIES
from enlevohub_api.schemas import LoginBody, RefreshBody, RegisterBody
from enlevohub_api.tenant import TENANT_BODIES
from enlevohub_api.users import USER_BODIES
from enlevohub_api.web import Mounted, Response, Router, Stream, get

REQUEST_BODIES: dict[tuple[str, str], type[msgspec.Struct]] = {
    ("/api/v1/auth/register", "post"): RegisterBody,
    ("/api/v1/auth/login", "post"): LoginBody,
    ("/api/v1/auth/refresh", "post"): RefreshBody,
    **AUTH_BODIES,
    **CONSTRUCTION_BODIES,
    **ACCOUNT_BODIES,
    **RBAC_BODIES,
    **TENANT_BODIES,
    **USER_BODIES,
}
"""Bodies are decoded strictly by the handlers, so signatures do not show their types."""


_FILES = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"photos": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                "required": ["photos"],
            }
        }
    },
}


def answers(operation: Mounted) -> dict[int, Documented]:
    """Give the documented answers by status; the good one is told by the type that the handler gives."""
    made, options = operation.operation, operation.operation.options
    kind: Any = made.answer
    if kind is Response:
        kind = dict[str, Any]
    elif kind is Stream:
        kind = bytes
    return {made.status: Documented(kind, "As asked", options.media_type), **options.responses}


class _Schemas:
    """Collects types; gives the schema of each, and the components that they name."""

    def __init__(self) -> None:
        self._types: list[Any] = []

    def add(self, kind: Any) -> int:
        self._types.append(kind)
        return len(self._types) - 1

    def make(self) -> tuple[Sequence[dict[str, Any]], dict[str, Any]]:
        schemas, components = msgspec.json.schema_components(self._types, ref_template="#/components/schemas/{name}")
        return tuple(schemas), components


def describe(operations: Sequence[Mounted]) -> dict[str, Any]:
    """Make the OpenAPI document."""
    wanted = _Schemas()
    described: list[tuple[str, dict[str, Any], list[tuple[dict[str, Any], int]]]] = []
    for operation in operations:
        item, places = _item(operation, wanted)
        described.append((operation.path, {operation.method.lower(): item}, places))
    schemas, components = wanted.make()
    paths: dict[str, dict[str, Any]] = {}
    for path, item, places in described:
        for place, number in places:
            place["schema"] = schemas[number]
        paths.setdefault(path, {}).update(item)
    return {
        "openapi": "3.1.0",
        "info": {"title": "EnlevoHub API", "version": __version__},
        "paths": paths,
        "components": {"schemas": components},
    }


def _item(operation: Mounted, wanted: _Schemas) -> tuple[dict[str, Any], list[tuple[dict[str, Any], int]]]:
    """Describe an operation; give also where schemas are to be put."""
    places: list[tuple[dict[str, Any], int]] = []

    def place(kind: Any) -> dict[str, Any]:
        spot: dict[str, Any] = {}
        places.append((spot, wanted.add(kind)))
        return spot

    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in operation.path_names
    ]
    for where, reader in (("query", operation.query), ("header", operation.headers)):
        for parameter in reader.parameters if reader is not None else ():
            spot = place(parameter.schema_type())
            spot |= {"name": parameter.name, "in": where, "required": False}
            parameters.append(spot)
    responses: dict[str, Any] = {}
    for status, answer in answers(operation).items():
        responses[str(status)] = {"description": answer.text}
        if answer.kind is bytes:
            responses[str(status)]["content"] = {answer.media_type: {"schema": {"type": "string", "format": "binary"}}}
        elif answer.kind is not None:
            responses[str(status)]["content"] = {answer.media_type: place(answer.kind)}
    item: dict[str, Any] = {
        "summary": operation.operation.options.summary,
        "tags": list(operation.tags),
        "parameters": parameters,
        "responses": responses,
    }
    body = REQUEST_BODIES.get((operation.path, operation.method.lower()))
    if body is not None:
        item["requestBody"] = {"required": True, "content": {"application/json": place(body)}}
    elif operation.method == "POST" and operation.path in UPLOADS:
        item["requestBody"] = _FILES
    return item, places


def _page(document: dict[str, Any]) -> bytes:
    """List every operation with its summary, parameters and body."""
    sections = [
        _operation(method, path, operation)
        for path, item in sorted(document["paths"].items())
        for method, operation in item.items()
    ]
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    style = "body{font:16px sans-serif;max-width:60em;margin:2em auto}pre{background:#f4f4f4;padding:1em}"
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f'<h1>{title}</h1><p><a href="/docs/json">OpenAPI document</a></p>{"".join(sections)}</html>'
    )
    return page.encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    details = {key: operation[key] for key in ("parameters", "requestBody") if operation.get(key)}
    block = ""
    if details:
        text = msgspec.json.format(msgspec.json.encode(details), indent=2).decode()
        block = f"<details><summary>Request</summary><pre>{escape(text)}</pre></details>"
    summary = escape(operation.get("summary") or "")
    return f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2><p>{summary}</p>{block}"


def docs_router(operations: Sequence[Mounted]) -> Router:
    """Serve the document of the operations; it is made when it is first asked for."""

    @functools.cache
    def document() -> dict[str, Any]:
        return describe(operations)

    @get("/", summary="The operations for people")
    async def page() -> Response:
        return Response(_page(document()), media_type="text/html; charset=utf-8")

    @get("/json", summary="The OpenAPI document")
    async def machine() -> dict[str, Any]:
        return document()

    return Router(path="/docs", route_handlers=[page, machine])
