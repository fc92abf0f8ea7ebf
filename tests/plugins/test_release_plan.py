"""Releases: which one a run brings, who may take the lock, what an interrupted run left."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils import release_plan
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.release_plan import ReleaseError

Record = dict[str, Any]


def record(number: int, release: str, result: str = "success", kind: str = "deploy", **more: Any) -> Record:
    """Return a record of the journal."""
    images = {"api": {"reference": f"api:{release}", "id": f"sha256:{release}"}}
    return {"number": number, "kind": kind, "release": release, "result": result, "images": images, "hosts": {}, **more}


ONE, TWO, THREE = record(1, "1"), record(2, "2"), record(3, "3")


@pytest.mark.parametrize(
    ("records", "kind", "release", "chosen", "known"),
    [
        pytest.param([], "converge", "", "", False, id="first converge"),
        pytest.param([ONE, TWO], "converge", "", "2", True, id="converge keeps the present one"),
        pytest.param([ONE, record(2, "2", "failed")], "converge", "", "1", True, id="converge ignores a failed one"),
        pytest.param([ONE, record(2, "2", "interrupted")], "converge", "", "1", True, id="converge after a kill"),
        pytest.param([ONE, TWO], "add", "", "2", True, id="a new server gets the present one"),
        pytest.param([ONE], "deploy", "2", "2", False, id="a new version is built"),
        pytest.param([ONE, TWO], "deploy", "1", "1", True, id="an old version is not built again"),
        pytest.param([ONE, TWO], "rollback", "", "1", True, id="back to the one before"),
        pytest.param([ONE, TWO, THREE], "rollback", "1", "1", True, id="back to a named one"),
        pytest.param([ONE, TWO, record(3, "3", "failed")], "rollback", "", "2", True, id="back from a failed attempt"),
        pytest.param([ONE, record(2, "2", "interrupted")], "rollback", "", "1", True, id="back from a killed attempt"),
        pytest.param([ONE, TWO, record(3, "1", kind="rollback")], "rollback", "", "2", True, id="there and back"),
        pytest.param([ONE, TWO, record(3, "2", "failed", "converge")], "deploy", "2", "2", True, id="not its fault"),
    ],
)
def test_release_is_chosen(records: list[Record], kind: str, release: str, chosen: str, known: bool) -> None:
    name, images = release_plan.choose(records, kind, release)
    assert (name, bool(images)) == (chosen, known)
    if known:
        assert images["api"]["reference"] == f"api:{chosen}"


@pytest.mark.parametrize(
    ("records", "kind", "release", "said"),
    [
        ([ONE], "deploy", "", "name the release: -e release="),
        ([ONE, record(2, "2", "failed")], "deploy", "2", "failed before and is marked bad"),
        ([ONE], "rollback", "", "no release before the present one; known good releases: 1"),
        ([ONE, TWO], "rollback", "7", "release 7 never ran well here; known good releases: 1, 2"),
        ([], "rollback", "", "known good releases: none"),
        ([ONE], "converge", "2", "use playbooks/deploy.yml"),
    ],
)
def test_release_is_refused_with_the_way_out(records: list[Record], kind: str, release: str, said: str) -> None:
    with pytest.raises(ReleaseError, match=said):
        release_plan.choose(records, kind, release)


def test_bad_release_is_tried_again_on_demand() -> None:
    assert release_plan.choose([ONE, record(2, "2", "failed")], "deploy", "2", retry=True) == ("2", {})


def test_release_that_ran_well_later_is_no_longer_bad() -> None:
    assert not release_plan.is_bad([ONE, record(2, "2", "failed"), record(3, "2")], "2")


LOCK = {"token": "abc", "by": "ana", "on": "control", "pid": 7, "kind": "deploy", "release": "2", "began": 1000.0}


@pytest.mark.parametrize(
    ("here", "alive", "unlock", "said"),
    [
        pytest.param(
            "control",
            True,
            "",
            "deploy 2 by ana on control .process 7., began 2 min ago. Wait for its end, or end",
            id="alive",
        ),
        pytest.param("control", False, "", "", id="dead on this machine"),
        pytest.param("other", False, "", "if that machine is dead: -e release_unlock=abc", id="on another machine"),
        pytest.param("other", False, "abc", "", id="declared dead"),
        pytest.param("other", False, "abd", "release_unlock=abc", id="another token"),
    ],
)
def test_lock_is_taken_over_only_from_the_dead(here: str, alive: bool, unlock: str, said: str) -> None:
    reason = release_plan.refusal(LOCK, here, alive, unlock, 1130.0)
    assert bool(reason) == bool(said)
    assert re.search(said, reason)


@pytest.mark.parametrize(
    ("kind", "server", "minimum", "said"),
    [
        ("add", "", 2, "name the server"),
        ("add", "app9", 2, "app9 is not in backend_servers"),
        ("remove", "app9", 2, "app9 is not in backend_servers"),
        ("remove", "app1", 3, "2 backend.s. would be left, backend_minimum is 3"),
    ],
)
def test_server_that_cannot_be_meant_is_refused(kind: str, server: str, minimum: int, said: str) -> None:
    with pytest.raises(ReleaseError, match=said):
        release_plan.check_server(kind, server, ["app1", "app2", "app3"], minimum)


@pytest.mark.parametrize(("kind", "server"), [("add", "app3"), ("remove", "app3"), ("deploy", "")])
def test_server_of_the_inventory_is_accepted(kind: str, server: str) -> None:
    release_plan.check_server(kind, server, ["app1", "app2", "app3"], 2)


@pytest.mark.parametrize(
    ("records", "left"),
    [
        ([record(1, "1", hosts={"app1/backend": "done"})], []),
        ([record(1, "1", "interrupted", hosts={"app1/backend": "done", "app2/backend": "draining"})], ["app2/backend"]),
        ([record(1, "1", "interrupted", hosts={"app2/backend": "draining"}), TWO], []),
        ([record(1, "1", "failed", hosts={"app2/backend": "restored"})], []),
    ],
)
def test_drained_stacks_of_an_interrupted_run_are_known(records: list[Record], left: list[str]) -> None:
    assert release_plan.unfinished(records) == left
