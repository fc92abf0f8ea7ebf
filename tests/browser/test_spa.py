"""The application in a browser against a running site: ENLEVOHUB_URL names it, e.g. https://127.0.0.1:8443."""

from __future__ import annotations

import os
import secrets

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.steps import (
    PROGRESS,
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
from tests.browser.support import READERS, Screenshots, Watch

PATIENCE_MS = 30_000
"""Longest wait for one thing: the site may be slow, or in the middle of a failover."""

FETCH_AGAIN = """
picture => fetch(picture.src, { cache: "reload" })
  .then((answer) => `${answer.status} ${answer.headers.get("content-type")}`)
"""

NEW_PASSWORD = "Concreto2027"


@pytest.fixture(scope="session")
def site() -> str:
    """Address of the running site; fails when none is given."""
    url = os.environ.get("ENLEVOHUB_URL")
    if not url:
        pytest.fail("ENLEVOHUB_URL is not set: give the address of the site, e.g. https://127.0.0.1:8443")
    return url.rstrip("/")


@pytest.fixture(autouse=True)
def _patience(context: BrowserContext) -> None:
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)


def visit(page: Page, section: str) -> None:
    """Go to a section of the bar and wait until it has loaded."""
    page.get_by_test_id(f"nav-{section}").click()
    expect(page.get_by_test_id("loading-state")).to_have_count(0)
    expect(page.get_by_test_id("page-title")).to_be_visible()


def test_company_works_from_sign_up_to_log_out(site: str, page: Page, watch: Watch, shot: Screenshots) -> None:
    company = Company()
    colleague = Company(email=f"otavio.{secrets.token_hex(6)}@example.com", person="Otávio Ferreira")
    page.goto(site)
    expect(page.get_by_test_id("login-form")).to_be_visible()
    register(page, company)
    expect(page.get_by_test_id("tenant-name")).to_have_text(company.name)
    expect(page.get_by_test_id("empty-state")).to_be_visible()
    shot("live-empty")

    # A project, changed and searched for.
    fill_project(page)
    page.get_by_test_id("project-submit").click()
    expect(page.get_by_test_id("project-details")).to_be_visible()
    expect(page.get_by_test_id("page-title")).to_have_text(PROJECT["name"])
    expect(page.get_by_test_id("project-address")).to_contain_text("30140-110")
    page.get_by_test_id("edit-project").click()
    expect(page.get_by_test_id("field-name")).to_have_value(PROJECT["name"])
    fill(page, {"name": "Residencial Acácias", "expectedEndDate": "2028-12-15"})
    page.get_by_test_id("project-submit").click()
    expect(page.get_by_test_id("page-title")).to_have_text("Residencial Acácias")
    expect(page.get_by_test_id("tile-end")).to_contain_text("2028")
    with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        page.get_by_test_id("status-select").select_option("PAUSED")
    page.reload()
    expect(page.get_by_test_id("status-select")).to_have_value("PAUSED")

    # Progress with photos that every copy of the service can show.
    fill_progress(page)
    page.get_by_test_id("photos-input").set_input_files(photos(1, 2, 3))
    expect(page.get_by_test_id("upload-done")).to_have_count(3)
    page.get_by_test_id("upload-remove").last.click()
    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("progress-record")).to_contain_text(PROGRESS["phase"])
    expect(page.get_by_test_id("tile-progress")).to_contain_text("12")
    page.reload()
    expect(page.get_by_test_id("photo")).to_have_count(2)
    for picture in page.get_by_test_id("photo").get_by_role("img").all():
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("naturalWidth", 640)
        answers = [picture.evaluate(FETCH_AGAIN) for _ in range(4)]
        assert answers == ["200 image/jpeg"] * 4, "every copy of the service has the photo"
    watch.check_no_sideways_scroll()
    shot("live-project")
    page.get_by_test_id("photo").first.click()
    expect(page.get_by_test_id("lightbox").get_by_role("img")).to_have_js_property("naturalWidth", 640)
    page.keyboard.press("Escape")
    page.get_by_test_id("edit-progress").click()
    page.get_by_test_id("field-percentage").fill("15")
    page.get_by_test_id("upload-remove").first.click()
    page.get_by_test_id("progress-submit").click()
    expect(page.get_by_test_id("tile-progress")).to_contain_text("15")
    expect(page.get_by_test_id("photo")).to_have_count(1)

    visit(page, "projects")
    expect(page.get_by_test_id("project-card-name")).to_have_text(["Residencial Acácias"])
    page.get_by_test_id("projects-search").fill("nenhuma obra assim")
    expect(page.get_by_test_id("no-match-state")).to_be_visible()
    page.get_by_test_id("projects-search").fill("acácias")
    expect(page.get_by_test_id("project-card-name")).to_have_text(["Residencial Acácias"])
    visit(page, "dashboard")
    expect(page.get_by_test_id("figure-projects")).to_contain_text("1")
    expect(page.get_by_test_id("recent-project")).to_contain_text("Residencial Acácias")
    watch.check_no_sideways_scroll()
    shot("live-dashboard")

    # A colleague.
    visit(page, "users")
    fill_invitation(page, colleague.email, colleague.password)
    page.get_by_test_id("invite-submit").click()
    expect(page.get_by_test_id("users-team").get_by_test_id("user-row")).to_have_count(2)
    watch.check_no_sideways_scroll()
    shot("live-users")

    # The own account: a new name, a new password, this session goes on.
    visit(page, "profile")
    page.get_by_test_id("field-name").fill("Helena Prado")
    page.get_by_test_id("profile-submit").click()
    expect(page.get_by_test_id("user-name")).to_have_text("Helena Prado")
    fill_password_change(page, company.password, NEW_PASSWORD)
    page.get_by_test_id("password-submit").click()
    expect(page.get_by_test_id("field-currentPassword")).to_have_value("")
    page.reload()
    expect(page.get_by_test_id("field-name")).to_have_value("Helena Prado")
    shot("live-profile")
    log_out(page)

    # The colleague works with the project, and may not delete it.
    log_in(page, colleague)
    page.get_by_test_id("recent-project").click()
    expect(page.get_by_test_id("edit-project")).to_be_visible()
    expect(page.get_by_test_id("photo")).to_have_count(1)
    expect(page.get_by_test_id("delete-project")).to_have_count(0)
    log_out(page)

    # The new password opens the account; the project goes.
    log_in(page, Company(email=company.email, password=NEW_PASSWORD))
    page.get_by_test_id("recent-project").click()
    page.get_by_test_id("delete-progress").click()
    page.get_by_test_id("confirm-action").click()
    expect(page.get_by_test_id("history-empty")).to_be_visible()
    page.get_by_test_id("delete-project").click()
    page.get_by_test_id("confirm-action").click()
    expect(page.get_by_test_id("empty-state")).to_be_visible()
    log_out(page)


