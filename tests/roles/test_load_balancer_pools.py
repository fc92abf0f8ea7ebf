"""load-balancer-pools: the verbs of the driver, against an admin socket that a test answers."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Renderer

COLUMNS = "# pxname,svname,qcur,scur,status,last_chk,addr,type,"


class Balancer:
    """An admin socket with the members of one pool."""

    def __init__(self, path: Path) -> None:
        """Listen."""
        self.states = {"app1": "UP", "app2": "UP", "app3": "UP"}
        self.sessions = dict.fromkeys(self.states, 0)
        self.orders: list[str] = []
        self.asked = 0
        self.on_ask: Callable[[int], None] = lambda count: None
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(self._answer(connection.recv(4096).decode().strip()).encode())

    def _answer(self, command: str) -> str:
        if command == "show stat":
            self.asked += 1
            self.on_ask(self.asked)
            rows = [
                f"backend,{name},0,{self.sessions[name]},{state},L7OK,192.0.2.1:3001,2,"
                for name, state in self.states.items()
            ]
            return "\n".join([COLUMNS, "backend,BACKEND,0,0,UP,,,1,", *rows, ""])
        if command == "show servers state":
            return "1\n# be_id be_name\n"
        self.orders.append(command)
        _, _, target, _, state = command.split()
        self.states[target.split("/")[1]] = {"drain": "DRAIN", "ready": "DOWN 1/2"}[state]
        return ""

    def close(self) -> None:
        """Stop listening."""
        self._server.close()


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    """A running one."""
    found = Balancer(tmp_path / "admin.sock")
    yield found
    found.close()


@pytest.fixture
def run(
    render: Renderer, balancer: Balancer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Callable[..., Any]:
    """Run the program with arguments; returns what it printed, read as JSON."""
    text = render("haproxy", "load-balancer-pools.j2", "lb1")
    text = text.replace("/run/haproxy/admin.sock", str(tmp_path / "admin.sock"))
    text = text.replace("/var/lib/haproxy/server-state", str(tmp_path / "server-state"))
    program = compile(text, "load-balancer-pools", "exec")

    def call(*arguments: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["load-balancer-pools", *arguments])
        exec(program, {"__name__": "__main__"})
        said = capsys.readouterr().out
        return json.loads(said) if said else None

    return call


def test_list_has_every_member_with_its_state(run: Callable[..., Any]) -> None:
    assert [(item["member"], item["state"], item["sessions"]) for item in run()] == [
        ("app1", "UP", 0),
        ("app2", "UP", 0),
        ("app3", "UP", 0),
    ]


def test_drain_waits_for_the_requests_of_the_member(run: Callable[..., Any], balancer: Balancer) -> None:
    balancer.sessions["app1"] = 2

    def end_later(count: int) -> None:
        if count > 4:
            balancer.sessions["app1"] = 0

    balancer.on_ask = end_later
    answer = run("drain", "backend", "app1", "--timeout", "30", "--minimum", "2")
    assert answer == {"known": True, "changed": True, "sessions_left": 0}
    assert balancer.orders == ["set server backend/app1 state drain"]
    assert balancer.asked > 4


def test_drain_ends_at_its_limit_and_says_what_is_left(run: Callable[..., Any], balancer: Balancer) -> None:
    balancer.sessions["app1"] = 2
    assert run("drain", "backend", "app1", "--timeout", "0.2")["sessions_left"] == 2


def test_drain_is_refused_when_too_few_others_are_up(run: Callable[..., Any], balancer: Balancer) -> None:
    balancer.states["app3"] = "DOWN"
    with pytest.raises(SystemExit, match="app1 is not drained: only 1 other member"):
        run("drain", "backend", "app1", "--minimum", "2")
    assert balancer.orders == []


def test_drain_of_a_drained_member_changes_nothing(run: Callable[..., Any], balancer: Balancer) -> None:
    balancer.states["app1"] = "DRAIN"
    assert run("drain", "backend", "app1")["changed"] is False


@pytest.mark.parametrize("verb", ["drain", "enable"])
def test_unknown_member_is_no_error(run: Callable[..., Any], balancer: Balancer, verb: str) -> None:
    assert run(verb, "backend", "app9") == {"known": False, "changed": False}
    assert balancer.orders == []


def test_enable_waits_until_the_member_is_up(run: Callable[..., Any], balancer: Balancer) -> None:
    balancer.states["app1"] = "DRAIN"

    def up_later(count: int) -> None:
        if count > 4:
            balancer.states["app1"] = "UP"

    balancer.on_ask = up_later
    assert run("enable", "backend", "app1", "--timeout", "30") == {"known": True, "changed": True}
    assert balancer.orders == ["set server backend/app1 state ready"]


def test_enable_of_a_sick_member_fails_with_its_last_check(run: Callable[..., Any], balancer: Balancer) -> None:
    balancer.states["app1"] = "DRAIN"
    with pytest.raises(SystemExit, match=r"app1 of the pool backend is not up after 0\.2 s: state DOWN"):
        run("enable", "backend", "app1", "--timeout", "0.2")


def test_states_are_kept_in_one_step(run: Callable[..., Any], tmp_path: Path) -> None:
    run("save")
    assert (tmp_path / "server-state").read_text() == "1\n# be_id be_name\n"
    assert not (tmp_path / "server-state.partial").exists()
