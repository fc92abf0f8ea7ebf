"""Register, login, refresh and me, on two copies of the service."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from enlevohub_api.sessions import GRACE_SECONDS
from service.support import PASSWORD, Account, Api, Postgres, login, refresh, register, wait_until

pytestmark = pytest.mark.postgres


def me(api: Api, token: str) -> httpx.Response:
    with api.client(token) as client:
        return client.get("/api/v1/auth/me")


def age_used_tokens(postgres: Postgres, database: str, account: Account) -> None:
    """Move the use of the account's tokens to before the grace."""
    postgres.sql(
        f"""update refresh_tokens set used_at = used_at - interval '{GRACE_SECONDS + 1} s'
            where session_id in (select id from sessions where user_id = '{account.user_id}')""",
        database,
    )


def test_register_answers_user_tenant_and_tokens(account: Account) -> None:
    answer = account.answer
    assert set(answer) == {"user", "tenant", "tokens"}
    assert set(answer["user"]) == {"id", "email", "name", "role", "tenantId", "contractorId", "brokerId", "isApproved"}
    assert (answer["user"]["role"], answer["user"]["isApproved"]) == ("MASTER", True)
    assert answer["tenant"] == {"id": account.tenant_id, "name": "Obra", "plan": "FREE"}


@pytest.mark.parametrize("taken", ["email", "document"])
def test_register_taken_value_is_400_and_changes_nothing(
    api: Api, account: Account, postgres: Postgres, database: str, taken: str
) -> None:
    before = postgres.sql("select count(*) from tenants", database)
    body = {
        "email": account.email if taken == "email" else "new-" + account.email,
        "password": PASSWORD,
        "name": "Bia",
        "tenantName": "Outra",
        "tenantDocument": account.document if taken == "document" else "new-" + account.document,
    }
    with api.client() as client:
        response = client.post("/api/v1/auth/register", json=body)
    assert (response.status_code, set(response.json())) == (400, {"error", "message"})
    assert postgres.sql("select count(*) from tenants", database) == before


def test_register_same_company_at_once_makes_one(apis: tuple[Api, Api], account: Account) -> None:
    body = {
        "email": "twin-" + account.email,
        "password": PASSWORD,
        "name": "Bia",
        "tenantName": "Outra",
        "tenantDocument": "twin-" + account.document,
    }

    def send(api: Api) -> int:
        with api.client() as client:
            return client.post("/api/v1/auth/register", json=body).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(send, [*apis, *apis, *apis]))
    assert statuses == [200, 400, 400, 400, 400, 400]


def test_register_nul_character_is_400(api: Api) -> None:
    body = {
        "email": "n@b.com",
        "password": PASSWORD,
        "name": "A\0B",
        "tenantName": "Te",
        "tenantDocument": "nul12345678",
    }
    with api.client() as client:
        response = client.post("/api/v1/auth/register", json=body)
    assert response.status_code == 400


def test_password_is_stored_as_argon2id(account: Account, postgres: Postgres, database: str) -> None:
    stored = postgres.sql(f"select password_hash from users where id = '{account.user_id}'", database)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_login_of_one_copy_is_good_on_the_other(apis: tuple[Api, Api], account: Account) -> None:
    token = login(apis[0], account.email).json()["tokens"]["accessToken"]
    response = me(apis[1], token)
    assert (response.status_code, response.headers["x-served-by"]) == (200, "api2")


def test_login_email_case_does_not_matter(api: Api, account: Account) -> None:
    assert login(api, account.email.upper()).status_code == 200


def test_login_unknown_email_and_wrong_password_answer_the_same(api: Api, account: Account) -> None:
    unknown, wrong = login(api, "nobody@obra.com"), login(api, account.email, "Wrong-pw1")
    assert unknown.status_code == wrong.status_code == 401
    assert unknown.json() == wrong.json()
    assert unknown.json()["error"] == "Authentication failed"


