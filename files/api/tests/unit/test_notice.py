"""How long a leaving service keeps listening."""

from __future__ import annotations

import pytest

from enlevohub_api.server import QUIET_SECONDS, notice_left


@pytest.mark.parametrize(
    ("now", "last_request", "expected"),
    [
        (100, 0, QUIET_SECONDS),
        (100, 99.9, QUIET_SECONDS),
        (100.5, 0, QUIET_SECONDS - 0.5),
        (100 + QUIET_SECONDS, 0, 0),
        (103, 102.5, QUIET_SECONDS - 0.5),
        (104.5, 104.4, 0.5),
        (105, 105, 0),
        (200, 199.9, 0),
    ],
)
def test_notice_ends_when_it_is_quiet_and_at_its_limit(now: float, last_request: float, expected: float) -> None:
    assert notice_left(now, 100, 105, last_request) == pytest.approx(expected)
