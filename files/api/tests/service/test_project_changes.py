"""Changes, deletion and numbers of projects."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from service.construction_support import FLOOR_PLAN, Site
from service.support import PROJECT, Account, Api, Postgres, register

pytestmark = pytest.mark.postgres

NO_UNITS = {"total": 0, "available": 0, "reserved": 0, "sold": 0, "blocked": 0}


def test_change_keeps_what_is_not_sent(site: Site) -> None:
    before = site.patch("", {"budget": 10.5, "startDate": "2026-01-02T00:00:00.000Z", "description": "d"})
    after = site.patch("", {"status": "COMPLETED"})
    assert after["status"] == "COMPLETED"
    assert after["actualEndDate"] is None
    changed = {"status", "updatedAt"}
    assert {key: after[key] for key in after.keys() - changed} == {key: before[key] for key in before.keys() - changed}
    assert set(after["_count"]) == {"units", "evolutions"}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Nova obra"}, {"description": None}, {"description": ""}, {"status": "PAUSED"}, {"budget": 0.01},
        {"address": {**PROJECT["address"], "complement": "fundos"}},  # type: ignore[dict-item]
        {"startDate": "2026-02-28T23:59:59.999Z"}, {"expectedEndDate": None},
        {"actualEndDate": "2026-03-01T00:00:00.000Z"},
        {"quantidadeUnidades": 2147483647}, {"metadata": {"a": {"b": [1, "x", None]}}}, {"metadata": None},
    ],
)  # fmt: skip
def test_change_of_each_field(site: Site, change: dict[str, Any]) -> None:
    changed = site.patch("", change)
    read = site.get()
    for key, value in change.items():
        assert changed[key] == value
        assert read[key] == value


def test_change_shows_the_latest_evolution(site: Site) -> None:
    for percentage in (10, 20):
        site.post("/evolutions", {"percentage": percentage, "phase": "Base"})
    changed = site.patch("", {"name": "Nova"})
    assert [item["percentage"] for item in changed["evolutions"]] == [20]
    assert changed["_count"] == {"units": 0, "evolutions": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x"}, {"name": None}, {"name": "x" * 201}, {"status": "DONE"}, {"status": None}, {"budget": 0},
        {"budget": 1e13}, {"budget": "5"}, {"startDate": "2026-01-02"}, {"startDate": 5}, {"quantidadeUnidades": 0},
        {"address": {"street": "Rua"}}, {"address": None}, {"metadata": []}, {"actualEndDate": "x"},
    ],
)  # fmt: skip
def test_wrong_change_is_400_and_changes_nothing(site: Site, change: dict[str, Any]) -> None:
    before = site.get()
    answer = site.patch("", {"description": "new", **change}, expect=400)
    assert isinstance(answer["message"], str)
    assert site.get() == before


def test_unknown_key_is_ignored(site: Site) -> None:
    other = str(uuid.uuid4())
    changed = site.patch("", {"tenantId": other, "id": other, "createdAt": "x", "nonsense": 1})
    assert (changed["id"], changed["tenantId"]) == (site.id, site.account.tenant_id)


@pytest.mark.parametrize("identity", ["x", str(uuid.uuid4()), "1" * 32])
def test_unknown_project_is_404(site: Site, identity: str) -> None:
    site.id = identity
    site.patch("", {}, expect=404)
    site.delete(expect=404)
    site.get("/statistics", expect=404)


def test_delete_removes_all_below(site: Site, postgres: Postgres, database: str) -> None:
    site.post("/evolutions", {"percentage": 1, "phase": "Base", "photos": [site.photo()]})
    plan = site.post("/floor-plans", {**FLOOR_PLAN, "rooms": [{"nome": "S", "comprimento": 1, "largura": 1}]})
    block = site.post("/blocks", {"name": "A"})
    unit = {"code": "1", "type": "LAND", "area": 1, "blockId": block["id"], "floorPlanId": plan["id"]}
    site.post("/units", unit)
    assert set(site.delete()) == {"message"}
    site.get(expect=404)
    site.delete(expect=404)
    for table in ("evolutions", "units", "blocks", "floor_plans", "uploads"):
        assert postgres.sql(f"select count(*) from {table} where project_id = '{site.id}'", database) == "0"


def test_permissions(site: Site, postgres: Postgres, database: str) -> None:
    engineer = site.as_role("ENGINEER", postgres, database)
    engineer.patch("", {"name": "Nova"})
    engineer.delete(expect=403)
    staff = site.as_role("ADMIN_STAFF", postgres, database)
    staff.get("/statistics")
    staff.patch("", {}, expect=403)


def test_statistics_count_units_by_status(site: Site) -> None:
    site.patch("", {"budget": 99.9})
    for number, status in enumerate(("AVAILABLE", "SOLD", "SOLD", "RESERVED", "BLOCKED")):
        site.post("/units", {"code": str(number), "type": "LAND", "area": 1, "status": status})
    assert site.get("/statistics") == {
        "units": {"total": 5, "available": 1, "reserved": 1, "sold": 2, "blocked": 1},
        "activitiesCount": 0, "currentProgress": 0, "purchaseOrders": 0, "financialTransactions": 0, "totalSpent": 0,
        "budget": 99.9,
    }  # fmt: skip


def test_dashboard_of_an_empty_company(api: Api, account: Account) -> None:
    with api.client(account.access) as client:
        assert client.get("/api/v1/projects/dashboard/stats").json() == {
            "projects": {
                "total": 0, "planning": 0, "inProgress": 0, "paused": 0, "completed": 0, "cancelled": 0,
            },
            "units": NO_UNITS,
            "recentProjects": [],
        }  # fmt: skip


def test_dashboard_counts_and_shows_the_five_changed_last(api: Api, site: Site) -> None:
    Site(api, register(api)).post("/units", {"code": "9", "type": "LAND", "area": 1})
    others = [Site(api, site.account) for _ in range(5)]
    others[0].patch("", {"status": "IN_PROGRESS"})
    others[1].patch("", {"status": "CANCELLED"})
    site.post("/units", {"code": "1", "type": "LAND", "area": 1, "status": "SOLD"})
    site.patch("", {"name": "Última"})
    stats = site.ask("GET", "/api/v1/projects/dashboard/stats")
    assert stats["projects"] == {
        "total": 6, "planning": 4, "inProgress": 1, "paused": 0, "completed": 0, "cancelled": 1,
    }  # fmt: skip
    assert stats["units"] == {**NO_UNITS, "total": 1, "sold": 1}
    assert len(stats["recentProjects"]) == 5
    assert (stats["recentProjects"][0]["name"], stats["recentProjects"][0]["_count"]) == ("Última", {"units": 1})
