"""Talk to the REST API of a BIG-IP: one token, given back at the end; bounded tries where they help."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from types import TracebackType
from typing import Any
from urllib.parse import quote

PROVIDER: dict[str, Any] = {
    "type": "dict",
    "required": True,
    "options": {
        "server": {"type": "str", "required": True},
        "server_port": {"type": "int", "default": 443},
        "user": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "validate_certs": {"type": "bool", "default": True},
        "no_f5_teem": {"type": "bool", "default": True},
    },
}
TIMEOUT = 30.0
BROKEN = (OSError, http.client.HTTPException)
# What may be gone a moment later. 401 is not among them: a second try could lock the user.
TEMPORARY = (500, 502, 503, 504)


class F5Error(Exception):
    """The BIG-IP does not do what it is asked; the text says what and, where it is known, why."""


class F5NotFoundError(F5Error):
    """There is no such object."""


def resource(path: str) -> str:
    """Return a full path (/Common/pool) as it stands in an address (~Common~pool)."""
    return quote(path.replace("/", "~"), safe="~:.")


class F5Client:
    """A session with a BIG-IP; ``with`` gives the token back, whatever happens.

    Attributes:
        tries: how often a request is sent when the BIG-IP is busy or cannot be reached.
        delay: seconds between two tries.
    """

    def __init__(self, provider: dict[str, Any], tries: int = 3, delay: float = 2.0) -> None:
        """Prepare; nothing is sent yet."""
        self.provider = provider
        self.tries = tries
        self.delay = delay
        self.base = f"https://{provider['server']}:{provider['server_port']}"
        self._token = ""
        context = ssl.create_default_context()
        if not provider["validate_certs"]:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )

    def __enter__(self) -> F5Client:
        """Log in."""
        self._login()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the token back: a user has 100 of them. One that cannot be given back ends by itself."""
        if self._token:
            with contextlib.suppress(*BROKEN):
                self._send("DELETE", f"/mgmt/shared/authz/tokens/{self._token}", None)
            self._token = ""

    def _login(self) -> None:
        self._token = ""
        user = self.provider["user"]
        body = {"username": user, "password": self.provider["password"], "loginProviderName": "tmos"}
        status, answer = self._try("POST", "/mgmt/shared/authn/login", body)
        if status == 401:
            raise F5Error(f"{self.base} refuses the user {user} or its password (401). It is not tried again")
        if status != 200:
            raise F5Error(f"{self.base} gives no token: {self._said(status, answer)}")
        self._token = str(answer["token"]["token"])

    @staticmethod
    def _said(status: int, answer: dict[str, Any]) -> str:
        return f"{status} {answer.get('message') or answer.get('errors') or ''}".strip()

    def _send(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Send one request; returns status and body, an empty one when there is none."""
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["X-F5-Auth-Token"] = self._token
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, method=method, data=data, headers=headers)
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                status, text = int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            found = {"message": "the answer is no JSON"}
        return status, found if isinstance(found, dict) else {}

    def _try(self, method: str, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        reason = ""
        for number in range(self.tries):
            if number:
                time.sleep(self.delay)
            try:
                status, answer = self._send(method, path, body)
            except BROKEN as error:
                reason = f"cannot be reached: {getattr(error, 'reason', error)}"
                continue
            if status not in TEMPORARY:
                return status, answer
            reason = f"answers {self._said(status, answer)}"
        raise F5Error(f"{self.base} {reason} ({method} {path.split('?')[0]}, {self.tries} tries)")

    def call(self, method: str, path: str, body: Any = None, accept: tuple[int, ...] = (200,)) -> tuple[int, Any]:
        """Send a request; a token that ran out is replaced once.

        Raises:
            F5NotFoundError: 404. F5Error: another status that is not accepted.
        """
        status, answer = self._try(method, path, body)
        if status == 401 and 401 not in accept:
            self._login()
            status, answer = self._try(method, path, body)
        if status in accept:
            return status, answer
        kind = F5NotFoundError if status == 404 else F5Error
        raise kind(f"{self.base} answers {self._said(status, answer)} ({method} {path.split('?')[0]})")

    def get(self, path: str) -> dict[str, Any]:
        """Return an object or a collection."""
        found: dict[str, Any] = self.call("GET", path)[1]
        return found

    def find(self, path: str) -> dict[str, Any] | None:
        """Return an object, None when there is none."""
        try:
            return self.get(path)
        except F5NotFoundError:
            return None
