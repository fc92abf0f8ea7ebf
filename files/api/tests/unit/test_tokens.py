"""Tokens: the good ones pass, forged ones do not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from enlevohub_api.tokens import AccessClaims, RefreshClaims, TokenError, Tokens
from forgeries import FORGERIES, Forger

SECRET = "4f1d0c9b7a6e5d8c3b2a1908f7e6d5c4"
USER = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
SESSION = "33333333-3333-4333-8333-333333333333"
TOKEN = "44444444-4444-4444-8444-444444444444"


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base: dict[str, Any] = {
        "userId": USER,
        "tenantId": TENANT,
        "email": "a@b.com",
        "role": "MASTER",
        "sid": SESSION,
        "jti": TOKEN,
        "iat": now,
        "exp": now + 900,
        "typ": "access",
        "aud": "enlevohub-api",
        "iss": "enlevohub",
    }
    return base | changes


def forger() -> Forger:
    return Forger(SECRET, claims())


def forge(payload: object) -> str:
    return forger().forge(payload)


def test_access_token_comes_back_as_signed() -> None:
    now = int(time.time())
    original = AccessClaims(
        user_id=USER,
        tenant_id=TENANT,
        email="a@b.com",
        role="VIEWER",
        sid=SESSION,
        jti=TOKEN,
        iat=now,
        exp=now + 60,
        typ="access",
    )
    assert Tokens(SECRET).read_access(Tokens(SECRET).sign(original)) == original


def test_hand_made_token_is_accepted() -> None:
    assert Tokens(SECRET).read_access(forge(claims())).user_id == USER


def test_refresh_token_with_the_same_claims_is_the_same_text() -> None:
    now = int(time.time())
    original = RefreshClaims(
        user_id=USER, tenant_id=TENANT, sid=SESSION, jti=TOKEN, iat=now, exp=now + 60, typ="refresh"
    )
    assert Tokens(SECRET).sign(original) == Tokens(SECRET).sign(original)


def test_refresh_token_is_no_access_token() -> None:
    with pytest.raises(TokenError):
        Tokens(SECRET).read_access(forge(claims(typ="refresh", jti=TOKEN)))


def test_access_token_is_no_refresh_token() -> None:
    with pytest.raises(TokenError):
        Tokens(SECRET).read_refresh(forge(claims(jti=TOKEN)))


def test_clock_of_another_backend_may_be_a_little_ahead() -> None:
    assert Tokens(SECRET).read_access(forge(claims(iat=int(time.time()) + 3))).user_id == USER


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_token_is_refused(name: str) -> None:
    with pytest.raises(TokenError):
        Tokens(SECRET).read_access(FORGERIES[name](forger()))
