"""Behind the simulated F5, under load: a rolling release and an added backend, and no failed request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from enlevohub_drill.load import Load, Period
from enlevohub_f5sim.plane import DataPlane
from tests.f5.backends import Backend, running, until
from tests.f5.site import BACKEND, FRONTEND, Site, members

NAMES = ("app1", "app2", "app3", "app4")
ADDRESSES = ("127.0.0.21", "127.0.0.22", "127.0.0.23", "127.0.0.24")


@dataclass
class Stand:
    """Four servers, of which three are in the inventory, behind an F5 that the role has filled."""

    f5: Site
    plane: DataPlane
    backends: list[Backend]

    def pools(self, count: int) -> list[dict[str, Any]]:
        """Return the pools with the first servers."""
        port = self.backends[0].port
        hosts = dict(zip(NAMES[:count], ADDRESSES, strict=False))
        first = members({"app1": ADDRESSES[0]}, port)
        return [
            {"name": "backend", "paths": ["/api"], "health_path": "/health/ready", "members": members(hosts, port)},
            {"name": "frontend", "paths": ["/"], "health_path": "/healthz", "members": first},
        ]

    def enabled(self, name: str) -> float:
        """Return the moment in which the F5 was last told to enable a member."""
        return max(
            item.moment
            for item in self.f5.simulator.writes()
            if f"~{name}:" in item.path and item.body.get("session") == "user-enabled"
        )

    def load(self) -> Load:
        """Return users that do not wait for each other."""
        address = f"https://127.0.0.1:{self.plane.ports[443]}"
        return Load(address, self.f5.certificate.read_text(), "token", rate=30, slow_seconds=2)


@pytest.fixture
def stand(f5: Site, certificate: tuple[Path, Path]) -> Iterator[Stand]:
    """Servers, data plane and F5."""
    with ExitStack() as stack:
        backends = stack.enter_context(running(*ADDRESSES))
        for backend in backends:
            backend.seconds = 0.02
        listen = {443: ("127.0.0.1", 0)}
        plane = stack.enter_context(
            DataPlane(f5.simulator.device, certificate[0], certificate[1], listen, hurry=0.1).serve()
        )
        found = Stand(f5, plane, backends)
        f5.values.update(f5_pool_virtual_servers=True, f5_pool_virtual_address="192.0.2.100")
        f5.values.update(f5_pool_pools=found.pools(3), load_balancer_drain_timeout=20, load_balancer_minimum=2)
        f5.run()
        until("listening", lambda: 443 in plane.ports)
        yield found


def period(load: Load, begin: float) -> Period:
    """Return what the users noticed since a moment."""
    return load.between(begin, time.monotonic())


def test_rolling_release_and_added_backend_lose_no_request(stand: Stand) -> None:
    device = stand.f5.simulator.device
    with stand.load() as load:
        begin = time.monotonic()
        for number, name in enumerate(NAMES[:3]):
            stand.f5.run(("drain", name))
            member = list(device.members[BACKEND].values())[number]
            assert (member.session, member.connections) == ("user-disabled", 0)
            drained = time.monotonic()
            stand.backends[number].replace()
            stand.f5.run(("enable", name))
            assert stand.backends[number].between(drained, stand.enabled(name)) == []
            until("requests again", partial(stand.backends[number].between, drained, float("inf")))
        assert stand.backends[3].requests == []
        stand.f5.run(f5_pool_pools=stand.pools(4))
        until("requests of the newcomer", lambda: stand.backends[3].requests != [])
        found = period(load, begin)
    assert found.requests > 100
    assert (found.failed, found.problems) == (0, {})
    assert stand.f5.sessions(FRONTEND) == {f"app1:{stand.backends[0].port}": "user-enabled"}
    assert stand.f5.simulator.tokens == {}


def test_replacing_a_member_without_a_drain_is_noticed(stand: Stand) -> None:
    with stand.load() as load:
        begin = time.monotonic()
        until("load", lambda: len(load.samples) > 10)
        stand.backends[0].replace(dead=1.0)
        found = period(load, begin)
    assert found.failed > 0
