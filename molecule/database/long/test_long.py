"""Losses of one and two servers, 15 minutes of random faults, 10 of busy cores: long, so no part of `make test`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def saved(datacenter: Any, fault: str, *more: str) -> Any:
    """Run the playbook and return what it saved."""
    results = Path(datacenter.inventory).parents[1] / "build" / "drill-failover"
    before = set(results.glob(f"*-{fault}-*.json"))
    arguments = ["-e", f"fault={fault}", *more]
    datacenter.playbook(*arguments, playbook="playbooks/drill-failover.yml", limit_seconds=3600)
    (path,) = set(results.glob(f"*-{fault}-*.json")) - before
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def matrix(datacenter: Any) -> list[dict[str, Any]]:
    """The losses."""
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    found: list[dict[str, Any]] = saved(datacenter, "matrix")
    print("\n".join(f"{item['fault']:40} {item['gap_seconds']:7.1f} s  lost {item['lost']}" for item in found))
    return found


def test_every_loss_of_one_server_and_nine_of_ten_losses_of_two_keep_writing(matrix: list[dict[str, Any]]) -> None:
    stops = [item["fault"] for item in matrix if item["fault"].endswith("stops")]
    assert len(matrix) == 15
    assert stops == ["loss of db1 and db2: stops"]


def test_no_loss_of_servers_loses_a_write(matrix: list[dict[str, Any]]) -> None:
    assert [item["lost"] for item in matrix] == [0] * 15


def test_no_write_is_lost_in_fifteen_minutes_of_random_faults(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    found = saved(datacenter, "random", "-e", "failover_drill_minutes=15")
    print("\n".join(f"{item['fault']:20} {item['gap_seconds']:7.2f} s" for item in found))
    assert {(item["lost"], item["overlap_seconds"]) for item in found} == {(0, 0)}


def test_ten_minutes_of_busy_cores_make_no_failover(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    found = saved(datacenter, "saturation", "-e", "failover_drill_minutes=10")
    print(f"longest time without a write: {found['gap_seconds']:.2f} s")
    assert found["new_leader"] == found["old_leader"]
    assert (found["lost"], found["overlap_seconds"]) == (0, 0)
