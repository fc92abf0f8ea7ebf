"""redis_client: URLs, the protocol, and errors that people understand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils import redis_client
from ansible_collections.enlevohub.datacenter.plugins.module_utils.redis_client import RedisClient, RedisError

from tests.conftest import Renderer

PASSWORD = "not-for-anybody"


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server on loopback that gives one answer per request, and the requests it got."""
    listener = socket.create_server(("127.0.0.1", 0))
    got: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            for answer in answers:
                got.append(client.recv(65536))
                client.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], got
    finally:
        thread.join(10)
        listener.close()


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (b"+PONG\r\n", "PONG"),
        (b":7\r\n", 7),
        (b"$5\r\na\r\nbc\r\n", "a\r\nbc"),
        (b"$-1\r\n", None),
        (b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", ["a", [1]]),
        (b"*-1\r\n", None),
    ],
)
def test_answer_is_read(answer: bytes, value: object) -> None:
    with server(answer) as (port, got), RedisClient("127.0.0.1", port, "", "", None) as client:
        assert client.call("GET", "chave ção") == value
    assert got == ["*2\r\n$3\r\nGET\r\n$11\r\nchave ção\r\n".encode()]


def test_user_and_password_are_sent_first() -> None:
    with server(b"+OK\r\n") as (port, got), RedisClient("127.0.0.1", port, "ana", PASSWORD, None):
        pass
    assert got == [b"*3\r\n$4\r\nAUTH\r\n$3\r\nana\r\n$15\r\nnot-for-anybody\r\n"]


def test_refused_login_tells_why_without_the_password() -> None:
    with server(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n") as (port, _):
        said = redis_client.check_access(f"redis://ana@127.0.0.1:{port}", PASSWORD, "", "", "")
    assert said == f"127.0.0.1:{port}: WRONGPASS invalid username-password pair or user is disabled."


def test_closed_port_tells_why() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    said = redis_client.check_access(f"redis://127.0.0.1:{port}", PASSWORD, "", "", "")
    assert said == f"127.0.0.1:{port}: Connection refused"


def test_sentinel_that_does_not_know_the_service_is_named() -> None:
    with server(b"*-1\r\n") as (port, _):
        said = redis_client.check_access(f"redis+sentinel://127.0.0.1:{port}/main", PASSWORD, "", "", "")
    assert said == f"the sentinel 127.0.0.1:{port} does not know main"


def test_access_by_sentinel_writes_at_the_primary() -> None:
    with server(b"+OK\r\n", b"+OK\r\n") as (primary, wrote):
        answer = b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(primary)), primary)
        with server(b"+OK\r\n", answer) as (port, _):
            url = f"redis+sentinel://api@127.0.0.1:{port}/main/0"
            assert redis_client.check_access(url, PASSWORD, "guard", PASSWORD, "") == ""
    assert wrote[1].startswith(b"*5\r\n$3\r\nSET\r\n$19\r\nenlevohub:preflight\r\n")


@pytest.mark.parametrize("text", ["", "http://a", "redis://", "redis+sentinel://a:1", "redis://user:password@a"])
def test_wrong_url_is_refused(text: str) -> None:
    with pytest.raises(RedisError):
        redis_client.parse_url(text)


def test_url_of_the_role_is_read(render: Renderer) -> None:
    found = redis_client.parse_url(render.value("backend", "backend_redis_url", "app2"))
    assert found == redis_client.Target(
        True,
        "enlevohub",
        [("10.89.0.12", 26379), ("10.89.0.11", 26379), ("10.89.0.13", 26379)],
        "enlevohub-lab",
    )
