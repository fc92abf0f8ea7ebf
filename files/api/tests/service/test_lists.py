"""Lists of projects that are given again under leases, on two copies of the service with one Redis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.construction_support import Site, as_contractor
from service.redis_support import BREAKS, Pair, RedisProcess
from service.support import PROJECT, Api, Postgres, register, wait_until

pytestmark = pytest.mark.postgres

EVOLUTION = {"date": "2026-03-01T00:00:00.000Z", "percentage": 40, "phase": "Estrutura"}


def again(api: Api) -> float:
    """Return how many lists a copy gave without asking PostgreSQL."""
    text = api.metrics()
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("enlevohub_lists_again_total"))


def listed(site: Site, query: str = "") -> Any:
    return site.ask("GET", f"/api/v1/projects{query}")


def warm(site: Site) -> None:
    """Ask until the copy gives the list again from what it kept."""
    before = again(site.api)

    def kept() -> bool:
        listed(site)
        return again(site.api) > before

    wait_until(kept, "a list is given again")


@pytest.fixture
def sites(redis_apis: Pair) -> tuple[Site, Site]:
    """One project of a new company, on both copies."""
    first = Site(redis_apis[0], register(redis_apis[0]))
    return first, first.on(redis_apis[1])


def test_list_is_given_again_without_postgres(sites: tuple[Site, Site]) -> None:
    for site in sites:
        warm(site)


def new_project(site: Site) -> None:
    site.ask("POST", "/api/v1/projects", json=PROJECT, expect=201)


def new_name(site: Site) -> None:
    site.patch("", {"name": "Outro nome"})


def new_evolution(site: Site) -> None:
    site.post("/evolutions", EVOLUTION)


def no_project(site: Site) -> None:
    site.delete()


WRITES: dict[str, Callable[[Site], None]] = {
    "project": new_project,
    "name": new_name,
    "evolution": new_evolution,
    "deletion": no_project,
}


@pytest.mark.parametrize("write", WRITES)
def test_write_at_one_copy_is_in_the_next_list_of_the_other(sites: tuple[Site, Site], write: str) -> None:
    writer, reader = sites
    for site in sites:
        warm(site)
    before = listed(reader)
    WRITES[write](writer)
    after = [listed(site) for site in sites]
    assert after[0] == after[1] != before


def test_thirty_projects_in_a_row_are_each_in_the_next_list(sites: tuple[Site, Site]) -> None:
    """Reads and writes change places between the copies, within leases."""
    totals = []
    for number in range(30):
        new_project(sites[number % 2])
        totals.append(listed(sites[(number + 1) % 2])["pagination"]["total"])
    assert totals == list(range(2, 32))


def test_pages_and_searches_do_not_mix(sites: tuple[Site, Site]) -> None:
    site = sites[0]
    new_project(site)
    questions = ("?limit=1", "?limit=1&page=2", "?search=nada", "?status=COMPLETED", "?sortBy=name&sortOrder=asc")
    first = [listed(site, question) for question in questions]
    assert [listed(site, question) for question in questions] == first
    assert len({repr(answer) for answer in first[:3]}) == 3


def test_companies_do_not_mix(redis_apis: Pair) -> None:
    sites = [Site(redis_apis[0], register(redis_apis[0])) for _ in range(2)]
    for site in sites:
        warm(site)
    assert [[row["id"] for row in listed(site)["data"]] for site in sites] == [[site.id] for site in sites]


def test_contractor_does_not_get_the_list_of_others(
    sites: tuple[Site, Site], postgres: Postgres, database: str
) -> None:
    site = sites[0]
    warm(site)
    _, token = as_contractor(site.api, site.account, postgres, database)
    other = Site(site.api, site.account, site.id)
    other.token = token
    assert listed(other)["data"] == []


@pytest.mark.parametrize("failure", BREAKS)
def test_lists_come_from_postgres_without_redis(
    sites: tuple[Site, Site], broken_redis: RedisProcess, failure: str
) -> None:
    for site in sites:
        warm(site)
    BREAKS[failure](broken_redis)
    new_project(sites[0])
    assert [listed(site)["pagination"]["total"] for site in sites] == [2, 2]


def test_redis_that_forgot_everything_brings_no_old_list_back(
    sites: tuple[Site, Site], broken_redis: RedisProcess
) -> None:
    for site in sites:
        warm(site)
    new_project(sites[0])
    broken_redis.kill()
    broken_redis.start()
    assert [listed(site)["pagination"]["total"] for site in sites] == [2, 2]
