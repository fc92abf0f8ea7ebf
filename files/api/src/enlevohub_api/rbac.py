"""Roles and permissions as data. A permission is ``resource:action``; there are 50."""

from __future__ import annotations

ROLES = ("ROOT", "MASTER", "ENGINEER", "ADMIN_STAFF", "CONTRACTOR", "BROKER", "VIEWER")

_ACTIONS = {
    "v": "view",
    "c": "create",
    "e": "edit",
    "d": "delete",
    "a": "approve",
    "r": "reports",
    "s": "sign",
    "x": "export",
}

# One column per role of ROLES; each letter is an action, "-" is none.
_MATRIX: dict[str, tuple[str, str, str, str, str, str, str]] = {
    #                ROOT     MASTER   ENGINEER ADMIN    CONTRACT BROKER   VIEWER
    "projects": ("vced", "vced", "vce", "v", "v", "v", "v"),
    "units": ("vced", "vced", "vce", "v", "v", "v", "v"),
    "suppliers": ("vced", "vced", "v", "vced", "-", "-", "v"),
    "contractors": ("vced", "vced", "vce", "v", "v", "-", "v"),
    "activities": ("vced", "vced", "vced", "v", "v", "-", "v"),
    "measurements": ("vca", "vca", "vca", "v", "vc", "-", "v"),
    "brokers": ("vced", "vced", "-", "v", "-", "v", "v"),
    "purchases": ("vceda", "vceda", "v", "vceda", "-", "-", "v"),
    "financial": ("vcedr", "vcedr", "-", "vcedr", "-", "-", "v"),
    "contracts": ("vceds", "vceds", "vce", "vce", "v", "v", "v"),
    "users": ("vced", "vced", "v", "v", "-", "-", "-"),
    "tenant": ("ve", "ve", "v", "v", "-", "-", "v"),
    "reports": ("vx", "vx", "vx", "vx", "-", "-", "v"),
}

PERMISSIONS_BY_ROLE: dict[str, frozenset[str]] = {
    role: frozenset(
        f"{resource}:{_ACTIONS[letter]}"
        for resource, columns in _MATRIX.items()
        for letter in columns[column].replace("-", "")
    )
    for column, role in enumerate(ROLES)
}

PERMISSIONS: frozenset[str] = PERMISSIONS_BY_ROLE["ROOT"]


def has_permission(role: str, permission: str) -> bool:
    """Tell whether a role holds a permission; an unknown role or permission gives False."""
    return permission in PERMISSIONS_BY_ROLE.get(role, frozenset())
