"""What a person does in the application, by test id. Texts depend on the language and are not used to find things."""

from __future__ import annotations

import functools
import secrets
import struct
import zlib
from dataclasses import dataclass, field

from playwright.sync_api import FilePayload, Page, expect


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


@functools.cache
def picture(number: int, width: int = 640, height: int = 480) -> bytes:
    """A PNG of a site: sky, ground and towers whose size and place follow from the number."""
    rows = []
    for y in range(height):
        shade = y * 90 // height
        sky = bytes((150 + shade // 2, 185 + shade // 3, 215))
        row = bytearray(sky * width)
        if y > height * 4 // 5:
            row = bytearray(bytes((150, 120, 90)) * width)
        for tower in range(3):
            left, tall = width * (1 + 3 * tower) // 10, height * (3 + (number + 2 * tower) % 5) // 10
            if height * 9 // 10 - tall < y <= height * 9 // 10:
                window = y % 40 < 18
                wall = bytes((23 + 40 * tower, 99, 92 + 20 * (number % 4)))
                row[left * 3 : (left + width // 5) * 3] = wall * (width // 5)
                if window:
                    for pane in range(left + 12, left + width // 5 - 20, 30):
                        row[pane * 3 : (pane + 16) * 3] = bytes((244, 224, 170)) * 16
        rows.append(b"\0" + bytes(row))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def photos(*numbers: int) -> list[FilePayload]:
    """Files as a person picks them."""
    return [{"name": f"obra-{n}.png", "mimeType": "image/png", "buffer": picture(n)} for n in numbers]


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
    expect(page.get_by_test_id("field-email")).to_have_value("")


PROGRESS = {"percentage": "12,5", "phase": "Fundação do bloco A", "notes": "Estacas concluídas."}


def fill_progress(page: Page) -> None:
    """Open the form of a new progress record and fill it in; its date is today's."""
    page.get_by_test_id("add-progress").click()
    fill(page, PROGRESS)


def fill_invitation(page: Page, email: str, password: str, role: str = "ENGINEER") -> None:
    """Open the form for a new person and fill it in."""
    page.get_by_test_id("invite-user").click()
    fill(page, {"name": "Otávio Ferreira", "email": email, "password": password})
    page.get_by_test_id("field-role").select_option(role)


def fill_password_change(page: Page, current: str, new: str) -> None:
    """Fill in the form for a new password of one's own."""
    fill(page, {"currentPassword": current, "password": new, "passwordAgain": new})


def fill_project(page: Page) -> None:
    """Open the form of a new project and fill in every field."""
    page.get_by_test_id("new-project").click()
    expect(page.get_by_test_id("project-form")).to_be_visible()
    fill(page, PROJECT)
    page.get_by_test_id("field-state").select_option("MG")
    page.get_by_test_id("field-status").select_option("IN_PROGRESS")
