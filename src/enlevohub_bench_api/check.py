"""Before anything is measured: all contenders answer the same requests alike."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from enlevohub_bench_api.seed import Data, User
from enlevohub_bench_api.servers import HOST
from enlevohub_bench_api.tokens import access_claims, sign
from enlevohub_bench_api.traffic import PATH

PROJECT = {
    "name": "Obra",
    "address": {
        "street": "Rua A",
        "number": "1",
        "neighborhood": "Centro",
        "city": "Natal",
        "state": "RN",
        "zipCode": "59000000",
    },
}
OWN_VALUES = {
    "id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "createdAt": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "updatedAt": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
}
"""What every creation makes anew; only its form is compared."""


class DifferentError(Exception):
    """The contenders do not answer alike; the text says where."""


@dataclass(frozen=True)
class Probe:
    """A request and the status that it must get."""

    name: str
    status: int
    method: str
    target: str
    authorization: str | None
    body: bytes | None = None
    sql: str | None = None
    """What the database is changed by before; later probes see it too."""


@dataclass(frozen=True)
class Answer:
    """A status and a parsed body."""

    status: int
    body: Any


def ask(port: int, probe: Probe) -> Answer:
    """Send a probe over a connection of its own.

    Raises:
        DifferentError: the answer is no JSON.
    """
    headers = {"Content-Type": "application/json"} if probe.body is not None else {}
    if probe.authorization is not None:
        headers["Authorization"] = probe.authorization
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request(probe.method, probe.target, probe.body, headers)
        answer = connection.getresponse()
        text = answer.read()
        try:
            return Answer(answer.status, json.loads(text))
        except ValueError as error:
            raise DifferentError(f"{probe.name}: {answer.status} without JSON: {text[:200]!r}") from error
    finally:
        connection.close()


def compare(probe: Probe, answers: Mapping[str, Answer]) -> None:
    """Compare what the contenders answered.

    Raises:
        DifferentError: a status is not the probe's, two bodies differ, or an error has no text for people.
    """
    for name, answer in answers.items():
        if answer.status != probe.status:
            raise DifferentError(
                f"{probe.name}: {name} answers {answer.status}, not {probe.status}: {str(answer.body)[:300]}"
            )
        if probe.status >= 400 and not all(isinstance(answer.body.get(key), str) for key in ("error", "message")):
            raise DifferentError(f"{probe.name}: {name} names no error: {answer.body}")
    if probe.status < 400:
        bodies = {name: _without_own_values(probe, name, answer.body) for name, answer in answers.items()}
        first, *others = bodies
        for other in others:
            place = difference(bodies[first], bodies[other])
            if place is not None:
                raise DifferentError(f"{probe.name}: {first} and {other} differ at {place}")


def difference(one: Any, other: Any, place: str = "$") -> str | None:
    """Return where two documents differ, None when they are equal; 1 equals 1.0, and true equals only true."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(f"{place}.{key}", one[key], other[key]) for key in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{place}[{number}]", *both) for number, both in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, (dict, list)) or isinstance(one, bool) != isinstance(other, bool) or one != other:
        return f"{place}: {one!r} and {other!r}"
    else:
        return None
    return next((found for where, a, b in pairs if (found := difference(a, b, where)) is not None), None)


def _without_own_values(probe: Probe, name: str, body: Any) -> Any:
    if probe.status != 201:
        return body
    for key, form in OWN_VALUES.items():
        if not form.fullmatch(str(body.get(key))):
            raise DifferentError(f"{probe.name}: {name} gives no usable {key}: {body.get(key)!r}")
    return {**body, **dict.fromkeys(OWN_VALUES)}


def probes(data: Data, secret: str, now: int) -> list[Probe]:
    """Return the requests of the comparison."""
    first = data.users[0].tenant
    callers = {user.role: user for user in data.users if user.tenant == first}
    creators = {user.role: user for user in data.users if user.tenant == data.empty_tenant}
    return [
        *_lists(callers, creators["MASTER"], secret, now),
        *_refusals(callers, secret, now),
        *_sessions(callers, creators, secret, now),
        *_creations(callers, creators, secret, now),
    ]


def _bearer(user: User, secret: str, now: int, **changes: Any) -> str:
    claims = {**access_claims(user.id, user.tenant, user.role, now, user.contractor), **changes}
    return f"Bearer {sign({key: value for key, value in claims.items() if value is not None}, secret)}"


