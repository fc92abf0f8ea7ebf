"""The loss of the leader: the API writes again without anyone's help, and the cluster gets whole again.

Figures are printed and not asserted; the limits are generous.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def seconds_until_a_write_succeeds(datacenter: Any, token: str, since: float) -> float:
    """Write through the public address until it succeeds; returns the seconds since the fault."""
    datacenter.wait(
        "a write through the load balancer", lambda: datacenter.create_project(token).status == 201, 120, 0.1
    )
    return time.monotonic() - since


def project_count(datacenter: Any, token: str) -> int:
    """Return the number of projects that the API shows."""
    return int(datacenter.get("/api/v1/projects", token=token).body["pagination"]["total"])


def test_api_writes_again_after_kill_9_of_postgresql(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole)
    token = datacenter.register()["tokens"]["accessToken"]
    acknowledged = sum(datacenter.create_project(token).status == 201 for _ in range(5))
    leader = datacenter.leader()
    postmaster = datacenter.run(leader, "head -1 /var/lib/postgresql/17/main/postmaster.pid").strip()
    begin = time.monotonic()
    datacenter.run(leader, f"kill -9 {postmaster}")
    gap = seconds_until_a_write_succeeds(datacenter, token, begin)
    whole = datacenter.wait("a whole cluster", datacenter.whole, 180)
    print(f"\nkill -9 of PostgreSQL on {leader}: writes again after {gap:.1f} s, whole after {gap + whole:.1f} s")
    assert project_count(datacenter, token) >= acknowledged + 1


def test_api_writes_again_after_the_loss_of_the_leader_host(datacenter: Any, containers: Callable[..., str]) -> None:
    datacenter.wait("a whole cluster", datacenter.whole)
    token = datacenter.register()["tokens"]["accessToken"]
    acknowledged = sum(datacenter.create_project(token).status == 201 for _ in range(5))
    leader = datacenter.leader()
    container = f"enlevohub-{datacenter.variables[leader]['enlevohub_environment']}-{leader}"
    begin = time.monotonic()
    containers("kill", container)
    try:
        gap = seconds_until_a_write_succeeds(datacenter, token, begin)
    finally:
        containers("start", container)
    back = time.monotonic()
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    print(f"\nloss of {leader}: writes again after {gap:.1f} s, whole {time.monotonic() - back:.1f} s after its return")
    assert datacenter.leader() != leader
    assert project_count(datacenter, token) >= acknowledged + 1


def test_written_rows_are_on_both_servers_after_the_faults(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole)
    token = datacenter.register()["tokens"]["accessToken"]
    project = datacenter.create_project(token).body["id"]
    for server in datacenter.groups["database_servers"]:
        datacenter.wait(
            f"the row on {server}",
            lambda name=server: datacenter.sql(name, f"select count(*) from projects where id = '{project}'") == "1",
        )
