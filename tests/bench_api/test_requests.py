"""The data, tokens, requests and comparisons of the API's benchmark."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from typing import Any

import pytest

from enlevohub_bench_api import check, seed, traffic
from enlevohub_bench_api.check import Answer, DifferentError, Probe, difference
from enlevohub_bench_api.tokens import access_claims, sign

SECRET = "s" * 32
NOW = 1_800_000_000
GET = Probe("p", 200, "GET", "/", None)
POST = Probe("p", 201, "POST", "/", None, b"{}")
BAD = Probe("p", 400, "GET", "/", None)
CREATED = {
    "id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "createdAt": "2026-01-02T00:00:00.000Z",
    "updatedAt": "2026-01-02T00:00:00.000Z",
    "name": "x",
}


def test_data_depend_on_the_seed_alone() -> None:
    assert seed.make(1) == seed.make(1)
    assert seed.make(1).script != seed.make(2).script


def test_data_have_the_size_that_is_named() -> None:
    data = seed.make(1)
    assert data.projects == seed.TENANTS * seed.PROJECTS_PER_TENANT
    blocks = dict(block.split("\n", 1) for block in data.script.split("copy ")[1:])
    rows = {head.split(" ")[0]: body.split("\\.")[0].splitlines() for head, body in blocks.items()}
    assert len(rows["projects"]) == data.projects
    assert len(rows["evolutions"]) == data.evolutions
    assert len(rows["units"]) == data.units
    tenants = Counter(line.split("\t")[1] for line in rows["projects"])
    assert set(tenants.values()) == {seed.PROJECTS_PER_TENANT}
    assert data.empty_tenant not in tenants


def test_value_is_escaped_for_copy() -> None:
    assert seed._field(None) == "\\N"
    assert seed._field("a\tb\nc\\") == "a\\tb\\nc\\\\"
    assert seed._field({"a": 'ç"'}) == '{"a": "ç\\\\""}'


def test_token_is_signed_as_the_standard_says() -> None:
    # Claims, secret and token of the example that every implementation shows.
    token = sign({"sub": "1234567890", "name": "John Doe", "iat": 1516239022}, "your-256-bit-secret")
    assert token.split(".")[1:] == [
        "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ",
        "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    ]


def test_contractor_stands_in_the_token_only_when_there_is_one() -> None:
    assert "contractorId" not in access_claims("u", "t", "MASTER", NOW)
    assert access_claims("u", "t", "CONTRACTOR", NOW, "c")["contractorId"] == "c"


def test_list_requests_are_visits_and_repeat_with_their_seed() -> None:
    users = seed.make(1).users[:3]
    requests = traffic.lists(users, SECRET, NOW, 5)
    assert requests == traffic.lists(users, SECRET, NOW, 5)
    assert len(requests) == traffic.LIST_VISITS * len(traffic.visit(random.Random(1)))
    assert sum(b"?limit=100 HTTP/1.1\r\n" in request for request in requests) == traffic.LIST_VISITS


def test_creation_is_a_whole_request() -> None:
    request = traffic.creations(seed.make(1).users[0], SECRET, NOW, 5)[0]
    head, body = request.split(b"\r\n\r\n")
    assert head.startswith(b"POST /api/v1/projects HTTP/1.1\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body)["address"]["state"]


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        ({"a": 1}, {"a": 1.0}, None),
        ({"a": [1, None, "x"]}, {"a": [1, None, "x"]}, None),
        ({"a": 1}, {"a": 2}, "$.a"),
        ({"a": 1}, {"a": "1"}, "$.a"),
        ({"a": 1}, {"a": True}, "$.a"),
        ({"a": None}, {}, "$"),
        ({"a": [1, 2]}, {"a": [1]}, "$.a"),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "$.a[1].b"),
        ([], {}, "$"),
    ],
)
def test_difference_is_found_where_it_is(one: Any, other: Any, place: str | None) -> None:
    found = difference(one, other)
    assert (found is None) == (place is None)
    assert found is None or found.startswith(f"{place}: ")


def test_equal_answers_are_equal() -> None:
    check.compare(GET, {"a": Answer(200, {"x": 1}), "b": Answer(200, {"x": 1.0})})
    other = {**CREATED, "id": "00000000-0000-4000-8000-000000000000"}
    check.compare(POST, {"a": Answer(201, CREATED), "b": Answer(201, other)})
    check.compare(
        BAD, {"a": Answer(400, {"error": "e", "message": "m"}), "b": Answer(400, {"error": "", "message": ""})}
    )


@pytest.mark.parametrize(
    ("probe", "answer", "other"),
    [
        (GET, Answer(200, {"x": 1}), Answer(200, {"x": 2})),
        (GET, Answer(200, {"x": 1}), Answer(400, {"error": "e", "message": "m"})),
        (GET, Answer(500, {}), Answer(500, {})),
        (POST, Answer(201, CREATED), Answer(201, {**CREATED, "name": "y"})),
        (POST, Answer(201, CREATED), Answer(201, {**CREATED, "id": 7})),
        (POST, Answer(201, CREATED), Answer(201, {**CREATED, "createdAt": "2026-01-02T00:00:00Z"})),
        (BAD, Answer(400, {"error": "e", "message": "m"}), Answer(400, {"error": "e"})),
    ],
)
def test_other_answers_are_different(probe: Probe, answer: Answer, other: Answer) -> None:
    with pytest.raises(DifferentError):
        check.compare(probe, {"a": answer, "b": other})


def claims_of(probe: Probe) -> dict[str, Any]:
    """Read the claims of a probe's token."""
    assert probe.authorization is not None
    text = probe.authorization.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert isinstance(claims, dict)
    return claims


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("no session", "sid"),
        ("no id as session", "sid"),
        ("an unknown session", "sid"),
        ("the session of another account", "sid"),
        ("another account", "userId"),
        ("another company", "tenantId"),
        ("another role", "role"),
    ],
)
def test_token_of_another_session_differs_from_a_good_one_by_one_claim(name: str, claim: str) -> None:
    probes = {probe.name: probe for probe in check.probes(seed.make(1), SECRET, NOW)}
    good, wrong = claims_of(probes["list {}"]), claims_of(probes[f"list with {name}"])
    assert probes["list {}"].status == 200
    assert probes[f"list with {name}"].status == 401
    assert {key for key in good if good[key] != wrong.get(key)} == {claim}
    assert wrong.keys() <= good.keys()


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("an ended session", "sessions", "revoked_at"),
        ("an inactive account", "users", "is_active"),
        ("an account without approval", "users", "is_approved"),
    ],
)
def test_one_token_is_refused_only_while_its_account_or_session_is_changed(name: str, table: str, column: str) -> None:
    probes = check.probes(seed.make(1), SECRET, NOW)
    begin = next(number for number, probe in enumerate(probes) if probe.name == f"list before {name}")
    before, during, creation, after = probes[begin : begin + 4]
    assert [probe.status for probe in (before, during, creation, after)] == [200, 401, 401, 200]
    assert (creation.method, creation.name) == ("POST", f"creation with {name}")
    assert len({probe.authorization for probe in (before, during, creation, after)}) == 1
    assert before.sql is None
    assert creation.sql is None
    for change in (during.sql, after.sql):
        assert change is not None
        assert change.startswith(f"update {table} set {column} = ")
        assert change.endswith(f" where id = '{claims_of(during)['sid']}'")
    assert during.sql != after.sql


def test_every_change_of_the_database_is_undone() -> None:
    changes = [probe for probe in check.probes(seed.make(1), SECRET, NOW) if probe.sql is not None]
    assert [probe.status for probe in changes] == [401, 200] * (len(changes) // 2)
    assert len(changes) == 6


def test_probes_cover_good_and_refused_requests_of_both_methods() -> None:
    probes = check.probes(seed.make(1), SECRET, NOW)
    assert len({probe.name for probe in probes}) == len(probes)
    seen = {(probe.method, probe.status) for probe in probes}
    assert seen == {
        *(("GET", status) for status in (200, 400, 401)),
        *(("POST", status) for status in (201, 400, 401, 403)),
    }
