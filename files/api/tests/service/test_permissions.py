"""Roles and permissions over HTTP."""

from __future__ import annotations

import pytest

from enlevohub_api.rbac import PERMISSIONS_BY_ROLE, ROLES
from service.support import Account, Api

pytestmark = pytest.mark.postgres


def get(api: Api, account: Account, path: str) -> dict[str, object]:
    with api.client(account.access) as client:
        response = client.get(f"/api/v1/rbac/{path}")
    assert response.status_code == 200
    answer: dict[str, object] = response.json()
    return answer


def test_roles_are_all_with_their_permissions(api: Api, account: Account) -> None:
    roles = get(api, account, "roles")["roles"]
    assert isinstance(roles, list)
    assert [role["name"] for role in roles] == list(ROLES)
    assert all(set(role) == {"name", "description", "permissions"} and role["description"] for role in roles)
    assert {role["name"]: frozenset(role["permissions"]) for role in roles} == PERMISSIONS_BY_ROLE


def test_permissions_are_fifty(api: Api, account: Account) -> None:
    permissions = get(api, account, "permissions")["permissions"]
    assert isinstance(permissions, list)
    assert (len(permissions), len(set(permissions))) == (50, 50)


def test_my_permissions_are_those_of_the_role(api: Api, account: Account) -> None:
    answer = get(api, account, "my-permissions")
    assert answer == {"role": "MASTER", "permissions": sorted(PERMISSIONS_BY_ROLE["MASTER"])}


@pytest.mark.parametrize(
    ("permission", "expected"), [("projects:delete", True), ("projects:fly", False), ("", False), ("é\0", False)]
)
def test_check_permission(api: Api, account: Account, permission: str, expected: bool) -> None:
    with api.client(account.access) as client:
        response = client.post("/api/v1/rbac/check-permission", json={"permission": permission})
    assert (response.status_code, response.json()) == (200, {"hasPermission": expected, "permission": permission})


@pytest.mark.parametrize("body", [{}, {"permission": 1}, {"permission": None}])
def test_check_permission_bad_body_is_400(api: Api, account: Account, body: dict[str, object]) -> None:
    with api.client(account.access) as client:
        assert client.post("/api/v1/rbac/check-permission", json=body).status_code == 400


@pytest.mark.parametrize("path", ["roles", "permissions", "my-permissions"])
def test_endpoint_needs_a_signed_in_user(api: Api, path: str) -> None:
    with api.client() as client:
        assert client.get(f"/api/v1/rbac/{path}").status_code == 401
