"""What the F5 wrote about all that the tests before it did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enlevohub_drill.site import Datacenter
from enlevohub_f5sim.journal import drains


@pytest.fixture(scope="module")
def entries(datacenter: Datacenter) -> list[dict[str, Any]]:
    """The journal of the F5, oldest first."""
    text = datacenter.run(
        datacenter.groups["load_balancers"][0],
        "sh -c 'cd /var/log/enlevohub-f5sim && cat $(ls requests.jsonl.1 requests.jsonl 2>/dev/null)'",
    )
    return [json.loads(line) for line in text.splitlines()]


def test_no_request_was_given_to_a_drained_member(entries: list[dict[str, Any]]) -> None:
    found = drains(entries)
    served = [entry for entry in entries if entry["kind"] == "request"]
    print(f"\n{len(found)} drains, {len(served)} requests of users")
    assert len(found) > 10
    assert len(served) > 1000
    assert [drain for drain in found if drain.requests] == []


def test_every_token_was_given_back(entries: list[dict[str, Any]]) -> None:
    """A killed run may leave one behind, which ends by itself."""
    rest = [entry for entry in entries if entry["kind"] == "rest" and entry["status"] == 200]
    given = sum(entry["path"].endswith("/authn/login") for entry in rest)
    back = sum(entry["method"] == "DELETE" and "/authz/tokens/" in entry["path"] for entry in rest)
    assert given > 50
    assert given - back <= 1
