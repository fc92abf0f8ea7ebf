"""A new machine in the place of a member of etcd."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import etcd_member

PEER = "https://192.0.2.22:2380"
ARGUMENTS = {"endpoints": ["https://192.0.2.11:2379"], "name": "db2", "peer": PEER}


def member(identity: str, name: str, peer: str) -> dict[str, Any]:
    """Return a member as etcd tells it."""
    return {"id": identity, "name": name, "peers": [peer], "clients": [], "learner": False}


class Cluster:
    """etcd with members that can be removed and added."""

    def __init__(self, *members: dict[str, Any]) -> None:
        """Begin with these members."""
        self.found = list(members)

    def __call__(self, endpoints: list[str], directory: str) -> Cluster:
        """Be made as the client is."""
        return self

    def members(self) -> list[dict[str, Any]]:
        """Return the members."""
        return list(self.found)

    def remove_member(self, identity: str) -> list[dict[str, Any]]:
        """Remove one."""
        self.found = [item for item in self.found if item["id"] != identity]
        return self.members()

    def add_member(self, peer: str) -> list[dict[str, Any]]:
        """Add one that has not started."""
        self.found.append(member("new", "", peer))
        return self.members()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Two members, of which db2 was lost."""
    found = Cluster(member("1", "db1", "https://192.0.2.21:2380"), member("2", "db2", PEER))
    monkeypatch.setattr(etcd_member, "Etcd", found)
    return found


def test_lost_member_is_removed_and_another_one_added(run: Any, cluster: Cluster) -> None:
    done = run(etcd_member, {**ARGUMENTS, "remove": "2"})
    assert (done["changed"], len(done["actions"])) == (True, 2)
    assert done["initial_cluster"] == f"db1=https://192.0.2.21:2380,db2={PEER}"
    assert [item["id"] for item in cluster.members()] == ["1", "new"]


def test_second_run_adds_nothing_and_tells_again_how_to_start(run: Any, cluster: Cluster) -> None:
    first = run(etcd_member, {**ARGUMENTS, "remove": "2"})
    again = run(etcd_member, {**ARGUMENTS, "remove": "2"})
    assert (again["changed"], again["initial_cluster"]) == (False, first["initial_cluster"])


def test_member_that_runs_needs_nothing(run: Any, cluster: Cluster) -> None:
    assert run(etcd_member, ARGUMENTS)["initial_cluster"] == ""


def test_check_mode_changes_nothing(run: Any, cluster: Cluster) -> None:
    done = run(etcd_member, {**ARGUMENTS, "remove": "2"}, check=True)
    assert (done["changed"], len(done["actions"])) == (True, 2)
    assert [item["id"] for item in cluster.members()] == ["1", "2"]


def test_member_with_another_name_is_never_removed(run: Any, cluster: Cluster) -> None:
    done = run(etcd_member, {**ARGUMENTS, "remove": "1"})
    assert done["failed"]
    assert "is db1, not db2" in done["msg"]
    assert len(cluster.members()) == 2
