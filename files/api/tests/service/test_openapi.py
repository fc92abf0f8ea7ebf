"""The OpenAPI document is true: whatever fits it is answered as it says, and never with an undocumented failure.

Every operation is asked with generated requests; the seed is fixed, so a failure comes again. It is printed with one.
"""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.construction_support import FLOOR_PLAN, Site
from service.support import Api, Postgres, login, register

pytestmark = pytest.mark.postgres

SEED = 20260114
EXAMPLES = 12
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def fuzzed(api: Api, postgres: Postgres, database: str) -> dict[str, Any]:
    """Real ids by the name of their parameter, a token of a ROOT user, and one that calls to /auth may end."""
    print(f"seed: {SEED}")
    account = register(api)
    site = Site(api, account)
    ids = {
        "project_id": site.id,
        "block_id": site.post("/blocks", {"name": "A"})["id"],
        "floor_plan_id": site.post("/floor-plans", FLOOR_PLAN)["id"],
        "unit_id": site.post("/units", {"code": "1", "type": "LAND", "area": 1})["id"],
        "evolution_id": site.post("/evolutions", {"percentage": 1, "phase": "Base", "photos": [site.photo()]})["id"],
    }
    postgres.sql(f"update users set role = 'ROOT' where id = '{account.user_id}'", database)
    token = login(api, account.email).json()["tokens"]["accessToken"]
    return {"ids": ids, "token": token, "passing": register(api).access}


def ask(case: schemathesis.Case[Any], fuzzed: dict[str, Any]) -> None:
    """Send one generated request; deletions keep their generated ids, all else is about real rows."""
    token = fuzzed["passing"] if "/auth/" in case.path else fuzzed["token"]
    if case.method != "DELETE":
        known = {name: fuzzed["ids"][name] for name in case.path_parameters if name in fuzzed["ids"]}
        case.path_parameters.update(known)
    case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS, timeout=60)


def test_answers_are_as_documented(api: Api, fuzzed: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_url(f"{api.base}/docs/json")
    failures: dict[str, str] = {}
    tried = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        tried += 1

        @seed(SEED)
        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def check(case: schemathesis.Case[Any]) -> None:
            ask(case, fuzzed)

        try:
            check()
        except (FailureGroup, ExceptionGroup) as error:
            failures[operation.label] = "\n".join(map(str, error.exceptions))
    report = "\n\n".join(f"{label}\n{text}" for label, text in failures.items())
    assert not failures, f"seed {SEED}\n{report}"
    assert tried >= 60