@pytest.mark.parametrize("reader", READERS[:1], ids=str, indirect=True)
def test_contractor_gets_in_when_the_company_approves(site: str, page: Page, watch: Watch) -> None:
    watch.expect_status(401)
    company, contractor = Company(), Company(person="Davi Moreira")
    page.goto(site)
    register(page, company)
    expect(page.get_by_test_id("empty-state")).to_be_visible()
    log_out(page)

    page.get_by_test_id("to-register").click()
    page.get_by_test_id("to-contractor").click()
    fill(page, {"tenantDocument": company.document, "document": contractor.document, "specialty": "Alvenaria"})
    fill(page, {"name": contractor.person, "email": contractor.email, "password": contractor.password})
    fill(page, {"passwordAgain": contractor.password})
    page.get_by_test_id("contractor-submit").click()
    expect(page.get_by_test_id("pending-state")).to_be_visible()
    page.get_by_test_id("to-login").click()
    log_in(page, contractor)
    expect(page.get_by_test_id("form-failure")).to_be_visible()

    page.reload()
    log_in(page, company)
    visit(page, "users")
    expect(page.get_by_test_id("users-waiting")).to_contain_text(contractor.person)
    page.get_by_test_id("approve-user").click()
    expect(page.get_by_test_id("users-team").get_by_test_id("user-row")).to_have_count(2)
    log_out(page)
    log_in(page, contractor)
    expect(page.get_by_test_id("empty-state")).to_be_visible()
    expect(page.get_by_test_id("nav-users")).to_have_count(0)


def test_wrong_password_is_refused(site: str, page: Page, watch: Watch) -> None:
    watch.expect_status(401)
    page.goto(site)
    log_in(page, Company())
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    expect(page.get_by_test_id("login-form")).to_be_visible()


@pytest.mark.parametrize("reader", READERS[:1], ids=str, indirect=True)
def test_forgotten_password_tells_nobody_who_has_an_account(site: str, page: Page) -> None:
    page.goto(f"{site}/forgot-password")
    page.get_by_test_id("field-email").fill(Company().email)
    page.get_by_test_id("forgot-submit").click()
    expect(page.get_by_test_id("forgot-done")).to_be_visible()


@pytest.mark.parametrize("reader", READERS[:1], ids=str, indirect=True)
def test_reset_link_that_nobody_sent_is_refused(site: str, page: Page, watch: Watch) -> None:
    watch.expect_status(400)
    page.goto(f"{site}/reset-password?token={secrets.token_hex(32)}")
    fill(page, {"password": NEW_PASSWORD, "passwordAgain": NEW_PASSWORD})
    page.get_by_test_id("reset-submit").click()
    expect(page.get_by_test_id("form-failure")).to_be_visible()
