
"""The built application in a browser without an API: every answer is set by the test, so each state can be seen.

The files come from files/frontend/dist with the security headers of the real nginx configuration.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.steps import PROJECT, Company, fill_project, log_in, log_out, register
from tests.browser.support import Reader, Screenshots, Watch

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
    """Serves the build as nginx does: unknown paths give index.html, every answer has the security headers."""

    headers_to_add = security_headers()

    def send_head(self) -> Any:
        """Fall back to index.html for the paths of the application."""
        if not Path(self.translate_path(self.path)).is_file():
            self.path = "/index.html"
        return super().send_head()

    def end_headers(self) -> None:
        """Add the security headers to every answer."""
        for name, value in self.headers_to_add.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Address of a loopback server with the build; fails when there is no build."""
    if not (DIST / "index.html").is_file():
        pytest.fail(f"{DIST} is missing: run `npm ci && npm run build` in files/frontend")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SpaHandler, directory=str(DIST)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=5)


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


def evolution(percentage: float, phase: str, date: str) -> dict[str, Any]:
    """A progress report of the contract."""
    person = {"id": "u1", "name": "Helena Duarte"}
    return {"id": phase, "date": date, "percentage": percentage, "phase": phase, "notes": None, "user": person}


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
            evolution(37.5, "Estrutura do 8º pavimento", "2026-11-10T00:00:00.000Z"),
            evolution(21, "Estrutura do 3º pavimento", "2026-08-14T00:00:00.000Z"),
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


class Api:
    """Answers for `/api/v1`, one per method and path; anything else fails the test through `unexpected`."""

    def __init__(self) -> None:
        """Start without any answer."""
        self.answers: dict[str, Callable[[Route], None]] = {}
        self.calls: list[str] = []
        self.unexpected: list[str] = []

    def on(self, call: str, body: object, status: int = 200) -> None:
        """Answer `METHOD /path` (without the query) with this JSON body."""
        self.answers[call] = lambda route: route.fulfill(status=status, json=body)

    def handle(self, route: Route) -> None:
        """Answer one call of the page."""
        path = route.request.url.split("/api/v1", 1)[1]
        self.calls.append(f"{route.request.method} {path}")
        call = f"{route.request.method} {path.split('?')[0]}"
        if call in self.answers:
            self.answers[call](route)
        else:
            self.unexpected.append(call)
            route.abort()

    def show(self, rows: list[dict[str, Any]], pages: int = 1, total: int | None = None) -> None:
        """Answer the project list with these rows."""
        count = len(rows) if total is None else total
        pagination = {"page": 1, "limit": 9, "total": count, "totalPages": pages if rows else 0}
        self.on("GET /projects", {"data": rows, "pagination": pagination})


@pytest.fixture
def api(page: Page) -> Iterator[Api]:
    """The API of the page, set by the test; a call without an answer fails the test."""
    api = Api()
    page.route("**/api/v1/**", api.handle)
    yield api
    assert api.unexpected == []


def auth(access: str = "access-1", approved: bool = True) -> dict[str, Any]:
    """An answer of login and registration."""
    tokens = {"accessToken": access, "refreshToken": "refresh-1"}
    return {"user": {**USER, "isApproved": approved}, "tenant": TENANT, "tokens": tokens}


def start_session(page: Page, site: str, approved: bool = True) -> None:
    """Open the site as if somebody had logged in before."""
    result = auth(approved=approved)
    state = {"user": result["user"], "tenant": TENANT, **result["tokens"], "isAuthenticated": True}
    entry = json.dumps(json.dumps({"state": state, "version": 0}))
    page.add_init_script(
        f"if (!localStorage.getItem('seen')) {{ localStorage.setItem('enlevohub-auth', {entry});"
        " localStorage.setItem('seen', '1'); }"
    )
    page.goto(f"{site}/projects")


