"""Writes that may be repeated: the header Idempotency-Key makes a second try give the answer of the first.

The key is a row of the same transaction as the write, so it exists exactly when the write does, on whichever copy
of the service the second try arrives. Two tries at once: the later one waits for the earlier one's commit.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from enlevohub_api.database import Connection, OutcomeUnknown
from enlevohub_api.errors import ApiError
from enlevohub_api.services import Request, caller_of, prove, services_of
from enlevohub_api.web import Header

T = TypeVar("T")

LIFE = "12 hours"
"""How long a key is remembered."""

_Key = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]{1,200}$",
        description="The same key with the same body gives the first answer again, for 12 hours",
    ),
]

IdempotencyKey: TypeAlias = Annotated[_Key | None, Header("Idempotency-Key")]

_FORGET = """
delete from idempotency_keys where (user_id, key) in (
    select user_id, key from idempotency_keys where user_id = $1 and expires_at < now() for update skip locked
)
"""

_REMEMBER = f"""
insert into idempotency_keys (user_id, key, fingerprint, expires_at)
values ($1, $2, $3, now() + interval '{LIFE}') on conflict do nothing returning true
"""


async def write_once(
    request: Request, key: str | None, raw: bytes, kind: type[T], work: Callable[[Connection], Awaitable[T]]
) -> T:
    """Run ``work`` in one transaction; with a key, at most once for the caller.

    Args:
        request: tells the caller, the method and the path.
        key: value of the header, or None.
        raw: the body as it came.
        kind: type of the answer.
        work: see `Database.write`.

    Raises:
        ApiError: 409, the key was used for another request.
    """
    database = services_of(request).database
    if key is None:
        return await database.write(work)
    await prove(request)
    user = uuid.UUID(caller_of(request).user_id)
    fingerprint = hashlib.sha256(f"{request.method} {request.path}\n".encode() + raw).digest()

    async def keyed(connection: Connection) -> T:
        await connection.execute(_FORGET, user)
        if not await connection.fetchval(_REMEMBER, user, key, fingerprint):
            return await _first_answer(connection, user, key, fingerprint, kind)
        answer = await work(connection)
        await connection.execute(
            "update idempotency_keys set answer = $3 where user_id = $1 and key = $2",
            user,
            key,
            msgspec.json.encode(answer).decode(),
        )
        return answer

    try:
        return await database.write(keyed)
    except OutcomeUnknown:
        return await database.write(keyed)


async def _first_answer(connection: Connection, user: uuid.UUID, key: str, fingerprint: bytes, kind: type[T]) -> T:
    row = await connection.fetchrow(
        "select fingerprint, answer from idempotency_keys where user_id = $1 and key = $2", user, key
    )
    if row is None or row["fingerprint"] != fingerprint:
        raise ApiError(409, "Conflict", "Esta chave de idempotência já foi usada em outra requisição")
    return msgspec.json.decode(row["answer"], type=kind)
