"""Upgrade of the schema with Alembic, over the same parallel connect as the service and under one advisory lock."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from enlevohub_api.database import NoLeader, connect_leader, tls_context
from enlevohub_api.dsn import Dsn

LOCK_KEY = 0x456E6C65
"""Key of the advisory lock; any fixed number that nothing else in this database uses."""
CONNECT_TIMEOUT = 5.0
STATEMENT_LOCK_TIMEOUT = "15s"
"""A schema change gives up rather than queue in front of all traffic."""


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


async def _migrate(dsn: Dsn, timeout: float) -> str:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return await _attempt(dsn, deadline)
        except (NoLeader, DBAPIError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            temporary = isinstance(error, NoLeader | OSError) or _connection_lost(error)
            if not temporary or time.monotonic() + 0.5 >= deadline:
                raise MigrationError(_one_line(error)) from error
            await asyncio.sleep(0.5)


def _connection_lost(error: Exception) -> bool:
    if not isinstance(error, DBAPIError):
        return isinstance(error, asyncpg.PostgresConnectionError | asyncpg.InterfaceError)
    state = str(getattr(error.orig, "sqlstate", "") or "")
    return error.connection_invalidated or state.startswith("08") or state in ("57P01", "57P02", "57P03", "25006")


def _one_line(error: Exception) -> str:
    source = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(source).split()) or type(source).__name__


async def _attempt(dsn: Dsn, deadline: float) -> str:
    context = tls_context(dsn)

    async def connect(*_: Any, **__: Any) -> Any:
        return await connect_leader(dsn, CONNECT_TIMEOUT, context)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await _lock(connection, deadline)
            return await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def _lock(connection: Any, deadline: float) -> None:
    """Take the session's advisory lock; it goes with the connection."""
    while True:
        taken = await connection.scalar(text("select pg_try_advisory_lock(:key)"), {"key": LOCK_KEY})
        await connection.commit()
        if taken:
            return
        if time.monotonic() >= deadline:
            raise MigrationError("another migration holds the lock: wait for it, then run again")
        await asyncio.sleep(0.2)


def _upgrade(connection: Any) -> str:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    before = _revision(connection)
    if before == head:
        return f"already at {head}"
    if before is not None and before not in {script.revision for script in scripts.walk_revisions()}:
        if head is not None and before > head:
            return f"left alone: the schema is at {before}, newer than {head} of this version"
        raise MigrationError(f"the schema is at {before}, a revision that this version does not know")
    connection.exec_driver_sql(f"set lock_timeout = '{STATEMENT_LOCK_TIMEOUT}'")
    connection.commit()
    command.upgrade(config, "head")
    connection.commit()
    return f"migrated: {before or 'empty'} -> {_revision(connection)}"


def _revision(connection: Any) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    return revision
