"""engine_client: what is asked at the socket of the Docker Engine, and what comes of its answers."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils import engine_client


class Engine(http.server.BaseHTTPRequestHandler):
    """An engine with containers of two projects; a container whose name begins with ``gone`` went away meanwhile."""

    projects: ClassVar[dict[str, list[str]]] = {"backend": ["one", "two"], "empty": [], "leaving": ["one", "gone1"]}

    def do_GET(self) -> None:
        """Answer as the Engine API does."""
        address = urlsplit(self.path)
        if address.path == "/containers/json":
            query = parse_qs(address.query)
            assert query["all"] == ["true"]
            (label,) = json.loads(query["filters"][0])["label"]
            name = label.removeprefix("com.docker.compose.project=")
            if name not in self.projects:
                self.answer(500, {"message": "the database of the engine is locked"})
            else:
                self.answer(200, [{"Id": each} for each in self.projects[name]])
        elif address.path.startswith("/containers/gone"):
            self.answer(404, {"message": "No such container"})
        else:
            self.answer(200, {"Id": address.path.split("/")[2], "State": {}})

    def answer(self, status: int, body: object) -> None:
        """Send one answer."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        """Return nothing: a peer at a socket of this host has no address."""
        return ""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """HTTP at a path."""

    daemon_threads = True


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of an engine."""
    path = str(tmp_path_factory.mktemp("engine") / "docker.sock")
    with Server(path, Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path
        server.shutdown()


def test_every_container_of_the_project_is_described(engine: str) -> None:
    assert [item["Id"] for item in engine_client.containers("backend", engine)] == ["one", "two"]


def test_project_without_containers_has_none(engine: str) -> None:
    assert engine_client.containers("empty", engine) == []


def test_project_reads_as_missing_while_a_container_goes_away(engine: str) -> None:
    assert engine_client.containers("leaving", engine) == []


def test_error_of_the_engine_is_told_with_its_words_and_the_socket(engine: str) -> None:
    with pytest.raises(engine_client.EngineError, match=r"docker\.sock: 500 .*the database of the engine is locked"):
        engine_client.containers("other", engine)


def test_engine_that_is_not_there_is_told_with_its_socket(tmp_path: Path) -> None:
    with pytest.raises(engine_client.EngineError, match=r"none\.sock: .*No such file"):
        engine_client.containers("backend", str(tmp_path / "none.sock"))


def test_socket_that_closes_without_an_answer_is_an_error(tmp_path: Path) -> None:
    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)

    path = str(tmp_path / "silent.sock")
    with Server(path, Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(engine_client.EngineError, match=r"silent\.sock: "):
            engine_client.containers("backend", path)
        server.shutdown()