def _lists(callers: Mapping[str, User], creator: User, secret: str, now: int) -> list[Probe]:
    master = _bearer(callers["MASTER"], secret, now)
    good: list[dict[str, str | int]] = [
        {},
        {"limit": 100},
        {"page": 2, "limit": 100},
        {"page": 20, "limit": 9},
        {"page": 500, "limit": 9},
        {"limit": 1, "status": "COMPLETED"},
        {"search": "casa"},
        {"search": "SÃO"},
        {"search": "100%"},
        {"search": "_"},
        {"search": "\\"},
        {"search": "nada disso"},
        {"search": "aurora", "status": "PAUSED", "sortBy": "name", "sortOrder": "asc"},
        *({"limit": 50, "sortBy": "status", "sortOrder": order} for order in ("asc", "desc")),
        *({"limit": 50, "sortBy": key} for key in ("name", "createdAt", "updatedAt", "budget")),
        *({"limit": 50, "sortBy": key, "sortOrder": "asc"} for key in ("name", "createdAt", "updatedAt", "budget")),
        {"other": "x"},
    ]
    bad: list[dict[str, str | int]] = [
        {"page": 0},
        {"page": "x"},
        {"page": 1_000_001},
        {"limit": 0},
        {"limit": 101},
        {"limit": "1.5"},
        {"status": "OPEN"},
        {"sortBy": "id"},
        {"sortOrder": "up"},
        {"search": "x" * 201},
    ]
    made = [
        Probe(f"list {query}", status, "GET", f"{PATH}?{urlencode(query, quote_via=quote)}", master)
        for status, queries in ((200, good), (400, bad))
        for query in queries
    ]
    for role in ("ENGINEER", "VIEWER", "CONTRACTOR"):
        made.append(Probe(f"list of {role}", 200, "GET", f"{PATH}?limit=50", _bearer(callers[role], secret, now)))
    made.append(Probe("list of nothing", 200, "GET", PATH, _bearer(creator, secret, now)))
    return made


def _refusals(callers: Mapping[str, User], secret: str, now: int) -> list[Probe]:
    master = callers["MASTER"]
    good = _bearer(master, secret, now)
    claims = access_claims(master.id, master.tenant, master.role, now)
    header, payload, signature = good.removeprefix("Bearer ").split(".")
    wrong = {
        "no token": None,
        "another scheme": good.replace("Bearer", "bearer"),
        "three parts": f"{good} x",
        "no signature": f"Bearer {header}.{payload}.",
        "a broken signature": f"Bearer {header}.{payload}.{signature[::-1]}",
        "another secret": _bearer(master, secret[::-1], now),
        "another algorithm": f"Bearer {sign(claims, secret, 'none')}",
        "an expired token": _bearer(master, secret, now, iat=now - 100, exp=now - 1),
        "a refresh token": _bearer(master, secret, now, typ="refresh"),
        "no type": _bearer(master, secret, now, typ=None),
        "another audience": _bearer(master, secret, now, aud="other"),
        "another issuer": _bearer(master, secret, now, iss="other"),
        "no end": _bearer(master, secret, now, exp=None),
        "from the future": _bearer(master, secret, now, iat=now + 3600),
        "an unknown role": _bearer(master, secret, now, role="GUEST"),
    }
    return [
        *(Probe(f"list with {name}", 401, "GET", PATH, value) for name, value in wrong.items()),
        Probe("creation without token", 401, "POST", PATH, None, json.dumps(PROJECT).encode()),
        Probe("bad creation without token", 401, "POST", PATH, None, b"{}"),
    ]