def test_login_unknown_email_costs_what_a_wrong_password_costs(api: Api, account: Account) -> None:
    def cost(email: str) -> float:
        before = api.cpu_seconds()
        for _ in range(12):
            assert login(api, email, "Wrong-pw1").status_code == 401
        return api.cpu_seconds() - before

    unknown, wrong = cost("nobody@obra.com"), cost(account.email)
    assert unknown > wrong * 0.6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("is_approved = false", "Sua conta aguarda aprovação"),
        ("is_active = false", "Sua conta está inativa"),
        ("is_approved = false, is_active = false", "Sua conta aguarda aprovação"),
    ],
)
def test_login_of_a_closed_account_is_401(
    api: Api, account: Account, postgres: Postgres, database: str, change: str, message: str
) -> None:
    postgres.sql(f"update users set {change} where id = '{account.user_id}'", database)
    response = login(api, account.email)
    assert (response.status_code, response.json()["message"]) == (401, message)


def test_login_of_a_closed_account_with_a_wrong_password_does_not_tell(
    api: Api, account: Account, postgres: Postgres, database: str
) -> None:
    postgres.sql(f"update users set is_approved = false where id = '{account.user_id}'", database)
    assert login(api, account.email, "Wrong-pw1").json()["message"] == "E-mail ou senha incorretos"


def test_me_answers_the_contract_keys(api: Api, account: Account) -> None:
    answer = me(api, account.access).json()
    assert set(answer) == {
        "id", "email", "name", "role", "tenantId", "contractorId", "isApproved", "createdAt", "tenant", "contractor",
    }  # fmt: skip


