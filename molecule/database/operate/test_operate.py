"""What an operator does to the running database, by the playbooks, while an application server writes.

Nothing acknowledged is lost, and what must not be done is refused before anything is changed. Gaps are printed only.
"""

from __future__ import annotations

import json

import pytest

from enlevohub_drill.cases import one_more_server
from enlevohub_drill.meanwhile import writes
from enlevohub_drill.servers import Servers
from enlevohub_drill.site import Datacenter, load_datacenter, resolve

SWITCHOVER = "playbooks/switchover.yml"
REINIT = "playbooks/reinit-standby.yml"
RESTART = "playbooks/restart-database.yml"
UPGRADE = "playbooks/upgrade-database.yml"
ADD = "playbooks/add-standby.yml"
CONVERGE = "molecule/database/converge.yml"
STARTED = "select pg_postmaster_start_time()"
PACKAGES = ("postgresql-17", "patroni")
OLDER = "~older"
# The same package with a lower version: what a server looks like when its package sources have something newer.
DOWNGRADE = (
    "set -e; work=$(mktemp -d); cd $work; apt-get -q download {package} >/dev/null; dpkg-deb -R {package}_*.deb tree; "
    "sed -i 's/^Version: .*/&{older}/' tree/DEBIAN/control; dpkg-deb -b tree older.deb >/dev/null; "
    "mkdir -p /run/systemd/system; ln -sf /dev/null /run/systemd/system/patroni.service; "
    "dpkg --force-downgrade --force-confold -i older.deb; "
    "rm /run/systemd/system/patroni.service; systemctl daemon-reload; rm -r $work"
)


pytestmark = pytest.mark.usefixtures("writer")


@pytest.fixture(autouse=True)
def whole(datacenter: Datacenter) -> None:
    """Every test begins with a leader and a synchronous standby."""
    datacenter.wait("a whole cluster", datacenter.whole, 240)


def started(datacenter: Datacenter) -> dict[str, str]:
    """Return when PostgreSQL of each server was started."""
    return {name: datacenter.sql(name, STARTED, "postgres") for name in datacenter.groups["database_servers"]}


def test_plan_of_a_switchover_changes_nothing(datacenter: Datacenter) -> None:
    leader, before = datacenter.leader(), started(datacenter)
    run = datacenter.playbook("--check", playbook=SWITCHOVER)
    assert f"{datacenter.standby()} becomes the leader" in run.output
    assert (datacenter.leader(), started(datacenter)) == (leader, before)


def test_switchover_moves_the_leader_and_loses_nothing(datacenter: Datacenter, servers: Servers) -> None:
    old, new = datacenter.leader(), datacenter.standby()
    with writes(datacenter, servers, "switchover"):
        run = datacenter.playbook("-e", f"to={new}", playbook=SWITCHOVER)
    assert (datacenter.leader(), datacenter.standby()) == (new, old)
    assert datacenter.secrets_in(run.output) == []


def test_switchover_to_the_leader_changes_nothing(datacenter: Datacenter) -> None:
    run = datacenter.playbook("-e", f"to={datacenter.leader()}", playbook=SWITCHOVER)
    assert "nothing to do" in run.output
    assert set(run.changed.values()) == {0}


def test_operation_is_refused_while_another_run_holds_the_lock(datacenter: Datacenter) -> None:
    lock = {"kind": "deploy", "release": "9", "by": "ana", "on": "elsewhere", "pid": 1, "process": "x", "token": "t0"}
    key = f"/enlevohub/{datacenter.inventory.name}/lock"
    value = json.dumps(
        {**lock, "number": 1, "images": {}, "hosts": {}, "began": 1.0, "ended": None, "result": "running"}
    )
    etcd, before = datacenter.groups["etcd_servers"][0], started(datacenter)
    datacenter.run(etcd, f"bash -lc \"etcdctl put {key} '{value.replace(chr(34), chr(92) + chr(34))}'\"")
    try:
        run = datacenter.playbook(playbook=SWITCHOVER, code=2)
        assert "another run holds the lock: deploy 9 by ana on elsewhere" in run.output
        assert datacenter.run(etcd, f"bash -lc 'etcdctl get {key} --print-value-only'").strip() == value
    finally:
        datacenter.run(etcd, f"bash -lc 'etcdctl del {key}'")
    assert started(datacenter) == before


def test_operations_are_refused_without_a_synchronous_standby(datacenter: Datacenter) -> None:
    leader, standby = datacenter.leader(), datacenter.standby()
    datacenter.run(standby, "systemctl stop patroni")
    try:
        datacenter.wait("a cluster of one", lambda: len(datacenter.cluster()) == 1 or not datacenter.whole(), 60)
        moved = datacenter.playbook("-e", f"to={standby}", playbook=SWITCHOVER, code=2)
        assert "no healthy synchronous standby" in moved.output
        restarted = datacenter.playbook(playbook=RESTART, code=2)
        assert f"{standby} is not well" in restarted.output
        copied = datacenter.playbook("-e", f"standby={leader}", playbook=REINIT, code=2)
        assert f"{leader} leads" in copied.output
    finally:
        datacenter.run(standby, "systemctl start patroni")
    assert datacenter.leader() == leader


