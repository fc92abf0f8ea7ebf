"""The data plane of the simulator: it has to be as hard as an F5, or the tests behind it prove nothing."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from enlevohub_f5sim.journal import Journal
from enlevohub_f5sim.objects import ONECONNECT, REDIRECT, BigIp, Member
from enlevohub_f5sim.plane import DataPlane
from tests.f5.backends import Backend, running, until

ADDRESSES = ("127.0.0.11", "127.0.0.12")
POOL, OTHER = "/Common/api", "/Common/web"


@dataclass
class Stand:
    """Two backends, a frontend, and the device before them."""

    device: BigIp
    plane: DataPlane
    backends: list[Backend]
    frontend: Backend
    certificate: Path

    def open(self, port: int = 443) -> http.client.HTTPConnection:
        """Connect as a user."""
        real = self.plane.ports[port]
        if port == 80:
            return http.client.HTTPConnection("127.0.0.1", real, timeout=20)
        context = ssl.create_default_context(cafile=str(self.certificate))
        return http.client.HTTPSConnection("127.0.0.1", real, timeout=20, context=context)

    def get(
        self,
        path: str = "/api/v1/x",
        connection: http.client.HTTPConnection | None = None,
        headers: dict[str, str] | None = None,
    ) -> str:
        """Send a request; returns the address of the backend that answered."""
        used = connection or self.open()
        used.request("GET", path, headers=headers or {})
        answer = used.getresponse()
        found = str(json.loads(answer.read())["from"])
        if connection is None:
            used.close()
        return found

    def member(self, number: int) -> Member:
        """Return a member of the API's pool."""
        return list(self.device.members[POOL].values())[number]

    def write(self, number: int, session: str, state: str = "user-up") -> None:
        """Set the state of a member."""
        with self.device.lock:
            self.device.set_member(self.member(number), {"session": session, "state": state})


def build(device: BigIp, backends: list[Backend], frontend: Backend, oneconnect: bool, cookie: bool) -> None:
    """Put pools, policy and virtual servers on a device."""
    monitor = {"send": "GET /health/ready HTTP/1.0\\r\\n\\r\\n", "recv": "^HTTP/1\\.[01] 200"}
    monitor["recvDisable"] = "^HTTP/1\\.[01] 503"
    device.create("ltm/monitor/http", "/Common/health", monitor)
    for path, group in ((POOL, backends), (OTHER, [frontend])):
        device.create("ltm/pool", path, {"monitor": "/Common/health"})
        for item in group:
            name = f"n{item.address.replace('.', '_')}:{item.port}"
            device.put_member(path, name, "Common", {"address": item.address})
    device.create("ltm/policy", "/Common/paths", {})
    device.table("ltm/policy")["/Common/paths"]["_rules"] = [
        {"name": str(number), "ordinal": number, "conditions": [condition], "actions": [{"pool": POOL}]}
        for number, condition in enumerate(
            [{"equals": True, "values": ["/api"]}, {"startsWith": True, "values": ["/api/"]}]
        )
    ]
    device.create("ltm/profile/http", "/Common/headers", {"insertXforwardedFor": "enabled", "headerInsert": "X-A: b"})
    device.table("ltm/profile/http")["/Common/headers"]["hsts"] = {"mode": "enabled", "maximumAge": 77}
    profiles: list[Any] = ["/Common/tcp", "/Common/headers", {"name": "/Common/clientssl", "context": "clientside"}]
    values: dict[str, Any] = {"destination": "/Common/192.0.2.100:443", "pool": OTHER, "policies": ["/Common/paths"]}
    values["profiles"] = [*profiles, *([ONECONNECT] if oneconnect else [])]
    values["persist"] = [{"name": "cookie"}] if cookie else []
    device.create("ltm/virtual", "/Common/https", values)
    redirect = {"destination": "/Common/192.0.2.100:80", "profiles": ["/Common/http"], "rules": [REDIRECT]}
    device.create("ltm/virtual", "/Common/http", redirect)


