"""What only the operator of the installation does, with access to the database."""

from __future__ import annotations

import asyncio

from enlevohub_api.database import Connection, Database, OutcomeUnknown, Unavailable
from enlevohub_api.dsn import Dsn


class OperatorError(Exception):
    """It was not done; the text is one line."""


def grant_root(dsn: Dsn, email: str) -> str:
    """Give an existing, approved user the role ROOT and say so.

    Raises:
        OperatorError: there is no such user, or no database.
    """
    return asyncio.run(_grant_root(dsn, email.lower()))


async def _grant_root(dsn: Dsn, email: str) -> str:
    async def work(connection: Connection) -> str:
        row = await connection.fetchrow(
            """update users set role = 'ROOT', updated_at = now()
               where email = $1 and is_active and is_approved returning email""",
            email,
        )
        if row is None:
            raise OperatorError(f"there is no active, approved user {email}")
        return f"{email} is ROOT; it counts from the next refresh or login"

    database = Database(dsn, size=1, connect_timeout=5.0, wait=30.0)
    try:
        return await database.write(work)
    except (Unavailable, OutcomeUnknown) as error:
        raise OperatorError(str(error)) from error
    finally:
        await database.close()
