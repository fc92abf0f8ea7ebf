"""Releases under load: two good ones, a bad one, one backend more and one less; users notice none of the planned ones.

The tests run in this order and build on each other. The seed of the load is printed.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from enlevohub_drill import variants
from enlevohub_drill.cases import Drill, Result
from enlevohub_drill.load import Load
from enlevohub_drill.site import Datacenter


def told(result: Result) -> str:
    """Return a result in one line."""
    return (
        f"{result.name}: {result.during.requests} requests, {result.during.failed} failed {result.during.problems}, "
        f"{result.seconds} s, per host {result.seconds_per_host}, touched {result.hosts_touched}, {result.notes}"
    )


@pytest.fixture(scope="module")
def releases(drill: Drill) -> Result:
    """Two releases in a row."""
    result = drill.releases(2)
    print(f"\n{told(result)}")
    return result


@pytest.fixture(scope="module")
def bad(drill: Drill, releases: Result) -> Result:
    """A release that does not start."""
    result = drill.broken("a version that does not start", variants.NEVER_STARTS)
    print(f"\n{told(result)}")
    return result


@pytest.fixture(scope="module")
def growth(drill: Drill, bad: Result) -> Result:
    """One server more, one less."""
    result = drill.growth()
    print(f"\n{told(result)}")
    return result


def test_releases_lose_no_request(releases: Result) -> None:
    assert releases.during.problems == {}
    assert releases.during.requests > 200


def test_releases_replace_every_backend(releases: Result, datacenter: Datacenter) -> None:
    assert releases.hosts_touched == sorted(datacenter.groups["backend_servers"])


def test_release_serves_its_version(releases: Result, datacenter: Datacenter, drill: Drill) -> None:
    assert {datacenter.get("/api/v1/").body["version"] for _ in range(6)} == {f"9.{drill.number}.0"}


def test_code_of_a_release_travels_without_the_layers_below_it(releases: Result) -> None:
    assert 0 < releases.notes["archive_bytes"] < 5 * 2**20


def test_bad_release_fails_and_says_why(bad: Result) -> None:
    assert bad.notes["code"] == 2
    for fact in ("exit code 7", "the version for this test does not start", "healthcheck", "go back"):
        assert fact in bad.notes["said"]


def test_bad_release_touches_one_backend(bad: Result) -> None:
    assert len(bad.hosts_touched) == 1


def test_bad_release_loses_no_request(bad: Result) -> None:
    assert bad.during.problems == {}


def test_after_a_bad_release_every_backend_serves_the_old_one(
    bad: Result, drill: Drill, datacenter: Datacenter
) -> None:
    assert {datacenter.get("/api/v1/").body["version"] for _ in range(6)} == {f"9.{drill.number - 1}.0"}
    assert drill.all_up()


def test_journal_marks_the_bad_release(bad: Result, datacenter: Datacenter) -> None:
    assert [record["result"] for record in datacenter.journal()[-3:]] == ["success", "success", "failed"]


def test_bad_release_is_refused_the_second_time(bad: Result, datacenter: Datacenter) -> None:
    release = datacenter.journal()[-1]["release"]
    run = datacenter.playbook("-e", f"release={release}", code=2, playbook="playbooks/deploy.yml")
    assert "marked bad" in run.output


def test_one_backend_more_and_one_less_lose_no_request(growth: Result) -> None:
    assert growth.during.problems == {}


def test_other_backends_are_not_touched_by_an_addition(growth: Result) -> None:
    assert growth.hosts_touched == []


def test_removed_backend_is_forgotten(growth: Result, datacenter: Datacenter) -> None:
    assert "app4" not in {member["member"] for member in datacenter.pools()}
    gone = datacenter.address("app1").rpartition(".")[0] + ".14"
    assert gone not in datacenter.run("app1", "cat /opt/enlevohub/frontend/upstreams/backend.conf")
    for server in datacenter.groups["database_servers"]:
        assert gone not in datacenter.run(server, "cat /etc/patroni/config.yml")


def test_nothing_that_was_acknowledged_is_lost(growth: Result, load: Load, datacenter: Datacenter) -> None:
    known = set(datacenter.sql(datacenter.leader(), "select id from projects").split())
    assert load.acknowledged - known == set()
    assert load.acknowledged


def test_second_run_is_refused_while_one_holds_the_lock(growth: Result, datacenter: Datacenter) -> None:
    lock = f"/enlevohub/{datacenter.inventory.name}/lock"
    value = (
        '{"token":"t0","by":"ana","on":"elsewhere","pid":1,"process":"x","kind":"deploy","release":"1","began":0,'
        '"images":{},"hosts":{},"number":1,"ended":null,"result":"running"}'
    )
    server = datacenter.groups["etcd_servers"][0]
    datacenter.host(server).check_output("bash -lc %s", f"etcdctl put {lock} '{value}'")
    try:
        begin = time.monotonic()
        run = datacenter.playbook("-e", "release=99", code=2, playbook="playbooks/deploy.yml")
        print(f"\nrefused after {time.monotonic() - begin:.1f} s")
    finally:
        datacenter.host(server).check_output("bash -lc %s", f"etcdctl del {lock}")
    assert "another run holds the lock: deploy 1 by ana on elsewhere" in run.output
    assert "release_unlock=t0" in run.output


def test_site_changes_nothing_afterwards(growth: Result, datacenter: Datacenter) -> None:
    changed: dict[str, Any] = datacenter.playbook().changed
    assert set(changed.values()) == {0}
