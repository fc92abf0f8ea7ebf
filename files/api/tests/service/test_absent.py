"""The exact answers about what the service does not keep."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from service.construction_support import Site
from service.support import Postgres

pytestmark = pytest.mark.postgres


def empty(limit: int, page: int = 1) -> dict[str, Any]:
    return {"data": [], "pagination": {"page": page, "limit": limit, "total": 0, "totalPages": 0}}


COMPANY: dict[str, Any] = {
    "/projects/levantamento-item-count": {"count": 0},
    "/suppliers?limit=1": empty(1),
    "/suppliers?page=1&limit=9": empty(9),
    "/suppliers/purchase-orders?limit=1": empty(1),
    "/suppliers/purchase-orders?page=1&limit=15": empty(15),
    "/contractors?limit=1": empty(1),
    "/contractors?page=2&limit=9": empty(9, 2),
    "/brokers?page=1&limit=9": empty(9),
    "/activity-templates?page=1&limit=10": empty(10),
    "/financial/transactions?limit=1": empty(1),
    "/financial/dashboard": {
        "totalBalance": 0, "monthlyIncome": 0, "monthlyExpense": 0, "pendingReconciliation": 0, "accounts": [],
        "recentTransactions": [],
    },
    "/financial/accounts": [],
}  # fmt: skip

PROJECT: dict[str, Any] = {
    "/projects/{id}/progress": {"overallProgress": 0, "activities": []},
    "/projects/{id}/activities": [],
    "/projects/{id}/measurements?page=1&limit=10&status=PENDING": empty(10),
    "/projects/{id}/measurements": empty(10),
    "/contractors/project/{id}": [],
    "/projects/{id}/activities/review-summary": {
        "summary": {"totalLeafActivities": 0, "coveredActivities": 0, "coveragePercentage": 0},
        "activities": [],
    },
    "/projects/{id}/levantamento-report": {
        "project": {"id": "{id}", "name": "Obra"},
        "levantamento": None,
        "stats": {"totalItens": 0, "totalGeral": 0, "totalAmbientes": 0, "qtdEtapas": 0},
        "byEtapa": [],
        "byAmbiente": [],
        "items": [],
    },
}

REFUSED = {
    "BROKER": [
        "/suppliers", "/suppliers/purchase-orders", "/contractors", "/activity-templates", "/financial/transactions",
        "/financial/dashboard", "/financial/accounts", "/projects/{id}/progress", "/projects/{id}/activities",
        "/projects/{id}/measurements", "/projects/{id}/activities/review-summary", "/contractors/project/{id}",
    ],
    "CONTRACTOR": ["/suppliers", "/brokers", "/financial/dashboard", "/financial/accounts", "/financial/transactions"],
    "ENGINEER": ["/financial/dashboard", "/brokers"],
}  # fmt: skip


@pytest.mark.parametrize("path", COMPANY)
def test_company_level_answer(site: Site, path: str) -> None:
    assert site.ask("GET", f"/api/v1{path}") == COMPANY[path]


@pytest.mark.parametrize("path", PROJECT)
def test_project_level_answer_and_404(site: Site, path: str) -> None:
    expected = PROJECT[path]
    if "project" in expected:
        expected = {**expected, "project": {"id": site.id, "name": "Obra"}}
    assert site.ask("GET", f"/api/v1{path.format(id=site.id)}") == expected
    for unknown in (str(uuid.uuid4()), "x"):
        site.ask("GET", f"/api/v1{path.format(id=unknown)}", expect=404)


@pytest.mark.parametrize("role", REFUSED)
def test_answer_without_the_permission_is_403(site: Site, postgres: Postgres, database: str, role: str) -> None:
    changed = site.as_role(role, postgres, database)
    for path in REFUSED[role]:
        changed.ask("GET", f"/api/v1{path.format(id=site.id)}", expect=403)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "page=0", "limit=x"])
def test_bad_page_is_400(site: Site, query: str) -> None:
    site.ask("GET", f"/api/v1/suppliers?{query}", expect=400)
    site.get(f"/measurements?{query}", expect=400)
