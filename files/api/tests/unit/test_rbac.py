"""The matrix of roles and permissions, compared with the contract's table written another way."""

from __future__ import annotations

import pytest

from enlevohub_api.rbac import PERMISSIONS, PERMISSIONS_BY_ROLE, ROLES, has_permission

BY_ROLE = {
    "ENGINEER": """projects:view projects:create projects:edit units:view units:create units:edit suppliers:view
        contractors:view contractors:create contractors:edit activities:view activities:create activities:edit
        activities:delete measurements:view measurements:create measurements:approve purchases:view contracts:view
        contracts:create contracts:edit users:view tenant:view reports:view reports:export""",
    "ADMIN_STAFF": """projects:view units:view suppliers:view suppliers:create suppliers:edit suppliers:delete
        contractors:view activities:view measurements:view brokers:view purchases:view purchases:create
        purchases:edit purchases:delete purchases:approve financial:view financial:create financial:edit
        financial:delete financial:reports contracts:view contracts:create contracts:edit users:view tenant:view
        reports:view reports:export""",
    "CONTRACTOR": """projects:view units:view contractors:view activities:view measurements:view
        measurements:create contracts:view""",
    "BROKER": "projects:view units:view brokers:view contracts:view",
    "VIEWER": """projects:view units:view suppliers:view contractors:view activities:view measurements:view
        brokers:view purchases:view financial:view contracts:view tenant:view reports:view""",
}


def test_rbac_has_seven_roles() -> None:
    assert len(ROLES) == len(PERMISSIONS_BY_ROLE) == 7


def test_rbac_has_fifty_permissions() -> None:
    assert len(PERMISSIONS) == 50


@pytest.mark.parametrize("role", ["ROOT", "MASTER"])
def test_rbac_root_and_master_hold_everything(role: str) -> None:
    assert PERMISSIONS_BY_ROLE[role] == PERMISSIONS


@pytest.mark.parametrize("role", BY_ROLE)
def test_rbac_role_holds_exactly_its_permissions(role: str) -> None:
    assert PERMISSIONS_BY_ROLE[role] == set(BY_ROLE[role].split())


@pytest.mark.parametrize(("role", "permission"), [("root", "projects:view"), ("ROOT", "projects:*"), ("", "")])
def test_rbac_unknown_name_gives_nothing(role: str, permission: str) -> None:
    assert not has_permission(role, permission)
