"""postgresql_databases: what the leader is missing."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import postgresql_databases

STORAGE = {"name": "storage", "owner": "storage", "password": "right"}


def verifier(password: str, iterations: int = 4096) -> str:
    """Return what PostgreSQL keeps of a password."""
    salt = b"0123456789abcdef"
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    server = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    parts = [base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client).digest(), server)]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def state(**roles: str | None) -> dict[str, Any]:
    """Return what a cluster has, with the verifiers of its roles; each role owns a database of its name."""
    return {"roles": roles, "databases": ["postgres", *roles], "extensions": ["plpgsql"]}


def test_password_is_found_in_its_verifier() -> None:
    assert postgresql_databases.matches("right", verifier("right"))


@pytest.mark.parametrize("found", [verifier("wrong"), None, "", "md5d41d8cd98f00b204e9800998ecf8427e"])
def test_other_verifier_does_not_match(found: str | None) -> None:
    assert not postgresql_databases.matches("right", found)


def test_nothing_is_done_when_all_is_there() -> None:
    assert postgresql_databases.plan([STORAGE], state(storage=verifier("right")), []) == ([], [])


def test_missing_role_and_database_are_made_and_closed_for_everybody_else() -> None:
    statements, changes = postgresql_databases.plan([STORAGE], state(), [])
    assert statements == [
        """CREATE ROLE "storage" LOGIN PASSWORD 'right';""",
        'CREATE DATABASE "storage" OWNER "storage";',
        'REVOKE ALL ON DATABASE "storage" FROM PUBLIC;',
    ]
    assert changes == ["role storage", "database storage"]


def test_missing_extension_is_made() -> None:
    statements, changes = postgresql_databases.plan([], state(), ["plpgsql", "pg_stat_statements"])
    assert statements == ['CREATE EXTENSION "pg_stat_statements";']
    assert changes == ["extension pg_stat_statements"]


def test_other_password_is_set() -> None:
    statements, changes = postgresql_databases.plan([STORAGE], state(storage=verifier("wrong")), [])
    assert (statements, changes) == (
        ["""ALTER ROLE "storage" LOGIN PASSWORD 'right';"""],
        ["password of storage"],
    )


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("plain", "'plain'"), ("it's", "'it''s'"), ("a\\'; DROP ROLE x", "E'a\\\\''; DROP ROLE x'")],
)
def test_password_cannot_end_its_quotes(text: str, quoted: str) -> None:
    assert postgresql_databases.value(text) == quoted


def test_changes_name_no_password() -> None:
    _, changes = postgresql_databases.plan([STORAGE], state(), [])
    assert "right" not in " ".join(changes)


def login(name: str = "storage", password: str = "right", **more: Any) -> dict[str, Any]:
    """Return a login as the module takes it."""
    return {"name": name, "password": password, "second_of": "", "replication": False, "state": "present", **more}


def second(**more: Any) -> dict[str, Any]:
    """Return the second login of the role storage."""
    return login("storage_next", second_of="storage", **more)


def test_login_with_its_password_needs_nothing() -> None:
    assert postgresql_databases.login_plan([login()], state(storage=verifier("right"))) == ([], [])


def test_other_password_of_a_login_is_set_and_not_told() -> None:
    statements, changes = postgresql_databases.login_plan([login()], state(storage=verifier("wrong")))
    assert statements == ["""ALTER ROLE "storage" PASSWORD 'right';"""]
    assert changes == ["password of storage"]


def test_second_login_works_with_the_rights_of_its_role_and_owns_nothing() -> None:
    statements, changes = postgresql_databases.login_plan([second()], state(storage=verifier("old")))
    assert statements == [
        """CREATE ROLE "storage_next" LOGIN PASSWORD 'right' IN ROLE "storage";""",
        'ALTER ROLE "storage_next" SET role TO "storage";',
    ]
    assert changes == ["login storage_next"]


def test_second_login_of_replication_may_replicate_itself() -> None:
    statements, _ = postgresql_databases.login_plan([second(replication=True)], state(storage=verifier("old")))
    assert statements == ["""CREATE ROLE "storage_next" LOGIN REPLICATION PASSWORD 'right' IN ROLE "storage";"""]


def test_second_login_of_a_role_that_is_not_there_is_left_out() -> None:
    assert postgresql_databases.login_plan([second(), login()], state()) == ([], [])


def test_second_login_is_removed_and_only_once() -> None:
    gone = second(state="absent")
    roles = state(storage=verifier("right"), storage_next=verifier("right"))
    assert postgresql_databases.login_plan([gone], roles) == (['DROP ROLE "storage_next";'], ["no login storage_next"])
    assert postgresql_databases.login_plan([gone], state(storage=verifier("right"))) == ([], [])
