"""The link to Redis, with a real server: many marks with one command, and nobody left waiting."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from enlevohub_api.redis_link import MAX_MARKS, Mark, RedisAway, RedisLink
from enlevohub_api.settings import load_settings
from service.redis_support import PASSWORD, RedisProcess

T = TypeVar("T")


def use(redis: RedisProcess, work: Callable[[RedisLink], Coroutine[Any, Any, T]]) -> T:
    """Do something with a link of its own; it must end by itself."""
    settings = load_settings(
        {
            "DATABASE_URL": f"postgresql://nobody:{secrets.token_hex()}@127.0.0.1:1/none",
            "JWT_SECRET": secrets.token_hex(32),
            "FRONTEND_URL": "https://hub.example",
            "REDIS_URL": f"redis://127.0.0.1:{redis.port}/1",
            "REDIS_PASSWORD": PASSWORD,
        }
    )

    async def run() -> T:
        link = RedisLink(settings)
        try:
            return await asyncio.wait_for(work(link), 30)
        finally:
            await link.close()

    return asyncio.run(run())


def commands(redis: RedisProcess, name: str) -> int:
    """How often the server was given a command."""
    for line in redis.ask("INFO", "commandstats").splitlines():
        if line.startswith(f"cmdstat_{name}:calls="):
            return int(line.split("=")[1].split(",")[0])
    return 0


async def write_all(link: RedisLink, count: int) -> None:
    for number in range(count):
        await link.write(f"mark:{number}", f"value {number}", 60)


def values(marks: list[Mark]) -> list[bytes | None]:
    return [mark.value for mark in marks]


def test_marks_wanted_at_the_same_time_are_one_command(redis: RedisProcess) -> None:
    async def work(link: RedisLink) -> list[Mark]:
        await write_all(link, 5)
        return list(await asyncio.gather(*(link.read(f"mark:{number % 6}") for number in range(30))))

    before = commands(redis, "mget")
    marks = use(redis, work)
    assert values(marks) == [f"value {number % 6}".encode() if number % 6 < 5 else None for number in range(30)]
    assert commands(redis, "mget") - before == 1


def test_marks_beyond_the_limit_of_a_command_come_with_the_next(redis: RedisProcess) -> None:
    count = 2 * MAX_MARKS + 1

    async def work(link: RedisLink) -> list[Mark]:
        await write_all(link, 3)
        return list(await asyncio.gather(*(link.read(f"mark:{number}") for number in range(count))))

    before = commands(redis, "mget")
    found = values(use(redis, work))
    assert [*found[:3], found[-1]] == [b"value 0", b"value 1", b"value 2", None]
    assert commands(redis, "mget") - before == 3


def test_a_mark_is_read_after_the_question_and_not_shared_with_an_older_one(redis: RedisProcess) -> None:
    async def work(link: RedisLink) -> list[bytes | None]:
        seen = []
        for number in range(50):
            await link.write("mark", str(number), 60)
            older = asyncio.create_task(link.read("mark"))
            await asyncio.sleep(0)  # its command is on the way
            await link.write("mark", f"{number} again", 60)
            seen.append((await link.read("mark")).value)
            await older
        return seen

    assert use(redis, work) == [f"{number} again".encode() for number in range(50)]


def test_who_leaves_does_not_take_the_marks_of_the_others_along(redis: RedisProcess) -> None:
    async def work(link: RedisLink) -> list[Mark]:
        await write_all(link, 3)
        tasks = [asyncio.create_task(link.read(f"mark:{number}")) for number in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        first = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(first[0], asyncio.CancelledError)
        return [mark for mark in first[1:] if isinstance(mark, Mark)] + [await link.read("mark:0")]

    assert values(use(redis, work)) == [b"value 1", b"value 2", b"value 0"]


def test_everybody_is_told_that_redis_is_away_and_reads_go_on_when_it_is_back(broken_redis: RedisProcess) -> None:
    async def work(link: RedisLink) -> tuple[list[Any], bytes | None]:
        await link.write("mark", "before", 60)
        broken_redis.freeze()
        told = await asyncio.gather(*(link.read("mark") for _ in range(2 * MAX_MARKS)), return_exceptions=True)
        broken_redis.thaw()
        while True:
            with contextlib.suppress(RedisAway):
                return told, (await link.read("mark")).value
            await asyncio.sleep(0.05)

    told, value = use(broken_redis, work)
    assert [type(error) for error in told] == [RedisAway] * (2 * MAX_MARKS)
    assert value == b"before"


@pytest.mark.parametrize("kind", ["list", "hash"])
def test_a_mark_of_another_type_is_no_mark(redis: RedisProcess, kind: str) -> None:
    key = f"odd:{kind}"
    redis.ask("-n", "1", *(("RPUSH", key, "a") if kind == "list" else ("HSET", key, "a", "b")))

    async def work(link: RedisLink) -> Mark:
        return await link.read(key)

    assert use(redis, work).value is None
