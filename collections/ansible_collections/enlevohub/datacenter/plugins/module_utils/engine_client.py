"""Questions to the Docker Engine of this host over its socket: a call of its client costs twenty times as much CPU."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from typing import Any

SOCKET = "/run/docker.sock"
TIMEOUT = 60.0
"""Seconds; an engine that starts many containers at once answers late, but it does."""


class EngineError(Exception):
    """The engine did not answer, or with an error."""


class GoneError(EngineError):
    """The engine does not know what was asked for."""


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of this host."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket instead of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(path: str, query: dict[str, str] | None = None, where: str = SOCKET) -> Any:
    """Return the engine's answer to one question.

    Args:
        path: of the Engine API without a version, so that every engine answers in its own.
        query: parameters.
        where: socket of the engine.

    Raises:
        GoneError: there is no such thing.
        EngineError: no answer, or another error; the text says what and where.
    """
    connection = _Connection(where)
    try:
        connection.request("GET", f"{path}?{urllib.parse.urlencode(query or {})}")
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == http.client.NOT_FOUND:
            raise GoneError(f"{path}: {text.decode(errors='replace').strip()[:500]}")
        if answer.status != http.client.OK:
            raise EngineError(f"{path} at {where}: {answer.status} {text.decode(errors='replace').strip()[:500]}")
        return json.loads(text)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EngineError(f"{path} at {where}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def containers(project: str, where: str = SOCKET) -> list[dict[str, Any]]:
    """Return what ``docker inspect`` says of each container of a Compose project.

    Args:
        project: name of the Compose project.
        where: socket of the engine.

    Returns:
        Nothing at all when one of them went away between the questions: it reads as missing.

    Raises:
        EngineError: no answer.
    """
    label = json.dumps({"label": [f"com.docker.compose.project={project}"]})
    listed = ask("/containers/json", {"all": "true", "filters": label}, where)
    try:
        return [ask(f"/containers/{item['Id']}/json", None, where) for item in listed]
    except GoneError:
        return []
