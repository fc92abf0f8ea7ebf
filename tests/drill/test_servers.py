"""When a drill takes a cluster for whole."""

from __future__ import annotations

from typing import Any

import pytest

from enlevohub_drill.servers import Server, Servers

WELL = {"db1": ("leader", "running"), "db2": ("sync_standby", "streaming")}
CUT = {"db1": ("leader", "running"), "db2": ("replica", "running")}


class Told(Servers):
    """Servers of which each tells what a test says."""

    said: dict[str, dict[str, tuple[str, str]]]

    def cluster(self, ask: list[str] | None = None) -> list[dict[str, Any]]:
        """Return the members as the first server that is asked knows them."""
        members = self.said[(ask or self.databases)[0]]
        return [{"name": name, "role": role, "state": state} for name, (role, state) in members.items()]


@pytest.mark.parametrize(
    ("leader_says", "standby_says", "whole"),
    [
        (WELL, WELL, True),
        (CUT, WELL, False),  # the standby was cut off and does not know it yet
        (WELL, CUT, False),
        ({"db1": WELL["db1"]}, {"db1": WELL["db1"]}, False),
        ({**WELL, "db2": ("leader", "running")}, WELL, False),
    ],
)
def test_cluster_is_whole_when_every_server_says_so(
    leader_says: dict[str, tuple[str, str]], standby_says: dict[str, tuple[str, str]], whole: bool
) -> None:
    servers = Told({name: Server(name, name, name) for name in WELL}, list(WELL), [])
    servers.said = {"db1": leader_says, "db2": standby_says}
    assert servers.whole() is whole
