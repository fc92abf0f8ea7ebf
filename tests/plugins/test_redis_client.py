"""redis_client: URLs, the protocol, and errors that people understand."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils import redis_client
from ansible_collections.enlevohub.datacenter.plugins.module_utils.redis_client import RedisClient, RedisError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.conftest import Renderer

PASSWORD = "not-for-anybody"


@contextmanager
def server(*answers: bytes, context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server on loopback that gives one answer per request, and the requests it got; with a context it is TLS."""
    listener = socket.create_server(("127.0.0.1", 0))
    got: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client, suppress(ssl.SSLError):
            if context is not None:
                client = context.wrap_socket(client, server_side=True)
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


def signed(directory: Path, authority: tuple[Any, Any] | None, days: int) -> tuple[Any, Any]:
    """Make a key and a certificate for loopback, by an authority or itself, that ends in some days or has ended."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, directory.name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority[1].subject if authority else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    certificate = builder.sign(authority[0] if authority else key, hashes.SHA256())
    directory.mkdir()
    (directory / "crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "key").write_bytes(key.private_bytes(*form))
    return key, certificate


@pytest.mark.parametrize(
    ("days", "trusted", "problem"),
    [
        (10, "authority", ""),
        (-1, "authority", "its certificate is refused: certificate has expired"),
        (10, "other", "its certificate is refused: unable to get local issuer certificate"),
    ],
)
def test_certificate_of_redis_is_checked(tmp_path: Path, days: int, trusted: str, problem: str) -> None:
    signed(tmp_path / "host", signed(tmp_path / "authority", None, 100), days)
    signed(tmp_path / "other", None, 100)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "host/crt", tmp_path / "host/key")
    authority = (tmp_path / trusted / "crt").read_text()
    with server(b"+OK\r\n", b"+OK\r\n", context=context) as (port, _):
        said = redis_client.check_access(f"rediss://127.0.0.1:{port}", PASSWORD, "", "", authority)
    assert said == (f"127.0.0.1:{port}: {problem}" if problem else "")


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
