"""Forged tokens over HTTP, made from the claims of a live session: none is accepted by any copy."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from forgeries import FORGERIES, Forger
from service.support import JWT_SECRET, Account, Api, register

pytestmark = pytest.mark.postgres

SENDABLE = [name for name in FORGERIES if name not in ("newline after", "empty")]
"""A header cannot hold a line break, nor end with a space."""


def forger(account: Account) -> Forger:
    payload = account.access.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return Forger(JWT_SECRET, claims)


def me(api: Api, token: str) -> httpx.Response:
    header = (b"Authorization", b"Bearer " + token.encode())
    return httpx.get(f"{api.base}/api/v1/auth/me", headers=[header], timeout=30)


@pytest.fixture(scope="module")
def victim(api: Api) -> Account:
    return register(api)


def test_hand_made_copy_of_the_real_token_is_accepted(apis: tuple[Api, Api], victim: Account) -> None:
    made = forger(victim)
    assert [me(api, made.forge(made.claims())).status_code for api in apis] == [200, 200]


@pytest.mark.parametrize("name", SENDABLE)
def test_forged_token_is_401(apis: tuple[Api, Api], victim: Account, name: str) -> None:
    token = FORGERIES[name](forger(victim))
    assert [me(api, token).status_code for api in apis] == [401, 401]


@pytest.mark.parametrize(
    "change",
    [
        {"role": "ROOT"},
        {"tenantId": "22222222-2222-4222-8222-222222222222"},
        {"userId": "11111111-1111-4111-8111-111111111111"},
        {"sid": "33333333-3333-4333-8333-333333333333"},
    ],
    ids=["role", "tenant", "user", "session"],
)
def test_signed_token_that_does_not_fit_the_account_is_401(
    apis: tuple[Api, Api], victim: Account, change: dict[str, str]
) -> None:
    made = forger(victim)
    token = made.forge(made.claims(**change))
    assert [me(api, token).status_code for api in apis] == [401, 401]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "bearer {}", "Bearer  {}", "Bearer {} x", "Basic {}", "{}", "Token {}", "Bearer {},Bearer {}"],
)
def test_authorization_in_another_form_is_401(api: Api, victim: Account, header: str) -> None:
    value = header.replace("{}", victim.access)
    response = httpx.get(f"{api.base}/api/v1/auth/me", headers={"Authorization": value}, timeout=30)
    assert response.status_code == 401
