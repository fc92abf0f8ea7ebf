"""Every fault of the database once, by the playbook that operators use: nothing acknowledged is ever lost.

Figures are printed, not asserted.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from enlevohub_drill.failover import CONTROL, FAULTS

STAYS = ("patroni_kill", "etcd_loss", "standby_stop", "standby_partition", "saturation")


def drill(datacenter: Any, fault: str, *more: str, code: int = 0) -> Any:
    """Run the playbook and return what it saved."""
    results = Path(datacenter.inventory).parents[1] / "build" / "drill-failover"
    before = set(results.glob(f"*-{fault}-*.json"))
    run = datacenter.playbook("-e", f"fault={fault}", *more, playbook="playbooks/drill-failover.yml", code=code)
    (saved,) = set(results.glob(f"*-{fault}-*.json")) - before
    found = json.loads(saved.read_text(encoding="utf-8"))
    print(json.dumps(found))
    assert datacenter.secrets_in(run.output) == []
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_no_acknowledged_write_is_lost(datacenter: Any, fault: str) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    found = drill(datacenter, fault, "-e", "failover_drill_minutes=1")  # of saturation; more of it in `long`
    assert found["acked"] > 100
    assert (found["lost"], found["overlap_seconds"]) == (0, 0)
    assert (found["old_leader"] == found["new_leader"]) == (fault in STAYS)


def test_judge_reports_a_loss_without_synchronous_replication(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    assert drill(datacenter, CONTROL)["lost"] > 0


def test_plan_changes_nothing(datacenter: Any) -> None:
    leader = datacenter.leader()
    run = datacenter.playbook("-e", "fault=switchover", "--check", playbook="playbooks/drill-failover.yml")
    assert f"leader {leader}" in run.output
    assert datacenter.leader() == leader


def test_postgresql_is_stopped_when_patroni_stays_dead(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    old = datacenter.leader()
    postmaster = datacenter.run(old, "head -1 /var/lib/postgresql/*/main/postmaster.pid").strip()
    datacenter.run(old, "kill -STOP $(systemctl show --property MainPID --value patroni.service)")
    try:
        alive = f"kill -0 {postmaster}"
        seconds = datacenter.wait("the fence", lambda: datacenter.host(old).run(alive).rc != 0, 60, 0.3)
        leaders = "bash -lc 'patronictl list -f json'"
        others = [name for name in datacenter.groups["database_servers"] if name != old]
        still = json.loads(datacenter.run(others[0], leaders))
        print(f"PostgreSQL of {old} was stopped {seconds:.1f} s after Patroni froze")
        assert [item["Member"] for item in still if item["Role"] == "Leader"] == [old], "stopped after the lease ended"
    finally:
        datacenter.run(old, "kill -CONT $(systemctl show --property MainPID --value patroni.service)")
    datacenter.wait("a whole cluster", datacenter.whole, 240)