def _sessions(callers: Mapping[str, User], creators: Mapping[str, User], secret: str, now: int) -> list[Probe]:
    master, viewer = callers["MASTER"], callers["VIEWER"]
    claims: dict[str, dict[str, str | None]] = {
        "no session": {"sid": None},
        "no id as session": {"sid": "x"},
        "an unknown session": {"sid": master.tenant},
        "the session of another account": {"sid": viewer.id},
        "another account": {"userId": viewer.id},
        "another company": {"tenantId": creators["MASTER"].tenant},
        "another role": {"role": "ENGINEER"},
    }
    changes = {
        "an ended session": ("update sessions set revoked_at = {}", "now()", "null"),
        "an inactive account": ("update users set is_active = {}", "false", "true"),
        "an account without approval": ("update users set is_approved = {}", "false", "true"),
    }
    made = [
        Probe(f"list with {name}", 401, "GET", PATH, _bearer(master, secret, now, **change))
        for name, change in claims.items()
    ]
    # One token all along: whoever remembers an answer differs. VIEWER may not create, but 401 goes before 403.
    token, body = _bearer(viewer, secret, now), json.dumps(PROJECT).encode()
    for name, (update, wrong, right) in changes.items():
        wrong, right = (f"{update.format(value)} where id = '{viewer.id}'" for value in (wrong, right))
        made += [
            Probe(f"list before {name}", 200, "GET", PATH, token),
            Probe(f"list with {name}", 401, "GET", PATH, token, sql=wrong),
            Probe(f"creation with {name}", 401, "POST", PATH, token, body),
            Probe(f"list after {name}", 200, "GET", PATH, token, sql=right),
        ]
    return made


def _creations(callers: Mapping[str, User], creators: Mapping[str, User], secret: str, now: int) -> list[Probe]:
    address = PROJECT["address"]
    assert isinstance(address, dict)
    good: dict[str, dict[str, Any]] = {
        "least": {},
        "all": {
            "description": "Duas torres",
            "status": "IN_PROGRESS",
            "startDate": "2026-01-02T03:04:05.678Z",
            "expectedEndDate": "2027-01-02T00:00:00Z",
            "budget": 1234567.89,
            "quantidadeUnidades": 12,
            "metadata": {"a": [1, {"b": None}], "c": "ç"},
            "address": {**address, "complement": "Fundos"},
        },
        "nulls": dict.fromkeys(("description", "startDate", "expectedEndDate", "budget", "metadata")),
        "more keys": {"other": 1, "tenantId": "x", "address": {**address, "other": "x"}},
        "an offset": {"startDate": "2026-01-02T00:00:00-03:00"},
        "the largest budget": {"budget": 9999999999999.99},
        "the least budget": {"budget": 0.01},
        "signs": {"name": 'Ação "á" \\ 😀', "description": "linha\nlinha\t"},
    }
    bad: dict[str, dict[str, Any]] = {
        "a short name": {"name": "x"},
        "a long name": {"name": "x" * 201},
        "a number as name": {"name": 12},
        "null as name": {"name": None},
        "no address": {"address": None},
        "no city": {"address": {key: value for key, value in address.items() if key != "city"}},
        "a long state": {"address": {**address, "state": "RNX"}},
        "a short code": {"address": {**address, "zipCode": "1234567"}},
        "budget 0": {"budget": 0},
        "a negative budget": {"budget": -1},
        "a huge budget": {"budget": 1e13},
        "a text as budget": {"budget": "5"},
        "no unit": {"quantidadeUnidades": 0},
        "half a unit": {"quantidadeUnidades": 1.5},
        "null units": {"quantidadeUnidades": None},
        "an unknown status": {"status": "OPEN"},
        "a date": {"startDate": "2026-01-02"},
        "no time zone": {"startDate": "2026-01-02T00:00:00"},
        "a list as metadata": {"metadata": []},
        "a NUL character": {"name": "a\0b"},
    }
    token = _bearer(creators["MASTER"], secret, now)
    body = json.dumps(PROJECT).encode()
    raw_bodies = {"a list": b"[]", "no JSON": b"{", "nothing": b""}
    return [
        *(
            Probe(f"creation with {name}", status, "POST", PATH, token, json.dumps({**PROJECT, **change}).encode())
            for status, changes in ((201, good), (400, bad))
            for name, change in changes.items()
        ),
        *(Probe(f"creation with {name} as body", 400, "POST", PATH, token, text) for name, text in raw_bodies.items()),
        Probe("creation by VIEWER", 403, "POST", PATH, _bearer(callers["VIEWER"], secret, now), body),
        Probe("bad creation by VIEWER", 403, "POST", PATH, _bearer(callers["VIEWER"], secret, now), b"{}"),
        Probe("creation by ENGINEER", 201, "POST", PATH, _bearer(creators["ENGINEER"], secret, now), body),
    ]
