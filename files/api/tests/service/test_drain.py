"""The way out: SIGTERM while requests run and connections idle."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.support import PROJECT, Account, Api, Postgres, register, run_cli, running, wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def leaving(postgres: Postgres, database: str, tmp_path: Path) -> Iterator[Api]:
    copy = Api(postgres.url(database), tmp_path / "api.log", extra={"DRAIN_NOTICE_SECONDS": "1", "DRAIN_SECONDS": "8"})
    with running(copy):
        yield copy


def slow_create(api: Api, account: Account) -> httpx.Response:
    with api.client(account.access) as client:
        return client.post("/api/v1/projects", json=PROJECT)


@pytest.fixture
def locked_projects(postgres: Postgres, database: str) -> Iterator[None]:
    """Lock the table of projects for three seconds: a write takes as long."""
    statement = "begin; lock table projects; select pg_sleep(3); commit"
    locker = threading.Thread(target=postgres.sql, args=(statement, database))
    locker.start()
    wait_until(lambda: waiting(postgres, database, "PgSleep"), "the table is locked")
    yield
    locker.join()


def waiting(postgres: Postgres, database: str, event: str) -> bool:
    query = f"select count(*) from pg_stat_activity where datname = '{database}' and wait_event = '{event}'"
    return postgres.sql(query) == "1"


@pytest.fixture
def account(leaving: Api) -> Account:
    return register(leaving)


def exit_code(api: Api) -> int:
    assert api.process is not None
    return api.process.wait(60)


def test_drain_finishes_a_slow_request_and_exits_0(
    leaving: Api, account: Account, locked_projects: None, postgres: Postgres, database: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow_create, leaving, account)
        wait_until(lambda: waiting(postgres, database, "relation"), "the write waits")
        leaving.terminate()
        response = answer.result()
    assert (response.status_code, response.headers["connection"]) == (201, "close")
    assert exit_code(leaving) == 0


@contextmanager
def long_notice(postgres: Postgres, database: str, tmp_path: Path) -> Iterator[Api]:
    """A copy whose notice is far longer than any test waits."""
    extra = {"DRAIN_NOTICE_SECONDS": "300", "DRAIN_SECONDS": "300"}
    copy = Api(postgres.url(database), tmp_path / "api.log", extra=extra)
    with running(copy):
        yield copy


@contextmanager
def busy(api: Api) -> Iterator[None]:
    """Send requests all the time: they keep the notice up."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.1):
            try:
                httpx.get(f"{api.base}/api/v1/", timeout=30)
            except httpx.TransportError:
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def test_drain_makes_readiness_503(postgres: Postgres, database: str, tmp_path: Path) -> None:
    with long_notice(postgres, database, tmp_path) as api, busy(api):
        api.terminate()
        wait_until(lambda: httpx.get(f"{api.base}/health/ready").status_code == 503, "not ready")


def test_drain_closes_a_kept_connection_with_its_next_answer(postgres: Postgres, database: str, tmp_path: Path) -> None:
    with long_notice(postgres, database, tmp_path) as api, busy(api), api.client() as client:
        assert "connection" not in client.get("/health/live").headers
        api.terminate()
        wait_until(lambda: any(line["message"] == "draining" for line in api.logs()), "the drain starts")
        response = client.get("/health/live")
    assert (response.status_code, response.headers["connection"]) == (200, "close")


def test_drain_with_idle_connections_exits_0_after_the_notice(leaving: Api) -> None:
    clients = [leaving.client() for _ in range(5)]
    for client in clients:
        assert client.get("/health/live").status_code == 200
    started = time.monotonic()
    leaving.terminate()
    assert exit_code(leaving) == 0
    assert time.monotonic() - started > 0.9
    for client in clients:
        client.close()


def test_drain_notice_ends_early_when_only_health_probes_come(
    postgres: Postgres, database: str, tmp_path: Path
) -> None:
    with long_notice(postgres, database, tmp_path) as api, api.client() as client:
        client.get("/api/v1/")
        api.terminate()

        def gone() -> bool:
            try:
                client.get("/health/ready")
            except httpx.TransportError:
                return True
            return False

        wait_until(gone, "the service stops in spite of the probes", 60)
        assert exit_code(api) == 0


def test_drain_stops_listening_after_the_notice(leaving: Api, account: Account, locked_projects: None) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow_create, leaving, account)
        leaving.terminate()

        def refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", leaving.port), 1).close()
            except ConnectionRefusedError:
                return True
            return False

        wait_until(refused, "connections are refused")
        assert answer.result().status_code == 201


def test_drain_gives_up_at_its_limit(postgres: Postgres, database: str, tmp_path: Path) -> None:
    extra = {"DRAIN_NOTICE_SECONDS": "0", "DRAIN_SECONDS": "1"}
    api = Api(postgres.url(database), tmp_path / "api.log", extra=extra)
    with running(api):
        account = register(api)
        statement = "begin; lock table projects; select pg_sleep(5); commit"
        locker = threading.Thread(target=postgres.sql, args=(statement, database))
        locker.start()
        wait_until(lambda: waiting(postgres, database, "PgSleep"), "the table is locked")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(slow_create, api, account)
            wait_until(lambda: waiting(postgres, database, "relation"), "the write waits")
            api.terminate()
            assert exit_code(api) == 0
            with pytest.raises(httpx.TransportError):
                answer.result()
        locker.join()
        assert any(line["message"] == "drain limit reached" for line in api.logs())


def test_second_signal_changes_nothing(leaving: Api) -> None:
    leaving.terminate()
    leaving.terminate()
    assert exit_code(leaving) == 0


def test_healthcheck_of_a_running_service_is_0(leaving: Api) -> None:
    result = run_cli("healthcheck", {"PORT": str(leaving.port)})
    assert (result.returncode, result.stderr) == (0, "")


def test_healthcheck_without_a_service_is_1_and_says_why(leaving: Api) -> None:
    leaving.stop()
    result = run_cli("healthcheck", {"PORT": str(leaving.port)})
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"port {leaving.port}" in result.stderr
