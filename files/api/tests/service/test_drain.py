"""The way out: SIGTERM while requests run and connections idle."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.support import PROJECT, Account, Api, Postgres, register, run_cli, wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def leaving(postgres: Postgres, database: str, tmp_path: Path) -> Iterator[Api]:
    copy = Api(postgres.url(database), tmp_path / "api.log", extra={"DRAIN_NOTICE_SECONDS": "1", "DRAIN_SECONDS": "8"})
    try:
        copy.start()
        yield copy
    finally:
        copy.stop()


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


def exit_code(api: Api, limit: float) -> int:
    assert api.process is not None
    return api.process.wait(limit)


def test_drain_finishes_a_slow_request_and_exits_0(
    leaving: Api, account: Account, locked_projects: None, postgres: Postgres, database: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow_create, leaving, account)
        wait_until(lambda: waiting(postgres, database, "relation"), "the write waits")
        leaving.terminate()
        response = answer.result()
    assert (response.status_code, response.headers["connection"]) == (201, "close")
    assert exit_code(leaving, 5) == 0


def test_drain_makes_readiness_503_at_once(leaving: Api) -> None:
    leaving.terminate()
    wait_until(lambda: httpx.get(f"{leaving.base}/health/ready").status_code == 503, "not ready", 0.8)


def test_drain_closes_a_kept_connection_with_its_next_answer(leaving: Api) -> None:
    with leaving.client() as client:
        assert "connection" not in client.get("/health/live").headers
        leaving.terminate()
        wait_until(lambda: any(line["message"] == "draining" for line in leaving.logs()), "the drain starts", 0.8)
        response = client.get("/health/live")
    assert (response.status_code, response.headers["connection"]) == (200, "close")


def test_drain_with_idle_connections_exits_0_after_the_notice(leaving: Api) -> None:
    clients = [leaving.client() for _ in range(5)]
    for client in clients:
        assert client.get("/health/live").status_code == 200
    started = time.monotonic()
    leaving.terminate()
    assert exit_code(leaving, 4) == 0
    assert 0.9 < time.monotonic() - started < 2.5
    for client in clients:
        client.close()


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

        wait_until(refused, "connections are refused", 2.5)
        assert answer.result().status_code == 201


def test_drain_gives_up_at_its_limit(postgres: Postgres, database: str, tmp_path: Path) -> None:
    extra = {"DRAIN_NOTICE_SECONDS": "0", "DRAIN_SECONDS": "1"}
    api = Api(postgres.url(database), tmp_path / "api.log", extra=extra)
    try:
        api.start()
        account = register(api)
        statement = "begin; lock table projects; select pg_sleep(5); commit"
        locker = threading.Thread(target=postgres.sql, args=(statement, database))
        locker.start()
        wait_until(lambda: waiting(postgres, database, "PgSleep"), "the table is locked")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(slow_create, api, account)
            wait_until(lambda: waiting(postgres, database, "relation"), "the write waits")
            api.terminate()
            assert exit_code(api, 3) == 0
            with pytest.raises(httpx.TransportError):
                answer.result()
        locker.join()
        assert any(line["message"] == "drain limit reached" for line in api.logs())
    finally:
        api.stop()


def test_second_signal_changes_nothing(leaving: Api) -> None:
    leaving.terminate()
    leaving.terminate()
    assert exit_code(leaving, 4) == 0


def test_healthcheck_of_a_running_service_is_0(leaving: Api) -> None:
    result = run_cli("healthcheck", {"PORT": str(leaving.port)})
    assert (result.returncode, result.stderr) == (0, "")


def test_healthcheck_without_a_service_is_1_and_says_why(leaving: Api) -> None:
    leaving.stop()
    result = run_cli("healthcheck", {"PORT": str(leaving.port)})
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"port {leaving.port}" in result.stderr
