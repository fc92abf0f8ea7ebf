"""Access and refresh tokens: JWT signed with HS256.

A token is taken only with the one algorithm, the right audience, issuer and type, and all its claims.
"""

from __future__ import annotations

import base64
import time
from typing import Annotated, Any, Literal, TypeVar

import jwt
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


def _is_canonical(part: str) -> bool:
    """Tell whether the text is exactly what its bytes encode to: decoders skip foreign characters and spare bits."""
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode() == part


_Claims = TypeVar("_Claims", AccessClaims, RefreshClaims)


class Tokens:
    """Signs and checks tokens with one secret."""

    def __init__(self, secret: str) -> None:
        """Keep the signing secret."""
        self._secret = secret

    def sign(self, claims: AccessClaims | RefreshClaims) -> str:
        """Sign the claims. The same claims always give the same token."""
        payload: dict[str, Any] = msgspec.to_builtins(claims)
        payload |= {"aud": AUDIENCE, "iss": ISSUER}
        return jwt.encode(payload, self._secret, algorithm=ALGORITHM)

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
        if any(not _is_canonical(part) for part in token.split(".")):
            raise TokenError("not base64url")
        try:
            header = jwt.get_unverified_header(token)
            if header != {"alg": ALGORITHM, "typ": "JWT"}:
                raise TokenError("unexpected header")
            payload = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=0,
                options={"require": ["exp", "iat", "aud", "iss"], "verify_iat": False, "strict_aud": True},
            )
            claims = msgspec.convert(payload, kind)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError) as error:
            raise TokenError(str(error)) from error
        if claims.iat > time.time() + CLOCK_LEEWAY_SECONDS:
            raise TokenError("issued in the future")
        return claims
