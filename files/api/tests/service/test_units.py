"""Units, blocks, floor plans and the bulk wizard."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.construction_support import FLOOR_PLAN, Site
from service.support import Api, Postgres, register

pytestmark = pytest.mark.postgres

UNIT = {"code": "101", "type": "APARTMENT", "area": 55.25}
ROOM = {"nome": "Sala", "comprimento": 4.5, "largura": 3}
MEASUREMENT = {"category": "Piso", "label": "Sala", "measurementType": "AREA_M2", "value": 13.5001}
UNIT_COLUMNS = {
    "id", "projectId", "code", "type", "floor", "area", "bedrooms", "bathrooms", "price", "status", "blockId",
    "floorPlanId", "metadata", "createdAt", "updatedAt", "block", "floorPlan",
}  # fmt: skip


def test_unit_needs_no_price_and_has_every_column(site: Site) -> None:
    unit = site.post("/units", UNIT)
    assert set(unit) == UNIT_COLUMNS
    assert (unit["area"], unit["price"], unit["status"], unit["block"]) == (55.25, None, "AVAILABLE", None)
    assert site.get(f"/units/{unit['id']}") == unit


def test_unit_keeps_what_was_sent(site: Site) -> None:
    block, plan = site.post("/blocks", {"name": "A"}), site.post("/floor-plans", FLOOR_PLAN)
    sent = {
        "code": "A-1", "type": "HOUSE", "area": 99999999.99, "floor": -2, "bedrooms": 0, "bathrooms": 3,
        "price": 9999999999999.99, "status": "SOLD", "blockId": block["id"], "floorPlanId": plan["id"],
        "metadata": {"a": [1, None]},
    }  # fmt: skip
    unit = site.post("/units", sent)
    assert {key: unit[key] for key in sent} == sent
    assert (unit["block"], unit["floorPlan"]) == (
        {"id": block["id"], "name": "A"},
        {"id": plan["id"], "name": "Tipo A"},
    )


def test_change_of_a_unit_keeps_what_is_not_sent_and_null_unlinks(site: Site) -> None:
    block = site.post("/blocks", {"name": "A"})
    unit = site.post("/units", {**UNIT, "blockId": block["id"], "price": 5})
    assert site.patch(f"/units/{unit['id']}", {"status": "RESERVED"})["blockId"] == block["id"]
    changed = site.patch(f"/units/{unit['id']}", {"blockId": None, "price": None, "code": "102"})
    assert (changed["block"], changed["price"], changed["code"], changed["status"]) == (None, None, "102", "RESERVED")


def test_list_of_units_is_a_page_by_code(site: Site) -> None:
    assert site.get("/units") == {"data": [], "pagination": {"page": 1, "limit": 50, "total": 0, "totalPages": 0}}
    for code in ("B", "C", "A"):
        site.post("/units", {**UNIT, "code": code})
    page = site.get("/units?limit=2&page=2")
    assert [unit["code"] for unit in page["data"]] == ["C"]
    assert page["pagination"] == {"page": 2, "limit": 2, "total": 3, "totalPages": 2}
    assert set(page["data"][0]) == UNIT_COLUMNS | {"unitActivities"}
    assert page["data"][0]["unitActivities"] == []


def test_list_of_units_filters(site: Site) -> None:
    block, plan = site.post("/blocks", {"name": "A"}), site.post("/floor-plans", FLOOR_PLAN)
    site.post("/units", {**UNIT, "code": "x%1", "status": "SOLD", "blockId": block["id"]})
    site.post("/units", {**UNIT, "code": "Y_2", "type": "LAND", "floorPlanId": plan["id"]})

    def codes(query: str) -> list[str]:
        return [unit["code"] for unit in site.get(f"/units?{query}")["data"]]

    assert codes("search=X") == ["x%1"]
    assert codes("search=%25") == ["x%1"]
    assert codes("search=_") == ["Y_2"]
    assert codes("status=SOLD") == ["x%1"]
    assert codes("type=LAND") == ["Y_2"]
    assert codes(f"blockId={block['id']}") == ["x%1"]
    assert codes(f"floorPlanId={plan['id']}&type=LAND&search=y") == ["Y_2"]
    assert codes("blockId=x") == []


def test_measurement_form_may_ask_for_200_units(site: Site) -> None:
    assert site.get("/units?limit=200")["pagination"]["limit"] == 200


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "page=0", "page=x", "status=FREE", "type=CASTLE"])
def test_bad_query_of_units_is_400(site: Site, query: str) -> None:
    site.get(f"/units?{query}", expect=400)


@pytest.mark.parametrize(
    "change",
    [
        {"code": ""}, {"code": "x" * 21}, {"type": "CASTLE"}, {"area": 0}, {"area": -1}, {"area": 100000000},
        {"price": 0}, {"price": -5}, {"price": "5"}, {"price": 1e14}, {"bedrooms": -1}, {"bedrooms": 1.5},
        {"floor": 2147483648}, {"floor": "1"}, {"status": "FREE"}, {"blockId": "x"}, {"blockId": 5},
        {"blockId": str(uuid.uuid4())}, {"floorPlanId": str(uuid.uuid4())}, {"metadata": [1]},
        {"metadata": {"a": "\u0000"}},
    ],
)  # fmt: skip
def test_wrong_unit_is_400(site: Site, change: dict[str, Any]) -> None:
    unit = site.post("/units", UNIT)
    site.post("/units", {**UNIT, "code": "new", **change}, expect=400)
    site.patch(f"/units/{unit['id']}", change, expect=400)
    assert site.get(f"/units/{unit['id']}") == unit


def test_code_is_unique_in_its_project_only(api: Api, site: Site) -> None:
    site.post("/units", UNIT)
    assert "código" in site.post("/units", UNIT, expect=400)["message"]
    other = site.post("/units", {**UNIT, "code": "102"})
    site.patch(f"/units/{other['id']}", {"code": "101"}, expect=400)
    Site(api, site.account).post("/units", UNIT)


def test_one_of_many_equal_codes_at_once_wins(site: Site) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.send("POST", site.path("/units"), json=UNIT).status_code, range(8)))
    assert sorted(answers) == [201] + [400] * 7


def test_block_and_plan_of_another_project_are_400(api: Api, site: Site) -> None:
    for other in (Site(api, site.account), Site(api, register(api))):
        block, plan = other.post("/blocks", {"name": "A"}), other.post("/floor-plans", FLOOR_PLAN)
        unit = site.post("/units", {**UNIT, "code": other.id[:20]})
        for link in ({"blockId": block["id"]}, {"floorPlanId": plan["id"]}):
            site.post("/units", {**UNIT, "code": "n", **link}, expect=400)
            site.patch(f"/units/{unit['id']}", link, expect=400)


def test_delete_of_a_unit(site: Site) -> None:
    unit = site.post("/units", UNIT)
    assert set(site.delete(f"/units/{unit['id']}")) == {"message"}
    site.delete(f"/units/{unit['id']}", expect=404)
    site.get(f"/units/{unit['id']}", expect=404)


def test_block_has_every_column_and_counts_its_units(site: Site) -> None:
    block = site.post("/blocks", {"name": "B", "floors": 4, "metadata": {"a": 1}})
    site.post("/blocks", {"name": "A"})
    site.post("/units", {**UNIT, "blockId": block["id"]})
    blocks = site.get("/blocks")
    assert set(block) == {"id", "projectId", "name", "floors", "metadata", "createdAt", "updatedAt", "_count"}
    assert [(item["name"], item["floors"], item["_count"]) for item in blocks] == [
        ("A", None, {"units": 0}),
        ("B", 4, {"units": 1}),
    ]


def test_change_and_delete_of_a_block(site: Site) -> None:
    block = site.post("/blocks", {"name": "A", "floors": 4})
    unit = site.post("/units", {**UNIT, "blockId": block["id"]})
    assert site.patch(f"/blocks/{block['id']}", {"name": "B"})["floors"] == 4
    assert site.patch(f"/blocks/{block['id']}", {"floors": None})["_count"] == {"units": 1}
    site.delete(f"/blocks/{block['id']}")
    site.delete(f"/blocks/{block['id']}", expect=404)
    assert site.get(f"/units/{unit['id']}")["blockId"] is None


@pytest.mark.parametrize("change", [{"name": ""}, {"name": "x" * 101}, {"floors": 0}, {"floors": 1.5}, {"name": None}])
def test_wrong_block_is_400(site: Site, change: dict[str, Any]) -> None:
    block = site.post("/blocks", {"name": "A"})
    site.post("/blocks", {"name": "B", **change}, expect=400)
    site.patch(f"/blocks/{block['id']}", change, expect=400)


@pytest.mark.parametrize(("path", "body"), [("/blocks", {"name": "Tipo A"}), ("/floor-plans", FLOOR_PLAN)])
def test_name_is_unique_in_its_project_only(api: Api, site: Site, path: str, body: dict[str, Any]) -> None:
    site.post(path, body)
    site.post(path, body, expect=400)
    second = site.post(path, {**body, "name": "Outro"})
    site.patch(f"{path}/{second['id']}", {"name": "Tipo A"}, expect=400)
    Site(api, site.account).post(path, body)


def test_floor_plan_has_rooms_and_measurements_in_order(site: Site) -> None:
    rooms = [ROOM, {**ROOM, "nome": "Quarto", "tags": ["a"], "peDireito": 3, "qtdPortas": 0, "presetKey": "q"}]
    plan = site.post("/floor-plans", {**FLOOR_PLAN, "rooms": rooms, "measurements": [MEASUREMENT]})
    assert [(room["nome"], room["order"], room["peDireito"], room["qtdPortas"]) for room in plan["rooms"]] == [
        ("Sala", 0, 2.8, 1),
        ("Quarto", 1, 3, 0),
    ]
    assert set(plan["rooms"][0]) == {
        "id", "floorPlanId", "nome", "presetKey", "tags", "comprimento", "largura", "peDireito", "qtdPortas",
        "qtdJanelas", "order", "createdAt", "updatedAt",
    }  # fmt: skip
    assert set(plan["measurements"][0]) == {
        "id", "floorPlanId", "category", "label", "measurementType", "value", "areaTipo", "order", "createdAt",
        "updatedAt",
    }  # fmt: skip
    assert (plan["measurements"][0]["value"], plan["detalhado"], plan["defaultPrice"]) == (13.5001, True, 250000.5)
    assert set(plan) == {
        "id", "projectId", "name", "description", "type", "area", "bedrooms", "bathrooms", "defaultPrice", "detalhado",
        "metadata", "createdAt", "updatedAt", "rooms", "measurements", "_count",
    }  # fmt: skip
    assert site.get("/floor-plans") == [plan]


def test_floor_plan_without_details(site: Site) -> None:
    plan = site.post("/floor-plans", {"name": "Lote", "type": "LAND", "area": 300})
    assert (plan["detalhado"], plan["rooms"], plan["measurements"], plan["defaultPrice"]) == (False, [], [], None)


def test_change_of_a_floor_plan_replaces_only_the_lists_that_are_sent(site: Site) -> None:
    plan = site.post("/floor-plans", {**FLOOR_PLAN, "rooms": [ROOM], "measurements": [MEASUREMENT]})
    path = f"/floor-plans/{plan['id']}"
    assert site.patch(path, {"name": "Tipo B"})["rooms"] == plan["rooms"]
    changed = site.patch(path, {"rooms": [], "description": "d"})
    assert (changed["rooms"], changed["measurements"]) == ([], plan["measurements"])
    assert (changed["name"], changed["description"], changed["detalhado"]) == ("Tipo B", "d", True)


def test_delete_of_a_floor_plan_keeps_its_units(site: Site) -> None:
    plan = site.post("/floor-plans", {**FLOOR_PLAN, "rooms": [ROOM]})
    unit = site.post("/units", {**UNIT, "floorPlanId": plan["id"]})
    assert site.get("/floor-plans")[0]["_count"] == {"units": 1}
    site.delete(f"/floor-plans/{plan['id']}")
    assert site.get(f"/units/{unit['id']}")["floorPlanId"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"type": "X"}, {"area": 0}, {"defaultPrice": 0}, {"bedrooms": -1}, {"rooms": [{}]},
        {"rooms": [{**ROOM, "nome": ""}]}, {"rooms": [{**ROOM, "comprimento": 0}]},
        {"rooms": [{**ROOM, "peDireito": 100}]},
        {"rooms": [{**ROOM, "qtdPortas": -1}]}, {"rooms": [{**ROOM, "tags": "x"}]}, {"rooms": {}},
        {"measurements": [{**MEASUREMENT, "value": 0}]}, {"measurements": [{**MEASUREMENT, "measurementType": "KG"}]},
        {"measurements": [{**MEASUREMENT, "label": ""}]},
        {"measurements": [{**MEASUREMENT, "value": 1e8}]},
    ],
)  # fmt: skip
def test_wrong_floor_plan_is_400_and_changes_nothing(site: Site, change: dict[str, Any]) -> None:
    plan = site.post("/floor-plans", FLOOR_PLAN)
    site.post("/floor-plans", {**FLOOR_PLAN, "name": "N", **change}, expect=400)
    site.patch(f"/floor-plans/{plan['id']}", change, expect=400)
    assert site.get("/floor-plans") == [plan]


@pytest.mark.parametrize("child", ["units", "blocks", "floor-plans"])
@pytest.mark.parametrize("identity", ["x", str(uuid.uuid4()), "1" * 32])
def test_unknown_ids_are_404(site: Site, child: str, identity: str) -> None:
    site.patch(f"/{child}/{identity}", {}, expect=404)
    site.delete(f"/{child}/{identity}", expect=404)
    site.id = identity
    site.get(f"/{child}", expect=404)
    body = {"units": UNIT, "blocks": {"name": "A"}, "floor-plans": FLOOR_PLAN}[child]
    site.post(f"/{child}", body, expect=404)


@pytest.mark.parametrize("child", ["units", "blocks", "floor-plans"])
def test_permissions(site: Site, postgres: Postgres, database: str, child: str) -> None:
    body = {"units": UNIT, "blocks": {"name": "A"}, "floor-plans": FLOOR_PLAN}[child]
    engineer = site.as_role("ENGINEER", postgres, database)
    row = engineer.post(f"/{child}", body)
    engineer.delete(f"/{child}/{row['id']}", expect=403)
    viewer = site.as_role("VIEWER", postgres, database)
    viewer.get(f"/{child}")
    viewer.post(f"/{child}", body, expect=403)
    viewer.patch(f"/{child}/{row['id']}", {}, expect=403)


def bulk(site: Site, **changes: Any) -> dict[str, Any]:
    plans = {plan["name"]: plan["id"] for plan in site.get("/floor-plans")}
    plan = plans.get("Tipo A") or site.post("/floor-plans", FLOOR_PLAN)["id"]
    body = {"items": [{"floorPlanId": plan, "unitsPerFloor": 2}], "floors": 2, "codePattern": "BLOCO_ANDAR_SEQ"}
    return {**body, **changes}


def codes(preview: dict[str, Any]) -> list[str]:
    return [unit["code"] for unit in preview["units"]]


@pytest.mark.parametrize(
    ("changes", "blocks", "expected"),
    [
        ({}, [], ["101", "102", "201", "202"]),
        ({}, ["T"], ["T-101", "T-102", "T-201", "T-202"]),
        ({"startFloor": 0, "floors": 1}, [], ["001", "002"]),
        ({"startFloor": 10, "floors": 1}, [], ["1001", "1002"]),
        ({"codePattern": "SEQUENCIAL"}, [], ["UN-001", "UN-002", "UN-003", "UN-004"]),
        ({"codePattern": "SEQUENCIAL", "floors": 1}, ["A", "B"], ["UN-001", "UN-002", "UN-003", "UN-004"]),
        ({"codePattern": "PERSONALIZADO", "codePrefix": "Z", "floors": 1}, ["A"], ["ZA-101", "ZA-102"]),
        ({"codePattern": "PERSONALIZADO", "codePrefix": "Z", "floors": 1}, [], ["Z-101", "Z-102"]),
        ({"codePattern": "PERSONALIZADO", "floors": 1}, [], ["UN-101", "UN-102"]),
    ],
)
def test_preview_makes_the_codes(site: Site, changes: dict[str, Any], blocks: list[str], expected: list[str]) -> None:
    ids = [site.post("/blocks", {"name": name})["id"] for name in blocks]
    preview = site.post("/units/preview-generate", bulk(site, blockIds=ids, **changes), expect=200)
    assert (codes(preview), preview["total"], preview["hasConflicts"]) == (expected, len(expected), False)
    assert site.get("/units")["data"] == []


def test_preview_shows_the_unit_of_the_plan(site: Site) -> None:
    block = site.post("/blocks", {"name": "T"})
    unit = site.post("/units/preview-generate", bulk(site, blockIds=[block["id"]]), expect=200)["units"][0]
    assert unit == {
        "code": "T-101", "type": "APARTMENT", "floor": 1, "area": 55.25, "bedrooms": 2, "bathrooms": None,
        "price": 250000.5, "blockId": block["id"], "blockName": "T",
        "floorPlanId": site.get("/floor-plans")[0]["id"], "floorPlanName": "Tipo A",
    }  # fmt: skip


def test_generate_makes_what_the_preview_shows(site: Site) -> None:
    body = bulk(site, blockIds=[site.post("/blocks", {"name": "T"})["id"]])
    preview = site.post("/units/preview-generate", body, expect=200)
    assert site.post("/units/bulk-generate", body)["count"] == 4
    made = site.get("/units")["data"]
    shared = ("code", "type", "floor", "area", "bedrooms", "bathrooms", "price", "blockId", "floorPlanId")
    assert [[unit[key] for key in shared] for unit in made] == [
        [unit[key] for key in shared] for unit in preview["units"]
    ]


def test_generate_is_all_or_nothing(site: Site) -> None:
    site.post("/units", {**UNIT, "code": "202"})
    body = bulk(site)
    preview = site.post("/units/preview-generate", body, expect=200)
    assert (preview["conflicts"], preview["hasConflicts"]) == (["202"], True)
    assert "202" in site.post("/units/bulk-generate", body, expect=400)["message"]
    assert site.get("/units")["pagination"]["total"] == 1


def test_plans_of_one_floor_count_on(site: Site) -> None:
    body = bulk(site, floors=1)
    second = site.post("/floor-plans", {**FLOOR_PLAN, "name": "B"})["id"]
    body["items"].append({"floorPlanId": second, "unitsPerFloor": 1})
    assert codes(site.post("/units/preview-generate", body, expect=200)) == ["101", "102", "103"]


@pytest.mark.parametrize(
    "changes",
    [
        {"items": []}, {"items": [{"floorPlanId": str(uuid.uuid4()), "unitsPerFloor": 1}]},
        {"items": [{"floorPlanId": "x", "unitsPerFloor": 1}]}, {"floors": 0}, {"floors": 1.5}, {"startFloor": -1},
        {"blockIds": [str(uuid.uuid4())]}, {"blockIds": ["x"]}, {"codePattern": "X"}, {"codePrefix": "x" * 21},
        {"floors": 1000, "items": None},
    ],
)  # fmt: skip
def test_wrong_bulk_is_400(site: Site, changes: dict[str, Any]) -> None:
    body = bulk(site)
    if changes.get("items", ...) is None:
        changes = {"floors": 1000, "items": [{**body["items"][0], "unitsPerFloor": 6}]}
    for action in ("preview-generate", "bulk-generate"):
        site.post(f"/units/{action}", {**body, **changes}, expect=400)
    assert site.get("/units")["pagination"]["total"] == 0


def test_bulk_delete_removes_only_the_units_of_the_project(api: Api, site: Site) -> None:
    other = Site(api, register(api))
    foreign = other.post("/units", UNIT)["id"]
    mine = [site.post("/units", {**UNIT, "code": code})["id"] for code in ("1", "2", "3")]
    site.post("/units/bulk-delete", {"unitIds": [foreign]}, expect=400)
    assert site.post("/units/bulk-delete", {"unitIds": [mine[0], mine[1], foreign]}, expect=200)["count"] == 2
    assert [unit["id"] for unit in site.get("/units")["data"]] == [mine[2]]
    assert other.get(f"/units/{foreign}")["code"] == "101"
    wrong: dict[str, Any]
    for wrong in ({"unitIds": []}, {"unitIds": ["x"]}, {}, {"unitIds": [str(uuid.uuid4())]}):
        site.post("/units/bulk-delete", wrong, expect=400)


def test_detail_of_a_project_lists_its_units_with_a_price_of_zero(site: Site) -> None:
    site.post("/units", UNIT)
    assert [(unit["code"], unit["price"]) for unit in site.get()["units"]] == [("101", 0)]
