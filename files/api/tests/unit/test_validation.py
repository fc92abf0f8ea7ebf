"""Bodies, pagination and instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from enlevohub_api.schemas import LoginBody, ProjectBody, RegisterBody, iso, paginate
from enlevohub_api.sql import like_pattern
from enlevohub_api.validation import InvalidInput, parse_body, to_utc

ADDRESS = {
    "street": "Rua A",
    "number": "1",
    "neighborhood": "Centro",
    "city": "Natal",
    "state": "RN",
    "zipCode": "59000000",
}
PROJECT = {"name": "Obra", "address": ADDRESS}
REGISTER = {
    "email": "ana@obra.com",
    "password": "Abcdefg1",
    "name": "Ana",
    "tenantName": "Obra",
    "tenantDocument": "12345678901",
}


def pointers(raw: bytes, kind: type[msgspec.Struct]) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        parse_body(raw, kind)
    return [issue.pointer for issue in caught.value.issues]


def test_body_unknown_keys_are_ignored() -> None:
    assert parse_body(msgspec.json.encode({**PROJECT, "extra": 1}), ProjectBody).name == "Obra"


def test_body_defaults_of_a_project() -> None:
    body = parse_body(msgspec.json.encode(PROJECT), ProjectBody)
    assert (body.status, body.budget, body.quantidade_unidades) == ("PLANNING", None, 1)


def test_body_every_wrong_field_is_named() -> None:
    assert pointers(b'{"email": 1}', LoginBody) == ["/email", "/password"]


def test_body_nested_field_is_named() -> None:
    body = {**PROJECT, "address": {**ADDRESS, "state": "RNX"}}
    assert pointers(msgspec.json.encode(body), ProjectBody) == ["/address/state"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000, b'{"a":NaN}'])
def test_body_that_is_no_object_is_refused(raw: bytes) -> None:
    assert pointers(raw, LoginBody) == [""]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "O"),
        ("name", 5),
        ("name", None),
        ("address", None),
        ("address", "Rua A"),
        ("status", "DONE"),
        ("status", "planning"),
        ("budget", 0),
        ("budget", -1),
        ("budget", "100"),
        ("budget", True),
        ("budget", 1e13),
        ("budget", 0.001),
        ("quantidadeUnidades", 0),
        ("quantidadeUnidades", 1.5),
        ("quantidadeUnidades", "2"),
        ("quantidadeUnidades", 2**31),
        ("startDate", "2026-01-02"),
        ("startDate", "2026-01-02T00:00:00"),
        ("startDate", "02/01/2026"),
        ("startDate", 1767312000),
        ("expectedEndDate", "2026-13-02T00:00:00Z"),
        ("metadata", []),
        ("metadata", "x"),
    ],
)
def test_project_body_bad_value_is_refused(field: str, value: object) -> None:
    assert pointers(msgspec.json.encode({**PROJECT, field: value}), ProjectBody) == [f"/{field}"]


@pytest.mark.parametrize("password", ["Abcdef1", "abcdefg1", "ABCDEFG1", "Abcdefgh", "", "A1" + "a" * 300])
def test_register_weak_password_is_refused(password: str) -> None:
    assert pointers(msgspec.json.encode({**REGISTER, "password": password}), RegisterBody) == ["/password"]


@pytest.mark.parametrize(
    "email", ["ana", "ana@", "@obra.com", "ana@obra", "a na@obra.com", "ana@obra.com\n", "ana@@obra.com", "a@b..c"]
)
def test_register_bad_email_is_refused(email: str) -> None:
    assert pointers(msgspec.json.encode({**REGISTER, "email": email}), RegisterBody) == ["/email"]


def test_validation_text_names_the_password_rule() -> None:
    with pytest.raises(InvalidInput, match="letra maiúscula"):
        parse_body(msgspec.json.encode({**REGISTER, "password": "abcdefgh"}), RegisterBody)


def test_validation_detail_has_the_contract_keys() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_body(b"{}", LoginBody)
    assert set(caught.value.issues[0].as_detail()) == {"instancePath", "schemaPath", "keyword", "params", "message"}


@pytest.mark.parametrize(("total", "limit", "pages"), [(0, 10, 0), (1, 10, 1), (10, 10, 1), (11, 10, 2), (100, 1, 100)])
def test_pagination_rounds_the_pages_up(total: int, limit: int, pages: int) -> None:
    assert paginate(1, limit, total).total_pages == pages


def test_instant_is_written_with_milliseconds_and_z() -> None:
    assert iso(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"


def test_instant_with_an_offset_is_written_in_utc() -> None:
    assert iso(datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3)))) == "2026-01-02T03:00:00.000Z"


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_instant_out_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        to_utc("startDate", datetime.fromisoformat(text))


def test_search_wildcards_mean_themselves() -> None:
    assert like_pattern("50%_\\") == "%50\\%\\_\\\\%"
