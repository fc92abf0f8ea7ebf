"""A site without an API: the built pages as nginx serves them, and answers that a test sets one by one."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route

from tests.browser.steps import PROJECT, picture

FRONTEND = Path(__file__).parents[2] / "files" / "frontend"
DIST = FRONTEND / "dist"
USER = {"id": "u1", "email": "helena@example.com", "name": "Helena Duarte", "role": "MASTER", "tenantId": "t1"}
TENANT = {"id": "t1", "name": "Construtora Horizonte", "plan": "FREE"}


def security_headers() -> dict[str, str]:
    """The headers that nginx adds, read from its configuration."""
    text = (FRONTEND / "nginx" / "security-headers.conf").read_text(encoding="utf-8")
    headers = dict(re.findall(r'^add_header (\S+) "([^"]+)" always;$', text, flags=re.MULTILINE))
    assert "Content-Security-Policy" in headers
    return headers


class SpaHandler(SimpleHTTPRequestHandler):
    """Serves the build as nginx does: unknown paths give index.html, every answer has the security headers.

    A posted body is read to its half; the rest waits until `go_on` is set.
    """

    headers_to_add = security_headers()
    go_on = threading.Event()

    def send_head(self) -> Any:
        """Fall back to index.html for the paths of the application."""
        if not Path(self.translate_path(self.path)).is_file():
            self.path = "/index.html"
        return super().send_head()

    def do_POST(self) -> None:
        """Take a photo slowly and answer with its address."""
        length = int(self.headers["Content-Length"])
        self.rfile.read(length // 2)
        assert self.go_on.wait(timeout=60)
        self.rfile.read(length - length // 2)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"urls": [photo(1)]}).encode())

    def end_headers(self) -> None:
        """Add the security headers to every answer."""
        for name, value in self.headers_to_add.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def project(number: int, **changes: Any) -> dict[str, Any]:
    """A project row of the contract."""
    row: dict[str, Any] = {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "name": f"Edifício Mirante {number}",
        "description": None,
        "address": {
            "street": "Rua das Palmeiras",
            "number": "120",
            "neighborhood": "Centro",
            "city": "Curitiba",
            "state": "PR",
            "zipCode": "80010-000",
        },
        "status": "PLANNING",
        "startDate": None,
        "expectedEndDate": None,
        "actualEndDate": None,
        "budget": 0,
        "quantidadeUnidades": 1,
        "evolutions": [],
        "units": [],
        "_count": {"units": 0},
    }
    return {**row, **changes}


def units(count: int, status: str) -> list[dict[str, Any]]:
    """So many units of the contract in one status; only what the pages read."""
    return [{"id": f"{status}-{number}", "status": status} for number in range(count)]


def photo(number: int) -> str:
    """A signed address of a stored photo."""
    return f"/api/v1/projects/uploads/p1/{number}.jpg?expires=1&signature=ab{number}"


def evolution(percentage: float, phase: str, date: str, photos: int = 0, notes: str | None = None) -> dict[str, Any]:
    """A progress record of the contract."""
    person = {"id": "u1", "name": "Helena Duarte"}
    urls = [photo(number) for number in range(1, photos + 1)]
    row = {"id": phase, "date": date, "percentage": percentage, "phase": phase, "notes": notes}
    return {**row, "photos": urls, "user": person}


SAMPLE = [
    project(
        1,
        name="Residencial Jardim das Acácias",
        description=PROJECT["description"],
        status="IN_PROGRESS",
        startDate="2026-03-02T00:00:00.000Z",
        expectedEndDate="2028-06-30T00:00:00.000Z",
        budget=18450000,
        _count={"units": 96},
        units=[*units(41, "AVAILABLE"), *units(7, "RESERVED"), *units(46, "SOLD"), *units(2, "BLOCKED")],
        evolutions=[
            evolution(37.5, "Estrutura do 8º pavimento", "2026-11-10T00:00:00.000Z", 5, "Sem intercorrências."),
            evolution(21, "Estrutura do 3º pavimento", "2026-08-14T00:00:00.000Z", 2),
            evolution(8, "Fundação concluída", "2026-05-20T00:00:00.000Z"),
        ],
    ),
    project(2, name="Centro Logístico Porto Norte", budget=42300000.5, startDate="2027-01-11T00:00:00.000Z"),
    project(
        3,
        name="Reforma da Escola Municipal Cecília Meireles, blocos A, B e quadra coberta",
        status="PAUSED",
        budget=1280000,
        evolutions=[evolution(62, "Cobertura", "2026-09-01T00:00:00.000Z")],
    ),
    project(
        4, name="Casa Lago Azul", status="COMPLETED", evolutions=[evolution(100, "Entrega", "2026-02-01T00:00:00.000Z")]
    ),
    project(5, name="Torre Comercial Ipiranga", status="CANCELLED", description="Projeto suspenso pelo cliente."),
]


def person(number: int, name: str, role: str, **changes: Any) -> dict[str, Any]:
    """A row of the user list."""
    row: dict[str, Any] = {
        "id": f"u{number}",
        "email": f"{name.split()[0].lower()}@example.com",
        "name": name,
        "role": role,
        "isActive": True,
        "isApproved": True,
        "contractorId": None,
        "createdAt": "2026-05-04T12:00:00.000Z",
        "contractor": None,
    }
    return {**row, **changes}


CONTRACTOR = {"id": "c1", "name": "Pedra Forte", "document": "12345678000195", "specialty": ["Alvenaria", "Pintura"]}
PEOPLE = [
    person(5, "Davi Moreira", "CONTRACTOR", isApproved=False, contractor=CONTRACTOR),
    person(1, "Helena Duarte", "MASTER"),
    person(2, "Otávio Ferreira de Albuquerque Cavalcanti", "ENGINEER"),
    person(3, "Lia Prado", "VIEWER", isActive=False),
    person(6, "Rui Barros", "BROKER", isApproved=False, isActive=False),
]
STORAGE = {"storagePath": "/srv/enlevohub/files", "source": "config"}
DRIVES = [
    {"letter": "/", "label": "", "type": "local", "totalGB": 118.2, "freeGB": 61.4, "usedPercent": 48},
    {"letter": "/srv", "label": "Obras", "type": "network", "totalGB": 2048, "freeGB": 310.5, "usedPercent": 84.8},
]
SMTP = {
    "host": "smtp.example.com", "port": 465, "secure": True, "user": "obras", "password": "********",
    "fromName": "Construtora Horizonte", "fromEmail": "obras@example.com",
}  # fmt: skip


def stats(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The dashboard's answer for these projects."""
    states = Counter(row["status"] for row in rows)
    names = {"planning": "PLANNING", "inProgress": "IN_PROGRESS", "paused": "PAUSED", "completed": "COMPLETED"}
    sold = Counter(unit["status"] for row in rows for unit in row["units"])
    return {
        "projects": {
            "total": len(rows),
            **{key: states[status] for key, status in names.items()},
            "cancelled": states["CANCELLED"],
        },
        "units": {
            "total": sold.total(),
            **{status.lower(): sold[status] for status in ("AVAILABLE", "RESERVED", "SOLD", "BLOCKED")},
        },
        "recentProjects": rows[:5],
    }


