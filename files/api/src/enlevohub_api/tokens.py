"""Access and refresh tokens: JWT signed with HS256.

A token is taken only with the one algorithm, the right audience, issuer and type, and all its claims.
"""

from __future__ import annotations

import base64
import hmac
import time
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from enlevohub_api.rbac import ROLES

ALGORITHM = "HS256"
AUDIENCE = "enlevohub-api"
ISSUER = "enlevohub"
CLOCK_LEEWAY_SECONDS = 5
"""Clocks of two backends may differ by so much; it applies to ``iat`` alone, never to ``exp``."""
MAX_TOKEN_LENGTH = 4096

Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]


class TokenError(Exception):
    """The token is malformed, forged, expired or of the wrong type."""


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What an access token says about its caller. Times are seconds since the epoch."""

    user_id: Id
    tenant_id: Id
    email: str
    role: str
    sid: Id
    jti: Id
    iat: int
    exp: int
    typ: Literal["access"]
    contractor_id: Id | None = None
    broker_id: Id | None = None


class RefreshClaims(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a refresh token says: its own id ``jti`` and its session (family) ``sid``."""

    user_id: Id
    tenant_id: Id
    sid: Id
    jti: Id
    iat: int
    exp: int
    typ: Literal["refresh"]


class _Frame(msgspec.Struct):
    """What every token says beside its claims."""

    aud: Literal["enlevohub-api"]
    iss: Literal["enlevohub"]
    nbf: int | float = 0


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


_HEADER = {"alg": ALGORITHM, "typ": "JWT"}
_OWN_HEADER = _encode(msgspec.json.encode(_HEADER))

_Claims = TypeVar("_Claims", AccessClaims, RefreshClaims)


class Tokens:
    """Signs and checks tokens with one secret."""

    def __init__(self, secret: str) -> None:
        """Keep the signing secret."""
        self._key = secret.encode()

    def sign(self, claims: AccessClaims | RefreshClaims) -> str:
        """Sign the claims. The same claims always give the same token."""
        payload: dict[str, Any] = msgspec.to_builtins(claims)
        payload |= {"aud": AUDIENCE, "iss": ISSUER}
        signed = f"{_OWN_HEADER}.{_encode(msgspec.json.encode(payload))}"
        return f"{signed}.{self._signature(signed)}"

    def _signature(self, signed: str) -> str:
        return _encode(hmac.digest(self._key, signed.encode(), "sha256"))

    def read_access(self, token: str) -> AccessClaims:
        """Check an access token. Raises TokenError."""
        claims = self._read(token, AccessClaims)
        if claims.role not in ROLES:
            raise TokenError("unknown role")
        return claims

    def read_refresh(self, token: str) -> RefreshClaims:
        """Check a refresh token. Raises TokenError."""
        return self._read(token, RefreshClaims)

    def _read(self, token: str, kind: type[_Claims]) -> _Claims:
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenError("too long")
        signed, _, signature = token.rpartition(".")
        header, _, payload = signed.partition(".")
        # The signature comes first and as text: what follows is exactly what this service once wrote.
        if not token.isascii() or not hmac.compare_digest(self._signature(signed), signature):
            raise TokenError("wrong signature")
        try:
            if header != _OWN_HEADER and msgspec.json.decode(_decode(header)) != _HEADER:
                raise TokenError("unexpected header")
            text = _decode(payload)
            frame = msgspec.json.decode(text, type=_Frame)
            claims = msgspec.json.decode(text, type=kind)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise TokenError(str(error)) from error
        now = time.time()
        if claims.exp <= now:
            raise TokenError("expired")
        if claims.iat > now + CLOCK_LEEWAY_SECONDS or frame.nbf > now:
            raise TokenError("issued in the future")
        return claims
