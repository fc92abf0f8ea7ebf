"""A datacenter behind the driver f5: the real role and modules drive it, the data plane of the F5 serves it.

The tests run in this order and build on each other. The seed of the load is printed.
"""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from enlevohub_drill import variants
from enlevohub_drill.cases import DEPLOY, Drill, at_line
from enlevohub_drill.load import Load
from enlevohub_drill.site import ROOT, Datacenter, program

PARTS = ("as3.json", "pools.tmsh", "members.txt", "README.md", "plan.txt", "rollback.tmsh")
QUICK = ("-e", "rollout_watch=3")


def states(datacenter: Datacenter, pool: str = "backend") -> dict[str, str]:
    """Return what the load balancer says of each member of a pool."""
    return {item["member"]: item["state"] for item in datacenter.pools() if item["pool"] == pool}


def drained(datacenter: Datacenter, server: str) -> bool:
    """Whether the F5 keeps new requests away from a backend."""
    return states(datacenter)[server] == "DRAIN"


def test_f5_stands_where_haproxy_stands_otherwise(datacenter: Datacenter, load_balancer: str) -> None:
    host = datacenter.host(load_balancer)
    assert host.service("enlevohub-f5sim").is_running
    assert not host.package("haproxy").is_installed


def test_every_pool_member_is_up(datacenter: Datacenter) -> None:
    assert states(datacenter) == dict.fromkeys(datacenter.groups["backend_servers"], "UP")
    assert states(datacenter, "frontend") == dict.fromkeys(datacenter.groups["frontend_servers"], "UP")


def test_status_of_the_lab_shows_the_members(datacenter: Datacenter) -> None:
    report: dict[str, Any] = {}

    def well() -> bool:
        said = program("enlevohub_lab", "--inventory", str(datacenter.inventory), "status", "--json")
        report.update(json.loads(said.stdout))
        assert report["well"], [part for part in report["parts"] if part["problem"]]
        return True

    datacenter.wait("a lab that is well", well, 240)
    (part,) = [item for item in report["parts"] if item["name"] == "Load balancer"]
    assert part["problem"] == ""
    assert {row["member"] for row in part["rows"]} == {*datacenter.groups["backend_servers"], "app1"}


@pytest.mark.parametrize("name", PARTS)
def test_what_the_owners_of_an_f5_could_take_is_there(datacenter: Datacenter, name: str) -> None:
    assert (ROOT / "build" / "f5" / datacenter.inventory.name / name).stat().st_size > 0


def test_plain_http_is_sent_to_https(datacenter: Datacenter, load_balancer: str) -> None:
    answer = datacenter.get(f"http://{datacenter.address(load_balancer)}/projects?page=2")
    assert (answer.status, answer.headers["location"]) == (
        302,
        f"https://{datacenter.address(load_balancer)}/projects?page=2",
    )


def test_api_path_goes_to_the_backends(datacenter: Datacenter) -> None:
    served = {datacenter.get("/api/v1/").headers["x-served-by"] for _ in range(12)}
    assert served == set(datacenter.groups["backend_servers"])


@pytest.mark.parametrize("path", ["/projects", "/apix"])
def test_other_paths_go_to_the_frontend(datacenter: Datacenter, path: str) -> None:
    assert datacenter.get(path).headers["content-type"].startswith("text/html")


def test_company_registers_and_creates_a_project(datacenter: Datacenter) -> None:
    token = datacenter.register()["tokens"]["accessToken"]
    assert datacenter.create_project(token).status == 201


def test_saved_configuration_is_there_after_a_restart(datacenter: Datacenter, load_balancer: str, drill: Drill) -> None:
    datacenter.run(load_balancer, "systemctl restart enlevohub-f5sim")
    datacenter.wait("all members up", drill.all_up)


def test_member_that_somebody_drained_stays_drained_and_gets_nothing(
    datacenter: Datacenter, drill: Drill, load: Load
) -> None:
    server = datacenter.groups["backend_servers"][-1]
    datacenter.balancer("drain", "backend", server)
    try:
        run = datacenter.playbook()
        assert set(run.changed.values()) == {0}
        assert drained(datacenter, server)
        assert server not in {datacenter.get("/api/v1/").headers["x-served-by"] for _ in range(12)}
    finally:
        datacenter.balancer("enable", "backend", server)
    assert drill.all_up()


def test_too_few_other_members_stop_a_release_before_it_begins(datacenter: Datacenter, drill: Drill) -> None:
    server = datacenter.groups["backend_servers"][-1]
    datacenter.balancer("drain", "backend", server)
    version = drill.version()
    try:
        given = ("-e", f"release={version}", *QUICK, *variants.good(version))
        run = datacenter.playbook(*given, code=2, playbook=DEPLOY)
    finally:
        datacenter.balancer("enable", "backend", server)
    assert "2 must be" in run.output
    assert version not in {datacenter.get("/api/v1/").body["version"] for _ in range(9)}


def test_run_that_is_killed_in_a_drain_is_finished_by_the_same_command(datacenter: Datacenter, drill: Drill) -> None:
    version = drill.version()
    given = ("-e", f"release={version}", *QUICK, *variants.good(version))
    found: list[str] = []

    def kill(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)
        found.extend(name for name, state in states(datacenter).items() if state == "DRAIN")

    def act() -> dict[str, object]:
        code = at_line(datacenter, "f5_pool : Wait for the member", kill, *given)
        datacenter.playbook(*given, playbook=DEPLOY)
        return {"code": code}

    result = drill.case("kill -9 in a drain, then the same command", True, act)
    print(f"\n{result.name}: {result.during.failed} of {result.during.requests} failed, {found} was drained")
    assert (result.notes["code"], len(found)) == (-signal.SIGKILL, 1)
    assert result.during.problems == {}
    assert drill.all_up()
    assert {datacenter.get("/api/v1/").body["version"] for _ in range(9)} == {version}
    assert [record["result"] for record in datacenter.journal()[-2:]] == ["interrupted", "success"]


def test_rollback_loses_no_request(datacenter: Datacenter, drill: Drill) -> None:
    result = drill.rollback()
    assert result.during.problems == {}
    assert drill.all_up()
