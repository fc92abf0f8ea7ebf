"""Steps on a Patroni cluster, each of which waits until the cluster is as good again as it was before."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable
from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import Patroni, leads

Members = list[dict[str, Any]]


class StepError(Exception):
    """A step failed; the text says how the cluster is."""


def synchronous_standby(members: Members) -> str:
    """Return the name of the streaming synchronous standby; empty when there is none."""
    found = [item["name"] for item in members if item["role"] == "sync_standby" and item["state"] == "streaming"]
    return found[0] if found else ""


def good(members: Members) -> set[str]:
    """Return the members that are as they should be: a leader that runs, standbys that stream."""
    return {item["name"] for item in members if item["state"] == ("running" if leads(item) else "streaming")}


class Steps:
    """The steps on one cluster."""

    def __init__(self, api: Patroni, timeout: float) -> None:
        """Use the API of one member to learn of all; each step may last for so many seconds."""
        self.api, self.timeout = api, timeout
        self.actions: list[str] = []

    def settle(self, what: str, names: set[str], condition: Callable[[Members], bool]) -> Members:
        """Wait until a leader runs, the named members are well and a condition holds; returns the members.

        Raises:
            StepError: it took too long.
        """
        limit, seen = time.monotonic() + self.timeout, "nothing"
        while time.monotonic() < limit:
            try:
                members = self.api.members()
                seen = ", ".join(f"{item['name']} {item['role']} {item['state']}" for item in members)
                led = any(leads(item) for item in members if item["name"] in good(members))
                if led and names <= good(members) and condition(members):
                    return members
            except (OSError, ValueError) as error:
                seen = str(error)
            time.sleep(0.5)
        raise StepError(
            f"{what}: the cluster is not well after {self.timeout:g} s: {seen}. "
            f"Done so far: {', '.join(self.actions) or 'nothing'}. Run again when it is; see journalctl -u patroni"
        )

    def call(self, path: str, body: dict[str, Any], url: str = "", undecided: str = "") -> None:
        """Ask a member for a change. An answer with the words ``undecided`` is no refusal: what becomes of it is seen.

        Raises:
            StepError: it refuses, or does not answer.
        """
        try:
            self.api.call("POST", path, body, url, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            if undecided and undecided in said:
                return
            raise StepError(f"{url or self.api.url}{path}: {error.code} {said}. Done: {self.actions}") from error
        except OSError as error:
            raise StepError(f"{url or self.api.url}{path}: {error}. Done: {self.actions}") from error

    def started(self, url: str) -> str:
        """Return when PostgreSQL of a member was started; empty when it does not run or cannot be asked."""
        try:
            return str(self.api.call("GET", "/patroni", url=url).get("postmaster_start_time") or "")
        except (OSError, ValueError, AttributeError):
            return ""

    def restart(self, members: Members, name: str) -> Members:
        """Restart PostgreSQL of one member."""
        self.call("/restart", {}, address(members, name))
        return self._done(f"restart {name}", members, {name})

    def switchover(self, members: Members, name: str) -> Members:
        """Make another member the leader."""
        leader = next(item["name"] for item in members if leads(item))
        # A shutdown that takes longer than Patroni waits for an answer (10 s) goes on.
        self.call("/switchover", {"leader": leader, "candidate": name}, undecided="status unknown")

        def led(now: Members) -> bool:
            return any(leads(item) and item["name"] == name for item in now)

        return self._done(f"switchover to {name}", members, {name, leader}, led)

    def reinitialize(self, members: Members, name: str) -> Members:
        """Copy a standby again from the leader."""
        url = address(members, name)
        before = self.started(url)
        self.call("/reinitialize", {"force": False}, url)

        def copied(_: Members) -> bool:
            return self.started(url) not in ("", before)

        return self._done(f"new copy of {name}", members, {name}, copied)

    def _done(
        self, what: str, before: Members, names: set[str], condition: Callable[[Members], bool] = bool
    ) -> Members:
        """Note a step and wait until the cluster is as good as before, and a synchronous standby is there again."""
        self.actions.append(what)
        standby = any(item["role"] == "sync_standby" for item in before)

        def whole(now: Members) -> bool:
            return condition(now) and (not standby or bool(synchronous_standby(now)))

        return self.settle(what, good(before) | names, whole)


def address(members: Members, name: str) -> str:
    """Return the base address of the API of a member."""
    member = next(item for item in members if item["name"] == name)
    return str(member["api_url"]).removesuffix("/patroni")
