"""Users of a company: who may do what to whom, and never across companies."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from service.support import PASSWORD, Account, Api, Postgres, login, register

pytestmark = pytest.mark.postgres

ROW = {"id", "email", "name", "role", "isActive", "isApproved", "contractorId", "createdAt"}


def body(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "email": f"user-{uuid.uuid4().hex}@obra.com",
        "password": PASSWORD,
        "name": "Rui",
        "role": "ENGINEER",
    }
    return base | changes


def create(api: Api, boss: Account, **changes: object) -> httpx.Response:
    with api.client(boss.access) as client:
        return client.post("/api/v1/users", json=body(**changes))


def member(api: Api, boss: Account, role: str) -> Account:
    """Create a user and sign in."""
    response = create(api, boss, role=role)
    assert response.status_code == 200, response.text
    email = response.json()["email"]
    return Account(email, boss.document, login(api, email).json())


def make_root(api: Api, postgres: Postgres, database: str) -> Account:
    """Register a company whose first user is made ROOT, as the operator does it."""
    account = register(api)
    postgres.sql(f"update users set role = 'ROOT' where id = '{account.user_id}'", database)
    return Account(account.email, account.document, login(api, account.email).json())


def send(api: Api, caller: Account, method: str, path: str, json: object = None) -> httpx.Response:
    with api.client(caller.access) as client:
        return client.request(method, f"/api/v1/users{path}", json=json)


def test_list_has_all_users_newest_first_and_no_pagination(api: Api, account: Account) -> None:
    first, second = member(api, account, "VIEWER"), member(api, account, "ENGINEER")
    answer = send(api, account, "GET", "").json()
    assert set(answer) == {"data"}
    assert [row["id"] for row in answer["data"]] == [second.user_id, first.user_id, account.user_id]
    assert all(set(row) == {*ROW, "contractor"} for row in answer["data"])


def test_created_user_is_approved_and_signs_in(apis: tuple[Api, Api], account: Account) -> None:
    response = create(apis[0], account)
    assert (response.status_code, set(response.json())) == (200, ROW - {"contractorId"})
    assert (response.json()["isActive"], response.json()["isApproved"]) == (True, True)
    assert login(apis[1], response.json()["email"]).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "CONTRACTOR"},
        {"role": "BROKER"},
        {"role": "OWNER"},
        {"password": "longenoughbutplain"},
        {"password": "Sh0rt"},
        {"name": "R"},
        {"email": "nobody"},
    ],
)
def test_create_bad_value_is_400(api: Api, account: Account, changes: dict[str, object]) -> None:
    assert create(api, account, **changes).status_code == 400


def test_create_email_of_another_company_is_400(api: Api, account: Account) -> None:
    other = register(api)
    response = create(api, account, email=other.email)
    assert (response.status_code, set(response.json())) == (400, {"error", "message"})


ALLOWED = {
    "MASTER": {"view", "create", "edit"},
    "ENGINEER": {"view"},
    "ADMIN_STAFF": {"view"},
    "VIEWER": set(),
}


@pytest.mark.parametrize("role", ALLOWED)
def test_role_may_do_what_the_matrix_says(api: Api, account: Account, role: str) -> None:
    caller, target = member(api, account, role), member(api, account, "VIEWER")
    statuses = {
        "view": send(api, caller, "GET", "").status_code,
        "create": create(api, caller).status_code,
        "edit": send(api, caller, "PATCH", f"/{target.user_id}", {"name": "Rui B"}).status_code,
    }
    assert statuses == {action: 200 if action in ALLOWED[role] else 403 for action in statuses}


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_approval_needs_the_right_to_edit(api: Api, account: Account, action: str) -> None:
    caller, target = member(api, account, "ENGINEER"), member(api, account, "VIEWER")
    assert send(api, caller, "POST", f"/{target.user_id}/{action}", {}).status_code == 403


def test_without_a_token_is_401(api: Api) -> None:
    with api.client() as client:
        assert client.get("/api/v1/users").status_code == 401


def test_patch_changes_what_is_sent(api: Api, account: Account) -> None:
    target = member(api, account, "VIEWER")
    response = send(api, account, "PATCH", f"/{target.user_id}", {"name": "Rui B", "role": "ENGINEER"})
    assert (response.status_code, set(response.json())) == (200, ROW)
    assert (response.json()["name"], response.json()["role"], response.json()["isActive"]) == (
        "Rui B",
        "ENGINEER",
        True,
    )


def test_deactivated_user_cannot_sign_in_and_can_again_after(api: Api, account: Account) -> None:
    target = member(api, account, "VIEWER")
    assert send(api, account, "PATCH", f"/{target.user_id}", {"isActive": False}).json()["isActive"] is False
    assert login(api, target.email).status_code == 401
    assert send(api, account, "PATCH", f"/{target.user_id}", {"isActive": True}).status_code == 200
    assert login(api, target.email).status_code == 200


def test_old_session_does_not_come_back_with_the_user(api: Api, account: Account) -> None:
    target = member(api, account, "VIEWER")
    for active in (False, True):
        assert send(api, account, "PATCH", f"/{target.user_id}", {"isActive": active}).status_code == 200
    with api.client(target.access) as client:
        assert client.get("/api/v1/auth/me").status_code == 401


def test_approve_after_reject_leaves_the_user_inactive(api: Api, account: Account) -> None:
    target = member(api, account, "VIEWER")
    rejected = send(api, account, "POST", f"/{target.user_id}/reject", {}).json()
    assert (rejected["isApproved"], rejected["isActive"]) == (False, False)
    approved = send(api, account, "POST", f"/{target.user_id}/approve", {}).json()
    assert (approved["isApproved"], approved["isActive"]) == (True, False)


def test_approve_of_an_approved_user_is_400(api: Api, account: Account) -> None:
    target = member(api, account, "VIEWER")
    assert send(api, account, "POST", f"/{target.user_id}/approve", {}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("PATCH", "", {"role": "VIEWER"}),
        ("PATCH", "", {"isActive": False}),
        ("POST", "/reject", {}),
    ],
    ids=["demote", "deactivate", "reject"],
)
def test_nobody_shuts_the_own_account_out(
    api: Api, account: Account, method: str, path: str, json: dict[str, object]
) -> None:
    assert send(api, account, method, f"/{account.user_id}{path}", json).status_code == 400
    with api.client(account.access) as client:
        assert client.get("/api/v1/auth/me").json()["role"] == "MASTER"


def test_own_name_may_change(api: Api, account: Account) -> None:
    assert send(api, account, "PATCH", f"/{account.user_id}", {"name": "Ana B", "role": "MASTER"}).status_code == 200


def test_two_masters_at_once_do_not_both_lose_their_role(apis: tuple[Api, Api], account: Account) -> None:
    other = member(apis[0], account, "MASTER")
    pairs = [(apis[0], account, other), (apis[1], other, account)]

    def demote(pair: tuple[Api, Account, Account]) -> int:
        api, caller, target = pair
        return send(api, caller, "PATCH", f"/{target.user_id}", {"role": "VIEWER"}).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, pairs)) == [200, 401]


def test_only_root_makes_root(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    target = member(api, account, "MASTER")
    assert create(api, account, role="ROOT").status_code == 403
    assert send(api, account, "PATCH", f"/{target.user_id}", {"role": "ROOT"}).status_code == 403
    assert send(api, account, "PATCH", f"/{account.user_id}", {"role": "ROOT"}).status_code == 403
    root = make_root(api, postgres, database)
    assert create(api, root, role="ROOT").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [("PATCH", "", {"role": "VIEWER"}), ("PATCH", "", {"name": "Rui B"}), ("POST", "/reject", {})],
)
def test_only_root_changes_root(
    api: Api, postgres: Postgres, database: str, method: str, path: str, json: dict[str, object]
) -> None:
    root = make_root(api, postgres, database)
    master = member(api, root, "MASTER")
    assert send(api, master, method, f"/{root.user_id}{path}", json).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "json"),
    [
        ("PATCH", "/{}", {"name": "Intruso"}),
        ("PATCH", "/{}", {"isActive": False}),
        ("POST", "/{}/approve", {}),
        ("POST", "/{}/reject", {}),
    ],
)
def test_user_of_another_company_does_not_exist(
    api: Api, account: Account, method: str, path: str, json: dict[str, object]
) -> None:
    stranger = register(api)
    response = send(api, account, method, path.replace("{}", stranger.user_id), json)
    unknown = send(api, account, method, path.replace("{}", str(uuid.uuid4())), json)
    assert (response.status_code, response.json()) == (400, unknown.json())
    with api.client(stranger.access) as client:
        assert client.get("/api/v1/auth/me").json()["name"] == "Ana"


def test_list_shows_no_user_of_another_company(api: Api, account: Account) -> None:
    stranger = register(api)
    assert stranger.email not in send(api, account, "GET", "").text
    with api.client(account.access) as client:
        assert stranger.email not in client.get("/api/v1/tenant/users").text


@pytest.mark.parametrize("path", ["/no-uuid", "/1", "/%00", "/no-uuid/approve"])
def test_malformed_id_is_400(api: Api, account: Account, path: str) -> None:
    method = "POST" if path.endswith("approve") else "PATCH"
    assert send(api, account, method, path, {}).status_code == 400


def test_new_users_come_in_the_order_of_their_creation(api: Api, account: Account) -> None:
    ids = []
    for _ in range(3):
        ids.append(create(api, account).json()["id"])
        time.sleep(0.002)
    with api.client(account.access) as client:
        rows = client.get("/api/v1/tenant/users").json()
    assert [row["id"] for row in rows] == [*reversed(ids), account.user_id]
    assert all(set(row) == {"id", "email", "name", "role", "createdAt"} for row in rows)
