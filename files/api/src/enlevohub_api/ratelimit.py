"""Limits on attempts, counted in PostgreSQL: all copies share them, and no restart or cache forgets them.

A window is fixed: it starts with the first attempt, and attempts that are refused do not make it longer.
"""

from __future__ import annotations

import hashlib
import ipaddress
import random
from collections.abc import Sequence

from enlevohub_api.database import Connection
from enlevohub_api.errors import ApiError
from enlevohub_api.services import Request
from enlevohub_api.settings import Limit, Network

SWEEP_CHANCE = 1 / 64
KNOWN_DAYS = 30

_COUNT = """
insert into rate_limits as r (key, count, expires_at)
select key, 1, clock_timestamp() + make_interval(secs => seconds)
from unnest($1::bytea[], $2::integer[]) as wanted (key, seconds) order by key
on conflict (key) do update set
    count = case when r.expires_at <= clock_timestamp() then 1 else r.count + 1 end,
    expires_at = case when r.expires_at <= clock_timestamp() then excluded.expires_at else r.expires_at end
returning key, count, greatest(1, ceil(extract(epoch from expires_at - clock_timestamp())))::integer as wait
"""

_SWEEP = """
delete from rate_limits where key in (
    select key from rate_limits where expires_at < clock_timestamp() limit 500 for update skip locked
)
"""

_LOCK = "select key from rate_limits where key = any ($1::bytea[]) order by key for update"
"""All statements take their rows in the order of the keys: attempts at once do not block each other for ever."""


class Counter:
    """One counted thing: a purpose, what it is about, and its limit."""

    def __init__(self, limit: Limit, *parts: str) -> None:
        """Name the counter by its parts; only their digest is stored."""
        self.limit = limit
        self.key = _digest(*parts)


async def count(connection: Connection, counters: Sequence[Counter]) -> int | None:
    """Count one attempt everywhere; give the seconds to wait when a limit is passed, else None.

    To be run in a transaction that commits also when the attempt is refused. A crash may lose the last counts:
    they do not wait for the disk or for a standby.
    """
    await connection.execute("set local synchronous_commit = off")
    rows = await connection.fetch(
        _COUNT, [counter.key for counter in counters], [counter.limit.seconds for counter in counters]
    )
    if random.random() < SWEEP_CHANCE:
        await connection.execute(_SWEEP)
    limits = {counter.key: counter.limit.count for counter in counters}
    return max((row["wait"] for row in rows if row["count"] > limits[row["key"]]), default=None)


async def forget(connection: Connection, counter: Counter) -> None:
    """Start a counter anew."""
    await connection.execute("delete from rate_limits where key = $1", counter.key)


async def succeed(
    connection: Connection, account: str, address: str, own: Counter, shared: Sequence[Counter] = ()
) -> None:
    """Take an attempt back that was the owner's: ``own`` starts anew, ``shared`` counters have one less.

    The address is remembered: attacks from elsewhere do not lock the owner out there.
    """
    known = _digest("known", account, address)
    keys = [counter.key for counter in shared]
    await connection.execute(_LOCK, [known, own.key, *keys])
    await forget(connection, own)
    await connection.execute("update rate_limits set count = count - 1 where key = any ($1) and count > 0", keys)
    await connection.execute(
        """insert into rate_limits (key, count, expires_at) values ($1, 0, now() + make_interval(days => $2))
           on conflict (key) do update set expires_at = excluded.expires_at""",
        known,
        KNOWN_DAYS,
    )


async def is_known(connection: Connection, account: str, address: str) -> bool:
    """Tell whether the account's owner was at the address lately."""
    query = "select exists (select from rate_limits where key = $1 and expires_at > now())"
    return bool(await connection.fetchval(query, _digest("known", account, address)))


def too_many(wait: int) -> ApiError:
    """Make the 429; ``wait`` is in seconds."""
    minutes = -(-wait // 60)
    message = f"Muitas tentativas, tente de novo em {minutes} minuto{'s' if minutes > 1 else ''}"
    return ApiError(429, "Too Many Requests", message, {"retry-after": str(wait)})


def client_address(request: Request, trusted: Sequence[Network]) -> str:
    """Give the address of the client, also behind proxies: the last one that is no trusted proxy.

    An IPv6 client is its /64: it owns all of it. When every address is trusted, it is the first.
    """
    peer = request.peer
    chain = [part.strip() for part in ",".join(request.headers(b"x-forwarded-for")).split(",")]
    address = peer
    for entry in reversed([*(part for part in chain if part), peer]):
        try:
            parsed = _plain(ipaddress.ip_address(entry))
        except ValueError:
            break
        address = _name(parsed)
        if not any(parsed in network for network in trusted if network.version == parsed.version):
            break
    return address


def _plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _name(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
