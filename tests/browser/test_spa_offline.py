"""The built application in a browser without an API: every answer is set by the test, so each state can be seen.

The files come from files/frontend/dist with the security headers of the real nginx configuration.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.browser.fake import (
    DIST,
    DRIVES,
    PEOPLE,
    SAMPLE,
    SMTP,
    STORAGE,
    Api,
    SpaHandler,
    auth,
    evolution,
    me,
    photo,
    project,
    start_session,
    stats,
)
from tests.browser.steps import (
    PROJECT,
    Company,
    fill,
    fill_invitation,
    fill_password_change,
    fill_progress,
    fill_project,
    log_in,
    log_out,
    photos,
    register,
)
from tests.browser.support import READERS, Reader, Screenshots, Watch

FIRST = SAMPLE[0]["id"]
ONE_READER = pytest.mark.parametrize("reader", READERS[:1], ids=str, indirect=True)
"""For tests of what the application does rather than how it looks."""


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


@pytest.fixture
def api(page: Page) -> Iterator[Api]:
    """The API of the page, set by the test; a call without an answer fails the test."""
    api = Api()
    page.route("**/api/v1/**", api.handle)
    yield api
    assert api.unexpected == []


# One row per screen: its name, path, role, its main call, a full answer, and what stands there then.
SCREENS = {
    "dashboard": ("/", "MASTER", "GET /projects/dashboard/stats", stats(SAMPLE), "dashboard"),
    "projects": (
        "/projects",
        "MASTER",
        "GET /projects",
        {"data": SAMPLE, "pagination": {"page": 1, "limit": 9, "total": 23, "totalPages": 3}},
        "projects-list",
    ),
    "project": (f"/projects/{FIRST}", "MASTER", f"GET /projects/{FIRST}", SAMPLE[0], "project-details"),
    "edit-project": (f"/projects/{FIRST}/edit", "MASTER", f"GET /projects/{FIRST}", SAMPLE[0], "project-form"),
    "users": ("/users", "MASTER", "GET /users", {"data": PEOPLE}, "users-team"),
    "profile": ("/profile", "MASTER", "GET /auth/me", me(), "profile-form"),
    "storage": ("/settings", "ROOT", "GET /tenant/settings/storage-config", STORAGE, "storage-form"),
    "email": ("/settings/email", "ROOT", "GET /tenant/settings", {"smtp": SMTP}, "smtp-form"),
}
EVERY_SCREEN = pytest.mark.parametrize("screen", SCREENS)


@EVERY_SCREEN
def test_screen_shows_a_skeleton_and_then_its_content(
    screen: str, site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    path, role, call, answer, content = SCREENS[screen]
    waiting: list[Route] = []
    start_session(page, site, api, "/none", role)
    api.on("GET /tenant/settings/drives", DRIVES)
    api.answers[call] = waiting.append
    page.goto(f"{site}{path}")
    expect(page.get_by_test_id("loading-state")).to_be_visible()
    watch.check_no_sideways_scroll()
    shot(f"{screen}-loading")
    api.on(call, answer)
    for route in waiting:
        route.fulfill(json=answer)
    expect(page.get_by_test_id(content)).to_be_visible()
    expect(page.get_by_test_id("loading-state")).to_have_count(0)
    watch.check_no_sideways_scroll()
    watch.check_accessibility()
    shot(screen)


@EVERY_SCREEN
def test_screen_offers_a_retry_that_works(
    screen: str, site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    path, role, call, answer, content = SCREENS[screen]
    watch.expect_status(503)
    start_session(page, site, api, "/none", role)
    api.on("GET /tenant/settings/drives", DRIVES)
    api.on(call, {"error": "Service Unavailable"}, 503)
    page.goto(f"{site}{path}")
    expect(page.get_by_test_id("error-state")).to_be_visible()
    watch.check_no_sideways_scroll()
    shot(f"{screen}-error")
    api.on(call, answer)
    page.get_by_test_id("retry").click()
    expect(page.get_by_test_id(content)).to_be_visible()


@ONE_READER
@EVERY_SCREEN
def test_screen_fits_the_smallest_phone(
    screen: str, site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    path, role, call, answer, content = SCREENS[screen]
    page.set_viewport_size({"width": 320, "height": 640})
    api.on("GET /tenant/settings/drives", DRIVES)
    start_session(page, site, api, "/none", role)
    api.on(call, answer)
    page.goto(f"{site}{path}")
    expect(page.get_by_test_id(content)).to_be_visible()
    watch.check_no_sideways_scroll()
    shot(f"{screen}-small")


def test_login_page_is_the_entrance(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    page.goto(site)
    expect(page.get_by_test_id("login-form")).to_be_visible()
    expect(page).to_have_url(f"{site}/login")
    watch.check_accessibility()
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
    watch.check_accessibility()
    shot("register-errors")


def test_registration_leads_to_the_empty_dashboard(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    api.on("POST /auth/register", auth())
    api.show([])
    page.goto(site)
    register(page, Company())
    expect(page.get_by_test_id("empty-state")).to_be_visible()
    expect(page).to_have_url(f"{site}/")
    watch.check_accessibility()
    shot("dashboard-empty")


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
    start_session(page, site, api)
    log_out(page)
    expect(page).to_have_url(f"{site}/login")
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
    start_session(page, site, api)
    expect(page.get_by_test_id("project-card")).to_have_count(1)
    assert api.calls.count("POST /auth/refresh") == 1


def test_refused_renewal_leads_to_the_login(site: str, page: Page, api: Api, watch: Watch) -> None:
    watch.expect_status(401)
    api.on("GET /projects", {"error": "Unauthorized", "message": "Token expirado."}, 401)
    api.on("POST /auth/refresh", {"error": "Token refresh failed", "message": "Sessão encerrada."}, 401)
    start_session(page, site, api)
    expect(page.get_by_test_id("login-form")).to_be_visible()


def test_project_list_shows_every_project(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    api.show(SAMPLE, pages=3, total=23)
    start_session(page, site, api)
    expect(page.get_by_test_id("project-card-name")).to_have_text([row["name"] for row in SAMPLE])
    expect(page.get_by_test_id("projects-count")).to_contain_text("23")
    watch.check_no_sideways_scroll()
    shot("projects")


def test_search_and_filter_are_sent_and_kept_in_the_address(site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    start_session(page, site, api)
    page.get_by_test_id("projects-search").fill("jardim")
    expect(page).to_have_url(f"{site}/projects?search=jardim")
    page.get_by_test_id("projects-status").select_option("PAUSED")
    expect(page).to_have_url(f"{site}/projects?search=jardim&status=PAUSED")
    page.reload()
    expect(page.get_by_test_id("projects-search")).to_have_value("jardim")
    assert "GET /projects?page=1&limit=9&search=jardim&status=PAUSED" in api.calls


def test_search_without_a_match_offers_to_clear_it(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    api.show(SAMPLE)
    start_session(page, site, api)
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))
    api.show([])
    page.get_by_test_id("projects-search").fill("nada")
    expect(page.get_by_test_id("no-match-state")).to_be_visible()
    watch.check_accessibility()
    shot("projects-no-match")
    api.show(SAMPLE)
    page.get_by_test_id("clear-filters").click()
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))
    expect(page.get_by_test_id("projects-search")).to_have_value("")


def test_new_project_is_sent_as_the_contract_says(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    api.show(SAMPLE)
    api.on("POST /projects", SAMPLE[0], 201)
    start_session(page, site, api)
    fill_project(page)
    watch.check_no_sideways_scroll()
    shot("new-project")
    page.get_by_test_id("project-submit").click()
    expect(page.get_by_test_id("project-details")).to_be_visible()
    assert api.bodies["POST /projects"] == [
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
    start_session(page, site, api)
    page.get_by_test_id("new-project").click()
    page.get_by_test_id("project-submit").click()
    for name in ("name", "zipCode", "street", "number", "neighborhood", "city", "state"):
        expect(page.get_by_test_id(f"field-{name}-error")).to_be_visible()
    assert api.writes() == []
    watch.check_no_sideways_scroll()
    watch.check_accessibility()
    shot("new-project-errors")


def test_project_page_shows_figures_and_history(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    api.show(SAMPLE)
    start_session(page, site, api)
    page.get_by_test_id("project-card").first.click()
    expect(page.get_by_test_id("page-title")).to_have_text(SAMPLE[0]["name"])
    expect(page.get_by_test_id("tile-budget")).to_contain_text(re.compile(r"18[.,]450[.,]000"))
    expect(page.get_by_test_id("tile-progress")).to_contain_text("37")
    expect(page.get_by_test_id("tile-units")).to_contain_text("46")
    expect(page.get_by_test_id("progress-record")).to_have_count(3)
    expect(page.get_by_test_id("photo")).to_have_count(7)
    watch.check_no_sideways_scroll()
    shot("project")


def test_unknown_project_is_said_to_be_missing(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    watch.expect_status(404)
    api.show(SAMPLE)
    missing = {"error": "Not Found", "message": "Obra não encontrada."}
    api.on("GET /projects/none", missing, 404)
    start_session(page, site, api, "/projects/none")
    expect(page.get_by_test_id("missing-state")).to_be_visible()
    watch.check_accessibility()
    shot("project-missing")


def test_dashboard_shows_figures_chart_and_recent_projects(site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    start_session(page, site, api, "/")
    expect(page.get_by_test_id("figure-projects")).to_contain_text("5")
    expect(page.get_by_test_id("figure-units")).to_contain_text("96")
    expect(page.get_by_test_id("chart").locator(".donut-part")).to_have_count(5)
    expect(page.get_by_test_id("status-legend").get_by_role("strong")).to_have_text(["1"] * 5)
    expect(page.get_by_test_id("recent-project")).to_have_count(5)
    page.get_by_test_id("status-legend").get_by_role("link").nth(2).click()
    expect(page).to_have_url(f"{site}/projects?status=PAUSED")


def test_empty_list_invites_to_create_a_project(site: str, page: Page, api: Api, shot: Screenshots) -> None:
    api.show([])
    start_session(page, site, api)
    expect(page.get_by_test_id("empty-state").get_by_test_id("new-project")).to_be_visible()
    shot("projects-empty")


@ONE_READER
def test_login_returns_to_the_page_that_was_asked_for(site: str, page: Page, api: Api) -> None:
    api.on("POST /auth/login", auth())
    api.show(SAMPLE)
    page.goto(f"{site}/projects/{FIRST}")
    log_in(page, Company())
    expect(page.get_by_test_id("project-details")).to_be_visible()


def test_project_is_changed_with_only_what_the_contract_knows(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    api.show(SAMPLE)
    api.on(f"PATCH /projects/{FIRST}", SAMPLE[0])
    start_session(page, site, api, f"/projects/{FIRST}")
    page.get_by_test_id("edit-project").click()
    expect(page.get_by_test_id("field-budget")).to_have_value(re.compile(r"^18[.,]450[.,]000[.,]00$"))
    fill(page, {"name": "Residencial Acácias", "expectedEndDate": "", "actualEndDate": "2028-05-31"})
    page.get_by_test_id("project-submit").click()
    expect(page.get_by_test_id("project-details")).to_be_visible()
    (sent,) = api.bodies[f"PATCH /projects/{FIRST}"]
    assert sent == {
        "name": "Residencial Acácias",
        "description": PROJECT["description"],
        "status": "IN_PROGRESS",
        "startDate": "2026-03-02T00:00:00.000Z",
        "expectedEndDate": None,
        "actualEndDate": "2028-05-31T00:00:00.000Z",
        "budget": 18450000,
        "quantidadeUnidades": 1,
        "address": SAMPLE[0]["address"],
    }


@ONE_READER
def test_status_is_changed_on_the_project_page(site: str, page: Page, api: Api, watch: Watch) -> None:
    watch.expect_status(403)
    api.show(SAMPLE)
    api.on(f"PATCH /projects/{FIRST}", SAMPLE[0])
    start_session(page, site, api, f"/projects/{FIRST}")
    expect(page.get_by_test_id("status-select")).to_have_value("IN_PROGRESS")
    api.on(f"GET /projects/{FIRST}", {**SAMPLE[0], "status": "PAUSED"})
    page.get_by_test_id("status-select").select_option("PAUSED")
    expect(page.get_by_test_id("status-select")).to_have_value("PAUSED")
    assert api.bodies[f"PATCH /projects/{FIRST}"] == [{"status": "PAUSED"}]
    api.on(f"PATCH /projects/{FIRST}", {"error": "Forbidden", "message": "Sem permissão."}, 403)
    page.get_by_test_id("status-select").select_option("COMPLETED")
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    expect(page.get_by_test_id("status-select")).to_have_value("PAUSED")


def test_project_is_deleted_only_after_a_confirmation(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    watch.expect_status(503)
    api.show(SAMPLE)
    api.on(f"DELETE /projects/{FIRST}", {"error": "Service Unavailable"}, 503)
    start_session(page, site, api, f"/projects/{FIRST}")
    page.get_by_test_id("delete-project").click()
    expect(page.get_by_test_id("confirm")).to_contain_text(SAMPLE[0]["name"])
    watch.check_accessibility()
    shot("project-delete")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("confirm")).to_have_count(0)
    expect(page.get_by_test_id("delete-project")).to_be_focused()
    assert api.writes() == []
    page.get_by_test_id("delete-project").click()
    page.get_by_test_id("confirm-action").click()
    expect(page.get_by_test_id("confirm").get_by_test_id("form-failure")).to_be_visible()
    api.on(f"DELETE /projects/{FIRST}", {"message": "ok"})
    page.get_by_test_id("confirm-action").click()
    expect(page).to_have_url(f"{site}/projects")
    assert api.writes() == [f"DELETE /projects/{FIRST}"] * 2


def test_record_without_photos_is_sent(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    bare = project(1)
    api.show([bare])
    start_session(page, site, api, f"/projects/{bare['id']}")
    expect(page.get_by_test_id("history-empty")).to_be_visible()
    shot("project-bare")
    page.get_by_test_id("add-progress").click()
    expect(page.get_by_test_id("field-percentage")).to_be_focused()
    page.get_by_test_id("progress-submit").click()
    for name in ("percentage", "phase"):
        expect(page.get_by_test_id(f"field-{name}-error")).to_be_visible()
    watch.check_no_sideways_scroll()
    watch.check_accessibility()
    shot("progress-errors")
    assert api.writes() == []
    page.get_by_test_id("progress-cancel").click()
    expect(page.get_by_role("heading", level=2).nth(1)).to_be_focused()
    fill_progress(page)
    page.get_by_test_id("field-date").fill("2026-11-02")
    record = evolution(12.5, "Fundação do bloco A", "2026-11-02T00:00:00.000Z")
    api.on(f"POST /projects/{bare['id']}/evolutions", record, 201)
    api.on(f"GET /projects/{bare['id']}", {**bare, "evolutions": [record]})
    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("progress-record")).to_contain_text("Fundação do bloco A")
    expect(page.get_by_test_id("progress-form")).to_have_count(0)
    assert api.bodies[f"POST /projects/{bare['id']}/evolutions"] == [
        {
            "percentage": 12.5,
            "phase": "Fundação do bloco A",
            "date": "2026-11-02T00:00:00.000Z",
            "notes": "Estacas concluídas.",
        }
    ]


def test_photos_are_uploaded_one_by_one_and_saved_with_the_record(
    site: str, page: Page, api: Api, watch: Watch, shot: Screenshots
) -> None:
    watch.expect_status(400)
    answers = [({"urls": [photo(1)]}, 200), ({"error": "Bad Request", "message": "Imagem ilegível."}, 400)]
    answers += [({"urls": [photo(number)]}, 200) for number in (3, 2)]

    def take(route: Route) -> None:
        assert b'name="photos"; filename="obra-' in (route.request.post_data_buffer or b"")
        body, status = answers.pop(0)
        route.fulfill(status=status, json=body)

    upload, save = f"POST /projects/{FIRST}/evolutions/upload", f"POST /projects/{FIRST}/evolutions"
    api.show(SAMPLE)
    api.answers[upload] = take
    api.on(save, evolution(12.5, "Fundação", "2026-11-02T00:00:00.000Z", 3), 201)
    start_session(page, site, api, f"/projects/{FIRST}")
    fill_progress(page)
    note: FilePayload = {"name": "notas.txt", "mimeType": "text/plain", "buffer": b"x"}
    page.get_by_test_id("photos-input").set_input_files([*photos(1, 2, 3), note])
    expect(page.get_by_test_id("upload-done")).to_have_count(2)
    expect(page.get_by_test_id("upload-failed")).to_have_count(2)
    watch.check_no_sideways_scroll()
    watch.check_accessibility()
    shot("progress-photos")

    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    assert save not in api.calls
    page.get_by_test_id("upload-failed").nth(1).get_by_test_id("upload-remove").click()
    expect(page.get_by_test_id("upload-failed")).to_have_count(1)
    page.get_by_test_id("upload-retry").click()
    expect(page.get_by_test_id("upload-done")).to_have_count(3)
    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("progress-form")).to_have_count(0)
    (sent,) = api.bodies[save]
    assert sent["photos"] == [photo(1), photo(2), photo(3)]


@ONE_READER
def test_upload_shows_its_progress_and_can_be_cancelled(
    site: str, page: Page, api: Api, shot: Screenshots, tmp_path: Path
) -> None:
    save = f"POST /projects/{FIRST}/evolutions"
    api.show(SAMPLE)
    api.answers[f"{save}/upload"] = lambda route: route.continue_()
    start_session(page, site, api, f"/projects/{FIRST}")
    page.get_by_test_id("add-progress").click()
    SpaHandler.go_on.clear()
    large = tmp_path / "panorama.png"
    large.write_bytes(bytes(40 * 1024 * 1024))
    page.get_by_test_id("photos-input").set_input_files(large)
    progress = page.get_by_test_id("upload-progress")
    expect(progress).not_to_have_js_property("value", 0)
    shown = float(progress.evaluate("bar => bar.value"))
    assert 0 < shown < 1
    shot("progress-uploading")
    page.get_by_test_id("upload-remove").click()
    expect(page.get_by_test_id("uploads")).to_have_count(0)

    page.get_by_test_id("progress-cancel").click()
    fill_progress(page)
    page.get_by_test_id("photos-input").set_input_files(large)
    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("progress-submit")).to_be_disabled()
    page.get_by_test_id("progress-cancel").click()
    expect(page.get_by_test_id("progress-form")).to_have_count(0)

    fill_progress(page)
    page.get_by_test_id("photos-input").set_input_files(large)
    page.get_by_test_id("progress-submit").click()
    api.on(save, evolution(12.5, "Fundação", "2026-11-02T00:00:00.000Z", 1), 201)
    SpaHandler.go_on.set()
    expect(page.get_by_test_id("progress-form")).to_have_count(0)
    (sent,) = api.bodies[save]
    assert sent["photos"] == [photo(1)], "the cancelled record was not saved, the other waited for its photo"


@ONE_READER
def test_upload_renews_an_expired_token(site: str, page: Page, api: Api, watch: Watch) -> None:
    def take(route: Route) -> None:
        good = route.request.headers.get("authorization") == "Bearer access-2"
        body = {"urls": [photo(1)]} if good else {"error": "Unauthorized", "message": "Token expirado."}
        route.fulfill(status=200 if good else 401, json=body)

    watch.expect_status(401)
    api.show(SAMPLE)
    api.answers[f"POST /projects/{FIRST}/evolutions/upload"] = take
    api.on("POST /auth/refresh", {"accessToken": "access-2", "refreshToken": "refresh-2"})
    start_session(page, site, api, f"/projects/{FIRST}")
    page.get_by_test_id("add-progress").click()
    page.get_by_test_id("photos-input").set_input_files(photos(1))
    expect(page.get_by_test_id("upload-done")).to_be_visible()


@ONE_READER
def test_progress_record_is_changed_and_deleted(site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    record = SAMPLE[0]["evolutions"][0]["id"]
    path = f"/projects/{FIRST}/evolutions/{record}".replace(" ", "%20").replace("º", "%C2%BA")
    api.on(f"PATCH {path}", SAMPLE[0]["evolutions"][0])
    api.on(f"DELETE {path}", {"message": "ok"})
    start_session(page, site, api, f"/projects/{FIRST}")
    page.get_by_test_id("edit-progress").first.click()
    expect(page.get_by_test_id("field-percentage")).to_have_value("37,5")
    expect(page.get_by_test_id("upload-done")).to_have_count(5)
    page.get_by_test_id("field-percentage").fill("40")
    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("progress-form")).to_have_count(0)
    page.get_by_test_id("edit-progress").first.click()
    page.get_by_test_id("upload-remove").first.click()
    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("progress-form")).to_have_count(0)
    first, second = api.bodies[f"PATCH {path}"]
    assert first["percentage"] == 40
    assert "photos" not in first, "unchanged pictures are not sent back"
    assert second["photos"] == [photo(number) for number in (2, 3, 4, 5)]

    page.get_by_test_id("delete-progress").first.click()
    page.get_by_test_id("confirm-cancel").click()
    assert not [call for call in api.calls if call.startswith("DELETE")]
    page.get_by_test_id("delete-progress").first.click()
    page.get_by_test_id("confirm-action").click()
    expect(page.get_by_test_id("confirm")).to_have_count(0)
    assert api.writes()[-1] == f"DELETE {path}"


def test_photos_open_large_and_obey_the_keys(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    api.show(SAMPLE)
    start_session(page, site, api, f"/projects/{FIRST}")
    page.get_by_test_id("photo").first.click()
    expect(page.get_by_test_id("lightbox").get_by_role("img")).to_have_js_property("naturalWidth", 640)
    expect(page.get_by_test_id("photo-previous")).to_be_disabled()
    watch.check_accessibility()
    shot("lightbox", full_page=False)
    page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("photo-position")).to_contain_text("2 ")
    page.get_by_test_id("photo-next").click()
    expect(page.get_by_test_id("photo-position")).to_contain_text("3 ")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("lightbox")).to_have_count(0)
    expect(page.get_by_test_id("photo").first).to_be_focused()


@ONE_READER
def test_photo_that_is_gone_has_a_sign_in_its_place(site: str, page: Page, api: Api, watch: Watch) -> None:
    watch.expect_status(404)
    gone = {**evolution(5, "Terreno", "2026-01-05T00:00:00.000Z"), "photos": ["/api/v1/gone.jpg"]}
    api.show([project(1, evolutions=[gone])])
    api.on("GET /gone.jpg", {"error": "Not Found"}, 404)
    start_session(page, site, api, f"/projects/{project(1)['id']}")
    expect(page.get_by_test_id("gallery").locator(".photo-broken")).to_be_visible()


def test_people_are_grouped_by_their_access(site: str, page: Page, api: Api) -> None:
    api.on("GET /users", {"data": PEOPLE})
    start_session(page, site, api, "/users")
    expect(page.get_by_test_id("users-waiting").get_by_test_id("user-row")).to_have_count(1)
    expect(page.get_by_test_id("users-waiting")).to_contain_text("Alvenaria, Pintura")
    expect(page.get_by_test_id("users-team").get_by_test_id("user-row")).to_have_count(3)
    expect(page.get_by_test_id("user-inactive")).to_have_count(1)
    expect(page.get_by_test_id("users-rejected").get_by_test_id("user-row")).to_have_count(1)
    expect(page.get_by_test_id("edit-user")).to_have_count(2)


@ONE_READER
def test_nobody_with_access_is_said(site: str, page: Page, api: Api) -> None:
    api.on("GET /users", {"data": []})
    start_session(page, site, api, "/users")
    expect(page.get_by_test_id("empty-state")).to_be_visible()


def test_person_is_added(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    watch.expect_status(400)
    api.on("GET /users", {"data": PEOPLE})
    api.on("POST /users", {"error": "Bad Request", "message": "E-mail já cadastrado."}, 400)
    start_session(page, site, api, "/users")
    page.get_by_test_id("invite-user").click()
    page.get_by_test_id("invite-submit").click()
    for name in ("name", "email", "role", "password"):
        expect(page.get_by_test_id(f"field-{name}-error")).to_be_visible()
    watch.check_accessibility()
    shot("invite-errors", full_page=False)
    page.get_by_test_id("dialog-close").click()
    fill_invitation(page, "otavio@example.com", "Andaime2026")
    page.get_by_test_id("invite-submit").click()
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    api.on("POST /users", PEOPLE[2])
    page.get_by_test_id("invite-submit").click()
    expect(page.get_by_test_id("invite-dialog")).to_have_count(0)
    invitation = {
        "name": "Otávio Ferreira",
        "email": "otavio@example.com",
        "role": "ENGINEER",
        "password": "Andaime2026",
    }
    assert api.bodies["POST /users"] == [invitation] * 2


@ONE_READER
def test_people_are_approved_rejected_and_changed(site: str, page: Page, api: Api) -> None:
    api.on("GET /users", {"data": PEOPLE})
    for call in ("POST /users/u5/approve", "POST /users/u5/reject", "POST /users/u6/approve"):
        api.on(call, PEOPLE[0])
    for call in ("PATCH /users/u6", "PATCH /users/u2"):
        api.on(call, PEOPLE[2])
    start_session(page, site, api, "/users")
    page.get_by_test_id("users-waiting").get_by_test_id("approve-user").click()
    expect(page.get_by_test_id("users-rejected").get_by_test_id("approve-user")).to_be_enabled()
    page.get_by_test_id("reject-user").click()
    page.get_by_test_id("confirm-action").click()
    expect(page.get_by_test_id("confirm")).to_have_count(0)
    page.get_by_test_id("users-rejected").get_by_test_id("approve-user").click()
    expect(page.get_by_test_id("users-rejected").get_by_test_id("approve-user")).to_be_enabled()
    page.get_by_test_id("edit-user").first.click()
    expect(page.get_by_test_id("field-role").locator("option[value=ROOT]")).to_have_count(0)
    page.get_by_test_id("field-role").select_option("VIEWER")
    page.get_by_test_id("field-active").select_option("false")
    page.get_by_test_id("edit-submit").click()
    expect(page.get_by_test_id("edit-dialog")).to_have_count(0)
    assert api.writes() == [
        "POST /users/u5/approve",
        "POST /users/u5/reject",
        "POST /users/u6/approve",
        "PATCH /users/u6",
        "PATCH /users/u2",
    ]
    assert api.bodies["PATCH /users/u6"] == [{"isActive": True}]
    assert api.bodies["PATCH /users/u2"] == [{"role": "VIEWER", "isActive": False}]


def test_profile_is_changed(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    start_session(page, site, api, "/profile")
    api.on("PATCH /auth/profile", {**me(), "name": "Helena Prado"})
    page.get_by_test_id("field-name").fill("Helena Prado")
    page.get_by_test_id("profile-submit").click()
    expect(page.get_by_test_id("form-success")).to_be_visible()
    expect(page.get_by_test_id("user-name")).to_have_text("Helena Prado")
    assert api.bodies["PATCH /auth/profile"] == [{"name": "Helena Prado", "email": "helena@example.com"}]
    watch.check_accessibility()
    shot("profile-saved")


@ONE_READER
def test_password_is_changed(site: str, page: Page, api: Api, watch: Watch) -> None:
    watch.expect_status(400)
    start_session(page, site, api, "/profile")
    page.get_by_test_id("password-submit").click()
    for name in ("currentPassword", "password"):
        expect(page.get_by_test_id(f"field-{name}-error")).to_be_visible()
    fill_password_change(page, "Errada123", "Concreto2027")
    api.on("POST /auth/change-password", {"error": "Bad Request", "message": "Senha atual incorreta."}, 400)
    page.get_by_test_id("password-submit").click()
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    api.on("POST /auth/change-password", {"message": "ok"})
    page.get_by_test_id("field-currentPassword").fill("Andaime2026")
    page.get_by_test_id("password-submit").click()
    expect(page.get_by_test_id("form-success")).to_be_visible()
    expect(page.get_by_test_id("field-password")).to_have_value("")
    assert api.bodies["POST /auth/change-password"][-1] == {
        "currentPassword": "Andaime2026",
        "newPassword": "Concreto2027",
    }


def test_forgotten_password_gets_a_link(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    api.on("POST /auth/forgot-password", {"message": "ok"})
    page.goto(site)
    page.get_by_test_id("to-forgot").click()
    page.get_by_test_id("forgot-submit").click()
    expect(page.get_by_test_id("field-email-error")).to_be_visible()
    shot("forgot")
    page.get_by_test_id("field-email").fill("helena@example.com")
    page.get_by_test_id("forgot-submit").click()
    expect(page.get_by_test_id("forgot-done")).to_contain_text("helena@example.com")
    watch.check_no_sideways_scroll()
    watch.check_accessibility()
    shot("forgot-done")


def test_link_of_the_mail_sets_a_password(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    watch.expect_status(400)
    api.on("POST /auth/reset-password", {"error": "Bad Request", "message": "Link vencido."}, 400)
    page.goto(f"{site}/reset-password?token=abc123")
    fill(page, {"password": "Concreto2027", "passwordAgain": "Concreto2027"})
    page.get_by_test_id("reset-submit").click()
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    watch.check_accessibility()
    shot("reset-refused")
    api.on("POST /auth/reset-password", {"message": "ok"})
    page.get_by_test_id("reset-submit").click()
    expect(page.get_by_test_id("reset-done")).to_be_visible()
    shot("reset-done")
    assert api.bodies["POST /auth/reset-password"][-1] == {"token": "abc123", "newPassword": "Concreto2027"}


def test_link_without_its_token_says_so(site: str, page: Page, api: Api, shot: Screenshots) -> None:
    page.goto(f"{site}/reset-password")
    expect(page.get_by_test_id("reset-missing")).to_be_visible()
    shot("reset-missing")


def test_contractor_asks_for_access_and_waits(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    api.on("POST /auth/register-contractor", {"message": "ok"})
    page.goto(f"{site}/register")
    page.get_by_test_id("to-contractor").click()
    page.get_by_test_id("contractor-submit").click()
    for name in ("tenantDocument", "document", "specialty", "name", "email", "password"):
        expect(page.get_by_test_id(f"field-{name}-error")).to_be_visible()
    watch.check_no_sideways_scroll()
    watch.check_accessibility()
    shot("contractor-errors")
    fill(page, {"tenantDocument": "12345678000195", "document": "98765432100", "specialty": "Alvenaria, pintura"})
    fill(page, {"phone": "11 99999-0000", "name": "Davi Moreira", "email": "davi@example.com"})
    fill(page, {"password": "Andaime2026", "passwordAgain": "Andaime2026"})
    page.get_by_test_id("contractor-submit").click()
    expect(page.get_by_test_id("pending-state")).to_be_visible()
    expect(page).to_have_url(f"{site}/pending-approval")
    shot("pending")
    assert api.bodies["POST /auth/register-contractor"] == [
        {
            "tenantDocument": "12345678000195",
            "document": "98765432100",
            "specialty": ["Alvenaria", "pintura"],
            "contacts": {"phone": "11 99999-0000"},
            "name": "Davi Moreira",
            "email": "davi@example.com",
            "password": "Andaime2026",
        }
    ]


@ONE_READER
def test_unapproved_account_waits_and_may_log_out(site: str, page: Page, api: Api) -> None:
    api.on("POST /auth/logout", {"message": "ok"})
    start_session(page, site, api, approved=False)
    expect(page).to_have_url(f"{site}/pending-approval")
    page.get_by_test_id("logout").click()
    expect(page.get_by_test_id("to-login")).to_be_visible()


def test_storage_is_tested_and_changed(site: str, page: Page, api: Api, watch: Watch, shot: Screenshots) -> None:
    watch.expect_status(400)
    api.on("GET /tenant/settings/storage-config", STORAGE)
    api.on("GET /tenant/settings/drives", [])
    api.on("POST /tenant/settings/storage-test", {"success": False, "message": "Sem permissão."})
    start_session(page, site, api, "/settings", "ROOT")
    expect(page.get_by_test_id("drives-empty")).to_be_visible()
    page.get_by_test_id("field-storagePath").fill("/mnt/fotos")
    page.get_by_test_id("storage-test").click()
    expect(page.get_by_test_id("probe-bad")).to_be_visible()
    api.on("POST /tenant/settings/storage-test", {"success": True, "message": "ok", "freeGB": 61.4})
    page.get_by_test_id("storage-test").click()
    expect(page.get_by_test_id("probe-good")).to_contain_text("61 GB")
    watch.check_accessibility()
    shot("storage-tested")
    api.on("PUT /tenant/settings/storage-config", {"error": "Bad Request", "message": "Não pode ser gravado."}, 400)
    page.get_by_test_id("storage-submit").click()
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    assert api.bodies["PUT /tenant/settings/storage-config"] == [{"storagePath": "/mnt/fotos"}]
    assert api.bodies["POST /tenant/settings/storage-test"] == [{"path": "/mnt/fotos"}] * 2


def test_storage_of_the_installation_cannot_be_changed(site: str, page: Page, api: Api, shot: Screenshots) -> None:
    api.on("GET /tenant/settings/storage-config", {"storagePath": "s3://enlevohub/uploads", "source": "env"})
    api.on("GET /tenant/settings/drives", [])
    start_session(page, site, api, "/settings", "ROOT")
    expect(page.get_by_test_id("field-storagePath")).to_be_disabled()
    expect(page.get_by_test_id("storage-submit")).to_have_count(0)
    expect(page.get_by_test_id("storage-test")).to_be_enabled()
    shot("storage-fixed")


@ONE_READER
def test_mail_server_is_saved_and_tested(site: str, page: Page, api: Api, watch: Watch) -> None:
    watch.expect_status(400)
    api.on("GET /tenant/settings", {"smtp": SMTP})
    api.on("PATCH /tenant/settings", {"id": "t1", "name": "x", "settings": {}})
    api.on("POST /tenant/settings/test-email", {"error": "Bad Request", "message": "Sem resposta do servidor."}, 400)
    start_session(page, site, api, "/settings/email", "ROOT")
    page.get_by_test_id("field-port").fill("70000")
    page.get_by_test_id("smtp-submit").click()
    expect(page.get_by_test_id("field-port-error")).to_be_visible()
    page.get_by_test_id("field-port").fill("587")
    page.get_by_test_id("smtp-submit").click()
    expect(page.get_by_test_id("form-success")).to_be_visible()
    assert api.bodies["PATCH /tenant/settings"] == [{"smtp": {**SMTP, "port": 587}}]
    page.get_by_test_id("field-email").fill("helena@example.com")
    page.get_by_test_id("test-mail-submit").click()
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    api.on("POST /tenant/settings/test-email", {"message": "ok"})
    page.get_by_test_id("test-mail-submit").click()
    expect(page.get_by_test_id("form-success")).to_have_count(2)
    assert api.bodies["POST /tenant/settings/test-email"] == [{"to": "helena@example.com"}] * 2


@ONE_READER
@pytest.mark.parametrize(
    ("role", "sections"),
    [
        ("ROOT", ["dashboard", "projects", "users", "settings"]),
        ("MASTER", ["dashboard", "projects", "users"]),
        ("ENGINEER", ["dashboard", "projects", "users"]),
        ("VIEWER", ["dashboard", "projects"]),
        ("CONTRACTOR", ["dashboard", "projects"]),
    ],
)
def test_sections_follow_the_role(role: str, sections: list[str], site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    start_session(page, site, api, role=role)
    expect(page.get_by_test_id("projects-list")).to_be_visible()
    shown = [section for section in ("dashboard", "projects", "users", "settings") if
             page.get_by_test_id(f"nav-{section}").count()]  # fmt: skip
    assert shown == sections


@ONE_READER
@pytest.mark.parametrize("path", ["/projects/new", f"/projects/{FIRST}/edit", "/users", "/settings", "/settings/email"])
def test_page_without_permission_is_not_there(path: str, site: str, page: Page, api: Api) -> None:
    start_session(page, site, api, path, "VIEWER")
    expect(page.get_by_test_id("to-start")).to_be_visible()


@ONE_READER
def test_reader_of_a_project_is_offered_no_change(site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    start_session(page, site, api, role="VIEWER")
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))
    expect(page.get_by_test_id("new-project")).to_have_count(0)
    page.get_by_test_id("project-card").first.click()
    expect(page.get_by_test_id("progress-record")).to_have_count(3)
    for control in (
        "edit-project",
        "delete-project",
        "status-select",
        "add-progress",
        "edit-progress",
        "delete-progress",
    ):
        expect(page.get_by_test_id(control)).to_have_count(0)


@ONE_READER
def test_engineer_changes_but_does_not_delete(site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    start_session(page, site, api, f"/projects/{FIRST}", "ENGINEER")
    expect(page.get_by_test_id("edit-project")).to_be_visible()
    expect(page.get_by_test_id("edit-progress")).to_have_count(3)
    for control in ("delete-project", "delete-progress"):
        expect(page.get_by_test_id(control)).to_have_count(0)


@ONE_READER
def test_role_that_changed_meanwhile_is_taken_over(site: str, page: Page, api: Api) -> None:
    api.show(SAMPLE)
    start_session(page, site, api, role="VIEWER")
    expect(page.get_by_test_id("project-card")).to_have_count(len(SAMPLE))
    api.on("GET /auth/me", me("MASTER"))
    page.reload()
    expect(page.get_by_test_id("new-project")).to_be_visible()


@ONE_READER
def test_unknown_page_leads_back_to_the_start(site: str, page: Page, api: Api, shot: Screenshots) -> None:
    api.show(SAMPLE)
    start_session(page, site, api, "/nowhere")
    shot("missing")
    page.get_by_test_id("to-start").click()
    expect(page.get_by_test_id("dashboard")).to_be_visible()
