"""How a connection to the leader is made: TLS with a checked name, and TCP that notices silence."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from enlevohub_lab.ports import free_port

from enlevohub_api.database import TCP_USER_TIMEOUT_MS, NoLeader, connect_leader, tls_context
from enlevohub_api.dsn import parse_dsn
from enlevohub_api.sql import instant
from service.support import Api, Postgres, running

pytestmark = pytest.mark.postgres


def connect(url: str, timeout: float = 3.0) -> dict[int, int]:
    """Connect and give the TCP options of the socket."""

    async def attempt() -> dict[int, int]:
        dsn = parse_dsn(url)
        connection = await connect_leader(dsn, timeout, tls_context(dsn))
        try:
            sock = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
            return {name: sock.getsockopt(socket.IPPROTO_TCP, name) for name in (socket.TCP_USER_TIMEOUT,)}
        finally:
            await connection.close()

    return asyncio.run(attempt())


def ask(url: str, query: str, *before: str) -> str:
    """Connect and give the one value of a query, after others with the arguments of a name and a number."""

    async def attempt() -> str:
        connection = await connect_leader(parse_dsn(url), 3.0, None)
        try:
            for statement in before:
                await connection.fetchval(statement, "pg_class", 1)
            return str(await connection.fetchval(query))
        finally:
            await connection.close()

    return asyncio.run(attempt())


def openssl(directory: Path, *arguments: str) -> None:
    if shutil.which("openssl") is None:
        raise RuntimeError("openssl is missing: install the Debian package openssl")
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, timeout=30)


def make_ca(directory: Path, name: str) -> Path:
    openssl(
        directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt",
    )  # fmt: skip
    return directory / f"{name}.crt"


@pytest.fixture
def ca(own_postgres: Postgres, tmp_path: Path) -> Path:
    """Turn TLS on, with a certificate for ``localhost`` only; give the CA."""
    authority = make_ca(tmp_path, "ca")
    openssl(
        tmp_path, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr",
    )  # fmt: skip
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl(
        tmp_path, "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
        "-days", "2", "-extfile", "names", "-out", "server.crt",
    )  # fmt: skip
    for name in ("server.crt", "server.key"):
        target = own_postgres.data / name
        shutil.copy(tmp_path / name, target)
        target.chmod(0o600)
        shutil.chown(target, own_postgres.data.owner(), own_postgres.data.group())
    own_postgres.sql("alter system set ssl = on")
    own_postgres.stop()
    own_postgres.start()
    return authority


def secure(server: Postgres, host: str, authority: Path) -> str:
    return f"postgresql://postgres:pa55-w0rd@{host}:{server.port}/app?sslmode=verify-full&sslrootcert={authority}"


def test_connection_with_a_checked_certificate_is_made(own_postgres: Postgres, ca: Path) -> None:
    assert connect(secure(own_postgres, "localhost", ca))


def test_certificate_of_another_name_is_refused(own_postgres: Postgres, ca: Path) -> None:
    with pytest.raises(NoLeader, match="IP address mismatch"):
        connect(secure(own_postgres, "127.0.0.1", ca))


def test_certificate_of_another_authority_is_refused(own_postgres: Postgres, ca: Path, tmp_path: Path) -> None:
    with pytest.raises(NoLeader, match="certificate verify failed"):
        connect(secure(own_postgres, "localhost", make_ca(tmp_path, "other")))


def test_server_without_tls_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    with pytest.raises(NoLeader):
        connect(secure(postgres, "localhost", make_ca(tmp_path, "ca")))


def test_connection_notices_a_silent_host(postgres: Postgres, database: str) -> None:
    assert connect(postgres.url(database))[socket.TCP_USER_TIMEOUT] == TCP_USER_TIMEOUT_MS


def test_times_are_written_in_utc_whatever_the_zone_of_the_server(postgres: Postgres) -> None:
    name = postgres.create_database()
    postgres.sql(f"alter database {name} set timezone to 'America/Fortaleza'")
    query = f"select {instant('timestamptz ' + repr('2026-01-01T22:30:00.120-03:00'))}"
    assert ask(postgres.url(name), query) == "2026-01-02T01:30:00.120Z"


def test_kept_statement_is_planned_once(postgres: Postgres, database: str) -> None:
    url = postgres.url(database)
    plans = "select sum(custom_plans) || '/' || sum(generic_plans) from pg_prepared_statements where statement like %s"
    queries = ["select count(*) from pg_class where relname = $1 limit $2"] * 7
    assert ask(url, plans.replace("%s", "'select count%'"), *queries) == "0/7"


def test_failure_names_every_host_and_its_reason() -> None:
    first, second = free_port(), free_port()
    with pytest.raises(NoLeader) as caught:
        connect(f"postgresql://a:pw1@127.0.0.1:{first},127.0.0.1:{second}/d")
    assert f"127.0.0.1:{first}: " in str(caught.value)
    assert f"127.0.0.1:{second}: " in str(caught.value)


def test_silent_host_is_given_up_after_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        with pytest.raises(NoLeader, match="timed out"):
            connect(f"postgresql://a:pw1@127.0.0.1:{silent.getsockname()[1]}/d", timeout=0.5)


@pytest.mark.parametrize("size", [1, 7])
def test_copy_that_is_ready_has_opened_its_connections(
    postgres: Postgres, database: str, tmp_path: Path, size: int
) -> None:
    api = Api(postgres.url(database), tmp_path / "api.log", extra={"DATABASE_POOL_SIZE": str(size)})
    with running(api), api.client() as client:
        assert 'enlevohub_database_connections{state="idle"} 0.0' in api.metrics()
        for _ in range(3):
            assert client.get("/health/ready").status_code == 200
            assert f'enlevohub_database_connections{{state="idle"}} {size:.1f}' in api.metrics()
