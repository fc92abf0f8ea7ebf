"""The REST API of Patroni, with the certificate of this host."""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.request
from typing import Any

ACCESS = {
    "url": {"type": "str", "required": True},
    "username": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "directory": {"type": "path", "required": True},
}
"""Options of every module that asks for a change; the documentation fragment C(patroni) tells them."""


class Patroni:
    """One member's API; a method may ask another member by its own address."""

    def __init__(self, url: str, username: str, password: str, directory: str) -> None:
        """Use the API at a base address; the directory holds ca.crt, host.crt and host.key."""
        self.url = url
        self._credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
        context = ssl.create_default_context(cafile=os.path.join(directory, "ca.crt"))
        context.load_cert_chain(os.path.join(directory, "host.crt"), os.path.join(directory, "host.key"))
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)]
        self._opener = urllib.request.build_opener(*handlers)

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, url: str = "", timeout: float = 10
    ) -> Any:
        """Call a member and return its answer, read as JSON where it is JSON.

        Raises:
            OSError: it cannot be reached or refuses (urllib.error.HTTPError); timeout in seconds.
        """
        request = urllib.request.Request(
            (url or self.url) + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Authorization": f"Basic {self._credentials}"},
        )
        with self._opener.open(request, timeout=timeout) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("{", "[")) else text

    def members(self) -> list[dict[str, Any]]:
        """Return the members of the cluster; the address of each one's API is under ``api_url``."""
        found: list[dict[str, Any]] = self.call("GET", "/cluster")["members"]
        return found


def pending(members: list[dict[str, Any]]) -> list[str]:
    """Return the names of the members whose PostgreSQL waits for a restart, the leader last."""
    waiting = [member for member in members if member.get("pending_restart")]
    return [member["name"] for member in sorted(waiting, key=lambda member: (leads(member), member["name"]))]


def leads(member: dict[str, Any]) -> bool:
    """Whether a member is the leader."""
    return bool(member["role"] == "leader")


def reach(given: dict[str, Any]) -> Patroni:
    """Return the API that the options ``ACCESS`` of a module name."""
    return Patroni(given["url"], given["username"], given["password"], given["directory"])
