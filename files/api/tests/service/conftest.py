"""One server and one migrated database for the session; a test that breaks a server makes its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.support import Account, Api, Postgres, migrate, register

TEMPLATE_DATABASE = "app"


@contextmanager
def _directory() -> Iterator[Path]:
    """A directory that the unprivileged server can reach; pytest's own ones are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="enlevohub-postgres-") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def template() -> Iterator[Postgres]:
    """A stopped server with one migrated database."""
    with _directory() as directory:
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
    with _directory() as directory:
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


@pytest.fixture(scope="session")
def apis(postgres: Postgres, database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Api]]:
    """Two copies of the service over one database."""
    directory = tmp_path_factory.mktemp("apis")
    pair = (
        Api(postgres.url(database), directory / "api1.log", "api1"),
        Api(postgres.url(database), directory / "api2.log", "api2"),
    )
    try:
        for api in pair:
            api.start()
        yield pair
    finally:
        for api in pair:
            api.stop()


@pytest.fixture(scope="session")
def api(apis: tuple[Api, Api]) -> Api:
    return apis[0]


@pytest.fixture
def account(api: Api) -> Account:
    return register(api)
