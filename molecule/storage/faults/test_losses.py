"""Servers are lost: one at a time, two at once, the database's leader. Nothing is lost, errors are clear, all heals.

Figures are printed and not asserted; the limits are generous.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from typing import Any

from enlevohub_drill.photos import picture, send, work
from enlevohub_drill.storage import Bucket, RefusedError

OBJECTS = 200


def container(datacenter: Any, host: str) -> str:
    """Return the name of the container of a host."""
    return f"enlevohub-{datacenter.variables[host]['enlevohub_environment']}-{host}"


def until_put(bucket: Bucket) -> float:
    """Write small objects until one is accepted; returns the seconds it took."""
    return bucket.put_within(f"probe/until-{time.time_ns()}", b"1", 120)


def test_any_one_server_may_go(
    datacenter: Any, bucket: Bucket, containers: Callable[..., str], storage_server: str
) -> None:
    written = bucket.fill(f"probe/one-{time.time_ns()}", OBJECTS)
    led = bucket.state()["leader"] == storage_server
    begin = time.monotonic()
    containers("kill", container(datacenter, storage_server))
    try:
        unreadable = bucket.wrong(written)
        reads = time.monotonic() - begin
        until_put(bucket)
        gap = time.monotonic() - begin
        more = bucket.fill(f"probe/more-{time.time_ns()}", 50)
        bucket.repair()
        few = bucket.state()["few_copies"]
        repaired = time.monotonic() - begin
        # Into volumes of which the lost server has copies that do not know of it.
        late = bucket.fill(f"probe/late-{time.time_ns()}", 50)
    finally:
        containers("start", container(datacenter, storage_server))
    bucket.wait_until_whole()
    print(
        f"\n{storage_server} lost{' (it led)' if led else ''}: {OBJECTS} objects read within {reads:.1f} s, "
        f"writes after {gap:.1f} s, two copies again on the others after {repaired:.1f} s"
    )
    assert unreadable == []
    assert few == []
    for server in datacenter.groups["storage_servers"]:
        assert Bucket(datacenter, names=[server]).wrong({**written, **more, **late}) == []


def test_two_servers_lost_give_clear_errors_and_nothing_is_corrupted(datacenter: Any, bucket: Bucket) -> None:
    done = work(datacenter)
    written = bucket.fill(f"probe/two-{time.time_ns()}", OBJECTS)
    lost = bucket.names[1:3]
    for server in lost:
        datacenter.run(server, "systemctl kill --signal=KILL seaweedfs; systemctl stop seaweedfs")
    refused: list[str] = []
    accepted: dict[str, str] = {}
    try:
        for number in range(3):
            content = os.urandom(3000)
            key = f"probe/during-{time.time_ns()}-{number}"
            try:
                bucket.put(key, content)
                accepted[key] = hashlib.sha256(content).hexdigest()
            except RefusedError as error:
                refused.append(str(error))
        answer = send(datacenter, done.token, done.project, picture(202))
        others = datacenter.create_project(done.token).status
        state = bucket.state()
        unreadable = len(bucket.wrong(dict(list(written.items())[:6])))
    finally:
        for server in lost:
            datacenter.run(server, "systemctl start --no-block seaweedfs")
    begin = time.monotonic()
    bucket.wait_until_whole()
    print(
        f"\n{' and '.join(lost)} lost: {len(refused)} of 3 writes refused ({refused[:1]}), an upload answered "
        f"{answer.status}, of the first 6 objects {6 - unreadable} were readable; "
        f"whole {time.monotonic() - begin:.1f} s after their return. Storage said: {state['problems']}"
    )
    assert len(refused) == 3
    assert answer.status == 503
    assert others == 201
    assert any(server in problem for server in lost for problem in state["problems"])
    until_put(bucket)
    assert bucket.wrong({**written, **accepted}) == []
    assert datacenter.get(done.photo).status == 200
    assert send(datacenter, done.token, done.project, picture(203)).status == 200


def test_refused_upload_leaves_neither_row_nor_object(datacenter: Any, bucket: Bucket) -> None:
    done = work(datacenter)

    def rows() -> str:
        return str(datacenter.sql(datacenter.leader(), "select count(*) from uploads", "enlevohub"))

    before = rows()
    servers = datacenter.groups["storage_servers"]
    for server in servers:
        datacenter.run(server, "systemctl stop seaweedfs")
    try:
        answer = send(datacenter, done.token, done.project, picture(204))
        ask = "curl -s -o /dev/null -w '%{http_code}' http://"
        ready = [
            datacenter.run(server, f"{ask}{datacenter.address(server)}:3001/health/ready")
            for server in datacenter.groups["backend_servers"]
        ]
        login = datacenter.get("/api/v1/auth/me", token=done.token).status
    finally:
        for server in servers:
            datacenter.run(server, "systemctl start --no-block seaweedfs")
    bucket.wait_until_whole()
    assert (answer.status, set(ready), login) == (503, {"200"}, 200)
    assert rows() == before
    assert datacenter.get(done.photo).status == 200


def test_loss_of_the_leading_database_loses_no_object(
    datacenter: Any, bucket: Bucket, containers: Callable[..., str]
) -> None:
    written = bucket.fill(f"probe/database-{time.time_ns()}", 50)
    leader = datacenter.leader()
    begin = time.monotonic()
    containers("kill", container(datacenter, leader))
    try:
        until_put(bucket)
        gap = time.monotonic() - begin
        unreadable = bucket.wrong(written)
    finally:
        containers("start", container(datacenter, leader))
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    print(f"\nloss of {leader}, which led the database: writes again after {gap:.1f} s")
    assert unreadable == []