def test_copy_of_the_only_standby_needs_a_confirmation(datacenter: Datacenter) -> None:
    before, standby = started(datacenter), datacenter.standby()
    run = datacenter.playbook("-e", f"standby={standby}", playbook=REINIT, code=2)
    assert f"confirm=enlevohub-{datacenter.inventory.name}" in run.output
    assert started(datacenter) == before


def test_damaged_standby_is_copied_again(datacenter: Datacenter, servers: Servers) -> None:
    leader, standby = datacenter.leader(), datacenter.standby()
    data = datacenter.run(standby, "ls -d /var/lib/postgresql/*/main")
    datacenter.run(
        standby, f"touch {data}/of-before && rm -r {data}/pg_xact && kill -9 $(head -1 {data}/postmaster.pid)"
    )
    broken = lambda: not datacenter.whole()  # noqa: E731
    datacenter.wait("a standby that does not stream", broken, 60)
    with writes(datacenter, servers, "new copy of the standby"):
        run = datacenter.playbook("-e", f"standby={standby}", "-e", f"confirm={confirmed(datacenter)}", playbook=REINIT)
    assert f"the data of {standby} are removed and copied again from {leader}" in run.output
    assert datacenter.whole()
    assert not datacenter.host(standby).file(f"{data}/of-before").exists


def confirmed(datacenter: Datacenter) -> str:
    """Return the name of the cluster."""
    return f"enlevohub-{datacenter.inventory.name}"


def test_restart_reaches_every_server_once_and_loses_nothing(datacenter: Datacenter, servers: Servers) -> None:
    before, leader = started(datacenter), datacenter.leader()
    with writes(datacenter, servers, "restart of the database"):
        datacenter.playbook(playbook=RESTART)
    after = started(datacenter)
    assert [name for name in before if before[name] == after[name]] == []
    assert datacenter.leader() != leader
    assert datacenter.whole()


def versions(datacenter: Datacenter) -> set[str]:
    """Return the installed versions of the packages that are upgraded."""
    ask = f"dpkg-query -W -f '${{Package}} ${{Version}}\\n' {' '.join(PACKAGES)}"
    return {line for name in datacenter.groups["database_servers"] for line in datacenter.run(name, ask).splitlines()}


def test_upgrade_with_nothing_new_changes_nothing(datacenter: Datacenter) -> None:
    datacenter.playbook(playbook=UPGRADE)  # what the image of the servers is behind the package sources
    before = started(datacenter)
    run = datacenter.playbook(playbook=UPGRADE)
    assert "nothing to do" in run.output
    assert set(run.changed.values()) == {0}
    assert started(datacenter) == before


def test_upgrade_brings_every_server_to_the_newest_version_and_loses_nothing(
    datacenter: Datacenter, servers: Servers
) -> None:
    newest, before, leader = versions(datacenter), started(datacenter), datacenter.leader()
    for name in datacenter.groups["database_servers"]:
        for package in PACKAGES:
            datacenter.run(name, DOWNGRADE.format(package=package, older=OLDER))
    assert {line.endswith(OLDER) for line in versions(datacenter)} == {True}
    assert started(datacenter) == before
    plan = datacenter.playbook("--check", playbook=UPGRADE)
    assert f"{OLDER} -> " in plan.output
    assert (started(datacenter), datacenter.leader()) == (before, leader)
    with writes(datacenter, servers, "upgrade of the database"):
        datacenter.playbook(playbook=UPGRADE)
    assert versions(datacenter) == newest
    assert [name for name, moment in started(datacenter).items() if moment == before[name]] == []
    assert datacenter.leader() != leader


def test_standby_is_added_without_an_outage(datacenter: Datacenter, servers: Servers) -> None:
    datacenter.playbook(playbook="playbooks/docker.yml")  # for the backend, which learns the standby's address
    before, leader = started(datacenter), datacenter.leader()
    refused = datacenter.playbook("-e", f"standby={leader}", playbook=ADD, code=2)
    assert f"{leader} leads" in refused.output
    try:
        with one_more_server(datacenter, "db3", "database_servers") as name:
            given = ("-e", f"standby={name}")
            plan = datacenter.playbook(*given, "--check", playbook=ADD)
            assert f"{name} gets its software and certificate, and a copy of the data of {leader}" in plan.output
            assert datacenter.whole()
            with writes(datacenter, servers, "one standby more"):
                datacenter.playbook(*given, playbook=ADD)
            assert_streams(datacenter, name)
            assert (started(datacenter), datacenter.leader()) == (before, leader)
            again = datacenter.playbook(*given, playbook=ADD)
            assert set(again.changed.values()) == {0}
    finally:
        resolve.cache_clear()
        datacenter.playbook(playbook=CONVERGE)


def assert_streams(datacenter: Datacenter, name: str) -> None:
    """A new standby follows the leader, and everybody knows it."""
    state = {member["Member"]: (member["Role"], member["State"]) for member in datacenter.cluster()}
    assert state[name][1] == "streaming"
    assert sorted(role for role, _ in state.values()) == ["Leader", "Replica", "Sync Standby"]
    resolve.cache_clear()
    grown = load_datacenter(datacenter.inventory)
    address = grown.address(name)
    for server in datacenter.groups["database_servers"]:
        assert (
            grown.sql(server, f"select count(*) from pg_hba_file_rules where address = '{address}'", "postgres") != "0"
        )
    backend = datacenter.groups["backend_servers"][0]
    grown.run(backend, f"grep -rqF {address} /opt/enlevohub/backend/secrets")
