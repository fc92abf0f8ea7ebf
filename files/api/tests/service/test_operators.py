"""Commands of the operator."""

from __future__ import annotations

import pytest

from service.support import Account, Api, Postgres, login, run_cli

pytestmark = pytest.mark.postgres


def test_grant_root_makes_an_existing_user_root(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    result = run_cli("grant-root", {"DATABASE_URL": postgres.url(database)}, account.email.upper())
    assert (result.returncode, result.stderr) == (0, "")
    answer = login(api, account.email).json()
    assert answer["user"]["role"] == "ROOT"
    with api.client(answer["tokens"]["accessToken"]) as client:
        assert client.get("/api/v1/tenant/settings/drives").status_code == 200
    with api.client(account.access) as client:
        assert client.get("/api/v1/auth/me").status_code == 401


@pytest.mark.parametrize("change", ["is_active = false", "is_approved = false"])
def test_grant_root_leaves_a_closed_account_alone(
    account: Account, postgres: Postgres, database: str, change: str
) -> None:
    postgres.sql(f"update users set {change} where id = '{account.user_id}'", database)
    result = run_cli("grant-root", {"DATABASE_URL": postgres.url(database)}, account.email)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert postgres.sql(f"select role from users where id = '{account.user_id}'", database) == "MASTER"


def test_grant_root_to_nobody_fails_in_one_line(postgres: Postgres, database: str) -> None:
    result = run_cli("grant-root", {"DATABASE_URL": postgres.url(database)}, "nobody@obra.com")
    assert (result.returncode, result.stderr) == (
        1,
        "enlevohub-api: there is no active, approved user nobody@obra.com\n",
    )
