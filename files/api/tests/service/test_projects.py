"""Projects: shapes, filters, tenants and the contractor's scope."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from service.construction_support import as_contractor
from service.support import PROJECT, Account, Api, Postgres, login, register

pytestmark = pytest.mark.postgres


def create(api: Api, account: Account, **changes: Any) -> dict[str, Any]:
    with api.client(account.access) as client:
        response = client.post("/api/v1/projects", json={**PROJECT, **changes})
    assert response.status_code == 201, response.text
    project: dict[str, Any] = response.json()
    return project


def get(api: Api, token: str, path: str) -> httpx.Response:
    with api.client(token) as client:
        return client.get(f"/api/v1/projects{path}")


def names(api: Api, account: Account, query: str) -> list[str]:
    response = get(api, account.access, f"?{query}")
    assert response.status_code == 200, response.text
    return [row["name"] for row in response.json()["data"]]


COLUMNS = {
    "id", "tenantId", "name", "description", "address", "status", "startDate", "expectedEndDate", "actualEndDate",
    "budget", "schedulingMode", "holidays", "metadata", "quantidadeUnidades", "createdAt", "updatedAt",
}  # fmt: skip


def test_create_answers_every_column(api: Api, account: Account) -> None:
    project = create(api, account)
    assert set(project) == COLUMNS | {"evolutions", "_count"}
    assert (project["evolutions"], project["_count"]) == ([], {"units": 0, "evolutions": 0})


def test_create_keeps_what_was_sent(api: Api, account: Account) -> None:
    project = create(
        api, account, budget=1234567.89, startDate="2026-01-02T00:00:00.000Z", metadata={"a": [1]}, quantidadeUnidades=3
    )
    assert (project["budget"], project["startDate"]) == (1234567.89, "2026-01-02T00:00:00.000Z")
    assert (project["metadata"], project["quantidadeUnidades"]) == ({"a": [1]}, 3)
    assert project["address"] == PROJECT["address"]


def test_create_without_a_budget_stores_zero(api: Api, account: Account) -> None:
    assert create(api, account)["budget"] == 0


def test_create_largest_budget_keeps_its_cents(api: Api, account: Account) -> None:
    assert create(api, account, budget=9999999999999.99)["budget"] == 9999999999999.99


def test_create_belongs_to_the_tenant_of_the_token(api: Api, account: Account) -> None:
    assert create(api, account, tenantId=str(uuid.uuid4()))["tenantId"] == account.tenant_id


def test_created_project_is_read_on_the_other_copy(apis: tuple[Api, Api], account: Account) -> None:
    project = create(apis[0], account)
    assert get(apis[1], account.access, f"/{project['id']}").json()["name"] == "Obra"


def test_list_empty_has_zero_pages(api: Api, account: Account) -> None:
    assert get(api, account.access, "?limit=9").json() == {
        "data": [],
        "pagination": {"page": 1, "limit": 9, "total": 0, "totalPages": 0},
    }


def test_list_row_has_latest_evolution_and_counts(
    api: Api, account: Account, postgres: Postgres, database: str
) -> None:
    project = create(api, account)
    for day, percentage in (("01", 10), ("03", 30.5), ("02", 20)):
        postgres.sql(
            f"""insert into evolutions (project_id, date, percentage, phase, reported_by)
                values ('{project["id"]}', '2026-01-{day}T00:00:00Z', {percentage}, 'Base', '{account.user_id}')""",
            database,
        )
    row = get(api, account.access, "").json()["data"][0]
    assert set(row) == COLUMNS | {"evolutions", "_count"}
    assert [item["percentage"] for item in row["evolutions"]] == [30.5]
    assert row["_count"] == {"units": 0, "evolutions": 3, "activities": 0}


def test_list_pages_cover_all_rows_once(api: Api, account: Account) -> None:
    for number in range(5):
        create(api, account, name=f"Obra {number}")
    pages = [names(api, account, f"limit=2&page={page}&sortBy=status") for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert len({name for page in pages for name in page}) == 5


def test_list_filters_by_status(api: Api, account: Account) -> None:
    create(api, account, name="Plano")
    create(api, account, name="Pausa", status="PAUSED")
    assert names(api, account, "status=PAUSED") == ["Pausa"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("CASA", ["Casa 100%"]),
        ("praia", ["Casa 100%"]),
        ("%25", ["Casa 100%"]),
        ("_", []),
        ("'", []),
        ("prédio", ["Prédio"]),
    ],
)
def test_list_searches_name_and_description(api: Api, account: Account, search: str, found: list[str]) -> None:
    create(api, account, name="Casa 100%", description="na Praia")
    create(api, account, name="Prédio")
    assert names(api, account, f"search={search}") == found


@pytest.mark.parametrize("search", ["", "search=obra&"])
def test_list_beyond_its_end_has_the_total(api: Api, account: Account, search: str) -> None:
    for number in range(3):
        create(api, account, name=f"Obra {number}")
    answer = get(api, account.access, f"?{search}limit=2&page=3").json()
    assert answer == {"data": [], "pagination": {"page": 3, "limit": 2, "total": 3, "totalPages": 2}}


def test_list_of_a_search_has_the_newest_first(api: Api, account: Account) -> None:
    for number in (1, 2, 3):
        create(api, account, name=f"Casa {number}")
        create(api, account, name=f"Loja {number}")
    assert names(api, account, "search=casa&limit=2") == ["Casa 3", "Casa 2"]
    assert names(api, account, "search=casa&limit=2&page=2") == ["Casa 1"]


@pytest.mark.parametrize("moment", ["2026-01-02T00:00:00.000Z", "2026-07-31T23:59:59.900Z", "2026-07-31T23:59:59.999Z"])
def test_list_has_moments_in_utc_with_milliseconds(api: Api, account: Account, moment: str) -> None:
    create(api, account, startDate=moment)
    assert get(api, account.access, "").json()["data"][0]["startDate"] == moment


def test_list_writes_every_text_and_null_as_json(api: Api, account: Account) -> None:
    texts = {
        "name": "Vila \"A\" \\ 'b' \t{} $1 %s ção",
        "description": "\n\u2028\u0001😀",
        "metadata": {"a": [None, "'"]},
    }
    create(api, account, **texts)
    row = get(api, account.access, "").json()["data"][0]
    assert {name: row[name] for name in texts} == texts
    nulls = {"startDate": None, "actualEndDate": None, "schedulingMode": None, "holidays": None}
    assert {name: row[name] for name in nulls} == nulls


@pytest.mark.parametrize(
    ("field", "ascending"),
    [
        ("name", ["Aa", "Bb", "Cc"]),
        ("createdAt", ["Bb", "Aa", "Cc"]),
        ("updatedAt", ["Bb", "Aa", "Cc"]),
        ("status", ["Cc", "Bb", "Aa"]),
        ("budget", ["Aa", "Cc", "Bb"]),
    ],
)
def test_list_sorts_by_each_field(api: Api, account: Account, field: str, ascending: list[str]) -> None:
    create(api, account, name="Bb", budget=30, status="IN_PROGRESS")
    create(api, account, name="Aa", budget=10, status="COMPLETED")
    create(api, account, name="Cc", budget=20, status="PLANNING")
    assert names(api, account, f"sortBy={field}&sortOrder=asc") == ascending
    assert names(api, account, f"sortBy={field}") == ascending[::-1]


def test_list_shows_only_the_own_tenant(api: Api, account: Account) -> None:
    create(api, register(api), name="Alheia")
    create(api, account, name="Minha")
    assert names(api, account, "") == ["Minha"]


def test_detail_of_another_tenant_is_404(api: Api, account: Account) -> None:
    project = create(api, register(api))
    assert get(api, account.access, f"/{project['id']}").status_code == 404


def test_detail_has_evolutions_units_and_counts(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    project = create(api, account)
    for code, price in (("B", "250000.50"), ("A", "null")):
        postgres.sql(
            f"""insert into units (project_id, code, type, area, price)
                values ('{project["id"]}', '{code}', 'APARTMENT', 55.25, {price})""",
            database,
        )
    for day in ("01", "02"):
        postgres.sql(
            f"""insert into evolutions (project_id, date, percentage, phase, reported_by, photos)
                values ('{project["id"]}', '2026-01-{day}T00:00:00Z', 5, 'Base', '{account.user_id}', '["/x.jpg"]')""",
            database,
        )
    detail = get(api, account.access, f"/{project['id']}").json()
    assert set(detail) == COLUMNS | {"evolutions", "units", "_count"}
    assert [(unit["code"], unit["area"], unit["price"]) for unit in detail["units"]] == [
        ("A", 55.25, 0),
        ("B", 55.25, 250000.5),
    ]
    assert [item["date"][:10] for item in detail["evolutions"]] == ["2026-01-02", "2026-01-01"]
    assert detail["evolutions"][0]["user"] == {"id": account.user_id, "name": "Ana"}
    assert detail["evolutions"][0]["photos"] == ["/x.jpg"]
    assert detail["_count"] == {"units": 2, "evolutions": 2, "purchaseOrders": 0, "financialTransactions": 0}


@pytest.mark.parametrize(
    "identity", ["x", "1", str(uuid.uuid4()), "{11111111-1111-4111-8111-111111111111}", "1" * 32, "%00", "' or 1=1"]
)
def test_detail_of_an_unknown_or_malformed_id_is_404(api: Api, account: Account, identity: str) -> None:
    response = get(api, account.access, f"/{identity}")
    assert (response.status_code, response.json()["error"]) == (404, "Not Found")


def test_contractor_lists_only_assigned_projects(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    assigned, _ = create(api, account, name="Minha"), create(api, account, name="Outra")
    contractor, token = as_contractor(api, account, postgres, database)
    postgres.sql(
        f"insert into project_contractors values ('{account.tenant_id}', '{assigned['id']}', '{contractor}')", database
    )
    answer = get(api, token, "").json()
    assert [row["name"] for row in answer["data"]] == ["Minha"]
    assert answer["pagination"]["total"] == 1


def test_contractor_reads_an_assigned_project(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    project = create(api, account)
    contractor, token = as_contractor(api, account, postgres, database)
    postgres.sql(
        f"insert into project_contractors values ('{account.tenant_id}', '{project['id']}', '{contractor}')", database
    )
    assert get(api, token, f"/{project['id']}").status_code == 200


def test_contractor_does_not_read_another_project(
    api: Api, account: Account, postgres: Postgres, database: str
) -> None:
    project = create(api, account)
    _, token = as_contractor(api, account, postgres, database)
    assert get(api, token, f"/{project['id']}").status_code == 404


def test_contractor_without_a_contractor_row_sees_nothing(
    api: Api, account: Account, postgres: Postgres, database: str
) -> None:
    create(api, account)
    postgres.sql(f"update users set role = 'CONTRACTOR' where id = '{account.user_id}'", database)
    token = login(api, account.email).json()["tokens"]["accessToken"]
    assert get(api, token, "").json()["pagination"]["total"] == 0


@pytest.mark.parametrize("field", ["name", "description"])
def test_create_with_a_nul_character_is_400(api: Api, account: Account, field: str) -> None:
    with api.client(account.access) as client:
        assert client.post("/api/v1/projects", json={**PROJECT, field: "a\0b"}).status_code == 400


def test_create_with_a_nul_character_in_metadata_is_400(api: Api, account: Account) -> None:
    with api.client(account.access) as client:
        assert client.post("/api/v1/projects", json={**PROJECT, "metadata": {"a": "\0"}}).status_code == 400


def test_create_with_a_lone_surrogate_is_400(api: Api, account: Account) -> None:
    text = '{"name":"a\\ud800b","address":{"street":"Rua","number":"1","neighborhood":"Ba","city":"Ci","state":"RN",'
    content = (text + '"zipCode":"59000000"}}').encode()
    with api.client(account.access) as client:
        assert client.post("/api/v1/projects", content=content).status_code == 400


def test_create_of_a_deleted_tenant_is_401(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    postgres.sql(f"delete from tenants where id = '{account.tenant_id}'", database)
    with api.client(account.access) as client:
        assert client.post("/api/v1/projects", json=PROJECT).status_code == 401
