"""Repeated writes with a key: one effect and one answer, on whichever copy."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from service.construction_support import FLOOR_PLAN, Site
from service.support import PROJECT, Api, Postgres, register

pytestmark = pytest.mark.postgres

WRITES = {
    "evolutions": ("/evolutions", {"percentage": 1, "phase": "Base"}),
    "units": ("/units", {"code": "1", "type": "LAND", "area": 1}),
    "blocks": ("/blocks", {"name": "A"}),
    "floor-plans": ("/floor-plans", FLOOR_PLAN),
}


def keyed(site: Site, rest: str, body: Any, key: str) -> httpx.Response:
    return site.send("POST", site.path(rest), json=body, headers={"Idempotency-Key": key})


@pytest.mark.parametrize("name", WRITES)
def test_repeat_gives_the_first_answer_and_one_row(apis: tuple[Api, Api], name: str) -> None:
    site = Site(apis[0], register(apis[0]))
    path, body = WRITES[name]
    key = str(uuid.uuid4())
    first, again = keyed(site, path, body, key), keyed(site.on(apis[1]), path, body, key)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    found = site.get(path)
    assert len(found["data"] if name == "units" else found) == 1


def test_repeat_of_a_new_project(apis: tuple[Api, Api]) -> None:
    site = Site(apis[0], register(apis[0]))
    headers = {"Idempotency-Key": "k"}
    answers = [
        one.send("POST", "/api/v1/projects", json=PROJECT, headers=headers).json()["id"]
        for one in (site, site.on(apis[1]), site)
    ]
    assert len(set(answers)) == 1
    assert site.ask("GET", "/api/v1/projects")["pagination"]["total"] == 2


def test_repeat_of_bulk_writes(site: Site) -> None:
    plan = site.post("/floor-plans", FLOOR_PLAN)["id"]
    body = {"items": [{"floorPlanId": plan, "unitsPerFloor": 1}], "floors": 3, "codePattern": "SEQUENCIAL"}
    assert [keyed(site, "/units/bulk-generate", body, "g").json()["count"] for _ in range(2)] == [3, 3]
    ids = {"unitIds": [unit["id"] for unit in site.get("/units")["data"]]}
    assert [keyed(site, "/units/bulk-delete", ids, "d").json()["count"] for _ in range(2)] == [3, 3]


def test_photos_of_a_repeated_answer_open(site: Site) -> None:
    body = {"percentage": 1, "phase": "Base", "photos": [site.photo()]}
    answers = [keyed(site, "/evolutions", body, "k").json() for _ in range(2)]
    assert [httpx.get(site.api.base + answer["photos"][0]).status_code for answer in answers] == [200, 200]


def test_many_equal_requests_at_once_have_one_effect(apis: tuple[Api, Api]) -> None:
    site = Site(apis[0], register(apis[0]))
    sites = [site, site.on(apis[1])] * 5
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda one: keyed(one, "/blocks", {"name": "A"}, "same"), sites))
    assert [answer.status_code for answer in answers] == [201] * 10
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize(("rest", "body"), [("/blocks", {"name": "B"}), ("/floor-plans", FLOOR_PLAN)])
def test_key_of_another_request_is_409(site: Site, rest: str, body: Any) -> None:
    assert keyed(site, "/blocks", {"name": "A"}, "k").status_code == 201
    response = keyed(site, rest, body, "k")
    assert (response.status_code, response.json()["error"]) == (409, "Conflict")


def test_key_belongs_to_its_user(api: Api, site: Site) -> None:
    other = Site(api, register(api))
    answers = [keyed(one, "/blocks", {"name": "A"}, "k").json()["id"] for one in (site, other)]
    assert answers[0] != answers[1]


def test_failed_request_leaves_its_key_free(site: Site) -> None:
    site.post("/blocks", {"name": "A"})
    assert keyed(site, "/blocks", {"name": "A"}, "k").status_code == 400
    assert keyed(site, "/blocks", {"name": "B"}, "k").status_code == 201


def test_key_is_forgotten_after_its_life(site: Site, postgres: Postgres, database: str) -> None:
    first = keyed(site, "/evolutions", WRITES["evolutions"][1], "k").json()
    user = site.account.user_id
    query = f"from idempotency_keys where user_id = '{user}'"
    assert postgres.sql(f"select expires_at > now() + interval '11 hours' {query}", database) == "t"
    postgres.sql(f"update idempotency_keys set expires_at = now() where user_id = '{user}'", database)
    assert keyed(site, "/evolutions", WRITES["evolutions"][1], "k").json()["id"] != first["id"]
    assert postgres.sql(f"select count(*) {query}", database) == "1"


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "é"])
def test_malformed_key_is_400(site: Site, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    assert site.send("POST", site.path("/blocks"), json={"name": "A"}, headers=headers).status_code == 400
