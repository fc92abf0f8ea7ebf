"""The service while its database stops, turns read-only, vanishes, or moves to the standby."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from enlevohub_api.database import Database, Unavailable
from enlevohub_api.dsn import parse_dsn
from service.support import (
    PROJECT,
    Account,
    Api,
    Postgres,
    login,
    register,
    running,
    wait_until,
)

pytestmark = pytest.mark.postgres

WAIT = 3.0


@pytest.fixture
def api(own_postgres: Postgres, database: str, tmp_path: Path) -> Iterator[Api]:
    copy = Api(own_postgres.url(database), tmp_path / "api.log", extra={"DATABASE_WAIT": str(WAIT)})
    with running(copy):
        yield copy


@pytest.fixture
def account(api: Api) -> Account:
    return register(api)


def projects(api: Api, account: Account) -> httpx.Response:
    with api.client(account.access) as client:
        return client.get("/api/v1/projects")


def create(api: Api, account: Account, name: str = "Obra") -> httpx.Response:
    with api.client(account.access) as client:
        return client.post("/api/v1/projects", json={**PROJECT, "name": name})


def ready(api: Api) -> httpx.Response:
    with api.client() as client:
        return client.get("/health/ready")


def rows(postgres: Postgres, database: str) -> int:
    return int(postgres.sql("select count(*) from projects", database))


def test_stopped_database_gives_503_after_the_wait(api: Api, account: Account, own_postgres: Postgres) -> None:
    own_postgres.stop("immediate")
    started = time.monotonic()
    response = create(api, account)
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert WAIT - 1 < time.monotonic() - started < WAIT + 1.5


def test_stopped_database_leaves_the_service_alive_but_not_ready(api: Api, own_postgres: Postgres) -> None:
    own_postgres.stop("immediate")
    with api.client() as client:
        assert client.get("/health/live").status_code == 200
    assert ready(api).json()["reason"] == "database"


def test_request_holds_until_the_database_is_back(api: Api, account: Account, own_postgres: Postgres) -> None:
    own_postgres.stop("immediate")
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(create, api, account), pool.submit(projects, api, account)]
        time.sleep(0.5)
        own_postgres.start()
        assert [answer.result().status_code for answer in answers] == [201, 200]


def test_stale_connections_are_dropped_after_a_restart(api: Api, account: Account, own_postgres: Postgres) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: projects(api, account), range(16)))
    own_postgres.stop("immediate")
    own_postgres.start()
    assert [projects(api, account).status_code for _ in range(10)] == [200] * 10


def test_first_host_that_swallows_packets_costs_no_time(own_postgres: Postgres, database: str, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        url = own_postgres.url(database, silent.getsockname()[1])
        api = Api(url, tmp_path / "api.log", extra={"DATABASE_CONNECT_TIMEOUT": "5"})
        with running(api):
            started = time.monotonic()
            assert ready(api).status_code == 200
            assert time.monotonic() - started < 1.0


def test_read_only_server_is_no_leader(api: Api, account: Account, own_postgres: Postgres) -> None:
    own_postgres.sql("alter system set default_transaction_read_only = on")
    own_postgres.sql("select pg_reload_conf()")
    assert create(api, account).status_code == 503
    assert ready(api).json()["reason"] == "database"


def test_read_only_server_that_turns_back_is_used_again(api: Api, account: Account, own_postgres: Postgres) -> None:
    own_postgres.sql("alter system set default_transaction_read_only = on")
    own_postgres.sql("select pg_reload_conf()")
    assert create(api, account).status_code == 503
    own_postgres.sql("alter system reset default_transaction_read_only")
    own_postgres.sql("select pg_reload_conf()")
    assert create(api, account).status_code == 201


def test_host_that_swallows_packets_does_not_delay_the_news_of_a_leader(
    own_postgres: Postgres, database: str, tmp_path: Path
) -> None:
    own_postgres.sql("alter system set default_transaction_read_only = on")
    own_postgres.sql("select pg_reload_conf()")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        url = own_postgres.url(database, silent.getsockname()[1])
        extra = {"DATABASE_CONNECT_TIMEOUT": "30", "DATABASE_WAIT": "40"}
        with running(api := Api(url, tmp_path / "api.log", extra=extra)), ThreadPoolExecutor(1) as pool:
            answer = pool.submit(login, api, "nobody@example.com")
            with pytest.raises(TimeoutError):
                answer.result(1.0)
            own_postgres.sql("alter system reset default_transaction_read_only")
            own_postgres.sql("select pg_reload_conf()")
            started = time.monotonic()
            assert answer.result().status_code == 401
            assert time.monotonic() - started < 20


def test_one_request_looks_for_a_leader_for_all_that_wait() -> None:
    """A server that hangs up at once counts how often it is asked."""
    asked = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    async def wait_together() -> None:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        dsn = parse_dsn(f"postgresql://app:pa55-w0rd@127.0.0.1:{port}/app?target_session_attrs=read-write")
        database = Database(dsn, size=10, connect_timeout=1, wait=1.5)
        answers = await asyncio.gather(
            *(database.read(lambda connection: connection.fetchval("select 1")) for _ in range(10)),
            return_exceptions=True,
        )
        server.close()
        assert {type(answer) for answer in answers} == {Unavailable}

    asyncio.run(wait_together())
    assert 5 <= asked <= 15 + 10, "1.5 s, at least 0.1 s between two looks; each request may look once in the end"


def blocked(own_postgres: Postgres, database: str, event: str) -> bool:
    query = f"select count(*) from pg_stat_activity where datname = '{database}' and wait_event = '{event}'"
    return own_postgres.sql(query) == "1"


def terminate(own_postgres: Postgres, database: str, event: str) -> None:
    own_postgres.sql(
        f"""select pg_terminate_backend(pid) from pg_stat_activity
            where datname = '{database}' and wait_event = '{event}'"""
    )


def test_write_lost_before_commit_is_done_once(
    api: Api, account: Account, own_postgres: Postgres, database: str
) -> None:
    locker = threading.Thread(
        target=own_postgres.sql, args=("begin; lock table projects; select pg_sleep(2); commit", database)
    )
    locker.start()
    wait_until(lambda: blocked(own_postgres, database, "PgSleep"), "the table is locked")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(create, api, account)
        wait_until(lambda: blocked(own_postgres, database, "relation"), "the insert waits for the lock")
        terminate(own_postgres, database, "relation")
        assert answer.result().status_code == 201
    locker.join()
    assert rows(own_postgres, database) == 1


def test_write_lost_during_commit_is_reported_as_unknown_and_not_repeated(
    api: Api, account: Account, own_postgres: Postgres, database: str
) -> None:
    own_postgres.sql("alter system set synchronous_standby_names = 'absent'")
    own_postgres.sql("select pg_reload_conf()")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(create, api, account)
        wait_until(lambda: blocked(own_postgres, database, "SyncRep"), "the commit waits for the standby")
        terminate(own_postgres, database, "SyncRep")
        response = answer.result()
    assert (response.status_code, response.json()["error"]) == (503, "Outcome Unknown")
    assert "retry-after" not in response.headers
    assert rows(own_postgres, database) == 1


def test_busy_pool_gives_503_and_recovers(own_postgres: Postgres, database: str, tmp_path: Path) -> None:
    extra = {"DATABASE_POOL_SIZE": "1", "DATABASE_WAIT": "1"}
    api = Api(own_postgres.url(database), tmp_path / "api.log", extra=extra)
    with running(api):
        account = register(api)
        locker = threading.Thread(
            target=own_postgres.sql, args=("begin; lock table projects; select pg_sleep(3); commit", database)
        )
        locker.start()
        wait_until(lambda: blocked(own_postgres, database, "PgSleep"), "the table is locked")
        with ThreadPoolExecutor(3) as pool:
            answers = [pool.submit(create, api, account) for _ in range(3)]
            assert ready(api).status_code == 200
        statuses = sorted(answer.result().status_code for answer in answers)
        locker.join()
        assert statuses == [201, 503, 503]
        assert create(api, account).status_code == 201


def test_service_starts_before_its_database(own_postgres: Postgres, database: str, tmp_path: Path) -> None:
    own_postgres.stop()
    api = Api(own_postgres.url(database), tmp_path / "api.log")
    with running(api):
        assert ready(api).status_code == 503
        own_postgres.start()
        wait_until(lambda: ready(api).status_code == 200, "the service is ready")


def test_empty_database_is_not_ready(own_postgres: Postgres, tmp_path: Path) -> None:
    api = Api(own_postgres.url(own_postgres.create_database()), tmp_path / "api.log")
    with running(api):
        assert ready(api).json()["reason"] == "schema"


class TestStandby:
    """A leader and a streaming standby; the URL names both."""

    @pytest.fixture
    def standby(self, own_postgres: Postgres) -> Iterator[Postgres]:
        with tempfile.TemporaryDirectory(prefix="enlevohub-postgres-") as directory:
            server = Postgres(Path(directory))
            server.run(
                "pg_basebackup", "-D", str(server.data), "-R", "-c", "fast", "-X", "stream",
                "-h", str(own_postgres.directory), "-p", str(own_postgres.port), "-U", "postgres",
            )  # fmt: skip
            server.start()
            try:
                yield server
            finally:
                if (server.data / "postmaster.pid").exists():
                    server.stop("immediate")

    @pytest.fixture
    def pair_api(self, own_postgres: Postgres, standby: Postgres, database: str, tmp_path: Path) -> Iterator[Api]:
        copy = Api(own_postgres.url(database, standby.port), tmp_path / "pair.log")
        with running(copy):
            yield copy

    def test_standby_first_in_the_url_is_passed_over(self, pair_api: Api, own_postgres: Postgres) -> None:
        assert create(pair_api, register(pair_api)).status_code == 201

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_failover_keeps_every_acknowledged_write(
        self, pair_api: Api, own_postgres: Postgres, standby: Postgres, database: str, mode: str
    ) -> None:
        own_postgres.sql("alter system set synchronous_standby_names = '*'")
        own_postgres.sql("select pg_reload_conf()")
        account = register(pair_api)
        wait_until(lambda: create(pair_api, account, "Antes").status_code == 201, "writes reach the standby")
        acknowledged: list[str] = []
        statuses: list[int] = []
        stop = threading.Event()

        def write() -> None:
            with pair_api.client(account.access) as client:
                while not stop.is_set():
                    response = client.post("/api/v1/projects", json=PROJECT)
                    statuses.append(response.status_code)
                    if response.status_code == 201:
                        acknowledged.append(response.json()["id"])

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        wait_until(lambda: len(acknowledged) > 20, "writes flow")
        own_postgres.stop(mode)
        before = len(acknowledged)
        standby.run("pg_ctl", "-D", str(standby.data), "-w", "promote")
        wait_until(lambda: len(acknowledged) > before + 20, "writes flow on the new leader")
        stop.set()
        for writer in writers:
            writer.join()
        stored = set(standby.sql("select id from projects", database).split())
        assert set(acknowledged) <= stored
        assert statuses.count(503) + statuses.count(201) == len(statuses)
        assert statuses.count(503) <= len(writers)

    def test_login_works_after_a_failover(self, pair_api: Api, own_postgres: Postgres, standby: Postgres) -> None:
        account = register(pair_api)
        position = own_postgres.sql("select pg_current_wal_lsn()")
        replayed = f"select pg_last_wal_replay_lsn() >= '{position}'"
        wait_until(lambda: standby.sql(replayed) == "t", "the standby has the account")
        own_postgres.stop("immediate")
        standby.run("pg_ctl", "-D", str(standby.data), "-w", "promote")
        assert login(pair_api, account.email).status_code == 200
