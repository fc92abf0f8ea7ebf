"""A server is lost for ever and a blank machine takes its place, while an application server writes.

The machine is really another one: the container and its volume are removed, and a blank one with the same name is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from enlevohub_drill.cases import remove_server
from enlevohub_drill.site import program

PLAYBOOK = "playbooks/replace-host.yml"


def make(datacenter: Any) -> None:
    """Make the blank machine."""
    made = program("enlevohub_lab", "--inventory", str(datacenter.inventory), "hosts", seconds=600)
    assert made.returncode == 0, made.stderr


def members(datacenter: Any) -> dict[str, str]:
    """Return the ids of the members of etcd by name; an empty name has not started."""
    text = datacenter.run(witness(datacenter), "bash -lc 'etcdctl member list -w json'")
    return {item.get("name", ""): str(item["ID"]) for item in json.loads(text)["members"]}


def witness(datacenter: Any, lost: str = "etcd2") -> str:
    """Return a member of etcd that no test takes away."""
    return next(name for name in datacenter.groups["etcd_servers"] if name.startswith("etcd") and name != lost)


def healthy(datacenter: Any) -> int:
    """Return how many members of etcd say that they are healthy."""
    done = datacenter.host(witness(datacenter)).run("bash -lc 'etcdctl endpoint health -w json'")
    return sum(item["health"] for item in json.loads(done.stdout))


@pytest.fixture(autouse=True)
def whole(datacenter: Any) -> Iterator[None]:
    """A whole cluster before and after."""
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    assert healthy(datacenter) == len(datacenter.groups["etcd_servers"])
    yield
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    assert healthy(datacenter) == len(datacenter.groups["etcd_servers"])


def test_healthy_server_is_not_replaced(datacenter: Any) -> None:
    before, standby = members(datacenter), datacenter.standby()
    run = datacenter.playbook("-e", f"host={standby}", playbook=PLAYBOOK, code=2)
    assert f"{standby} is alive and healthy" in run.output
    assert set(run.changed.values()) == {0}
    assert members(datacenter) == before


def test_leader_is_not_replaced_even_when_it_is_confirmed(datacenter: Any) -> None:
    leader = datacenter.leader()
    run = datacenter.playbook("-e", f"host={leader}", "-e", f"confirm={leader}", playbook=PLAYBOOK, code=2)
    assert f"{leader} leads the database" in run.output
    assert set(run.changed.values()) == {0}
    assert datacenter.leader() == leader


@pytest.mark.parametrize("which", ["standby", "leader", "etcd2"])
def test_lost_server_comes_back_from_a_blank_machine(datacenter: Any, which: str) -> None:
    names = {"standby": datacenter.standby(), "leader": datacenter.leader()}
    lost = names.get(which, which)
    datacenter.sql(datacenter.leader(), "create table if not exists kept (id int primary key)", "postgres")
    datacenter.sql(datacenter.leader(), "insert into kept values (1) on conflict do nothing", "postgres")
    old = members(datacenter)
    remove_server(datacenter, lost)
    if which == "leader":
        other = names["standby"]
        datacenter.wait("another leader", lambda: datacenter.leader() == other, 120)
    make(datacenter)
    told = datacenter.playbook("-e", f"host={lost}", "--check", playbook=PLAYBOOK)
    assert f"the member {lost} ({old[lost]}) is removed" in " ".join(told.output.split())
    assert members(datacenter) == old
    datacenter.playbook("-e", f"host={lost}", playbook=PLAYBOOK)
    now = members(datacenter)
    assert set(now) == set(old)
    assert [name for name in old if now[name] != old[name]] == [lost]
    datacenter.wait("a whole cluster", datacenter.whole, 60)
    if lost in datacenter.groups["database_servers"]:
        assert datacenter.sql(lost, "select id from kept", "postgres") == "1"
    again = datacenter.playbook()
    assert set(again.changed.values()) == {0}, again.changed_tasks


def test_interrupted_replacement_is_finished_by_another_run(datacenter: Any) -> None:
    """The run ends after etcd has forgotten the old member and waits for the new one."""
    lost = datacenter.standby()
    old = members(datacenter)
    remove_server(datacenter, lost)
    make(datacenter)
    # No package can be installed: the same as a run that is killed before etcd starts.
    datacenter.run(lost, "sh -c 'mv /etc/apt/sources.list.d /etc/apt/away'")
    datacenter.playbook("-e", f"host={lost}", playbook=PLAYBOOK, code=2)
    assert set(members(datacenter)) == {*old, ""} - {lost}
    datacenter.run(lost, "mv /etc/apt/away /etc/apt/sources.list.d")
    datacenter.playbook("-e", f"host={lost}", playbook=PLAYBOOK)
    assert set(members(datacenter)) == set(old)


def test_damaged_server_is_cleared_when_that_is_confirmed(datacenter: Any) -> None:
    lost = datacenter.standby()
    datacenter.run(lost, "sh -c 'systemctl kill -s KILL etcd; truncate -s 10 /var/lib/etcd/enlevohub/member/snap/db'")
    datacenter.run(lost, "systemctl stop patroni")
    refused = datacenter.playbook("-e", f"host={lost}", playbook=PLAYBOOK, code=2)
    assert "would be removed" in refused.output
    assert "nothing was changed" in refused.output
    datacenter.playbook("-e", f"host={lost}", "-e", f"confirm={lost}", playbook=PLAYBOOK)
