"""Tokens: the good ones pass, forged ones do not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from enlevohub_api.tokens import AccessClaims, RefreshClaims, TokenError, Tokens

SECRET = "4f1d0c9b7a6e5d8c3b2a1908f7e6d5c4"
USER = "11111111-1111-4111-8111-111111111111"
TENANT = "22222222-2222-4222-8222-222222222222"
SESSION = "33333333-3333-4333-8333-333333333333"
TOKEN = "44444444-4444-4444-8444-444444444444"
HEADER = {"alg": "HS256", "typ": "JWT"}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(payload: object, header: object = HEADER, secret: str = SECRET, digest: str = "sha256") -> str:
    """Sign any payload, by hand."""
    signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(payload).encode())}"
    return f"{signed}.{encode(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


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
    base |= changes
    return {key: value for key, value in base.items() if value is not ...}


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


def _unsigned(header: object) -> str:
    return f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims()).encode())}."


def _changed_payload() -> str:
    head, _, signature = forge(claims(role="VIEWER")).split(".")
    return f"{head}.{encode(json.dumps(claims(role='ROOT')).encode())}.{signature}"


def _cut(count: int) -> Callable[[], str]:
    return lambda: forge(claims())[:-count]


def _spare_bits() -> str:
    """Change only the two bits of the last character that no byte of the signature uses."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = forge(claims())
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def _empty_key() -> str:
    return forge(claims(), secret="")


FORGERIES: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "dots": lambda: "..",
    "text": lambda: "not-a-token",
    "two parts": lambda: forge(claims()).rpartition(".")[0],
    "four parts": lambda: forge(claims()) + ".x",
    "alg none": lambda: _unsigned({"alg": "none", "typ": "JWT"}),
    "alg None": lambda: _unsigned({"alg": "None", "typ": "JWT"}),
    "alg HS256 unsigned": lambda: _unsigned(HEADER),
    "alg HS384": lambda: forge(claims(), {"alg": "HS384", "typ": "JWT"}, digest="sha384"),
    "alg HS512": lambda: forge(claims(), {"alg": "HS512", "typ": "JWT"}, digest="sha512"),
    "alg RS256": lambda: forge(claims(), {"alg": "RS256", "typ": "JWT"}),
    "alg missing": lambda: forge(claims(), {"typ": "JWT"}),
    "alg lower case": lambda: forge(claims(), {"alg": "hs256", "typ": "JWT"}),
    "header kid": lambda: forge(claims(), {**HEADER, "kid": "../../dev/null"}),
    "header jwk": lambda: forge(claims(), {**HEADER, "jwk": {"kty": "oct", "k": encode(b"x" * 32)}}),
    "header crit": lambda: forge(claims(), {**HEADER, "crit": ["exp"]}),
    "header typ": lambda: forge(claims(), {"alg": "HS256", "typ": "at+jwt"}),
    "header list": lambda: forge(claims(), ["HS256"]),
    "other secret": lambda: forge(claims(), secret=SECRET[::-1]),
    "empty secret": _empty_key,
    "hashed secret": lambda: forge(claims(), secret=hashlib.sha256(SECRET.encode()).hexdigest()),
    "payload changed": _changed_payload,
    "signature cut": _cut(4),
    "signature gone": lambda: forge(claims()).rpartition(".")[0] + ".",
    "signature with spare bits": _spare_bits,
    "newline after": lambda: forge(claims()) + "\n",
    "foreign character in the signature": lambda: forge(claims())[:-3] + "!" + forge(claims())[-3:],
    "padded": lambda: forge(claims()) + "=",
    "not ascii": lambda: forge(claims()) + "\u00e9",
    "payload list": lambda: forge([claims()]),
    "payload text": lambda: forge("admin"),
    "payload empty": lambda: forge({}),
    "expired": lambda: forge(claims(exp=int(time.time()) - 1)),
    "expires now": lambda: forge(claims(exp=int(time.time()))),
    "no exp": lambda: forge(claims(exp=...)),
    "exp text": lambda: forge(claims(exp="never")),
    "exp null": lambda: forge(claims(exp=None)),
    "exp fraction": lambda: forge(claims(exp=time.time() + 900.5)),
    "exp infinite": lambda: forge(claims(exp=float("inf"))),
    "no iat": lambda: forge(claims(iat=...)),
    "issued in the future": lambda: forge(claims(iat=int(time.time()) + 60)),
    "no audience": lambda: forge(claims(aud=...)),
    "other audience": lambda: forge(claims(aud="other")),
    "audience list": lambda: forge(claims(aud=["enlevohub-api", "other"])),
    "no issuer": lambda: forge(claims(iss=...)),
    "other issuer": lambda: forge(claims(iss="other")),
    "no typ": lambda: forge(claims(typ=...)),
    "other typ": lambda: forge(claims(typ="admin")),
    "no user": lambda: forge(claims(userId=...)),
    "user is text": lambda: forge(claims(userId="1 or 1=1")),
    "user with newline": lambda: forge(claims(userId=USER + "\n")),
    "no token id": lambda: forge(claims(jti=...)),
    "no session": lambda: forge(claims(sid=...)),
    "no tenant": lambda: forge(claims(tenantId=...)),
    "tenant null": lambda: forge(claims(tenantId=None)),
    "role unknown": lambda: forge(claims(role="ADMIN")),
    "role list": lambda: forge(claims(role=["ROOT"])),
    "too long": lambda: forge(claims(email="a" * 5000)),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_token_is_refused(name: str) -> None:
    with pytest.raises(TokenError):
        Tokens(SECRET).read_access(FORGERIES[name]())
