"""Upgrade of the schema, over the same parallel connect as the service and under one advisory lock.

A revision is a file of SQL in ``migrations``, called by its number. All that are missing run in one transaction. The
newest one that ran is the row of ``alembic_version``: its name is kept, for releases before this one ask it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import asyncpg

from enlevohub_api.database import FAILOVER_ERRORS, Connection, NoLeader, connect_leader, tls_context
from enlevohub_api.dsn import Dsn

REVISIONS = {path.name[:4]: path for path in sorted((Path(__file__).parent / "migrations").glob("*.sql"))}
"""The files by their number, oldest first."""
SCHEMA_REVISION = max(REVISIONS)
"""The newest revision: requests cannot be served on an older schema."""
LOCK_KEY = 0x456E6C65
"""Key of the advisory lock; any fixed number that nothing else in this database uses."""
CONNECT_TIMEOUT = 5.0
STATEMENT_LOCK_TIMEOUT = "15s"
"""A schema change gives up rather than queue in front of all traffic."""

_TABLE = """
create table if not exists public.alembic_version (version_num varchar(32) constraint alembic_version_pkc primary key)
"""


class MigrationError(Exception):
    """The upgrade did not happen; the text is one line."""


def migrate(dsn: Dsn, timeout: float) -> str:
    """Upgrade to the newest revision and say what was done.

    Args:
        dsn: the cluster.
        timeout: seconds to wait for a read-write leader and for the lock, together.

    Returns:
        ``migrated: <from> -> <to>``, ``already at <revision>``, or that the schema is newer and was left alone:
        a service that is rolled back finds it so.

    Raises:
        MigrationError: no leader or no lock in time, or a statement failed; nothing was changed.
    """
    return asyncio.run(_migrate(dsn, timeout))


async def current_revision(connection: Connection) -> str | None:
    """Give the revision of the schema; None when there is none."""
    if not await connection.fetchval("select to_regclass('public.alembic_version') is not null"):
        return None
    revision: str | None = await connection.fetchval("select max(version_num) from public.alembic_version")
    return revision


async def _migrate(dsn: Dsn, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return await _attempt(dsn, deadline)
        except (NoLeader, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            temporary = isinstance(error, (NoLeader, asyncpg.InterfaceError, *FAILOVER_ERRORS))
            if not temporary or time.monotonic() + 0.5 >= deadline:
                raise MigrationError(" ".join(str(error).split()) or type(error).__name__) from error
            await asyncio.sleep(0.5)


async def _attempt(dsn: Dsn, deadline: float) -> str:
    connection = await connect_leader(dsn, CONNECT_TIMEOUT, tls_context(dsn))
    try:
        await _lock(connection, deadline)
        return await _upgrade(connection)
    finally:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=CONNECT_TIMEOUT)


async def _lock(connection: Connection, deadline: float) -> None:
    """Take the session's advisory lock; it goes with the connection."""
    while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() >= deadline:
            raise MigrationError("another migration holds the lock: wait for it, then run again")
        await asyncio.sleep(0.2)


async def _upgrade(connection: Connection) -> str:
    before = await current_revision(connection)
    if before == SCHEMA_REVISION:
        return f"already at {before}"
    if before is not None and before not in REVISIONS:
        if before > SCHEMA_REVISION:
            return f"left alone: the schema is at {before}, newer than {SCHEMA_REVISION} of this version"
        raise MigrationError(f"the schema is at {before}, a revision that this version does not know")
    async with connection.transaction():
        await connection.execute(f"set local lock_timeout = '{STATEMENT_LOCK_TIMEOUT}'")
        await connection.execute(_TABLE)
        for revision, path in REVISIONS.items():
            if before is None or revision > before:
                await connection.execute(path.read_text(encoding="utf-8"))
        await connection.execute("delete from public.alembic_version")
        await connection.execute("insert into public.alembic_version (version_num) values ($1)", SCHEMA_REVISION)
    return f"migrated: {before or 'empty'} -> {SCHEMA_REVISION}"
