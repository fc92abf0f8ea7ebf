"""The loss of the Redis primary, and of all Redis: an ended token stays ended on every backend, and requests go on.

Figures are printed and not asserted; the limits are generous.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from enlevohub_drill.storage import tunnel

LOOK = 4.0  # seconds to look closely after the fault; what Redis may remember for others ends after one


def me(datacenter: Any, backend: str) -> str:
    """Return the URL at one backend that tells a user who it is."""
    return f"http://127.0.0.1:{tunnel(datacenter, backend, 3001)}/api/v1/auth/me"


def states(datacenter: Any) -> dict[str, dict[str, Any]]:
    """Return what each Redis member says of itself; nothing from one that does not answer."""
    found = {}
    for name in datacenter.groups["redis_servers"]:
        result = datacenter.host(name).run("timeout 5 redis-admin status")
        found[name] = json.loads(result.stdout) if result.rc == 0 else {}
    return found


def primaries(datacenter: Any) -> list[str]:
    """Return the members that say that they are the primary."""
    return [name for name, state in states(datacenter).items() if state.get("role") == "primary"]


def whole(datacenter: Any) -> bool:
    """Whether there is one primary and everybody else is in sync with it, and the Sentinels could move it."""
    found = list(states(datacenter).values())
    good = all(state.get("state") in ("serves", "in sync") and state["sentinel"] == "quorum" for state in found)
    return good and [state["role"] for state in found].count("primary") == 1


class Watch:
    """Asks every backend itself with a token that has ended and with one that has not."""

    def __init__(self, datacenter: Any, ended: str, good: str) -> None:
        """Begin with no request."""
        self.datacenter, self.ended, self.good = datacenter, ended, good
        self.wrong: list[tuple[str, str, int]] = []
        self.seconds: list[float] = []

    def ask(self) -> None:
        """Ask each backend once."""
        for name in self.datacenter.groups["backend_servers"]:
            address = me(self.datacenter, name)
            for kind, token, expected in (("ended", self.ended, 401), ("good", self.good, 200)):
                begin = time.monotonic()
                status = self.datacenter.get(address, token=token).status
                self.seconds.append(time.monotonic() - begin)
                if status != expected:
                    self.wrong.append((name, kind, status))

    def ask_for(self, seconds: float) -> None:
        """Ask again and again."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            self.ask()

    def figures(self) -> str:
        """Return how many requests there were and how long they took."""
        ordered = sorted(self.seconds)
        middle, most = ordered[len(ordered) // 2], ordered[-1]
        times = f"median {middle * 1e3:.0f} ms, most {most * 1e3:.0f} ms"
        return f"{len(ordered)} requests, {len(self.wrong)} wrong, {times}"


def end_session(datacenter: Any, user: dict[str, Any]) -> float:
    """Sign out; returns the seconds that it took."""
    begin = time.monotonic()
    answer = datacenter.get("/api/v1/auth/logout", {}, token=user["tokens"]["accessToken"])
    assert answer.status == 200, answer.text
    return time.monotonic() - begin


@pytest.fixture
def users(datacenter: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Three users whose tokens every backend has taken; Redis is whole."""
    datacenter.wait("a whole Redis", lambda: whole(datacenter))
    first, second, third = (datacenter.register() for _ in range(3))
    for user in (first, second, third):
        for name in datacenter.groups["backend_servers"]:
            assert datacenter.get(me(datacenter, name), token=user["tokens"]["accessToken"]).status == 200
    return first, second, third


# A killed server would be started again within two seconds: it is stopped, so that the Sentinels have to act.
LOSSES = {
    "killed": (
        "systemctl kill --signal=KILL redis-server && systemctl stop redis-server",
        "systemctl start redis-server",
    ),
    "frozen": ("systemctl kill --signal=STOP redis-server", "systemctl kill --signal=CONT redis-server"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_ended_token_stays_ended_while_redis_loses_its_primary(datacenter: Any, users: Any, loss: str) -> None:
    before, during, other = users
    watch = Watch(datacenter, before["tokens"]["accessToken"], other["tokens"]["accessToken"])
    (lost,) = primaries(datacenter)
    end_session(datacenter, before)
    datacenter.run(lost, LOSSES[loss][0])
    begin = time.monotonic()
    try:
        watch.ask_for(LOOK)
        took = end_session(datacenter, during)
        late = Watch(datacenter, during["tokens"]["accessToken"], other["tokens"]["accessToken"])
        late.ask_for(LOOK)
        datacenter.wait("a new primary", lambda: set(primaries(datacenter)) - {lost}, 60)
        moved = time.monotonic() - begin
    finally:
        datacenter.run(lost, LOSSES[loss][1])
    back = datacenter.wait("the old primary as a replica", lambda: whole(datacenter), 120)
    assert primaries(datacenter) != [lost]
    late.ask()
    print(
        f"\nprimary on {lost} {loss}: new primary seen after {moved:.1f} s, whole {back:.1f} s after its return\n"
        f"ended before: {watch.figures()}\nended during ({took * 1e3:.0f} ms): {late.figures()}"
    )
    assert watch.wrong == late.wrong == []


def test_ended_token_stays_ended_without_any_redis(datacenter: Any, users: Any) -> None:
    before, during, other = users
    end_session(datacenter, before)
    members = datacenter.groups["redis_servers"]
    for name in members:
        datacenter.run(name, "systemctl stop redis-server redis-sentinel")
    try:
        watch = Watch(datacenter, before["tokens"]["accessToken"], other["tokens"]["accessToken"])
        watch.ask_for(LOOK)
        took = end_session(datacenter, during)
        late = Watch(datacenter, during["tokens"]["accessToken"], other["tokens"]["accessToken"])
        late.ask_for(LOOK / 2)
    finally:
        for name in members:
            datacenter.run(name, "systemctl start redis-server redis-sentinel")
    back = datacenter.wait("a whole Redis", lambda: whole(datacenter), 120)
    late.ask()
    print(
        f"\nno Redis: whole {back:.1f} s after its return\n"
        f"ended before: {watch.figures()}\nended during ({took * 1e3:.0f} ms): {late.figures()}"
    )
    assert watch.wrong == late.wrong == []


def test_wrong_password_of_redis_is_named(datacenter: Any) -> None:
    tries = (
        'umask 077; sed \'s/"password": "[^"]*"/"password": "wrong"/\' /etc/redis/admin.json > /run/wrong.json; '
        "sed 's#/etc/redis/admin.json#/run/wrong.json#' /usr/local/sbin/redis-admin > /run/wrong.py; "
        "python3 /run/wrong.py ready; rm /run/wrong.json /run/wrong.py"
    )
    result = datacenter.host(datacenter.groups["redis_servers"][0]).run(tries)
    assert "WRONGPASS invalid username-password pair" in result.stderr
