"""What the simulator keeps: its saved configuration, and a line for each request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils.f5_client import F5Client
from ansible_collections.enlevohub.datacenter.plugins.modules import f5_as3
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_model import f5_model
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_render import f5_declaration

from enlevohub_f5sim import pools as program
from enlevohub_f5sim.journal import Journal, drains
from enlevohub_f5sim.objects import BigIp
from enlevohub_f5sim.server import Simulator
from tests.f5.site import BACKEND, OPTIONS, PASSWORD, USER, Site, pools

SAVE = {"command": "run", "utilCmdArgs": '-c "tmsh save sys config"'}
PATH = f"/mgmt/tm/ltm/pool/{BACKEND.replace('/', '~')}/members/~Common~app2:3001"


@pytest.fixture
def kept(tmp_path: Path, certificate: tuple[Path, Path]) -> Any:
    """A blank device that keeps configuration and journal in files."""
    device = BigIp(file=tmp_path / "saved.json")
    with Simulator({USER: PASSWORD}, device, journal=Journal(tmp_path / "log")).serve(*certificate) as simulator:
        yield Site(simulator, tmp_path, certificate[0])


@pytest.fixture
def seeded(kept: Site) -> Site:
    """The same with pools."""
    kept.seed()
    return kept


@pytest.fixture
def hand(seeded: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The program load-balancer-pools of that device."""
    monkeypatch.setenv("F5SIM_ADDRESS", f"https://127.0.0.1:{seeded.simulator.port}")
    monkeypatch.setenv("F5SIM_USER", USER)
    monkeypatch.setenv("F5SIM_PASSWORD", PASSWORD)
    monkeypatch.setenv("F5SIM_CA", str(seeded.certificate))
    return seeded


def call(kept: Site, method: str, path: str, body: dict[str, Any]) -> None:
    """Send a request past the network."""
    kept.simulator.device.request(method, path, {}, body)


def test_saved_configuration_is_there_after_a_restart_and_what_was_not_saved_is_gone(seeded: Site) -> None:
    device = seeded.simulator.device
    device.member(BACKEND, "app1:3001").current = 3
    call(seeded, "PATCH", PATH, {"session": "user-disabled", "state": "user-up", "description": "by hand"})
    call(seeded, "POST", "/mgmt/tm/util/bash", SAVE)
    call(seeded, "PATCH", PATH.replace("app2", "app3"), {"session": "user-disabled", "state": "user-up"})
    again = BigIp(file=device.file)
    found = {item.name: (item.session, item.description, item.current) for item in again.members[BACKEND].values()}
    assert found == {
        "app1:3001": ("user-enabled", "", 0),
        "app2:3001": ("user-disabled", "by hand", 0),
        "app3:3001": ("user-enabled", "", 0),
    }
    assert again.table("ltm/pool") == device.table("ltm/pool")


def test_declaration_counts_on_what_is_under_way(kept: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(kept.certificate))
    provider = {"server": "127.0.0.1", "server_port": kept.simulator.port, "user": USER, "password": PASSWORD}
    path = "/EnlevoHub/enlevohub/enlevohub_backend"
    declaration = f5_declaration(f5_model(pools(), {**OPTIONS, "method": "as3"}))
    given = {"declaration": declaration, "tenant": "EnlevoHub", "dry_run": True, "timeout": 20}
    given["keep"] = str(kept.directory / "rollback.json")
    with F5Client({**provider, "validate_certs": True}, delay=0) as client:
        f5_as3.push(client, given, False)
        under_way = kept.simulator.device.member(path, "app1:3001")
        under_way.current = 1
        states = {"backend 192.0.2.12 3001": {"admin": "disabled", "remark": ""}}
        changed = f5_declaration(f5_model(pools(), {**OPTIONS, "method": "as3"}), states)
        f5_as3.push(client, {**given, "declaration": changed}, False)
    under_way.current -= 1  # the request that began before ends
    assert kept.simulator.device.member(path, "app1:3001").connections == 0
    assert BigIp(file=kept.simulator.device.file).declared.keys() == {"EnlevoHub"}


def test_journal_tells_each_request_to_the_api_without_secrets(seeded: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(seeded.certificate))
    provider = {"server": "127.0.0.1", "server_port": seeded.simulator.port, "user": USER, "password": PASSWORD}
    with F5Client({**provider, "validate_certs": True}) as client:
        client.call("PATCH", PATH, {"session": "user-disabled", "state": "user-up"})
    text = (seeded.directory / "log").read_text()
    (write,) = [entry for entry in map(json.loads, text.splitlines()) if entry["method"] == "PATCH"]
    assert (write["kind"], write["path"], write["status"]) == ("rest", PATH, 200)
    assert write["body"]["session"] == "user-disabled"
    assert 0 <= write["ended"] - write["began"] < 60
    assert PASSWORD not in text
    assert [token for token in seeded.simulator.given if token in text] == []


