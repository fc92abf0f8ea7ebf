"""The OpenAPI document names every failure that an operation can give."""

from __future__ import annotations

import pytest

from enlevohub_api.auth import auth_router
from enlevohub_api.openapi import describe
from enlevohub_api.rbac_routes import rbac_router
from enlevohub_api.tenant import tenant_router
from enlevohub_api.users import users_router
from enlevohub_api.web import Mounted, Router


def operations() -> dict[str, tuple[Mounted, set[str], bool]]:
    """Give operation, documented statuses and whether there is a body, by method and path."""
    routers = [auth_router, rbac_router, tenant_router, users_router]
    mounted = Router("/api/v1", route_handlers=routers).operations()
    paths = describe(mounted)["paths"]
    return {
        f"{item.method} {item.path}": (
            item,
            set(paths[item.path][item.method.lower()]["responses"]),
            "requestBody" in paths[item.path][item.method.lower()],
        )
        for item in mounted
    }


OPERATIONS = operations()


def test_all_operations_were_found() -> None:
    assert len(OPERATIONS) == 30


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_documents_its_failures(name: str) -> None:
    operation, answers, body = OPERATIONS[name]
    expected = {"500", "503"}
    if operation.guards:
        expected.add("401")
    if body:
        expected |= {"400", "413"}
    assert expected <= answers


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name.startswith(("POST", "PATCH", "PUT"))])
def test_operation_that_takes_a_body_documents_it(name: str) -> None:
    _, _, body = OPERATIONS[name]
    assert body != name.endswith(("/approve", "/reject"))
