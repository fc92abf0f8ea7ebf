"""Our own requests to an F5: tokens, tries, faults, AS3; in this process, without Ansible around them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.module_utils.f5_client import F5Client, F5Error, F5NotFoundError
from ansible_collections.enlevohub.datacenter.plugins.modules import f5_as3, f5_state
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_render import f5_declaration

from enlevohub_f5sim.server import LOGIN, Simulator
from tests.f5.site import BACKEND, FRONTEND, PASSWORD, USER, Site
from tests.f5.test_render import model, schema_errors

POOL = "/mgmt/tm/ltm/pool/~Common~enlevohub_backend"


@pytest.fixture
def site(f5: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An F5 with the pools, trusted by this process."""
    monkeypatch.setenv("SSL_CERT_FILE", str(f5.certificate))
    f5.seed()
    return f5


def provider(simulator: Simulator, **changed: Any) -> dict[str, Any]:
    """Return how to reach the F5."""
    return {
        "server": "127.0.0.1",
        "server_port": simulator.port,
        "user": USER,
        "password": PASSWORD,
        "validate_certs": True,
        "no_f5_teem": True,
        **changed,
    }


@pytest.fixture
def client(site: Site) -> Iterator[F5Client]:
    """A session that tries three times without waiting."""
    with F5Client(provider(site.simulator), tries=3, delay=0) as session:
        yield session


def logins(simulator: Simulator) -> int:
    """Return how often somebody logged in or tried."""
    return len([request for request in simulator.log if request.path == LOGIN])


def test_token_is_given_back(site: Site) -> None:
    with F5Client(provider(site.simulator)) as session:
        assert session.get(POOL)["name"] == "enlevohub_backend"
        assert len(site.simulator.tokens) == 1
    assert site.simulator.tokens == {}


def test_token_is_given_back_after_an_error(site: Site) -> None:
    with pytest.raises(F5NotFoundError), F5Client(provider(site.simulator)) as session:
        session.get("/mgmt/tm/ltm/pool/~Common~gone")
    assert site.simulator.tokens == {}


def test_wrong_password_is_tried_once(site: Site) -> None:
    wanted = rf"refuses the user {USER} or its password \(401\). It is not tried again"
    wrong = F5Client(provider(site.simulator, password="wrong"), tries=5, delay=0)
    with pytest.raises(F5Error, match=wanted), wrong:
        pass
    assert logins(site.simulator) == 1


def test_no_password_in_any_error(site: Site) -> None:
    site.simulator.fault(status=500)
    with pytest.raises(F5Error) as error, F5Client(provider(site.simulator), tries=2, delay=0):
        pass
    assert PASSWORD not in str(error.value)


def test_certificate_that_is_not_trusted_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(F5Error, match="certificate"), F5Client(provider(site.simulator), tries=1, delay=0):
        pass


def test_certificate_may_be_left_unchecked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with F5Client(provider(site.simulator, validate_certs=False)) as session:
        assert session.get(POOL)["name"] == "enlevohub_backend"


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"refuse": True}])
def test_short_fault_is_survived(site: Site, client: F5Client, fault: dict[str, Any]) -> None:
    site.simulator.fault(path="/pool/", times=2, **fault)
    assert client.get(POOL)["name"] == "enlevohub_backend"


@pytest.mark.parametrize(
    ("fault", "said"),
    [({"status": 503}, "answers 503 fault of the simulator"), ({"refuse": True}, "cannot be reached")],
)
def test_long_fault_ends_with_its_reason(site: Site, client: F5Client, fault: dict[str, Any], said: str) -> None:
    before = len(site.simulator.log)
    site.simulator.fault(path="/pool/", **fault)
    with pytest.raises(F5Error, match=rf"{said}.*3 tries"):
        client.get(POOL)
    assert len(site.simulator.log) == before + 3


def test_slow_answer_is_waited_for(site: Site, client: F5Client) -> None:
    site.simulator.fault(path="/pool/", delay=1.0, times=1)
    begin = time.monotonic()
    assert client.get(POOL)["name"] == "enlevohub_backend"
    assert time.monotonic() - begin >= 1.0


def test_f5_that_is_not_there_is_named() -> None:
    nowhere = {"server": "127.0.0.1", "server_port": 1, "user": "u", "password": "p", "validate_certs": True}
    with pytest.raises(F5Error, match=r"https://127\.0\.0\.1:1 cannot be reached"), F5Client(nowhere, 2, 0):
        pass


