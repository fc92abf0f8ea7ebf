"""Every way a release can go: faults in the middle, the way back, more and fewer copies, dead servers.

The tests run in this order and build on each other.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest

from enlevohub_drill import variants
from enlevohub_drill.cases import DEPLOY, Drill, at_line, one_more_server
from enlevohub_drill.site import ROOT, Datacenter

ROLLBACK = "playbooks/rollback.yml"
SCALE = "playbooks/scale.yml"
QUICK = ("-e", "rollout_watch=3")


@pytest.fixture(scope="module")
def versions(drill: Drill, datacenter: Datacenter) -> list[str]:
    """Two good releases; the second one runs."""
    found = []
    for _ in range(2):
        found.append(drill.version())
        datacenter.playbook("-e", f"release={found[-1]}", *QUICK, *variants.good(found[-1]), playbook=DEPLOY)
    return found


def served(datacenter: Datacenter) -> set[str]:
    """Return the versions that the public address serves."""
    return {datacenter.get("/api/v1/").body["version"] for _ in range(9)}


def test_rollback_needs_no_archive_and_no_build(versions: list[str], datacenter: Datacenter) -> None:
    images, away = ROOT / "build" / "images", ROOT / "build" / "images.away"
    shutil.rmtree(away, ignore_errors=True)
    images.rename(away)
    try:
        datacenter.playbook(*QUICK, "-e", "container_images_base=no/such:base", playbook=ROLLBACK)
    finally:
        shutil.rmtree(images, ignore_errors=True)
        away.rename(images)
    assert served(datacenter) == {versions[0]}


def test_rollback_to_a_named_release(versions: list[str], datacenter: Datacenter) -> None:
    datacenter.playbook("-e", f"release={versions[1]}", *QUICK, playbook=ROLLBACK)
    assert served(datacenter) == {versions[1]}


def test_rollback_to_an_unknown_release_is_refused(versions: list[str], datacenter: Datacenter) -> None:
    run = datacenter.playbook("-e", "release=77", code=2, playbook=ROLLBACK)
    assert "release 77 never ran well here; known good releases" in run.output


def test_version_that_dies_within_the_watch_goes_back_and_only_one_server_had_it(
    versions: list[str], datacenter: Datacenter, drill: Drill
) -> None:
    version, before = drill.version(), drill.containers()
    context = variants.broken(version, variants.DIES.format(seconds=20))
    run = datacenter.playbook("-e", f"release={version}", *context, code=2, playbook=DEPLOY)
    assert "exit code 9" in run.output or "restarted" in run.output
    datacenter.wait("all members up", drill.all_up)
    after = drill.containers()
    assert len([host for host in after if after[host] != before[host]]) == 1
    assert served(datacenter) == {versions[1]}
    assert datacenter.journal()[-1]["result"] == "failed"


def test_manual_rollback_stops_and_explains(versions: list[str], datacenter: Datacenter, drill: Drill) -> None:
    version = drill.version()
    context = variants.broken(version, variants.NEVER_STARTS)
    given = ("-e", f"release={version}", "-e", "rollback=manual", "-e", "rollout_timeout=30")
    run = datacenter.playbook(*given, *context, code=2, playbook=DEPLOY)
    assert "Nothing was put back (rollback=manual)" in run.output
    states = {member["member"]: member["state"] for member in datacenter.pools() if member["pool"] == "backend"}
    assert [name for name, state in states.items() if not state.startswith("UP")] == ["app1"]
    assert served(datacenter) == {versions[1]}


def test_rollback_after_a_manual_stop_makes_the_failed_server_whole(
    versions: list[str], datacenter: Datacenter, drill: Drill
) -> None:
    datacenter.playbook(*QUICK, playbook=ROLLBACK)
    assert drill.all_up()
    assert served(datacenter) == {versions[1]}


def test_killed_run_is_finished_by_the_same_command(versions: list[str], datacenter: Datacenter, drill: Drill) -> None:
    version = drill.version()
    given = ("-e", f"release={version}", *QUICK, *variants.good(version))

    def kill(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)

    assert at_line(datacenter, "Bring the copy into its configuration", kill, *given) == -signal.SIGKILL
    datacenter.playbook(*given, playbook=DEPLOY)
    assert drill.all_up()
    assert served(datacenter) == {version}
    assert [record["result"] for record in datacenter.journal()[-2:]] == ["interrupted", "success"]


def test_server_that_becomes_unreachable_stays_drained_and_the_rerun_finishes(
    versions: list[str], datacenter: Datacenter, drill: Drill, containers: Callable[..., str]
) -> None:
    version = drill.version()
    given = ("-e", f"release={version}", *QUICK, *variants.good(version))
    lost = f"enlevohub-{datacenter.inventory.name}-app2"

    def pause_second(_: subprocess.Popen[str]) -> None:
        containers("pause", lost)

    try:
        code = at_line(datacenter, "[app2 -> lb1", pause_second, *given)
        assert code != 0
        datacenter.wait("answers of the others", lambda: len(served(datacenter)) > 0, 60)
        states = {member["member"]: member["state"] for member in datacenter.pools() if member["pool"] == "backend"}
        assert not states["app2"].startswith("UP")
    finally:
        if containers("inspect", "--format", "{{.State.Status}}", lost).strip() == "paused":
            containers("unpause", lost)
    datacenter.wait("SSH of app2", lambda: datacenter.run("app2", "true") == "", 120)
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    datacenter.playbook(*given, playbook=DEPLOY)
    assert drill.all_up()
    assert served(datacenter) == {version}


def test_too_few_other_members_stop_a_release_before_it_begins(
    versions: list[str], datacenter: Datacenter, drill: Drill
) -> None:
    before = served(datacenter)
    lost = datacenter.groups["backend_servers"][-1]
    datacenter.balancer("drain", "backend", lost)
    version = drill.version()
    try:
        given = ("-e", f"release={version}", *QUICK, *variants.good(version))
        run = datacenter.playbook(*given, code=2, playbook=DEPLOY)
    finally:
        datacenter.balancer("enable", "backend", lost)
    assert "2 must be" in run.output
    assert served(datacenter) == before


def test_drained_member_stays_drained_over_a_converge(versions: list[str], datacenter: Datacenter) -> None:
    server = datacenter.groups["backend_servers"][-1]
    datacenter.balancer("drain", "backend", server)
    try:
        datacenter.playbook("-e", "haproxy_check_interval=3s")  # a change that reloads HAProxy
        states = {member["member"]: member["state"] for member in datacenter.pools() if member["pool"] == "backend"}
        assert states[server].startswith("DRAIN")
    finally:
        datacenter.balancer("enable", "backend", server)
    datacenter.playbook()


def test_two_copies_per_server_and_back_lose_no_request(
    versions: list[str], datacenter: Datacenter, drill: Drill
) -> None:
    def act() -> dict[str, object]:
        datacenter.playbook("-e", "backend_replicas=2", *QUICK, playbook=SCALE)
        names = {member["member"] for member in datacenter.pools() if member["pool"] == "backend"}
        drill.renew()
        version = drill.version()
        given = ("-e", f"release={version}", "-e", "backend_replicas=2", *QUICK, *variants.good(version))
        datacenter.playbook(*given, playbook=DEPLOY)
        drill.renew()
        datacenter.playbook(*QUICK, playbook=SCALE)
        return {"names": names}

    result = drill.case("two copies per server, a release, one copy again", True, act)
    servers = datacenter.groups["backend_servers"]
    assert result.notes["names"] == {*servers, *(f"{server}-2" for server in servers)}
    assert {member["member"] for member in datacenter.pools() if member["pool"] == "backend"} == set(servers)
    assert result.during.problems == {}


def test_dead_server_is_removed(
    versions: list[str], datacenter: Datacenter, drill: Drill, containers: Callable[..., str]
) -> None:
    with one_more_server(datacenter) as name:
        datacenter.playbook("-e", f"backend={name}", playbook="playbooks/add-backend.yml")
        assert name in {member["member"] for member in datacenter.pools()}
        containers("kill", f"enlevohub-{datacenter.inventory.name}-{name}")
        datacenter.playbook("-e", f"backend={name}", playbook="playbooks/remove-backend.yml")
        assert name not in {member["member"] for member in datacenter.pools()}
    assert drill.all_up()


def test_removal_below_the_minimum_is_refused(versions: list[str], datacenter: Datacenter) -> None:
    given = ("-e", '{"backend": "app3", "backend_minimum": 3}')
    run = datacenter.playbook(*given, code=2, playbook="playbooks/remove-backend.yml")
    assert "backend_minimum is 3" in run.output


def test_kill_of_a_backend_heals(versions: list[str], drill: Drill) -> None:
    result = drill.kill()
    print(f"\n{result.name}: {result.during.failed} of {result.during.requests}, {result.notes}")
    assert drill.all_up()


def test_restart_of_the_engine_heals(versions: list[str], drill: Drill) -> None:
    result = drill.engine()
    print(f"\n{result.name}: {result.during.failed} of {result.during.requests}, {result.notes}")
    assert drill.all_up()


def test_switchover_of_the_database_in_a_release_loses_no_request(versions: list[str], drill: Drill) -> None:
    result = drill.switchover()
    assert (result.during.problems, result.notes["problems"]) == ({}, [])


def test_client_of_the_drill_can_fail(versions: list[str], drill: Drill) -> None:
    assert drill.control().during.failed > 0
