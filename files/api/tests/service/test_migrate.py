"""The migration: once, again, at the same time, and without a leader."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from enlevohub_lab.ports import free_port

from enlevohub_api.migrate import LOCK_KEY, REVISIONS, SCHEMA_REVISION
from service.support import Api, Postgres, register, run_cli, running, wait_until

pytestmark = pytest.mark.postgres


def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_cli("migrate", {"DATABASE_URL": url}, *arguments)


def test_migrate_empty_database_goes_to_head(postgres: Postgres) -> None:
    result = run(postgres.url(postgres.create_database()))
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"migrated: empty -> \d{4}\n", result.stdout)


def test_migrate_again_says_already(postgres: Postgres) -> None:
    url = postgres.url(postgres.create_database())
    run(url)
    assert re.fullmatch(r"already at \d{4}\n", run(url).stdout)


def test_migrate_at_the_same_time_happens_once(postgres: Postgres) -> None:
    url = postgres.url(postgres.create_database())
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(url), range(4)))
    assert [result.returncode for result in results] == [0] * 4
    assert sorted(result.stdout.split()[0] for result in results) == ["already", "already", "already", "migrated:"]


def test_migrate_waits_for_the_lock_no_longer_than_its_timeout(postgres: Postgres) -> None:
    name = postgres.create_database()
    statement = f"select pg_advisory_lock({LOCK_KEY}), pg_sleep(4)"
    holder = threading.Thread(target=postgres.sql, args=(statement, name))
    holder.start()
    held = f"""select count(*) from pg_locks l join pg_database d on d.oid = l.database
               where locktype = 'advisory' and datname = '{name}'"""
    wait_until(lambda: postgres.sql(held) == "1", "the lock is held")
    result = run(postgres.url(name), "--timeout", "1")
    holder.join()
    assert (result.returncode, result.stdout) == (1, "")
    assert "another migration holds the lock" in result.stderr


def test_migrate_waits_for_a_leader(own_postgres: Postgres) -> None:
    url = own_postgres.url(own_postgres.create_database())
    own_postgres.stop()
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(run, url, "--timeout", "20")
        time.sleep(1.5)
        own_postgres.start()
        assert result.result().stdout.startswith("migrated:")


def test_migrate_without_a_leader_fails_in_one_line_in_time() -> None:
    port = free_port()
    started = time.monotonic()
    result = run(f"postgresql://a:hidden-one@127.0.0.1:{port}/d", "--timeout", "1")
    assert time.monotonic() - started < 6
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"127.0.0.1:{port}" in result.stderr
    assert "hidden-one" not in result.stderr


def test_migrate_leaves_a_read_only_server_alone(own_postgres: Postgres) -> None:
    name = own_postgres.create_database()
    own_postgres.sql("alter system set default_transaction_read_only = on")
    own_postgres.sql("select pg_reload_conf()")
    result = run(own_postgres.url(name), "--timeout", "1")
    assert result.returncode == 1
    assert "read-only" in result.stderr


def test_migrate_failed_statement_changes_nothing(postgres: Postgres) -> None:
    name = postgres.create_database()
    postgres.sql("create table units (id int)", name)
    result = run(postgres.url(name))
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    tables = postgres.sql("select string_agg(tablename, ',') from pg_tables where schemaname = 'public'", name)
    assert tables == "units"


def test_migrate_leaves_a_newer_schema_alone(postgres: Postgres) -> None:
    name = postgres.create_database()
    run(postgres.url(name))
    postgres.sql("update alembic_version set version_num = '9999'", name)
    before = dump(postgres, name)
    result = run(postgres.url(name))
    assert result.returncode == 0, result.stderr
    assert re.fullmatch(r"left alone: the schema is at 9999, newer than \d{4} of this version\n", result.stdout)
    assert dump(postgres, name) == before


def dump(postgres: Postgres, name: str) -> list[str]:
    """Dump a database, without the lines that each dump makes anew."""
    text = postgres.run("pg_dump", "-h", str(postgres.directory), "-p", str(postgres.port), "-U", "postgres", name)
    return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


def test_migrate_refuses_a_schema_of_somebody_else(postgres: Postgres) -> None:
    name = postgres.create_database()
    run(postgres.url(name))
    postgres.sql("update alembic_version set version_num = '0000'", name)
    result = run(postgres.url(name))
    assert (result.returncode, "does not know" in result.stderr) == (1, True)


def test_service_runs_on_a_newer_schema(postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.create_database()
    run(postgres.url(name))
    postgres.sql("update alembic_version set version_num = '9999'", name)
    api = Api(postgres.url(name), tmp_path / "api.log")
    with running(api):
        assert httpx.get(f"{api.base}/health/ready", timeout=30).status_code == 200
        assert register(api).answer["user"]["role"] == "MASTER"


def test_revisions_are_numbered_without_a_gap() -> None:
    files = sorted(path.name for path in next(iter(REVISIONS.values())).parent.iterdir())
    assert [name[:5] for name in files] == [f"{number:04d}_" for number in range(1, len(files) + 1)]
    assert list(REVISIONS.values())[-1].name == files[-1]


def test_migrate_runs_only_what_is_missing(postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.create_database()
    for number in ("0001", "0002"):
        postgres.sql(REVISIONS[number].read_text(encoding="utf-8"), name)
    # As the releases before wrote it.
    column = "version_num varchar(32) constraint alembic_version_pkc primary key"
    postgres.sql(f"create table alembic_version ({column})", name)
    postgres.sql("insert into alembic_version values ('0002')", name)
    assert run(postgres.url(name)).stdout == f"migrated: 0002 -> {SCHEMA_REVISION}\n"
    whole = postgres.create_database()
    run(postgres.url(whole))
    assert dump(postgres, name) == dump(postgres, whole)


def test_service_is_not_ready_on_an_older_schema(postgres: Postgres, tmp_path: Path) -> None:
    name = postgres.create_database()
    run(postgres.url(name))
    postgres.sql("update alembic_version set version_num = '0001'", name)
    api = Api(postgres.url(name), tmp_path / "api.log")
    with running(api):
        answer = httpx.get(f"{api.base}/health/ready", timeout=30)
        assert (answer.status_code, answer.json()["reason"]) == (503, "schema")
        postgres.sql(f"update alembic_version set version_num = '{SCHEMA_REVISION}'", name)
        assert httpx.get(f"{api.base}/health/ready", timeout=30).status_code == 200
