"""The OpenAPI document names every failure that an operation can give."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, Router
from litestar.handlers import HTTPRouteHandler

from enlevohub_api.auth import auth_router
from enlevohub_api.openapi import REQUEST_BODIES
from enlevohub_api.rbac_routes import rbac_router
from enlevohub_api.tenant import tenant_router
from enlevohub_api.users import users_router


def operations() -> dict[str, tuple[HTTPRouteHandler, dict[str, Any], bool]]:
    """Give handler, documented answers and whether there is a body, by method and path."""
    app = Litestar([Router("/api/v1", route_handlers=[auth_router, rbac_router, tenant_router, users_router])])
    paths = app.openapi_schema.to_schema()["paths"]
    found = {}
    for route in app.routes:
        for handler in route.route_handlers:  # type: ignore[union-attr]
            if not isinstance(handler, HTTPRouteHandler):
                continue
            for method in handler.http_methods - {"OPTIONS", "HEAD"}:
                path, verb = route.path_format, method.lower()
                if path in paths:
                    body = (path, verb) in REQUEST_BODIES
                    found[f"{method} {path}"] = (handler, paths[path][verb]["responses"], body)
    return found


OPERATIONS = operations()


def test_all_operations_were_found() -> None:
    assert len(OPERATIONS) == 30


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_documents_its_failures(name: str) -> None:
    handler, answers, body = OPERATIONS[name]
    expected = {"500", "503"}
    if handler.resolve_guards():
        expected.add("401")
    if body:
        expected |= {"400", "413"}
    assert expected <= set(answers)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.startswith(("POST", "PATCH", "PUT"))])
def test_operation_that_takes_a_body_documents_it(name: str) -> None:
    _, _, body = OPERATIONS[name]
    assert body != name.endswith(("/approve", "/reject"))
