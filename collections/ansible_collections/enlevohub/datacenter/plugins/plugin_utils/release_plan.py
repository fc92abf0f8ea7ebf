"""Decisions about releases: which one to run, who holds the lock, what a run leaves in the journal.

A record of the journal is a dictionary: ``number``, ``kind``, ``release``, ``images`` ({name: {reference, id}}),
``by``, ``on``, ``began``, ``ended`` (seconds since 1970, UTC), ``result`` and ``hosts`` ({"app1/backend": "draining"}).
"""

from __future__ import annotations

from typing import Any

SUCCESS, FAILED, INTERRUPTED, RUNNING = "success", "failed", "interrupted", "running"
CHANGING = ("deploy", "rollback")
WITHOUT_RELEASE = ("switchover", "reinit", "restart", "upgrade")
"""Runs that take the lock and touch no release: operations on the database."""
UNFINISHED = ("draining",)
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

Record = dict[str, Any]


class ReleaseError(Exception):
    """The run must not begin; the text says why and what to do."""


def current(records: list[Record]) -> Record | None:
    """Return the newest record that ended well, which is what all servers run; None before the first."""
    done = [record for record in records if record["result"] == SUCCESS and record["images"]]
    return done[-1] if done else None


def good(records: list[Record]) -> dict[str, Record]:
    """Return the newest good record of each release."""
    return {record["release"]: record for record in records if record["result"] == SUCCESS and record["images"]}


def is_bad(records: list[Record], release: str) -> bool:
    """Whether the newest record that tells about a release says that it failed."""
    told = [
        record["result"]
        for record in records
        if record["release"] == release
        and (record["result"] == SUCCESS or (record["result"] == FAILED and record["kind"] == "deploy"))
    ]
    return told[-1:] == [FAILED]


def choose(records: list[Record], kind: str, release: str, retry: bool = False) -> tuple[str, dict[str, Any]]:
    """Decide which release a run brings to the servers.

    Args:
        records: the journal, oldest first.
        kind: deploy, rollback, or another one that keeps the present release.
        release: the name that was asked for; empty: the operator named none.
        retry: deploy a release again that failed.

    Returns:
        The release, and its images when they are known; without images they are to be built, and without a name
        the release is called by their content.

    Raises:
        ReleaseError: there is no such release, or it failed before.
    """
    now = current(records)
    if kind in WITHOUT_RELEASE:
        return "", {}
    if kind == "deploy":
        if not release:
            raise ReleaseError("name the release: -e release=<version>")
        if is_bad(records, release) and not retry:
            raise ReleaseError(
                f"release {release} failed before and is marked bad. Deploy another version, or this one once more "
                "with -e release_retry=true"
            )
        known = good(records).get(release)
        return release, known["images"] if known else {}
    if kind == "rollback":
        return _earlier(records, now, release)
    if release and (now is None or now["release"] != release):
        raise ReleaseError(f"release={release}: this playbook keeps the present release; use playbooks/deploy.yml")
    return (now["release"], now["images"]) if now else ("", {})


def _earlier(records: list[Record], now: Record | None, release: str) -> tuple[str, dict[str, Any]]:
    """Return the release to go back to.

    An attempt that did not end well left its traces on some servers: from there, back is the present release.
    """
    attempts = [record for record in records if record["kind"] in CHANGING]
    failed_since = bool(attempts) and now is not None and attempts[-1]["number"] > now["number"]
    candidates = [name for name, _ in sorted(good(records).items(), key=lambda item: item[1]["number"])]
    names = ", ".join(candidates) or "none"
    if release:
        if release not in candidates:
            raise ReleaseError(f"release {release} never ran well here; known good releases: {names}")
        return release, good(records)[release]["images"]
    if now is not None and failed_since:
        return now["release"], now["images"]
    before = [name for name in candidates if now is None or name != now["release"]]
    before = [name for name in before if not is_bad(records, name)]
    if not before:
        raise ReleaseError(f"there is no release before the present one; known good releases: {names}")
    return before[-1], good(records)[before[-1]]["images"]


def check_server(kind: str, server: str, servers: list[str], minimum: int) -> None:
    """Refuse an addition or removal that cannot be meant.

    Args:
        kind: what the run does; only add and remove are looked at.
        server: the server that the operator named.
        servers: all backends of the inventory.
        minimum: how many must stay.

    Raises:
        ReleaseError: no such server, or too few would be left.
    """
    if kind not in ("add", "remove"):
        return
    if not server:
        raise ReleaseError("name the server: -e backend=<name from hosts.yml>")
    if server not in servers:
        raise ReleaseError(
            f"backend={server} is not in backend_servers ({', '.join(servers)}); see hosts.yml of the inventory"
        )
    left = len(servers) - 1
    if kind == "remove" and left < minimum:
        raise ReleaseError(
            f"backend={server}: {left} backend(s) would be left, backend_minimum is {minimum}. Add one first, or lower "
            "backend_minimum in group_vars/all/release.yml"
        )


def refusal(lock: Record, here: str, alive: bool, unlock: str, now: float) -> str:
    """Say why the lock of another run cannot be taken over; empty when it can.

    Args:
        lock: the lock: ``token``, ``by``, ``on``, ``pid``, ``kind``, ``release``, ``began``.
        here: name of this control machine.
        alive: whether the process of the lock runs, when it is one of this machine.
        unlock: the token that the operator gave to say that the holder is dead.
        now: seconds since 1970.
    """
    if unlock and unlock == lock["token"]:
        return ""
    if lock["on"] == here and not alive:
        return ""
    minutes = max(0, int(now - lock["began"])) // 60
    what = f"{lock['kind']} {lock['release']}".strip()
    text = (
        f"another run holds the lock: {what} by {lock['by']} on {lock['on']} "
        f"(process {lock['pid']}), began {minutes} min ago."
    )
    if lock["on"] == here:
        return f"{text} Wait for its end, or end that process when it hangs: the next run finishes its work"
    return f"{text} Wait for its end; if that machine is dead: -e release_unlock={lock['token']}"


def unfinished(records: list[Record]) -> list[str]:
    """Return the stacks ("app1/backend") that an interrupted run left drained, until a run ended well after it."""
    left: dict[str, str] = {}
    for record in records:
        if record["result"] == SUCCESS:
            left = {}
        left.update(record["hosts"])
    return sorted(name for name, state in left.items() if state in UNFINISHED)
