"""The witness of a lost leader: when it may ask whether a server is off, and what it removes then."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from enlevohub_guard.witness import Silence, View, checksum, echo_request, may_release, view_of

PREFIX, VOTES = "/service/enlevohub-lab", "/enlevohub/witness/enlevohub-lab"
LEADER, STANDBY = "192.0.2.21", "192.0.2.22"


def key(name: str, value: Any, revision: int = 7) -> dict[str, Any]:
    """Return a key as etcd knows it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return {"key": name, "value": text, "create": revision, "mod": revision + 1}


def cluster(sync: Any = None, votes: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return the keys of a cluster that db1 leads."""
    return [
        key(f"{PREFIX}/leader", "db1", 40),
        key(f"{PREFIX}/members/db1", {"api_url": f"https://{LEADER}:8008/patroni"}),
        key(f"{PREFIX}/members/db2", {"api_url": f"https://{STANDBY}:8008/patroni"}),
        key(f"{PREFIX}/sync", sync if sync is not None else {"leader": "db1", "sync_standby": "db2"}, 50),
        *(key(f"{VOTES}/{name}", "1") for name in votes),
    ]


def silent(*, standby: bool = False) -> Silence:
    """Return what a witness heard: both before 0, then the standby only, unless it is silent as well."""
    found = Silence(2.0)
    for address in (LEADER, STANDBY):
        found.answered(address)
    found.asked({LEADER, STANDBY}, 0.0)
    if not standby:
        found.answered(STANDBY)
    return found


def view(sync: Any = None, votes: tuple[str, ...] = ("db1/etcd1", "db1/etcd2")) -> View:
    """Return the view of a cluster."""
    return view_of(cluster(sync, votes), PREFIX, VOTES)


def test_view_names_leader_and_standby_with_their_addresses() -> None:
    found = view()
    assert (found.leader, found.address, found.standby, found.standby_address) == ("db1", LEADER, "db2", STANDBY)


def test_view_keeps_the_revisions_that_a_release_compares() -> None:
    assert (view().leader_revision, view().sync_revision) == (40, 51)


def test_view_of_a_cluster_without_a_leader_is_empty() -> None:
    assert view_of(cluster()[1:], PREFIX, VOTES) == View(addresses={LEADER, STANDBY})


def test_votes_about_another_server_do_not_count() -> None:
    assert view(votes=("db2/etcd1", "db1/etcd3")).votes == ["etcd3"]


def test_command_is_asked_when_enough_witnesses_agree() -> None:
    assert may_release(view(), silent(), 10.0, 2) == (True, "")


def test_one_witness_is_not_enough() -> None:
    allowed, why = may_release(view(votes=("db1/etcd1",)), silent(), 10.0, 2)
    assert not allowed
    assert "1 of the 2 witnesses" in why


NO_STANDBY = [{}, {"leader": "db1", "sync_standby": None}, {"leader": "db2", "sync_standby": "db1"}]


@pytest.mark.parametrize("sync", NO_STANDBY)
def test_nothing_is_released_without_a_synchronous_standby(sync: Any) -> None:
    allowed, why = may_release(view(sync), silent(), 10.0, 2)
    assert not allowed
    assert "no synchronous standby" in why


def test_nothing_is_released_when_the_standby_is_silent_too() -> None:
    allowed, why = may_release(view(), silent(standby=True), 10.0, 2)
    assert not allowed
    assert "the lease decides" in why


def test_nothing_is_released_when_the_standby_was_never_heard() -> None:
    only = Silence(2.0)
    only.answered(LEADER)
    only.asked({LEADER, STANDBY}, 0.0)
    assert not may_release(view(), only, 10.0, 2)[0]


def test_short_silence_means_nothing() -> None:
    assert may_release(view(), silent(), 1.9, 2) == (False, "")


def test_server_that_never_answered_is_not_silent() -> None:
    found = Silence(2.0)
    found.asked({LEADER}, 0.0)
    assert not found.lasts(LEADER, 1e6)


def test_server_that_nobody_asked_meanwhile_is_not_silent() -> None:
    found = silent()
    found.asked(set(), 1.0)
    found.asked({LEADER, STANDBY}, 9.0)
    assert not found.lasts(LEADER, 10.0)
    assert found.lasts(LEADER, 11.1)


def test_echo_request_is_one_that_every_kernel_answers() -> None:
    packet = echo_request(0x1234, 7)
    assert struct.unpack("!BBHHH", packet)[0:2] == (8, 0)
    assert checksum(packet) == 0
