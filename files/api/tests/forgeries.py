"""Access tokens as an attacker would make them, from the claims of a real one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

HEADER = {"alg": "HS256", "typ": "JWT"}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Forger:
    """Makes tokens by hand, with a secret and claims that the service would take."""

    def __init__(self, secret: str, base: dict[str, Any]) -> None:
        self.secret = secret
        self._base = base

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Give the good claims with changes; ``...`` leaves one out."""
        return {key: value for key, value in (self._base | changes).items() if value is not ...}

    def forge(self, payload: object, header: object = HEADER, secret: str | None = None, digest: str = "sha256") -> str:
        """Sign any payload."""
        key = self.secret if secret is None else secret
        signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(payload).encode())}"
        return f"{signed}.{encode(hmac.new(key.encode(), signed.encode(), digest).digest())}"

    def unsigned(self, header: object) -> str:
        return f"{encode(json.dumps(header).encode())}.{encode(json.dumps(self.claims()).encode())}."

    def changed_payload(self) -> str:
        head, _, signature = self.forge(self.claims(role="VIEWER")).split(".")
        return f"{head}.{encode(json.dumps(self.claims(role='ROOT')).encode())}.{signature}"

    def spare_bits(self) -> str:
        """Change only the two bits of the last character that no byte of the signature uses."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        token = self.forge(self.claims())
        return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


FORGERIES: dict[str, Callable[[Forger], str]] = {
    "empty": lambda f: "",
    "dots": lambda f: "..",
    "text": lambda f: "not-a-token",
    "two parts": lambda f: f.forge(f.claims()).rpartition(".")[0],
    "four parts": lambda f: f.forge(f.claims()) + ".x",
    "alg none": lambda f: f.unsigned({"alg": "none", "typ": "JWT"}),
    "alg None": lambda f: f.unsigned({"alg": "None", "typ": "JWT"}),
    "alg HS256 unsigned": lambda f: f.unsigned(HEADER),
    "alg HS384": lambda f: f.forge(f.claims(), {"alg": "HS384", "typ": "JWT"}, digest="sha384"),
    "alg HS512": lambda f: f.forge(f.claims(), {"alg": "HS512", "typ": "JWT"}, digest="sha512"),
    "alg RS256": lambda f: f.forge(f.claims(), {"alg": "RS256", "typ": "JWT"}),
    "alg missing": lambda f: f.forge(f.claims(), {"typ": "JWT"}),
    "alg lower case": lambda f: f.forge(f.claims(), {"alg": "hs256", "typ": "JWT"}),
    "header kid": lambda f: f.forge(f.claims(), {**HEADER, "kid": "../../dev/null"}),
    "header jwk": lambda f: f.forge(f.claims(), {**HEADER, "jwk": {"kty": "oct", "k": encode(b"x" * 32)}}),
    "header crit": lambda f: f.forge(f.claims(), {**HEADER, "crit": ["exp"]}),
    "header typ": lambda f: f.forge(f.claims(), {"alg": "HS256", "typ": "at+jwt"}),
    "header list": lambda f: f.forge(f.claims(), ["HS256"]),
    "other secret": lambda f: f.forge(f.claims(), secret=f.secret[::-1]),
    "empty secret": lambda f: f.forge(f.claims(), secret=""),
    "hashed secret": lambda f: f.forge(f.claims(), secret=hashlib.sha256(f.secret.encode()).hexdigest()),
    "payload changed": lambda f: f.changed_payload(),
    "signature cut": lambda f: f.forge(f.claims())[:-4],
    "signature gone": lambda f: f.forge(f.claims()).rpartition(".")[0] + ".",
    "signature with spare bits": lambda f: f.spare_bits(),
    "newline after": lambda f: f.forge(f.claims()) + "\n",
    "foreign character in the signature": lambda f: f.forge(f.claims())[:-3] + "!" + f.forge(f.claims())[-3:],
    "padded": lambda f: f.forge(f.claims()) + "=",
    "not ascii": lambda f: f.forge(f.claims()) + "\u00e9",
    "payload list": lambda f: f.forge([f.claims()]),
    "payload text": lambda f: f.forge("admin"),
    "payload empty": lambda f: f.forge({}),
    "expired": lambda f: f.forge(f.claims(exp=int(time.time()) - 1)),
    "expires now": lambda f: f.forge(f.claims(exp=int(time.time()))),
    "no exp": lambda f: f.forge(f.claims(exp=...)),
    "exp text": lambda f: f.forge(f.claims(exp="never")),
    "exp null": lambda f: f.forge(f.claims(exp=None)),
    "exp fraction": lambda f: f.forge(f.claims(exp=time.time() + 900.5)),
    "exp infinite": lambda f: f.forge(f.claims(exp=float("inf"))),
    "no iat": lambda f: f.forge(f.claims(iat=...)),
    "issued in the future": lambda f: f.forge(f.claims(iat=int(time.time()) + 60)),
    "no audience": lambda f: f.forge(f.claims(aud=...)),
    "other audience": lambda f: f.forge(f.claims(aud="other")),
    "audience list": lambda f: f.forge(f.claims(aud=["enlevohub-api", "other"])),
    "no issuer": lambda f: f.forge(f.claims(iss=...)),
    "other issuer": lambda f: f.forge(f.claims(iss="other")),
    "no typ": lambda f: f.forge(f.claims(typ=...)),
    "other typ": lambda f: f.forge(f.claims(typ="admin")),
    "refresh as access": lambda f: f.forge(f.claims(typ="refresh")),
    "no user": lambda f: f.forge(f.claims(userId=...)),
    "user is text": lambda f: f.forge(f.claims(userId="1 or 1=1")),
    "user with newline": lambda f: f.forge(f.claims(userId=f.claims()["userId"] + "\n")),
    "no token id": lambda f: f.forge(f.claims(jti=...)),
    "no session": lambda f: f.forge(f.claims(sid=...)),
    "no tenant": lambda f: f.forge(f.claims(tenantId=...)),
    "tenant null": lambda f: f.forge(f.claims(tenantId=None)),
    "role unknown": lambda f: f.forge(f.claims(role="ADMIN")),
    "role list": lambda f: f.forge(f.claims(role=["ROOT"])),
    "too long": lambda f: f.forge(f.claims(email="a" * 5000)),
}
