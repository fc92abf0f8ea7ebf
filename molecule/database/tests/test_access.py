"""Who may connect to which port of the database tier: tried from every kind of server.

The rows of the matrix say what a server with its own certificate, and one without, is told by the service itself.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

PKI = "/etc/enlevohub/pki"
ASK = f"""
import json, socket, ssl, struct, sys
address, user, database, trust = sys.argv[1:5]
parameters = b"".join(text.encode() + b"\\0" for text in ("user", user, *database.split("=", 1))) + b"\\0"
startup = struct.pack("!ii", len(parameters) + 8, 196608) + parameters

def ask(plain):
    connection = socket.create_connection((address, 5432), 5)
    if not plain:
        connection.sendall(struct.pack("!ii", 8, 80877103))
        assert connection.recv(1) == b"S", "no TLS"
        context = ssl.create_default_context(cafile="{PKI}/ca.crt" if trust == "own" else "{PKI}/host.crt")
        connection = context.wrap_socket(connection, server_hostname=address)
    connection.sendall(startup)
    answer = connection.recv(4096)
    if answer[:1] == b"R":
        return {{0: "let in", 3: "password", 5: "md5", 10: "scram"}}[struct.unpack("!i", answer[5:9])[0]]
    return answer.decode(errors="replace")

try:
    print(ask(trust == "plain"))
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""


def answer(datacenter: Any, origin: str, server: str, user: str, database: str, trust: str = "own") -> str:
    """Return what PostgreSQL of a server says to a connection from another one: ``scram`` or its refusal."""
    words = [datacenter.address(server), user, database, trust]
    return str(datacenter.run(origin, f"python3 -c {shlex.quote(ASK)} {shlex.join(words)}"))


# From where, as whom, to which database (or as a replica), and what the answer begins with.
REFUSED = "no pg_hba.conf entry"
MATRIX = [
    ("app1", "enlevohub", "database=enlevohub", "scram"),
    ("app1", "enlevohub", "database=postgres", REFUSED),
    ("app1", "postgres", "database=enlevohub", REFUSED),
    ("app1", "postgres", "database=postgres", REFUSED),
    ("app1", "replicator", "replication=true", REFUSED),
    ("app1", "rewind", "database=postgres", REFUSED),
    ("etcd1", "enlevohub", "database=enlevohub", REFUSED),
    ("etcd1", "postgres", "database=postgres", REFUSED),
    ("etcd1", "replicator", "replication=true", REFUSED),
    ("db1", "replicator", "replication=true", "scram"),
    ("db2", "replicator", "replication=true", "scram"),
    ("db1", "rewind", "database=postgres", "scram"),
    ("db1", "enlevohub", "database=enlevohub", REFUSED),
    ("db2", "postgres", "database=postgres", REFUSED),
]


@pytest.mark.parametrize(("origin", "user", "database", "expected"), MATRIX)
def test_postgresql_answers(
    datacenter: Any, database_server: str, origin: str, user: str, database: str, expected: str
) -> None:
    assert expected in answer(datacenter, origin, database_server, user, database)


@pytest.mark.parametrize("origin", ["app1", "db1"])
def test_postgresql_refuses_a_connection_without_tls(datacenter: Any, database_server: str, origin: str) -> None:
    user, database = ("enlevohub", "database=enlevohub") if origin == "app1" else ("replicator", "replication=true")
    assert REFUSED in answer(datacenter, origin, database_server, user, database, "plain")


def test_client_that_trusts_another_authority_refuses_postgresql(datacenter: Any, database_server: str) -> None:
    said = answer(datacenter, "app1", database_server, "enlevohub", "database=enlevohub", "other")
    assert "CERTIFICATE_VERIFY_FAILED" in said


SERVICES = [
    ("etcd_servers", 2379, "/health"),
    ("etcd_servers", 2380, "/members"),
    ("database_servers", 8008, "/patroni"),
]


@pytest.mark.parametrize("origin", ["app1", "etcd1", "db1"])
@pytest.mark.parametrize(("tier", "port", "path"), SERVICES)
def test_service_lets_a_server_of_the_environment_in(
    datacenter: Any, origin: str, tier: str, port: int, path: str
) -> None:
    for server in datacenter.groups[tier]:
        url = f"https://{datacenter.address(server)}:{port}{path}"
        # The peers' port of etcd offers HTTP/2 and then does not speak it.
        own = f"--cacert {PKI}/ca.crt --cert {PKI}/host.crt --key {PKI}/host.key"
        assert json.loads(datacenter.run(origin, f"curl -sSf --http1.1 --max-time 5 {own} {url}"))


@pytest.mark.parametrize("origin", ["app1", "etcd1", "db1"])
@pytest.mark.parametrize(("tier", "port", "path"), SERVICES)
@pytest.mark.parametrize("how", ["no certificate", "another authority's certificate", "plain"])
def test_service_refuses(datacenter: Any, origin: str, tier: str, port: int, path: str, how: str) -> None:
    foreign = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=foreign "
        "-keyout /run/foreign.key -out /run/foreign.crt 2>/dev/null"
    )
    datacenter.run(origin, f"test -e /run/foreign.crt || {foreign}")
    given = "--cert /run/foreign.crt --key /run/foreign.key" if how.startswith("another") else ""
    for server in datacenter.groups[tier]:
        url = f"{'http' if how == 'plain' else 'https'}://{datacenter.address(server)}:{port}{path}"
        result = datacenter.host(origin).run(f"curl -sSf --max-time 5 --cacert {PKI}/ca.crt {given} {url}")
        assert result.rc in (22, 35, 52, 55, 56), (server, result)


def test_a_change_by_patroni_needs_the_password_too(datacenter: Any, database_server: str) -> None:
    url = f"https://{datacenter.address(database_server)}:8008/restart"
    own = f"--cacert {PKI}/ca.crt --cert {PKI}/host.crt --key {PKI}/host.key"
    result = datacenter.host("app1").run(f"curl -sSf --max-time 5 {own} -X POST -d '{{}}' {url}")
    assert "401" in result.stderr
