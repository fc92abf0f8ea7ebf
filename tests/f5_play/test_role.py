"""The role against the simulator: the real ansible-playbook and the real modules, no Docker."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.f5.site import BACKEND, FRONTEND, HOSTS, PASSWORD, Site, pools
from tests.f5.test_render import schema_errors

ENABLED = {"app1:3001": "user-enabled", "app2:3001": "user-enabled", "app3:3001": "user-enabled"}
MEMBER = "/mgmt/tm/ltm/pool/~Common~enlevohub_backend/members/~Common~app2:3001"
WHOLE: dict[str, Any] = {"f5_pool_virtual_servers": True, "f5_pool_virtual_address": "192.0.2.100"}


@pytest.fixture
def seeded(f5: Site) -> Site:
    """An F5 that has the pools."""
    f5.seed()
    return f5


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Everything that leaves this machine would connect here."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
        yield listener


def bodies(f5: Site, path: str = MEMBER) -> list[dict[str, str]]:
    """Return session, state and description of each write to a member."""
    return [request.body for request in f5.simulator.writes() if request.method == "PATCH" and request.path == path]


def test_blank_f5_is_filled_once_and_nothing_leaks(f5: Site, internet: socket.socket) -> None:
    first = f5.run(options=("-vvv", "--diff"), f5_pool_virtual_servers=False)
    assert f5.sessions() == ENABLED
    assert f5.sessions(FRONTEND) == {"app1:80": "user-enabled"}
    posted = [item.body for item in f5.simulator.writes() if item.path.endswith("/members")]
    assert {body["session"] for body in posted} == {"user-disabled"}
    assert f5.simulator.device.saved == 1
    assert (f5.directory / "artefacts/rollback.tmsh").read_text().startswith(f"delete ltm pool {BACKEND}")
    writes = len(f5.simulator.writes())
    second = f5.run("apply", options=("-vvv", "--diff"))
    assert second.changed == []
    assert len(f5.simulator.writes()) == writes
    assert f5.simulator.tokens == {}
    said = first.output + second.output
    assert PASSWORD not in said
    assert [token for token in f5.simulator.given if token in said] == []
    with pytest.raises(TimeoutError):
        internet.accept()


def test_check_mode_writes_nothing(f5: Site) -> None:
    f5.seed({"app1": HOSTS["app1"], "app2": HOSTS["app2"]})
    run = f5.run(options=("--check",))
    assert "+ member app3:3001 of /Common/enlevohub_backend (192.0.2.13)" in run.said
    assert f5.simulator.writes() == []
    assert not (f5.directory / "artefacts").exists()


def test_virtual_servers_are_made_once(seeded: Site) -> None:
    seeded.run(**WHOLE, f5_pool_sync_group="pair")
    virtuals = seeded.simulator.device.table("ltm/virtual")
    assert {path: item["destination"] for path, item in virtuals.items()} == {
        "/Common/enlevohub_http": "/Common/192.0.2.100:80",
        "/Common/enlevohub_https": "/Common/192.0.2.100:443",
    }
    assert seeded.simulator.device.synced == ["config-sync to-group pair"]
    profile = seeded.simulator.device.table("ltm/profile/http")["/Common/enlevohub_headers"]
    assert profile["headerInsert"] == "X-Forwarded-Proto: https"
    assert (profile["hsts"]["mode"], profile["hsts"]["maximumAge"]) == ("enabled", 31536000)
    writes = len(seeded.simulator.writes())
    again = seeded.run(**WHOLE, f5_pool_sync_group="pair")
    assert again.changed == []
    assert len(seeded.simulator.writes()) == writes
    profile["hsts"]["mode"] = "disabled"
    repaired = seeded.run(**WHOLE)
    assert "~ profile /Common/enlevohub_headers: other headers" in repaired.said
    assert profile["hsts"]["mode"] == "enabled"


def test_member_is_added_before_another_leaves(f5: Site) -> None:
    f5.seed({"app1": HOSTS["app1"], "app2": HOSTS["app2"], "app4": "192.0.2.14"})
    f5.simulator.device.member(BACKEND, "app2:3001").session = "user-disabled"
    f5.run()
    assert f5.sessions() == {**ENABLED, "app2:3001": "user-disabled"}
    steps = [
        f"{item.method} {item.path.rsplit('/', 1)[-1]} {item.body.get('session', '')}".strip()
        for item in f5.simulator.writes()
        if "members" in item.path or "/node/" in item.path
    ]
    assert steps == [
        "POST members user-disabled",
        "PATCH ~Common~app3:3001 user-enabled",
        "PATCH ~Common~app4:3001 user-disabled",
        "DELETE ~Common~app4:3001",
        "DELETE ~Common~app4",
    ]


def test_too_many_removals_write_nothing(f5: Site) -> None:
    f5.seed({**HOSTS, "app4": "192.0.2.14", "app5": "192.0.2.15"})
    run = f5.run(code=2)
    assert "2 members would leave" in run.said
    assert f5.simulator.writes() == []


def test_new_member_that_is_not_up_gets_nothing_until_it_is(f5: Site) -> None:
    f5.seed({"app1": HOSTS["app1"], "app2": HOSTS["app2"]})
    f5.simulator.device.health[("192.0.2.13", 3001)] = "down"
    run = f5.run(code=2, f5_pool_new_member_timeout=1)
    assert "Not up after 1 s: app3:3001" in run.said
    assert f5.sessions() == {**ENABLED, "app3:3001": "user-disabled"}
    f5.simulator.device.health.clear()
    f5.run()
    assert f5.sessions() == ENABLED


def test_error_that_the_module_swallows_is_found(f5: Site) -> None:
    f5.seed()
    f5.simulator.device.table("ltm/pool")[BACKEND]["loadBalancingMode"] = "round-robin"
    f5.simulator.fault(method="PATCH", path="pool/~Common~enlevohub_backend$", status=503)
    run = f5.run(code=2)
    assert "said yes to everything, but this is still not there" in run.said
    assert "load balancing round-robin -> least-connections-member" in run.said
    assert f5.simulator.device.saved == 0


def test_run_that_died_before_it_saved_is_saved_by_the_next(f5: Site) -> None:
    f5.simulator.fault(method="POST", path="/util/bash$", status=403)
    f5.run(code=2)
    assert (f5.sessions(), f5.simulator.device.saved) == (ENABLED, 0)
    f5.simulator.faults.clear()
    f5.run()
    assert f5.simulator.device.saved == 1
    assert f5.run().changed == []
    assert f5.simulator.device.saved == 1


def test_short_fault_of_a_write_is_survived(f5: Site) -> None:
    f5.seed({"app1": HOSTS["app1"], "app2": HOSTS["app2"]})
    f5.simulator.fault(method="POST", path="/members$", status=503, times=1)
    f5.simulator.fault(method="PATCH", path="/members/", refuse=True, times=1)
    f5.run()
    assert f5.sessions() == ENABLED
    assert f5.simulator.tokens == {}


def test_wrong_password_is_one_try_and_one_sentence(seeded: Site) -> None:
    run = seeded.run(code=2, f5_pool_password="Another-Secret-Word")
    assert "refuses the user enlevohub or its password (401)" in run.said
    assert "Another-Secret-Word" not in run.output
    assert len(seeded.simulator.log) == 1


def test_as3_is_pushed_once_and_keeps_what_is_drained(f5: Site) -> None:
    f5.simulator.as3.check = schema_errors
    f5.values.update(WHOLE, f5_pool_push="as3")
    f5.run()
    pool = "/EnlevoHub/enlevohub/enlevohub_backend"
    assert f5.sessions(pool) == ENABLED
    f5.run(("drain", "app2"))
    assert f5.sessions(pool)["app2:3001"] == "user-disabled"
    writes = len(f5.simulator.writes())
    again = f5.run("apply", ("enable", "app2"))
    assert "kept disabled, a run that did not end left it so" in again.said
    assert f5.sessions(pool) == ENABLED
    posts = [item for item in f5.simulator.writes()[writes:] if "appsvcs" in item.path]
    assert len(posts) <= 1  # the description that the drain left is part of the declaration
    assert f5.simulator.tokens == {}


# --- verbs


def test_drain_and_enable_write_what_they_say(seeded: Site) -> None:
    run = seeded.run(("drain", "app2"), ("enable", "app2"), options=("-vvv",))
    assert bodies(seeded) == [
        {"description": "EnlevoHub: drained", "session": "user-disabled", "state": "user-up"},
        {"description": "", "session": "user-enabled", "state": "user-up"},
    ]
    assert PASSWORD not in run.output
    assert [token for token in seeded.simulator.given if token in run.output] == []
    assert seeded.simulator.tokens == {}


def test_connections_that_do_not_end_force_the_member_offline(seeded: Site) -> None:
    seeded.simulator.device.member(BACKEND, "app2:3001").stuck = 2
    seeded.run(("drain", "app2"), load_balancer_drain_timeout=1)
    assert seeded.sessions()["app2:3001"] == "forced"
    seeded.run(("enable", "app2"))
    assert seeded.sessions() == ENABLED
    assert [(body["session"], body["state"]) for body in bodies(seeded)] == [
        ("user-disabled", "user-up"),
        ("user-disabled", "user-down"),
        ("user-disabled", "user-up"),
        ("user-enabled", "user-up"),
    ]


def test_drain_that_a_dead_run_began_is_waited_for(seeded: Site) -> None:
    member = seeded.simulator.device.member(BACKEND, "app2:3001")
    member.session, member.description, member.stuck = "user-disabled", "EnlevoHub: drained", 2
    seeded.run(("drain", "app2"), load_balancer_drain_timeout=1)
    assert seeded.sessions()["app2:3001"] == "forced"


def test_policy_abort_gives_the_member_back(seeded: Site) -> None:
    seeded.simulator.device.member(BACKEND, "app2:3001").stuck = 2
    run = seeded.run(("drain", "app2"), code=2, load_balancer_drain_timeout=1, f5_pool_drain_policy="abort")
    assert "2 connection(s) are left" in run.said
    assert "It gets requests as before" in run.said
    assert seeded.sessions() == ENABLED


def test_too_few_other_members_refuse_a_drain(seeded: Site) -> None:
    seeded.simulator.device.health[("192.0.2.13", 3001)] = "down"
    run = seeded.run(("drain", "app2"), code=2, load_balancer_minimum=2)
    assert "app2 is not drained: only 1 other member(s)" in run.said
    assert seeded.simulator.writes() == []


def test_fault_after_the_drain_gives_the_member_back(seeded: Site) -> None:
    before = len(seeded.simulator.device.members[BACKEND])
    seeded.simulator.fault(path="/members/stats$", status=500, skip=1)
    run = seeded.run(("drain", "app2"), code=2, f5_pool_tries=2)
    assert "app2 was not drained" in run.said
    assert "It gets requests as before" in run.said
    assert seeded.sessions() == ENABLED
    assert len(seeded.sessions()) == before


def test_f5_that_refuses_every_write_is_told_with_the_member(seeded: Site) -> None:
    seeded.simulator.fault(method="PATCH", path="/members/", status=500)
    run = seeded.run(("drain", "app2"), code=2, f5_pool_tries=2)
    assert "It could NOT be enabled again" in run.said
    assert "Enable app2:3001 of /Common/enlevohub_backend by hand" in run.said
    assert seeded.sessions() == ENABLED


def test_member_that_is_not_up_is_not_enabled(seeded: Site) -> None:
    seeded.simulator.device.health[("192.0.2.12", 3001)] = "down"
    member = seeded.simulator.device.member(BACKEND, "app2:3001")
    member.session, member.description = "user-disabled", "EnlevoHub: drained"
    run = seeded.run(("enable", "app2"), code=2, load_balancer_enable_timeout=1)
    assert "app2 is not up after 1 s: the monitor of /Common/enlevohub_backend says down" in run.said
    assert "It stays drained" in run.said
    assert seeded.simulator.writes() == []


def test_what_somebody_else_disabled_stays_so(seeded: Site) -> None:
    seeded.simulator.device.member(BACKEND, "app2:3001").session = "user-disabled"
    run = seeded.run("apply", ("drain", "app2"), ("enable", "app2"))
    assert "was disabled before this run, by somebody else" in run.said
    assert seeded.simulator.writes() == []


def test_verbs_without_credentials_do_nothing(f5: Site) -> None:
    f5.run("apply", ("drain", "app2"), ("enable", "app2"), f5_pool_push="none", f5_pool_password="")
    assert f5.simulator.log == []
    assert {path.name for path in (f5.directory / "artefacts").iterdir()} == {
        "README.md",
        "as3.json",
        "members.txt",
        "pools.tmsh",
    }


def test_member_that_the_f5_does_not_have_is_no_error(f5: Site) -> None:
    f5.seed({"app1": HOSTS["app1"], "app2": HOSTS["app2"]})
    f5.run(("drain", "app3"), ("enable", "app3"), f5_pool_pools=pools())
    assert f5.simulator.writes() == []