class Api:
    """Answers for `/api/v1`, one per method and path; anything else fails the test through `unexpected`."""

    def __init__(self) -> None:
        """Start with the signed-in user and the pictures."""
        self.answers: dict[str, Callable[[Route], None]] = {}
        self.calls: list[str] = []
        self.bodies: dict[str, list[Any]] = {}
        self.unexpected: list[str] = []
        self.on("GET /auth/me", me())

    def on(self, call: str, body: object, status: int = 200) -> None:
        """Answer `METHOD /path` (without the query) with this JSON body."""
        self.answers[call] = lambda route: route.fulfill(status=status, json=body)

    def handle(self, route: Route) -> None:
        """Answer one call of the page."""
        path = route.request.url.split("/api/v1", 1)[1]
        if path.startswith("/projects/uploads/") and route.request.method == "GET":
            number = int(path.rsplit("/", 1)[1].split(".")[0])
            route.fulfill(body=picture(number), content_type="image/png")
            return
        self.calls.append(f"{route.request.method} {path}")
        call = f"{route.request.method} {path.split('?')[0]}"
        if "application/json" in route.request.headers.get("content-type", ""):
            self.bodies.setdefault(call, []).append(route.request.post_data_json)
        if call in self.answers:
            self.answers[call](route)
        else:
            self.unexpected.append(call)
            route.abort()

    def show(self, rows: list[dict[str, Any]], pages: int = 1, total: int | None = None) -> None:
        """Answer the project list, the dashboard and the page of each project with these rows."""
        count = len(rows) if total is None else total
        pagination = {"page": 1, "limit": 9, "total": count, "totalPages": pages if rows else 0}
        self.on("GET /projects", {"data": rows, "pagination": pagination})
        self.on("GET /projects/dashboard/stats", stats(rows))
        for row in rows:
            self.on(f"GET /projects/{row['id']}", row)

    def writes(self) -> list[str]:
        """The calls that change something."""
        return [call for call in self.calls if not call.startswith("GET")]


def user(role: str = "MASTER", approved: bool = True) -> dict[str, Any]:
    """The signed-in user."""
    return {**USER, "role": role, "isApproved": approved}


def me(role: str = "MASTER", approved: bool = True) -> dict[str, Any]:
    """The signed-in user as the profile page gets it."""
    return {**user(role, approved), "createdAt": "2026-02-03T10:00:00.000Z", "tenant": TENANT, "contractor": None}


def auth(role: str = "MASTER") -> dict[str, Any]:
    """An answer of login and registration."""
    return {
        "user": user(role),
        "tenant": TENANT,
        "tokens": {"accessToken": "access-1", "refreshToken": "refresh-1"},
    }


def start_session(
    page: Page, site: str, api: Api, path: str = "/projects", role: str = "MASTER", approved: bool = True
) -> None:
    """Open a page of the site as if somebody with this role had logged in before."""
    api.on("GET /auth/me", me(role, approved))
    result = auth(role)
    state = {"user": user(role, approved), "tenant": TENANT, **result["tokens"], "isAuthenticated": True}
    entry = json.dumps(json.dumps({"state": state, "version": 0}))
    page.add_init_script(
        f"if (!localStorage.getItem('seen')) {{ localStorage.setItem('enlevohub-auth', {entry});"
        " localStorage.setItem('seen', '1'); }"
    )
    page.goto(f"{site}{path}")