def test_token_that_ran_out_is_replaced(site: Site, client: F5Client) -> None:
    site.simulator.tokens.clear()
    assert client.get(POOL)["name"] == "enlevohub_backend"
    assert logins(site.simulator) == 2


def test_too_many_tokens_are_told(site: Site) -> None:
    site.simulator.most_tokens = 0
    with pytest.raises(F5Error, match="maximum active login tokens"), F5Client(provider(site.simulator), 1, 0):
        pass


# --- f5_state


def parameters(**changed: Any) -> dict[str, Any]:
    """Return the parameters of the module."""
    return {
        "pools": [BACKEND, FRONTEND],
        "monitors": [],
        "virtuals": [],
        "wait": "no",
        "members": [],
        "connections": 0,
        **changed,
    }


def test_state_has_every_member(client: F5Client) -> None:
    found = f5_state.read(client, parameters())
    assert [member["name"] for member in found["pools"][BACKEND]["members"]] == ["app1:3001", "app2:3001", "app3:3001"]
    assert {node["name"]: node["address"] for node in found["nodes"]}["app2"] == "192.0.2.12"


@pytest.mark.parametrize(
    ("session", "state", "admin"),
    [
        ("user-enabled", "user-up", "enabled"),
        ("user-disabled", "user-up", "disabled"),
        ("user-disabled", "user-down", "forced_offline"),
    ],
)
def test_administrative_state_is_what_was_written(
    site: Site, client: F5Client, session: str, state: str, admin: str
) -> None:
    member = site.simulator.device.member(BACKEND, "app2:3001")
    member.session, member.state = session, state
    pool = f5_state.read_pool(client, BACKEND)
    assert pool is not None
    assert pool["members"][1]["admin"] == admin


def test_connections_are_those_of_the_member(site: Site, client: F5Client) -> None:
    site.simulator.device.member(BACKEND, "app2:3001").stuck = 7
    pool = f5_state.read_pool(client, BACKEND)
    assert pool is not None
    assert [member["connections"] for member in pool["members"]] == [0, 7, 0]


def test_pool_that_is_not_there_is_none(client: F5Client) -> None:
    assert f5_state.read_pool(client, "/Common/gone") is None


def test_waiting_for_up_names_who_is_not(site: Site, client: F5Client) -> None:
    site.simulator.device.health[("192.0.2.12", 3001)] = "down"
    wanted = [
        {"path": BACKEND, "address": address, "port": 3001} for address in ("192.0.2.11", "192.0.2.12", "192.0.2.19")
    ]
    found = f5_state.read(client, parameters())["pools"]
    left = f5_state.waiting(found, parameters(wait="up", members=wanted))
    assert [item["name"] for item in left] == ["app2:3001", "192.0.2.19:3001"]


def test_waiting_for_drained_allows_some_connections(site: Site, client: F5Client) -> None:
    site.simulator.device.member(BACKEND, "app2:3001").stuck = 2
    found = f5_state.read(client, parameters())["pools"]
    wanted = [{"path": BACKEND, "address": "192.0.2.12", "port": 3001}]
    assert f5_state.waiting(found, parameters(wait="drained", members=wanted, connections=2)) == []
    assert len(f5_state.waiting(found, parameters(wait="drained", members=wanted, connections=1))) == 1


# --- f5_as3


