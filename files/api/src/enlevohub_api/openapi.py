"""OpenAPI at /docs/json and a page at /docs that needs no network: a closed site has no content servers."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin

from enlevohub_api import __version__
from enlevohub_api.accounts import ACCOUNT_BODIES
from enlevohub_api.auth import AUTH_BODIES
from enlevohub_api.construction import CONSTRUCTION_BODIES, UPLOADS
from enlevohub_api.rbac_routes import RBAC_BODIES
from enlevohub_api.schemas import LoginBody, RefreshBody, RegisterBody
from enlevohub_api.tenant import TENANT_BODIES
from enlevohub_api.users import USER_BODIES

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
"""Bodies are decoded strictly by the handlers, so the framework does not see their types."""


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


def with_request_bodies(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the request bodies to the framework's document."""
    references, components = msgspec.json.schema_components(
        list(REQUEST_BODIES.values()), ref_template="#/components/schemas/{name}"
    )
    paths = {path: dict(item) for path, item in schema["paths"].items()}
    for (path, method), reference in zip(REQUEST_BODIES, references, strict=True):
        body = {"required": True, "content": {"application/json": {"schema": reference}}}
        paths[path][method] = {**paths[path][method], "requestBody": body}
    for path in UPLOADS:
        paths[path]["post"] = {**paths[path]["post"], "requestBody": _FILES}
    merged = {**schema.get("components", {})}
    merged["schemas"] = {**merged.get("schemas", {}), **components}
    return {**schema, "paths": paths, "components": merged}


class JsonDocument(OpenAPIRenderPlugin):
    """The machine-readable document."""

    def __init__(self) -> None:
        """Serve at /docs/json."""
        super().__init__(path="/json", media_type="application/json")  # type: ignore[arg-type]

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Give the document as JSON."""
        return msgspec.json.encode(with_request_bodies(openapi_schema))


class Page(OpenAPIRenderPlugin):
    """A plain page for people."""

    def __init__(self) -> None:
        """Serve at /docs."""
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """List every operation with its summary, parameters and body."""
        document = with_request_bodies(openapi_schema)
        sections = [
            _operation(method, path, operation)
            for path, item in sorted(document["paths"].items())
            for method, operation in item.items()
            if isinstance(operation, dict)
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


def openapi_config() -> OpenAPIConfig:
    """Describe the service; documents at /docs and /docs/json."""
    return OpenAPIConfig(
        title="EnlevoHub API", version=__version__, path="/docs", render_plugins=[Page(), JsonDocument()]
    )
