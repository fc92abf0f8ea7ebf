"""Names and addresses of photos.

The database keeps a photo's key. Clients get a URL that anyone may open until it expires, because a browser's ``<img>``
sends no token; it is signed anew with every answer, and stays the same for a while so that browsers can cache it.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
import uuid
from urllib.parse import urlsplit

PATH = "/api/v1/projects/uploads"

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAME = r"[0-9]{13}-[0-9a-z]{6,32}\.jpg"
_KEY = re.compile(rf"uploads/projects/({_ID})/({_NAME})", re.ASCII)
_QUOTED_KEY = re.compile(rf'"(uploads/projects/({_ID})/{_NAME})"', re.ASCII)
_IN_JSON = re.compile(rf'"projectId":"({_ID})","photos":\["[^\]]*\]', re.ASCII)
_URL_PATH = re.compile(rf"{PATH}/({_ID})/({_NAME})", re.ASCII)


def new_key(project: uuid.UUID) -> str:
    """Make the key of a new photo."""
    name = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return f"uploads/projects/{project}/{int(time.time() * 1000):013d}-{name}.jpg"


def key_of(text: str, project: uuid.UUID) -> str | None:
    """Read a photo of a project from its key, its path or its URL; None when it is none of them."""
    match = _KEY.fullmatch(text)
    if match is None:
        try:
            match = _URL_PATH.fullmatch(urlsplit(text).path)
        except ValueError:
            return None
    if match is None or match[1] != str(project):
        return None
    return f"uploads/projects/{match[1]}/{match[2]}"


class PhotoUrls:
    """Signs the addresses of photos and checks them."""

    def __init__(self, secret: str, life: int) -> None:
        """Take a key of its own from the service's secret; a URL lives ``life`` seconds or up to half longer."""
        self._key = hmac.digest(secret.encode(), b"enlevohub photo url", "sha256")
        self._life = life
        self._step = max(1, life // 2)

    def sign(self, key: str, now: float | None = None) -> str:
        """Make the URL of a key."""
        moment = int(time.time() if now is None else now)
        expires = (moment // self._step + 1) * self._step + self._life
        location = key.removeprefix("uploads/projects")
        return f"{PATH}{location}?expires={expires}&signature={self._signature(key, expires)}"

    def sign_all(self, photos: list[str], project_id: str) -> list[str]:
        """Make the URLs of the keys of a project's photos; other text stays as it is."""
        own = f"uploads/projects/{project_id}/"
        return [self.sign(photo) if photo.startswith(own) and _KEY.fullmatch(photo) else photo for photo in photos]

    def sign_json(self, text: str) -> str:
        """Make the URLs of the keys in the photos of a JSON text of evolutions that PostgreSQL wrote.

        Only what `sql.EVOLUTION_FIELDS` writes looks like ``"projectId":"...","photos":[``: quotes in texts are
        escaped, and PostgreSQL puts a space behind the colons of stored JSON.
        """
        return _IN_JSON.sub(self._sign_found, text) if '"uploads/projects/' in text else text

    def _sign_found(self, found: re.Match[str]) -> str:
        project, before = found[1], found[0]
        return _QUOTED_KEY.sub(
            lambda key: f'"{self.sign(key[1])}"' if key[2] == project else key[0],
            before,
        )

    def remaining(self, key: str, expires: int, signature: str, now: float | None = None) -> int:
        """Check a URL; give the seconds it has left, 0 when it is forged or over."""
        if not hmac.compare_digest(self._signature(key, expires).encode(), signature.encode("utf-8", "replace")):
            return 0
        return max(0, expires - int(time.time() if now is None else now))

    def _signature(self, key: str, expires: int) -> str:
        digest = hmac.digest(self._key, f"{key}\n{expires}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