def test_full_journal_makes_place(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log", most=200)
    for number in range(40):
        journal.write("request", number=number)
    assert 0 < (tmp_path / "log").stat().st_size <= 200
    assert json.loads((tmp_path / "log").read_text().splitlines()[-1])["number"] == 39
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]


def rest(began: float, method: str, session: str = "", status: int = 200, path: str = PATH) -> dict[str, Any]:
    """Return a line about a request to the API that took half a second."""
    body = {"session": session} if session else {}
    told = {"method": method, "path": path, "status": status, "body": body}
    return {"kind": "rest", "began": began, "ended": began + 0.5, **told}


def user(began: float, member: str = "/Common/app2:3001", pool: str = BACKEND) -> dict[str, Any]:
    """Return a line about a request of a user."""
    return {"kind": "request", "began": began, "pool": pool, "member": member, "line": f"GET /{began:g}"}


def test_request_on_a_drained_member_is_found() -> None:
    requests = [user(1.2), user(2), user(2.5, "/Common/app1:3001"), user(3, pool="/Common/other"), user(9), user(10.1)]
    orders = [rest(1, "PATCH", "user-disabled"), rest(5, "PATCH", "user-disabled"), rest(10, "PATCH", "user-enabled")]
    (drain,) = drains([*requests, *orders])
    assert (drain.began, drain.ended, drain.requests) == (1.5, 10, ["GET /2", "GET /9"])


def test_order_that_was_refused_is_no_drain() -> None:
    assert drains([rest(1, "PATCH", "user-disabled", status=503), rest(2, "GET"), user(3)]) == []


def test_new_member_is_drained_from_its_first_moment_until_it_is_enabled() -> None:
    post = rest(1, "POST", "user-disabled", path=PATH.rsplit("/", 1)[0])
    post["body"] |= {"name": "app2:3001", "partition": "Common"}
    (drain,) = drains([post, user(2), rest(3, "PATCH", "user-enabled"), user(4)])
    assert drain.requests == ["GET /2"]


def test_removal_ends_a_drain() -> None:
    (drain,) = drains([rest(1, "PATCH", "user-disabled"), rest(3, "DELETE")])
    assert drain.ended == 3


# --- the program of the lab


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run load-balancer-pools; returns what it printed, read as JSON."""
    monkeypatch.setattr("sys.argv", ["load-balancer-pools", *words])
    program.main()
    said = capsys.readouterr().out
    return json.loads(said) if said else None


def test_pools_are_told_in_the_words_of_every_load_balancer(
    hand: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = hand.simulator.device
    device.put_member(BACKEND, "app1:3002", "Common", {"address": "192.0.2.11"})
    device.member(BACKEND, "app2:3001").session = "user-disabled"
    device.member(BACKEND, "app2:3001").stuck = 2
    device.member(BACKEND, "app3:3001").state = "user-down"
    device.health[("192.0.2.11", 3002)] = "down"
    found = run(monkeypatch, capsys)
    assert [(item["pool"], item["member"], item["address"], item["state"], item["sessions"]) for item in found] == [
        ("backend", "app1", "192.0.2.11:3001", "UP", 0),
        ("backend", "app1-2", "192.0.2.11:3002", "DOWN", 0),
        ("backend", "app2", "192.0.2.12:3001", "DRAIN", 2),
        ("backend", "app3", "192.0.2.13:3001", "MAINT", 0),
        ("frontend", "app1", "192.0.2.11:80", "UP", 0),
    ]


def test_person_drains_and_enables_a_member_and_it_is_saved(
    hand: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, capsys, "drain", "backend", "app2")
    again = BigIp(file=hand.simulator.device.file)
    assert (again.member(BACKEND, "app2:3001").session, hand.sessions()["app2:3001"]) == (("user-disabled",) * 2)
    run(monkeypatch, capsys, "enable", "backend", "app2")
    assert hand.sessions()["app2:3001"] == "user-enabled"


def test_member_that_does_not_come_up_is_told(
    hand: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hand.simulator.device.health[("192.0.2.12", 3001)] = "down"
    with pytest.raises(SystemExit, match=r"app2 of the pool backend is not up after 0\.3 s: DOWN"):
        run(monkeypatch, capsys, "enable", "backend", "app2", "--timeout", "0.3")


def test_unknown_member_is_told(
    hand: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="the pool backend has no member app9"):
        run(monkeypatch, capsys, "drain", "backend", "app9")
