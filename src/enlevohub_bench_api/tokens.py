"""Access tokens of the API's form, signed with HS256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

AUDIENCE = "enlevohub-api"
ISSUER = "enlevohub"


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims: dict[str, Any], secret: str, algorithm: str = "HS256") -> str:
    """Return the claims as a token; ``algorithm`` is only what its header says."""
    header = {"alg": algorithm, "typ": "JWT"}
    text = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{text}.{_encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def access_claims(user: str, tenant: str, role: str, now: int, contractor: str | None = None) -> dict[str, Any]:
    """Return the claims of an access token that lives for a day; the session has its user's id."""
    claims = {
        "userId": user,
        "tenantId": tenant,
        "email": f"{user}@example.com",
        "role": role,
        "sid": user,
        "jti": user,
        "iat": now,
        "exp": now + 86400,
        "typ": "access",
        "aud": AUDIENCE,
        "iss": ISSUER,
    }
    return claims if contractor is None else {**claims, "contractorId": contractor}
