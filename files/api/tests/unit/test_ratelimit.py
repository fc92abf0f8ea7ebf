"""The address that a limit counts."""

from __future__ import annotations

from typing import Any

import pytest

from enlevohub_api.ratelimit import client_address
from enlevohub_api.settings import load_settings
from enlevohub_api.web import Request

BASE = {"DATABASE_URL": "postgresql://a:pw1@h/d", "JWT_SECRET": "4f1d0c9b7a6e5d8c3b2a1908f7e6d5c4"}


async def no_body() -> dict[str, Any]:
    raise AssertionError("the address needs no body")


def address(peer: str, forwarded: str | None, proxies: str = "") -> str:
    settings = load_settings({**BASE, "TRUSTED_PROXIES": proxies})
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    scope = {"method": "GET", "path": "/", "headers": headers, "client": (peer, 1)}
    request = Request(scope, no_body, None, None)  # type: ignore[arg-type]  # the address needs no services
    return client_address(request, settings.trusted_proxies)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", None, "198.51.100.7"),
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("10.0.0.5", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "192.0.2.66, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.5", "203.0.113.9, 10.0.0.4", "203.0.113.9"),
        ("10.0.0.5", "10.1.1.1, 10.0.0.4", "10.1.1.1"),
        ("10.0.0.5", "nonsense", "10.0.0.5"),
        ("10.0.0.5", "203.0.113.9, nonsense", "10.0.0.5"),
        ("10.0.0.5", "", "10.0.0.5"),
        ("10.0.0.5", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.5", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_client_address_is_the_last_that_is_no_proxy(peer: str, forwarded: str | None, expected: str) -> None:
    assert address(peer, forwarded) == expected


def test_client_address_believes_only_the_given_proxies() -> None:
    assert address("10.0.0.5", "203.0.113.9", "10.0.0.6") == "10.0.0.5"
    assert address("10.0.0.5", "203.0.113.9", "none") == "10.0.0.5"
