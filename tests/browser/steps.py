"""What a person does in the application, by test id. Texts depend on the language and are not used to find things."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from playwright.sync_api import Page, expect


@dataclass(frozen=True)
class Company:
    """A company that does not exist yet: unique document and e-mail."""

    name: str = "Construtora Horizonte"
    person: str = "Helena Duarte"
    password: str = "Andaime2026"
    document: str = field(default_factory=lambda: f"{secrets.randbelow(10**14):014d}")
    email: str = field(default_factory=lambda: f"helena.{secrets.token_hex(6)}@example.com")


PROJECT = {
    "name": "Residencial Jardim das Acácias",
    "description": "Duas torres de doze pavimentos, com área de lazer e garagem no subsolo.",
    "startDate": "2026-03-02",
    "expectedEndDate": "2028-06-30",
    "budget": "18.450.000,00",
    "quantidadeUnidades": "96",
    "zipCode": "30140110",
    "street": "Rua dos Inconfidentes",
    "number": "1190",
    "complement": "Lote 7",
    "neighborhood": "Savassi",
    "city": "Belo Horizonte",
}


def fill(page: Page, values: dict[str, str]) -> None:
    """Type each value into the field of that name."""
    for name, value in values.items():
        page.get_by_test_id(f"field-{name}").fill(value)


def register(page: Page, company: Company) -> None:
    """Fill in and send the registration form."""
    page.get_by_test_id("to-register").click()
    fill(page, {"tenantName": company.name, "tenantDocument": company.document, "name": company.person})
    fill(page, {"email": company.email, "password": company.password, "passwordAgain": company.password})
    page.get_by_test_id("register-submit").click()


def log_in(page: Page, company: Company) -> None:
    """Fill in and send the login form."""
    fill(page, {"email": company.email, "password": company.password})
    page.get_by_test_id("login-submit").click()


def log_out(page: Page) -> None:
    """Log out and wait for the login form."""
    page.get_by_test_id("logout").click()
    expect(page.get_by_test_id("login-form")).to_be_visible()


def fill_project(page: Page) -> None:
    """Open the form of a new project and fill in every field."""
    page.get_by_test_id("new-project").click()
    fill(page, PROJECT)
    page.get_by_test_id("field-state").select_option("MG")
    page.get_by_test_id("field-status").select_option("IN_PROGRESS")