def test_me_shows_the_contractor(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    contractor = postgres.sql(
        f"""insert into contractors (tenant_id, name, document, specialty)
            values ('{account.tenant_id}', 'Pedro', '111', '["pintura"]') returning id""",
        database,
    )
    postgres.sql(f"update users set contractor_id = '{contractor}' where id = '{account.user_id}'", database)
    assert me(api, account.access).json()["contractor"] == {
        "id": contractor,
        "name": "Pedro",
        "document": "111",
        "specialty": ["pintura"],
    }


def test_me_of_a_deleted_user_is_401(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    postgres.sql(f"delete from users where id = '{account.user_id}'", database)
    assert me(api, account.access).status_code == 401


def test_refresh_answers_a_flat_pair(api: Api, account: Account) -> None:
    response = refresh(api, account.refresh)
    assert (response.status_code, set(response.json())) == (200, {"accessToken", "refreshToken"})


def test_refresh_token_changes_with_each_use(api: Api, account: Account) -> None:
    assert refresh(api, account.refresh).json()["refreshToken"] != account.refresh


def test_refresh_chain_goes_on_over_both_copies(apis: tuple[Api, Api], account: Account) -> None:
    token = account.refresh
    for turn in range(4):
        response = refresh(apis[turn % 2], token)
        assert response.status_code == 200
        token = response.json()["refreshToken"]


def test_refresh_in_parallel_gives_the_same_successor(apis: tuple[Api, Api], account: Account) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda turn: refresh(apis[turn % 2], account.refresh), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1


def test_refresh_again_after_a_lost_answer_gives_the_same_successor(apis: tuple[Api, Api], account: Account) -> None:
    first, second = refresh(apis[0], account.refresh), refresh(apis[1], account.refresh)
    assert first.json()["refreshToken"] == second.json()["refreshToken"]


def test_refresh_reuse_after_the_grace_is_401(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    refresh(api, account.refresh)
    age_used_tokens(postgres, database, account)
    response = refresh(api, account.refresh)
    assert (response.status_code, response.json()["error"]) == (401, "Token refresh failed")


def test_refresh_reuse_after_the_grace_ends_the_family(
    apis: tuple[Api, Api], account: Account, postgres: Postgres, database: str
) -> None:
    successor = refresh(apis[0], account.refresh).json()["refreshToken"]
    age_used_tokens(postgres, database, account)
    refresh(apis[0], account.refresh)
    assert refresh(apis[1], successor).status_code == 401


def test_refresh_reuse_leaves_other_sessions_alone(
    api: Api, account: Account, postgres: Postgres, database: str
) -> None:
    other = login(api, account.email).json()["tokens"]["refreshToken"]
    refresh(api, account.refresh)
    age_used_tokens(postgres, database, account)
    refresh(api, account.refresh)
    assert refresh(api, other).status_code == 200


@pytest.mark.parametrize("change", ["is_active = false", "is_approved = false"])
def test_refresh_of_a_closed_account_is_401(
    api: Api, account: Account, postgres: Postgres, database: str, change: str
) -> None:
    postgres.sql(f"update users set {change} where id = '{account.user_id}'", database)
    assert refresh(api, account.refresh).status_code == 401


def test_refresh_takes_up_a_new_role(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    postgres.sql(f"update users set role = 'VIEWER' where id = '{account.user_id}'", database)
    token = refresh(api, account.refresh).json()["accessToken"]
    with api.client(token) as client:
        assert client.post("/api/v1/projects", json={}).status_code == 403


def test_refresh_with_an_access_token_is_401(api: Api, account: Account) -> None:
    assert refresh(api, account.access).status_code == 401


def test_me_with_a_refresh_token_is_401(api: Api, account: Account) -> None:
    assert me(api, account.refresh).status_code == 401


def test_log_has_no_secret_of_a_login(api: Api) -> None:
    account = register(api)
    login(api, account.email)
    text = api.log_path.read_text()
    assert not any(secret in text for secret in (PASSWORD, account.access, account.refresh, account.email))


def test_log_has_one_line_per_request(api: Api, account: Account) -> None:
    with api.client(account.access) as client:
        client.get("/api/v1/auth/me", headers={"X-Request-Id": f"one-line-{account.user_id}"})

    def lines() -> list[dict[str, Any]]:
        return [line for line in api.logs() if line.get("request_id") == f"one-line-{account.user_id}"]

    wait_until(lambda: bool(lines()), "the request is logged")
    assert [(line["method"], line["path"], line["status"]) for line in lines()] == [("GET", "/api/v1/auth/me", 200)]


def test_log_leaves_out_good_health_requests(api: Api) -> None:
    with api.client() as client:
        client.get("/health/live")
    assert not [line for line in api.logs() if line.get("path") == "/health/live"]


def logout(api: Api, account: Account, body: dict[str, str] | None) -> int:
    """Log the account out; gives the status."""
    headers = {"Authorization": f"Bearer {account.access}"}
    with api.client() as client:
        return client.post("/api/v1/auth/logout", json=body, headers=headers).status_code


def test_logout_ends_the_session_of_the_refresh_token_on_both_copies(apis: tuple[Api, Api], account: Account) -> None:
    assert logout(apis[0], account, {"refreshToken": account.refresh}) == 200
    assert [refresh(api, account.refresh).status_code for api in apis] == [401, 401]


def test_logout_leaves_another_session_alone(api: Api, account: Account) -> None:
    other = login(api, account.email, PASSWORD).json()["tokens"]["refreshToken"]
    logout(api, account, {"refreshToken": account.refresh})
    assert refresh(api, other).status_code == 200


def test_logout_without_a_token_ends_all_sessions(api: Api, account: Account) -> None:
    other = login(api, account.email, PASSWORD).json()["tokens"]["refreshToken"]
    assert logout(api, account, None) == 200
    assert [refresh(api, token).status_code for token in (account.refresh, other)] == [401, 401]


def test_logout_with_the_token_of_somebody_else_does_not_end_it(api: Api, account: Account) -> None:
    stranger = register(api)
    logout(api, account, {"refreshToken": stranger.refresh})
    assert refresh(api, stranger.refresh).status_code == 200


def test_logout_again_is_no_error(api: Api, account: Account) -> None:
    assert [logout(api, account, {"refreshToken": account.refresh}) for _ in range(2)] == [200, 200]


def test_logout_needs_a_signed_in_user(api: Api) -> None:
    with api.client() as client:
        assert client.post("/api/v1/auth/logout", json={}).status_code == 401
