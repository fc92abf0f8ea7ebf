"""One server and one migrated database for the session; a test that breaks a server makes its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.construction_support import Site
from service.redis_support import Pair, RedisProcess, master, two_copies
from service.s3_support import S3Server
from service.support import Account, Api, Postgres, migrate, register, running, shared_directory, wait_until

TEMPLATE_DATABASE = "app"
STORE_PREFIX = "shared"


@pytest.fixture(scope="session")
def template() -> Iterator[Postgres]:
    """A stopped server with one migrated database."""
    with shared_directory("postgres") as directory:
        server = Postgres(directory)
        server.create()
        server.start()
        try:
            server.sql(f"create database {TEMPLATE_DATABASE}")
            migrate(server.url(TEMPLATE_DATABASE))
        finally:
            server.stop()
        yield server


@contextmanager
def _running_copy(template: Postgres) -> Iterator[Postgres]:
    with shared_directory("postgres") as directory:
        server = Postgres(directory)
        server.copy_from(template)
        server.start()
        try:
            yield server
        finally:
            if (server.data / "postmaster.pid").exists():
                server.stop("immediate")


@pytest.fixture(scope="session")
def postgres(template: Postgres) -> Iterator[Postgres]:
    """The server that all tests share."""
    with _running_copy(template) as server:
        yield server


@pytest.fixture
def own_postgres(template: Postgres) -> Iterator[Postgres]:
    """A server that the test may break."""
    with _running_copy(template) as server:
        yield server


@pytest.fixture(scope="session")
def database() -> str:
    """The migrated database, in every server."""
    return TEMPLATE_DATABASE


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisProcess]:
    """A Redis for the tests of one file."""
    with shared_directory("redis") as directory:
        server = master(directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def redis_apis(
    postgres: Postgres, database: str, redis: RedisProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    """Two copies of the service with one Redis."""
    url = f"redis://127.0.0.1:{redis.port}/1"
    with two_copies(postgres, database, tmp_path_factory.mktemp("redis-apis"), url) as pair:
        yield pair


@pytest.fixture
def broken_redis(redis: RedisProcess) -> Iterator[RedisProcess]:
    """A Redis that the test may break; it is whole again afterwards."""
    yield redis
    redis.thaw() if redis.runs() else redis.start()
    wait_until(lambda: redis.ask("PING") == "PONG", "redis is back")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The S3 server that all tests share."""
    server = S3Server(tmp_path_factory.mktemp("s3"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def apis(
    postgres: Postgres, database: str, s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Api, Api]]:
    """Two copies of the service over one database and one bucket."""
    directory = tmp_path_factory.mktemp("apis")
    pair = (
        Api(postgres.url(database), directory / "api1.log", "api1", s3.environment(STORE_PREFIX)),
        Api(postgres.url(database), directory / "api2.log", "api2", s3.environment(STORE_PREFIX)),
    )
    with running(*pair):
        yield pair


@pytest.fixture(scope="session")
def api(apis: tuple[Api, Api]) -> Api:
    return apis[0]


@pytest.fixture
def account(api: Api) -> Account:
    return register(api)


@pytest.fixture
def site(api: Api, account: Account) -> Site:
    """A project of a new account."""
    return Site(api, account)