@pytest.fixture
def stand(certificate: tuple[Path, Path], request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A device with a data plane; a parameter may be plain (no OneConnect) or cookie (persistence)."""
    kind = getattr(request, "param", "")
    with ExitStack() as stack:
        *backends, frontend = stack.enter_context(running(*ADDRESSES, "127.0.0.13"))
        device = BigIp()
        build(device, backends, frontend, kind != "plain", kind == "cookie")
        listen = {443: ("127.0.0.1", 0), 80: ("127.0.0.1", 0)}
        plane = stack.enter_context(DataPlane(device, *certificate, listen, hurry=0.05).serve())
        found = Stand(device, plane, backends, frontend, certificate[0])
        until("listening", lambda: len(plane.ports) == 2)
        until("up", lambda: all(item.health == "up" for group in device.members.values() for item in group.values()))
        yield found


@pytest.mark.parametrize(
    ("path", "api"), [("/api", True), ("/api/v1/projects", True), ("/apix", False), ("/", False), ("/x/api/", False)]
)
def test_path_goes_to_its_pool(stand: Stand, path: str, api: bool) -> None:
    assert (stand.get(path) in ADDRESSES) is api


def test_requests_are_spread(stand: Stand) -> None:
    assert {stand.get() for _ in range(6)} == set(ADDRESSES)


def test_plain_http_is_sent_to_https(stand: Stand) -> None:
    connection = stand.open(80)
    connection.request("GET", "/x?y=1", headers={"Host": "obra.example"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (302, "https://obra.example/x?y=1")


def test_backend_is_told_who_asks(stand: Stand) -> None:
    stand.get(headers={"X-Forwarded-For": "6.6.6.6"})
    (headers,) = [item for backend in stand.backends for item in backend.headers]
    assert (headers["x-forwarded-for"], headers["x-a"]) == ("127.0.0.1", "b")


def test_browser_is_told_to_stay_on_https(stand: Stand) -> None:
    connection = stand.open()
    connection.request("GET", "/")
    assert connection.getresponse().headers["Strict-Transport-Security"] == "max-age=77"


def test_disabled_member_gets_no_new_request_even_on_a_kept_connection(stand: Stand) -> None:
    connection = stand.open()
    stand.get(connection=connection)
    stand.write(0, "user-disabled")
    assert {stand.get(connection=connection) for _ in range(5)} == {ADDRESSES[1]}


@pytest.mark.parametrize("stand", ["plain"], indirect=True)
def test_kept_connection_stays_on_its_member_without_oneconnect(stand: Stand) -> None:
    connection = stand.open()
    first = stand.get(connection=connection)
    stand.write(ADDRESSES.index(first), "user-disabled", "user-down")
    assert {stand.get(connection=connection) for _ in range(5)} == {first}
    assert {stand.get() for _ in range(5)} == set(ADDRESSES) - {first}


@pytest.mark.parametrize("stand", ["cookie"], indirect=True)
def test_cookie_brings_clients_back_to_a_disabled_member_but_not_to_one_that_is_offline(stand: Stand) -> None:
    connection = stand.open()
    connection.request("GET", "/api")
    answer = connection.getresponse()
    first = json.loads(answer.read())["from"]
    cookie = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}
    stand.write(ADDRESSES.index(first), "user-disabled")
    assert {stand.get(headers=cookie) for _ in range(5)} == {first}
    stand.write(ADDRESSES.index(first), "user-disabled", "user-down")
    assert {stand.get(headers=cookie) for _ in range(5)} == set(ADDRESSES) - {first}


def test_connections_are_counted_while_they_run(stand: Stand) -> None:
    stand.write(1, "user-disabled")
    stand.backends[0].seconds = 1.0
    connection = stand.open()
    connection.request("GET", "/api")
    until("under way", lambda: stand.member(0).connections == 1)
    stand.write(0, "user-disabled")  # what is under way ends well
    assert json.loads(connection.getresponse().read())["from"] == ADDRESSES[0]
    until("ended", lambda: stand.member(0).connections == 0)
    assert stand.member(0).total == 1


def test_member_that_is_dead_goes_down_and_comes_up_again(stand: Stand) -> None:
    stand.backends[0].replace(dead=0.8)
    assert stand.member(0).health in ("up", "down")
    until("up again", lambda: stand.member(0).health == "up")


def test_member_that_answers_503_gets_no_new_request(stand: Stand) -> None:
    stand.backends[0].ready = False
    until("told to leave", lambda: stand.member(0).told_to_leave)
    assert {stand.get() for _ in range(5)} == {ADDRESSES[1]}


def test_forced_offline_member_is_not_asked(stand: Stand) -> None:
    stand.write(0, "user-disabled", "user-down")
    assert stand.device.state_of(POOL, stand.member(0)) == ("user-disabled", "user-down")
    assert {stand.get() for _ in range(3)} == {ADDRESSES[1]}


def test_no_member_at_all_is_a_failure_for_the_user(stand: Stand) -> None:
    for number in (0, 1):
        stand.write(number, "user-disabled")
    with pytest.raises((OSError, http.client.HTTPException)):
        stand.get()


def test_journal_names_the_member_of_each_request(stand: Stand, tmp_path: Path) -> None:
    stand.plane.journal = Journal(tmp_path / "log")
    stand.write(1, "user-disabled")
    stand.get("/api/v1/x?y=1")
    stand.write(0, "user-disabled")
    with pytest.raises((OSError, http.client.HTTPException)):
        stand.get()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["kind"], line["pool"], line["member"], line["line"], line["problem"]) for line in lines] == [
        ("request", POOL, stand.member(0).path, "GET /api/v1/x?y=1 HTTP/1.1", ""),
        ("request", POOL, "", "GET /api/v1/x HTTP/1.1", "no member may get it"),
    ]
    assert lines[0]["ended"] >= lines[0]["began"]


def test_virtual_server_that_goes_is_no_longer_listened_on(stand: Stand) -> None:
    with stand.device.lock:
        del stand.device.table("ltm/virtual")["/Common/http"]

    def closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", stand.plane.ports[80])) != 0

    until("closed", closed)
