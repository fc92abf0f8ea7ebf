"""The playbooks of the years after: a server without its disk, one more, one less, files of one machine.

The tests run in this order. Figures are printed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import time
import uuid
from typing import Any

import pytest

from enlevohub_drill.cases import one_more_server
from enlevohub_drill.site import PlaybookRun
from enlevohub_drill.storage import Bucket

NEWCOMER = "app4"
SOURCE = "/var/lib/enlevohub/storage"


def play(datacenter: Any, name: str, *arguments: str, code: int | None = 0) -> PlaybookRun:
    """Run one of the playbooks of the storage; prints how long it took."""
    begin = time.monotonic()
    run: PlaybookRun = datacenter.playbook(*arguments, playbook=f"playbooks/{name}.yml", code=code)
    print(f"\n{name} {' '.join(arguments)}: {time.monotonic() - begin:.0f} s")
    return run


def counts(bucket: Bucket) -> dict[str, int]:
    """Return how many files of objects each storage server has, by address."""
    return {address: len(volumes) for address, volumes in bucket.volumes().items()}


def test_server_with_a_last_copy_is_not_cleared(datacenter: Any, bucket: Bucket) -> None:
    written = bucket.fill(f"probe/last-{time.time_ns()}", 20)
    first, other, third = datacenter.groups["storage_servers"]
    datacenter.run(third, "systemctl stop seaweedfs")
    try:
        run = play(datacenter, "replace-storage", "-e", f"storage_server={other}", code=None)
    finally:
        datacenter.run(third, "systemctl start --no-block seaweedfs")
    bucket.wait_until_whole()
    assert run.code != 0
    assert datacenter.run(other, "systemctl is-active seaweedfs") == "active"
    assert bucket.wrong(written) == []
    assert datacenter.run(first, "systemctl is-active seaweedfs") == "active"


def test_server_that_lost_its_disk_serves_again_and_no_object_lacks_a_copy(datacenter: Any, bucket: Bucket) -> None:
    written = bucket.fill(f"probe/replaced-{time.time_ns()}", 60)
    victim = datacenter.groups["storage_servers"][2]
    datacenter.run(
        victim, "systemctl kill --signal=KILL seaweedfs; systemctl stop seaweedfs; rm -rf /var/lib/seaweedfs/*"
    )
    play(datacenter, "replace-storage", "-e", f"storage_server={victim}")
    bucket.wait_until_whole()
    print(f"files of objects by server: {counts(bucket)}")
    assert bucket.wrong(written) == []
    assert Bucket(datacenter, names=[victim]).wrong(written) == []


def test_fourth_server_takes_its_part_and_gives_it_back(datacenter: Any, bucket: Bucket) -> None:
    written = bucket.fill(f"probe/grown-{time.time_ns()}", 60)
    with one_more_server(datacenter, NEWCOMER, "storage_servers"):
        play(datacenter, "add-storage", "-e", f"storage_server={NEWCOMER}")
        state = bucket.state()
        grown = counts(bucket)
        assert (len(grown), state["problems"]) == (4, [])
        assert bucket.wrong(written) == []
        assert play(datacenter, "rebalance-storage").changed_tasks == set()
        play(datacenter, "remove-storage", "-e", f"storage_server={NEWCOMER}")
        left = bucket.wrong(written)
    play(datacenter, "site")
    bucket.wait_until_whole()
    print(f"files of objects by server with the fourth: {grown}; without: {counts(bucket)}")
    assert min(grown.values()) > 0
    assert left == []
    assert bucket.wrong(written) == []
    assert len(counts(bucket)) == 3


@pytest.fixture(scope="module")
def old_machine(datacenter: Any) -> dict[str, str]:
    """The directory of one machine with 40 files, one of them without content; their checksums by key."""
    host = datacenter.groups["backend_servers"][0]
    found = {}
    begin = f"old/{uuid.uuid4().hex}"
    commands = [f"mkdir -p {SOURCE}/{begin}"]
    for number in range(40):
        content = os.urandom(600).hex() if number else ""
        key = f"{begin}/{number}.txt"
        found[key] = hashlib.sha256(content.encode()).hexdigest()
        commands.append(f"printf %s {content!r} > {SOURCE}/{key}")
    commands.append(f"chmod -R a+rX {SOURCE}")
    datacenter.run(host, f"sh -c {shlex.quote('; '.join(commands))}")
    return found


def migrated(run: PlaybookRun) -> dict[str, int]:
    """Return the summary that the copy printed."""
    start = run.output.rindex('"files"') if '"files"' in run.output else run.output.rindex('\\"files\\"')
    text = run.output[start - 3 :].replace("\\", "")
    return dict(json.loads(text[text.index("{") : text.index("}") + 1]))


def test_files_of_one_machine_come_into_the_bucket_once(
    datacenter: Any, bucket: Bucket, old_machine: dict[str, str]
) -> None:
    host = datacenter.groups["backend_servers"][0]
    arguments = ("-e", f"storage_host={host}", "-e", f"storage_source={SOURCE}")
    first = migrated(play(datacenter, "migrate-storage", *arguments))
    assert (first["copied"], first["failed"]) == (40, 0)
    assert bucket.wrong(old_machine) == []
    again = play(datacenter, "migrate-storage", *arguments)
    second = migrated(again)
    assert (second["copied"], second["present"], second["failed"]) == (0, 40, 0)
    assert [task for task, _ in again.changed_tasks if "Copy the files" in task] == []
    assert datacenter.run(host, f"find {SOURCE} -type f | wc -l") == "40"


def test_file_with_other_content_in_the_bucket_is_told_and_stays(
    datacenter: Any, bucket: Bucket, old_machine: dict[str, str]
) -> None:
    host = datacenter.groups["backend_servers"][0]
    key = sorted(old_machine)[-1]
    bucket.put(key, b"changed since")
    run = play(datacenter, "migrate-storage", "-e", f"storage_host={host}", "-e", f"storage_source={SOURCE}", code=None)
    assert run.code != 0
    assert "the store has other content under this name" in run.output
    assert bucket.get(key) == b"changed since"
