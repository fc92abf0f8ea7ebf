"""The application in a browser against a running site: ENLEVOHUB_URL names it, e.g. https://127.0.0.1:8443."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import PROJECT, Company, fill_project, log_in, log_out, register
from tests.browser.support import Screenshots, Watch


@pytest.fixture(scope="session")
def site() -> str:
    """Address of the running site; fails when none is given."""
    url = os.environ.get("ENLEVOHUB_URL")
    if not url:
        pytest.fail("ENLEVOHUB_URL is not set: give the address of the site, e.g. https://127.0.0.1:8443")
    return url.rstrip("/")


def test_company_creates_a_project_that_survives_a_reload(
    site: str, page: Page, watch: Watch, shot: Screenshots
) -> None:
    company = Company()
    page.goto(site)
    expect(page.get_by_test_id("login-form")).to_be_visible()
    register(page, company)
    expect(page.get_by_test_id("tenant-name")).to_have_text(company.name)
    expect(page.get_by_test_id("empty-state")).to_be_visible()
    shot("live-empty")

    log_out(page)
    log_in(page, company)
    expect(page.get_by_test_id("empty-state")).to_be_visible()

    fill_project(page)
    page.get_by_test_id("project-submit").click()
    expect(page.get_by_test_id("project-details")).to_be_visible()
    expect(page.get_by_test_id("page-title")).to_have_text(PROJECT["name"])
    expect(page.get_by_test_id("project-address")).to_contain_text("30140-110")
    watch.check_no_sideways_scroll()
    shot("live-project")

    page.get_by_test_id("back").click()
    expect(page.get_by_test_id("project-card-name")).to_have_text([PROJECT["name"]])
    page.reload()
    expect(page.get_by_test_id("project-card-name")).to_have_text([PROJECT["name"]])
    watch.check_no_sideways_scroll()
    shot("live-projects")


def test_search_finds_by_part_of_the_name_and_nothing_else(site: str, page: Page) -> None:
    page.goto(site)
    register(page, Company())
    fill_project(page)
    page.get_by_test_id("project-submit").click()
    page.get_by_test_id("back").click()
    page.get_by_test_id("projects-search").fill("nenhuma obra assim")
    expect(page.get_by_test_id("no-match-state")).to_be_visible()
    page.get_by_test_id("projects-search").fill("jardim")
    expect(page.get_by_test_id("project-card-name")).to_have_text([PROJECT["name"]])


def test_wrong_password_is_refused(site: str, page: Page, watch: Watch) -> None:
    watch.expect_status(401)
    page.goto(site)
    log_in(page, Company())
    expect(page.get_by_test_id("form-failure")).to_be_visible()
    expect(page.get_by_test_id("login-form")).to_be_visible()
