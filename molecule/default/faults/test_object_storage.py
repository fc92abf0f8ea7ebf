"""The loss of the storage server that leads: nothing is lost, uploads go on, and every object gets its copies back.

Figures are printed and not asserted; the limits are generous. The scenario `storage` has the other losses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from enlevohub_drill.photos import picture, send, work
from enlevohub_drill.storage import Bucket

OBJECTS = 200


def test_leading_storage_server_is_lost_and_comes_back(
    datacenter: Any, bucket: Bucket, containers: Callable[..., str]
) -> None:
    done = work(datacenter)
    written = bucket.fill(f"probe/loss-{time.time_ns()}", OBJECTS)
    victim = bucket.state()["leader"]
    container = f"enlevohub-{datacenter.variables[victim]['enlevohub_environment']}-{victim}"
    begin = time.monotonic()
    containers("kill", container)
    try:
        late = bucket.wrong(written)
        # Until the others know of the loss, a read may wait for the dead server longer than its reader does.
        again = {key: written[key] for key in (problem.split(": ")[0] for problem in late)}
        datacenter.wait("the objects that were not read at once", lambda: bucket.wrong(again) == [], 120)
        reads = time.monotonic() - begin
        datacenter.wait(
            "an upload through the load balancer",
            lambda: send(datacenter, done.token, done.project, picture(201)).status == 200,
            120,
            0.2,
        )
        gap = time.monotonic() - begin
        more = bucket.fill(f"probe/more-{time.time_ns()}", 20)
    finally:
        containers("start", container)
    back = time.monotonic()
    target = f"{bucket.name}/{next(iter(written))}"
    datacenter.wait(f"S3 on {victim}", lambda: bucket.ask(victim, "GET", target)[0] == 200, 180)
    bucket.repair()
    bucket.wait_until_whole()
    print(
        f"\nloss of {victim}: {OBJECTS} objects read within {reads:.1f} s, {len(late)} of them late, "
        f"uploads again after {gap:.1f} s, "
        f"two copies of everything {time.monotonic() - back:.1f} s after its return"
    )
    assert [problem for problem in late if problem.endswith("other content")] == []
    assert bucket.wrong({**written, **more}) == []
    assert datacenter.get(done.photo).status == 200