@pytest.fixture
def bare(f5: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[F5Client]:
    """A session with an F5 that has no pool yet."""
    monkeypatch.setenv("SSL_CERT_FILE", str(f5.certificate))
    with F5Client(provider(f5.simulator), tries=3, delay=0) as session:
        yield session


@pytest.fixture
def request_body() -> dict[str, Any]:
    """The declaration of the whole application."""
    return f5_declaration(model("as3"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the module keeps lies in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def as3(request: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """Return the parameters of the module."""
    given = {"declaration": request, "tenant": "EnlevoHub", "dry_run": True, "timeout": 20, "keep": "rollback.json"}
    return {**given, **changed}


def test_as3_changes_once(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    f5.simulator.as3.check = schema_errors
    assert f5_as3.push(bare, as3(request_body), False)["changed"] is True
    assert "/EnlevoHub/enlevohub/enlevohub_backend" in f5.simulator.device.members
    before = len(f5.simulator.writes())
    again = f5_as3.push(bare, as3(request_body), False)
    assert again["changed"] is False
    assert len(f5.simulator.writes()) == before


def test_way_back_of_as3_is_what_the_tenant_had(
    f5: Site, bare: F5Client, request_body: dict[str, Any], tmp_path: Path
) -> None:
    def back() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((tmp_path / "rollback.json").read_text())
        return found

    f5_as3.push(bare, as3(request_body), False)
    nothing = back()
    assert nothing["declaration"]["EnlevoHub"] == {"class": "Tenant"}
    states = {"backend 192.0.2.12 3001": {"admin": "disabled", "remark": ""}}
    f5_as3.push(bare, as3(f5_declaration(model("as3"), states)), False)
    assert back()["declaration"]["EnlevoHub"] == request_body["declaration"]["EnlevoHub"]
    f5_as3.push(bare, as3(back()), False)
    assert f5.simulator.device.member("/EnlevoHub/enlevohub/enlevohub_backend", "app2:3001").session == "user-enabled"
    f5_as3.push(bare, as3(nothing), False)
    assert not [path for path in f5.simulator.device.members if path.startswith("/EnlevoHub/")]


def test_as3_only_names_its_tenant(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    f5.simulator.device.create("ltm/pool", "/Other/pool", {})
    f5_as3.push(bare, as3(request_body), False)
    posts = [item.path for item in f5.simulator.log if item.method == "POST" and "appsvcs" in item.path]
    assert set(posts) == {"/mgmt/shared/appsvcs/declare/EnlevoHub"}
    assert "/Other/pool" in f5.simulator.device.members


def test_as3_check_mode_ends_after_the_dry_run(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    assert f5_as3.push(bare, as3(request_body), True)["changed"] is True
    assert f5.simulator.writes() == []
    assert f5.simulator.device.declared == {}


def test_as3_refusal_is_told_before_the_change(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    f5.simulator.as3.check = lambda body: ["/EnlevoHub/enlevohub: should be another"]
    with pytest.raises(F5Error, match=r"dry run, nothing is changed.*should be another"):
        f5_as3.push(bare, as3(request_body), False)
    assert f5.simulator.writes() == []


def test_as3_refusal_of_the_device_is_told(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(request_body))
    broken["declaration"]["EnlevoHub"]["enlevohub"]["enlevohub_https"]["pool"] = {"bigip": "/Common/gone"}
    with pytest.raises(F5Error, match="/Common/gone"):
        f5_as3.push(bare, as3(broken), False)


def test_as3_task_that_never_ends_is_given_up(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    f5.simulator.as3.endless = True
    with pytest.raises(F5Error, match=r"the task task-1 of AS3 has not ended after 1 s.*before you try again"):
        f5_as3.push(bare, as3(request_body, timeout=1), False)


def test_busy_as3_is_asked_again(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    f5.simulator.as3.busy = 2
    assert f5_as3.push(bare, as3(request_body), False)["changed"] is True


def test_as3_that_stays_busy_is_told(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    f5.simulator.as3.busy = 99
    with pytest.raises(F5Error, match=r"503 Configuration operation in progress.*3 tries"):
        f5_as3.push(bare, as3(request_body), False)


def test_f5_without_as3_is_told(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    f5.simulator.fault(path="/appsvcs/info", status=404)
    with pytest.raises(F5Error, match="has no AS3"):
        f5_as3.push(bare, as3(request_body), False)


def test_older_as3_is_told(f5: Site, bare: F5Client, request_body: dict[str, Any]) -> None:
    request_body["declaration"]["schemaVersion"] = "3.99.0"
    with pytest.raises(F5Error, match=r"knows no schema 3\.99\.0"):
        f5_as3.push(bare, as3(request_body), False)


def test_as3_keeps_a_drained_member_and_the_connections_of_the_others(
    f5: Site, bare: F5Client, request_body: dict[str, Any]
) -> None:
    path = "/EnlevoHub/enlevohub/enlevohub_backend"
    f5_as3.push(bare, as3(request_body), False)
    f5.simulator.device.member(path, "app1:3001").current = 5
    states = {"backend 192.0.2.12 3001": {"admin": "disabled", "remark": "EnlevoHub: drained"}}
    f5_as3.push(bare, as3(f5_declaration(model("as3"), states)), False)
    drained = f5.simulator.device.member(path, "app2:3001")
    assert (drained.session, drained.state, drained.description) == ("user-disabled", "user-up", "EnlevoHub: drained")
    assert f5.simulator.device.member(path, "app1:3001").current == 5


def test_log_of_the_simulator_has_no_secret(tmp_path: Path, site: Site, client: F5Client) -> None:
    token = next(iter(site.simulator.tokens))
    client.get(POOL)
    text = json.dumps([request.__dict__ for request in site.simulator.log])
    assert PASSWORD not in text
    assert token not in text