def test_login_page_is_the_entrance(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    page.goto(site)
    expect(page.get_by_test_id("login-form")).to_be_visible()
    expect(page).to_have_url(f"{site}/login")
    watch.check_no_sideways_scroll()
    shot("login")


def test_page_speaks_the_language_of_the_browser(site: str, page: Page, api: Api, reader: Reader) -> None:
    page.goto(site)
    expect(page.get_by_test_id("page-title")).to_have_text({"pt": "Entrar", "en": "Log in"}[reader.language])


def test_registration_names_every_wrong_field(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    page.goto(f"{site}/register")
    shot("register")
    page.get_by_test_id("register-submit").click()
    for name in ("tenantName", "tenantDocument", "name", "email", "password"):
        expect(page.get_by_test_id(f"field-{name}-error")).to_be_visible()
    expect(page.get_by_test_id("field-tenantName")).to_be_focused()
    assert api.calls == []
    watch.check_no_sideways_scroll()
    shot("register-errors")


def test_registration_leads_to_the_empty_list(site: str, page: Page, api: Api, shot: Screenshots) -> None:
    api.on("POST /auth/register", auth())
    api.show([])
    page.goto(site)
    register(page, Company())
    expect(page.get_by_test_id("empty-state")).to_be_visible()
    shot("projects-empty")


def test_refused_login_says_why(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    watch.expect_status(401)
    api.on("POST /auth/login", {"error": "Authentication failed", "message": "E-mail ou senha incorretos."}, 401)
    page.goto(site)
    log_in(page, Company())
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    shot("login-refused")


def test_logout_forgets_the_session(site: str, page: Page, api: Api) -> None:
    api.on("POST /auth/logout", {"message": "ok"})
    api.show(SAMPLE)
    start_session(page, site)
    log_out(page)
    page.goto(f"{site}/projects")
    expect(page.get_by_test_id("login-form")).to_be_visible()
    assert page.evaluate("localStorage.getItem('enlevohub-auth')") is None


def test_expired_token_is_renewed_without_notice(site: str, page: Page, api: Api, watch: Watch) -> None:
    def projects(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer access-2":
            pagination = {"page": 1, "limit": 9, "total": 1, "totalPages": 1}
            route.fulfill(json={"data": SAMPLE[:1], "pagination": pagination})
        else:
            route.fulfill(status=401, json={"error": "Unauthorized", "message": "Token expirado."})

    watch.expect_status(401)
    api.answers["GET /projects"] = projects
    api.on("POST /auth/refresh", {"accessToken": "access-2", "refreshToken": "refresh-2"})
    start_session(page, site)
    expect(page.get_by_test_id("project-card")).to_have_count(1)
    assert api.calls.count("POST /auth/refresh") == 1


def test_refused_renewal_leads_to_the_login(site: str, page: Page, api: Api, watch: Watch) -> None:
    watch.expect_status(401)
    api.on("GET /projects", {"error": "Unauthorized", "message": "Token expirado."}, 401)
    api.on("POST /auth/refresh", {"error": "Token refresh failed", "message": "Sessão encerrada."}, 401)
    start_session(page, site)
    expect(page.get_by_test_id("login-form")).to_be_visible()


def test_project_list_shows_every_project(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    api.show(SAMPLE, pages=3, total=23)
    start_session(page, site)
    expect(page.get_by_test_id("project-card-name")).to_have_text([row["name"] for row in SAMPLE])
    expect(page.get_by_test_id("projects-count")).to_contain_text("23")
    watch.check_no_sideways_scroll()
    shot("projects")


def test_search_and_filter_are_sent_and_kept_in_the_address(site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    start_session(page, site)
    page.get_by_test_id("projects-search").fill("jardim")
    expect(page).to_have_url(f"{site}/projects?search=jardim")
    page.get_by_test_id("projects-status").select_option("PAUSED")
    expect(page).to_have_url(f"{site}/projects?search=jardim&status=PAUSED")
    page.reload()
    expect(page.get_by_test_id("projects-search")).to_have_value("jardim")
    assert api.calls[-1] == "GET /projects?page=1&limit=9&search=jardim&status=PAUSED"


def test_search_without_a_match_offers_to_clear_it(site: str, page: Page, api: Api, shot: Screenshots) -> None:
    api.show(SAMPLE)
    start_session(page, site)
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))
    api.show([])
    page.get_by_test_id("projects-search").fill("nada")
    expect(page.get_by_test_id("no-match-state")).to_be_visible()
    shot("projects-no-match")
    api.show(SAMPLE)
    page.get_by_test_id("clear-filters").click()
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))
    expect(page.get_by_test_id("projects-search")).to_have_value("")


def test_loading_state_is_shown_until_the_answer(site: str, page: Page, api: Api, shot: Screenshots) -> None:
    waiting: list[Route] = []
    api.answers["GET /projects"] = waiting.append
    start_session(page, site)
    expect(page.get_by_test_id("loading-state")).to_be_visible()
    shot("projects-loading")
    pagination = {"page": 1, "limit": 9, "total": 1, "totalPages": 1}
    waiting[0].fulfill(json={"data": SAMPLE[:1], "pagination": pagination})
    expect(page.get_by_test_id("project-card")).to_have_count(1)


def test_outage_offers_a_retry_that_works(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    watch.expect_status(503)
    api.on("GET /projects", {"error": "Service Unavailable"}, 503)
    start_session(page, site)
    expect(page.get_by_test_id("error-state")).to_be_visible()
    shot("projects-error")
    api.show(SAMPLE)
    page.get_by_test_id("retry").click()
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))


def test_new_project_is_sent_as_the_contract_says(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    sent: list[Any] = []

    def create(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(status=201, json=SAMPLE[0])

    api.show(SAMPLE)
    api.answers["POST /projects"] = create
    api.on(f"GET /projects/{SAMPLE[0]['id']}", SAMPLE[0])
    start_session(page, site)
    fill_project(page)
    watch.check_no_sideways_scroll()
    shot("new-project")
    page.get_by_test_id("project-submit").click()
    expect(page.get_by_test_id("project-details")).to_be_visible()
    assert sent == [
        {
            "name": PROJECT["name"],
            "description": PROJECT["description"],
            "status": "IN_PROGRESS",
            "startDate": "2026-03-02T00:00:00.000Z",
            "expectedEndDate": "2028-06-30T00:00:00.000Z",
            "budget": 18450000,
            "quantidadeUnidades": 96,
            "address": {
                "street": "Rua dos Inconfidentes",
                "number": "1190",
                "complement": "Lote 7",
                "neighborhood": "Savassi",
                "city": "Belo Horizonte",
                "state": "MG",
                "zipCode": "30140-110",
            },
        }
    ]


def test_new_project_demands_every_required_field(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    api.show(SAMPLE)
    start_session(page, site)
    page.get_by_test_id("new-project").click()
    page.get_by_test_id("project-submit").click()
    for name in ("name", "zipCode", "street", "number", "neighborhood", "city", "state"):
        expect(page.get_by_test_id(f"field-{name}-error")).to_be_visible()
    assert not [call for call in api.calls if call.startswith("POST")]
    watch.check_no_sideways_scroll()
    shot("new-project-errors")


def test_project_page_shows_figures_and_history(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    api.show(SAMPLE)
    api.on(f"GET /projects/{SAMPLE[0]['id']}", SAMPLE[0])
    start_session(page, site)
    page.get_by_test_id("project-card").first.click()
    expect(page.get_by_test_id("page-title")).to_have_text(SAMPLE[0]["name"])
    expect(page.get_by_test_id("tile-budget")).to_contain_text(re.compile(r"18[.,]450[.,]000"))
    expect(page.get_by_test_id("tile-progress")).to_contain_text("37")
    expect(page.get_by_test_id("tile-units")).to_contain_text("46")
    expect(page.get_by_test_id("project-history").get_by_role("listitem")).to_have_count(3)
    watch.check_no_sideways_scroll()
    shot("project")


def test_unknown_project_is_said_to_be_missing(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    watch.expect_status(404)
    api.show(SAMPLE)
    missing = {"error": "Not Found", "message": "Obra não encontrada."}
    api.on("GET /projects/none", missing, 404)
    start_session(page, site)
    page.goto(f"{site}/projects/none")
    expect(page.get_by_test_id("missing-state")).to_be_visible()
    shot("project-missing")


def test_unapproved_account_waits(site: str, page: Page, api: Api) -> None:
    start_session(page, site, approved=False)
    expect(page.get_by_test_id("pending-state")).to_be_visible()


def test_viewer_is_not_offered_to_create_projects(site: str, page: Page, api: Api) -> None:
    api.on("POST /auth/login", {**auth(), "user": {**USER, "role": "VIEWER", "isApproved": True}})
    api.show(SAMPLE)
    page.goto(site)
    log_in(page, Company())
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))
    expect(page.get_by_test_id("new-project")).to_have_count(0)
