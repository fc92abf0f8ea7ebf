"""Every operation of the API with ids of another company: nothing is read, nothing changes.

The operations come from the OpenAPI document, so a new one is tried without being named here; one with an id or a body
that this test does not know fails it.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from service.construction_support import FLOOR_PLAN, Site
from service.images_support import image
from service.support import PROJECT, Account, Api, Postgres, register

pytestmark = pytest.mark.postgres

METHODS = ("get", "post", "put", "patch", "delete")
REFUSALS = {400, 403, 404}

BODIES: dict[str, Any] = {
    "ProjectChanges": {"name": "Tomada"},
    "EvolutionBody": {"percentage": 1, "phase": "Tomada"},
    "EvolutionChanges": {"phase": "Tomada"},
    "UnitBody": {"code": "tomada", "type": "LAND", "area": 1},
    "UnitChanges": {"code": "tomada"},
    "BlockBody": {"name": "Tomada"},
    "BlockChanges": {"name": "Tomada"},
    "FloorPlanBody": {**FLOOR_PLAN, "name": "Tomada"},
    "FloorPlanChanges": {"name": "Tomada"},
    "BulkBody": {
        "items": [{"floorPlanId": "{floor_plan_id}", "unitsPerFloor": 1}],
        "floors": 1,
        "codePattern": "SEQUENCIAL",
    },
    "BulkDeleteBody": {"unitIds": ["{unit_id}"]},
    "UserPatchBody": {"name": "Tomada"},
}
"""Bodies that the owner may send, by the name of their schema."""


class Company:
    """A company with a row of every kind, and its ids by the name of the path's parameter."""

    def __init__(self, api: Api, account: Account) -> None:
        self.site = Site(api, account)
        block = self.site.post("/blocks", {"name": "A"})
        plan = self.site.post("/floor-plans", FLOOR_PLAN)
        unit = {"code": "1", "type": "LAND", "area": 1, "blockId": block["id"], "floorPlanId": plan["id"]}
        url = self.site.photo()
        user = {"email": f"v{account.email}", "password": "Abcdefg1", "name": "Bia", "role": "VIEWER"}
        self.ids = {
            "project_id": self.site.id,
            "block_id": str(block["id"]),
            "floor_plan_id": str(plan["id"]),
            "unit_id": str(self.site.post("/units", unit)["id"]),
            "evolution_id": str(
                self.site.post("/evolutions", {"percentage": 1, "phase": "Base", "photos": [url]})["id"]
            ),
            "filename": url.rpartition("/")[2].partition("?")[0],
            "user_id": str(self.site.ask("POST", "/api/v1/users", json=user)["id"]),
        }

    def fill(self, value: Any) -> Any:
        """Put the ids into a path or body."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str):
            return re.sub(r"\{(\w+)\}", lambda match: self.ids[match[1]], value)
        return value

    def rows(self, postgres: Postgres, database: str) -> str:
        """Everything that the database has about the company, but what reading it writes."""
        project, tenant = self.site.id, self.site.account.tenant_id
        parts = [f"select 'p', to_jsonb(t)::text from projects t where tenant_id = '{tenant}'"]
        parts += [
            f"select '{table}', to_jsonb(t)::text from {table} t where project_id = '{project}'"
            for table in ("evolutions", "units", "blocks", "floor_plans", "uploads")
        ]
        parts.append(f"select 'u', (to_jsonb(t) - 'email')::text from users t where tenant_id = '{tenant}'")
        return postgres.sql(" union all ".join(parts) + " order by 1, 2", database)


@pytest.fixture(scope="module")
def document(api: Api) -> dict[str, Any]:
    with api.client() as client:
        found: dict[str, Any] = client.get("/docs/json").json()
    return found


@pytest.fixture(scope="module")
def victim(api: Api) -> Company:
    return Company(api, register(api))


@pytest.fixture(scope="module")
def attacker(api: Api) -> Company:
    return Company(api, register(api))


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, item[method])
        for path, item in sorted(document["paths"].items())
        for method in METHODS
        if method in item
    ]


def request_body(operation: dict[str, Any], company: Company) -> dict[str, Any]:
    """Options of the request: a body that the owner may send."""
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        return {"files": [("photos", ("a.jpg", image(), "image/jpeg"))]}
    if "application/json" in content:
        name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert name in BODIES, f"this test needs a body of {name}"
        return {"json": company.fill(BODIES[name])}
    return {}


def test_every_operation_with_ids_refuses_those_of_another_company(
    document: dict[str, Any], victim: Company, attacker: Company, postgres: Postgres, database: str
) -> None:
    before = victim.rows(postgres, database)
    tried, open_ones = 0, []
    for method, path, operation in operations(document):
        names = re.findall(r"\{(\w+)\}", path)
        if not names:
            continue
        assert set(names) <= set(victim.ids), f"this test needs an id for {path}"
        options = request_body(operation, victim)
        # The victim's own project, and each of the victim's rows as if it belonged to the attacker's project.
        mixed = {**victim.ids, "project_id": attacker.site.id}
        targets = [victim.fill(path)]
        if len(names) > 1:
            targets.append(re.sub(r"\{(\w+)\}", lambda match, ids=mixed: ids[match[1]], path))  # type: ignore[misc]
        for target in targets:
            response = attacker.site.send(method.upper(), target, **options)
            tried += 1
            if response.status_code not in REFUSALS:
                open_ones.append(f"{method} {target}: {response.status_code}")
    assert open_ones == []
    assert tried >= 30
    assert victim.rows(postgres, database) == before


def test_every_reading_operation_lets_the_owner_in(document: dict[str, Any], victim: Company) -> None:
    """The ids above are real ones: the owner reads them."""
    for method, path, _ in operations(document):
        if method == "get" and "{project_id}" in path and "{filename}" not in path:
            assert victim.site.send("GET", victim.fill(path)).status_code == 200, path


def test_no_operation_without_ids_shows_another_company(
    document: dict[str, Any], victim: Company, attacker: Company
) -> None:
    secrets = [*victim.ids.values(), victim.site.account.tenant_id, victim.site.account.email]
    for method, path, _ in operations(document):
        if method == "get" and "{" not in path and path.startswith("/api/"):
            text = attacker.site.send("GET", path).text
            assert [secret for secret in secrets if secret in text] == [], path


def test_ids_in_bodies_of_the_own_project_are_refused(
    victim: Company, attacker: Company, postgres: Postgres, database: str
) -> None:
    before = victim.rows(postgres, database)
    site, ids = attacker.site, victim.ids
    photo = f"uploads/projects/{ids['project_id']}/{ids['filename']}"
    unit = {"code": "n", "type": "LAND", "area": 1}
    bulk = {
        "items": [{"floorPlanId": ids["floor_plan_id"], "unitsPerFloor": 1}],
        "floors": 1,
        "codePattern": "SEQUENCIAL",
    }
    own = {**bulk, "items": [{"floorPlanId": attacker.ids["floor_plan_id"], "unitsPerFloor": 1}]}
    site.post("/units", {**unit, "blockId": ids["block_id"]}, expect=400)
    site.post("/units", {**unit, "floorPlanId": ids["floor_plan_id"]}, expect=400)
    site.patch(f"/units/{attacker.ids['unit_id']}", {"blockId": ids["block_id"]}, expect=400)
    site.post("/evolutions", {"percentage": 1, "phase": "Base", "photos": [photo]}, expect=400)
    site.patch(f"/evolutions/{attacker.ids['evolution_id']}", {"photos": [photo]}, expect=400)
    for action in ("preview-generate", "bulk-generate"):
        site.post(f"/units/{action}", bulk, expect=400)
        site.post(f"/units/{action}", {**own, "blockIds": [ids["block_id"]]}, expect=400)
    site.post("/units/bulk-delete", {"unitIds": [ids["unit_id"]]}, expect=400)
    project = site.ask(
        "POST", "/api/v1/projects", json={**PROJECT, "tenantId": victim.site.account.tenant_id}, expect=201
    )
    assert project["tenantId"] == site.account.tenant_id
    assert victim.rows(postgres, database) == before


def test_document_has_the_operations_of_the_contract(document: dict[str, Any]) -> None:
    assert len(operations(document)) >= 60
