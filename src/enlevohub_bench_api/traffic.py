"""The requests of a run, ready to be written to a connection."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from urllib.parse import urlencode

from enlevohub_bench_api import seed
from enlevohub_bench_api.tokens import access_claims, sign

PATH = "/api/v1/projects"
LIST_VISITS = 100
CREATIONS = 500
SEARCHES = ("casa", "são", "edifício", "lagoa", "100%", "nada disso")


def raw(method: str, target: str, token: str | None, body: bytes | None = None) -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def visit(dice: random.Random) -> list[dict[str, str | int]]:
    """Return the lists that one visit of the web application asks for: its dashboard, then its list of projects."""
    return [
        {"limit": 100},
        {"limit": 1},
        {"limit": 1, "status": "IN_PROGRESS"},
        {"limit": 1, "status": "COMPLETED"},
        {"page": 1, "limit": 9},
        {"page": 2, "limit": 9},
        {"page": dice.randint(3, 22), "limit": 9},
        {"page": 1, "limit": 9, "status": dice.choice(seed.STATUSES)},
        {"page": 1, "limit": 9, "search": dice.choice(SEARCHES)},
    ]


def lists(users: Iterable[seed.User], secret: str, now: int, number: int) -> list[bytes]:
    """Return the requests of many visits, each by one of the users, in a random order."""
    dice = random.Random(number)
    tokens = [sign(access_claims(user.id, user.tenant, user.role, now), secret) for user in users]
    queries = [query for _ in range(LIST_VISITS) for query in visit(dice)]
    dice.shuffle(queries)
    return [raw("GET", f"{PATH}?{urlencode(query)}", dice.choice(tokens)) for query in queries]


def creations(user: seed.User, secret: str, now: int, number: int) -> list[bytes]:
    """Return requests that create projects as the web application's form does."""
    dice = random.Random(number)
    token = sign(access_claims(user.id, user.tenant, user.role, now), secret)
    made = []
    for _ in range(CREATIONS):
        body = {
            "name": f"{dice.choice(seed.KINDS)} {dice.choice(seed.PLACES)} {dice.randint(1, 99)}",
            "description": f"Obra {dice.choice(seed.PLACES)} com {dice.randint(1, 90)} unidades",
            "status": dice.choice(seed.STATUSES),
            "address": seed.address(dice),
            "budget": dice.randint(1_000_000, 900_000_000) / 100,
            "startDate": f"2026-0{dice.randint(1, 9)}-01T00:00:00.000Z",
            "expectedEndDate": f"2027-0{dice.randint(1, 9)}-01T00:00:00.000Z",
            "quantidadeUnidades": dice.randint(1, 120),
        }
        made.append(raw("POST", PATH, token, json.dumps(body, ensure_ascii=False).encode()))
    return made
