"""Filters of a rotation of passwords: the plan, and who logs in with what in each part of it.

A purpose is a use of the database (application, replication); its state tells how far its rotation is: rest, open (old
and new password count) or closing (the new one is the only one, and the second login is still there).
"""

from __future__ import annotations

from typing import Any

NEXT = "_next"
States = dict[str, dict[str, str]]
Roles = dict[str, dict[str, Any]]


def rotation_plan(
    views: list[dict[str, Any]], databases: list[dict[str, Any]], states: States, said: str, chosen: str, roles: Roles
) -> dict[str, list[str]]:
    """Return what a rotation will do (``lines``) and what speaks against it (``refusals``).

    Args:
        views: what the module ``cluster_view`` told on the database servers.
        databases: the database servers, each with ``name``.
        states: state and name of each secret by purpose, from the vault; empty when it could not be read.
        said: what was said when it could not be read.
        chosen: what the operator wants renewed: all, or purposes with commas between.
        roles: name of the role of each purpose; ``second`` false: it needs no second login.
    """
    refusals, lines = [], []
    members: list[dict[str, Any]] = next((view["database"] for view in views if view.get("database")), [])
    found = {member["name"]: (member["role"], member["state"]) for member in members}
    if not any(given == ("leader", "running") for given in found.values()):
        problem = next((view["problems"]["database"] for view in views if view.get("problems")), "Patroni names none")
        refusals.append(f"database: there is no leader ({problem}). Fix: make status; journalctl -u patroni")
    for name in [member["name"] for member in databases]:
        if found and found.get(name, ("", ""))[1] not in ("running", "streaming"):
            state = found.get(name, ("", "not a member"))[1]
            refusals.append(
                f"database: {name} does not follow ({state}). Fix: wait for it, or playbooks/replace-host.yml"
            )
    if not states:
        refusals.append(said.strip().removeprefix("error: ") or "the vault cannot be read")
    wanted = list(roles) if chosen == "all" else [name.strip() for name in chosen.split(",")]
    unknown = [name for name in wanted if name not in roles]
    if unknown and states:
        refusals.append(
            f"-e secrets={chosen}: {', '.join(unknown)} is unknown. Fix: all, or some of {', '.join(roles)}"
        )
    for purpose, role in roles.items():
        state = states.get(purpose, {}).get("state", "rest")
        if purpose not in wanted and state == "rest":
            continue
        how = {"rest": "is renewed", "open": "goes on: both count", "closing": "goes on: the second login goes"}[state]
        login = f", by a second login {role['name']}{NEXT} meanwhile" if role.get("second", True) else ""
        lines.append(f"{purpose}: password of {role['name']} {how}{login}")
    lines.append("backends, and storage servers, are replaced one after the other, twice: to the second login and back")
    return {"refusals": refusals, "lines": lines}


def rotation_passwords(states: States, values: dict[str, str]) -> dict[str, str]:
    """Return the password that counts for each purpose, from the values of the vault."""
    return {purpose: values[item["secret"]] for purpose, item in states.items()}


def rotation_logins(states: States, values: dict[str, str], roles: Roles) -> dict[str, dict[str, str]]:
    """Return what clients of each purpose log in with: the second login while its rotation is open."""
    found = {}
    for purpose, item in states.items():
        follows = NEXT if item["state"] == "open" else ""
        if roles[purpose].get("second", True):
            found[purpose] = {"name": roles[purpose]["name"] + follows, "password": values[item["secret"] + follows]}
    return found


def rotation_seconds(states: States, values: dict[str, str], roles: Roles) -> list[dict[str, Any]]:
    """Return the second logins of what is being renewed, as the module ``postgresql_databases`` takes them."""
    return [
        {
            "name": roles[purpose]["name"] + NEXT,
            "password": values[item["secret"] + NEXT],
            "second_of": roles[purpose]["name"],
            "replication": roles[purpose].get("replication", False),
        }
        for purpose, item in states.items()
        if item["state"] != "rest" and roles[purpose].get("second", True)
    ]


def rotation_firsts(states: States, values: dict[str, str], roles: Roles) -> list[dict[str, Any]]:
    """Return the roles of what is being renewed with their new passwords."""
    return [
        {"name": roles[purpose]["name"], "password": values[item["secret"] + NEXT]}
        for purpose, item in states.items()
        if item["state"] != "rest"
    ]


def rotation_gone(roles: Roles) -> list[dict[str, Any]]:
    """Return all second logins, as logins that must not be there."""
    return [{"name": role["name"] + NEXT, "state": "absent"} for role in roles.values() if role.get("second", True)]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "rotation_plan": rotation_plan,
            "rotation_passwords": rotation_passwords,
            "rotation_logins": rotation_logins,
            "rotation_seconds": rotation_seconds,
            "rotation_firsts": rotation_firsts,
            "rotation_gone": rotation_gone,
        }
