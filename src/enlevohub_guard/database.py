#!/usr/bin/python3
"""Guards the PostgreSQL of one server against a Patroni that does not look after it.

1. A leader whose Patroni is dead or frozen goes on: kill -9 of Patroni leaves PostgreSQL alone, and systemd starts
   another Patroni that takes it over. When that does not happen, PostgreSQL must have stopped before the lease of the
   leader ends and another one takes over. Nothing is stopped while the cluster is paused or Patroni is being stopped.
2. A standby that does not stream for long although the leader is well (the WAL it needs is gone, pg_rewind is stuck)
   is copied again: at most once in an hour, and never when it could be the only copy of an acknowledged write.
3. While a standby streams, MARK is young: it has no need of the archive, and would be late to take over if it asked.
4. A PostgreSQL that ended is told to Patroni at once, which otherwise finds out with the next turn of its loop.

Usage: database.py CONFIG FENCE_SECONDS REINIT_SECONDS. CONFIG is Patroni's own configuration; REINIT_SECONDS 0: never.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional

import yaml

BEAT_SECONDS = 1.0
ANSWER_SECONDS = 1.0
REINIT_AGAIN_SECONDS = 3600.0
MARK = "/run/enlevohub-database/streams"


@dataclass
class Beat:
    """What one look at Patroni gave.

    Attributes:
        alive: whether Patroni answered and its loop turns.
        paused: whether the cluster is in maintenance.
        stopping: whether systemd is stopping Patroni.
        streams: whether PostgreSQL is a standby that receives what its leader writes.
    """

    alive: bool
    paused: bool = False
    stopping: bool = False
    streams: bool = False


class Fence:
    """Decides when PostgreSQL must be stopped."""

    def __init__(self, limit: float) -> None:
        """Use a limit in seconds; nothing happens before Patroni was seen alive once."""
        self.limit = limit
        self.last: Optional[float] = None

    def due(self, now: float, beat: Beat) -> bool:
        """Take a beat and tell whether a running leader must be stopped now."""
        if beat.alive:
            self.last = None if beat.paused else now
        if beat.stopping and self.last is not None:
            self.last = now
        return self.last is not None and now - self.last > self.limit


class Copy:
    """Decides when a standby must be copied again."""

    def __init__(self, limit: float) -> None:
        """Use a limit in seconds; 0: never."""
        self.limit = limit
        self.since: Optional[float] = None
        self.done: Optional[float] = None

    def due(self, now: float, name: str, members: List[Dict[str, Any]]) -> bool:
        """Take the members of the cluster and tell whether this one must be copied again now."""
        roles = {member["name"]: (member.get("role"), member.get("state")) for member in members}
        role, state = roles.get(name, (None, None))
        leader_is_well = ("leader", "running") in roles.values()
        stuck = role == "replica" and state in ("running", "start failed", "stopped", "crashed")
        if not (self.limit and leader_is_well and stuck):
            self.since = None
            return False
        self.since = now if self.since is None else self.since
        fresh = self.done is not None and now - self.done < REINIT_AGAIN_SECONDS
        if fresh or now - self.since <= self.limit:
            return False
        self.since, self.done = None, now
        return True


class Postmaster:
    """The main process of PostgreSQL: tells its end as soon as it comes."""

    def __init__(self, data: str) -> None:
        """Use the data directory."""
        self.path = os.path.join(data, "postmaster.pid")
        self.pid = 0
        self.handle = -1

    def ends(self, seconds: float) -> bool:
        """Wait; return True, early, when a process that ran has ended."""
        self.follow()
        if self.handle < 0:
            time.sleep(seconds)
            return False
        ready, _, _ = select.select([self.handle], [], [], seconds)
        if ready:
            self.leave()
        return bool(ready)

    def follow(self) -> None:
        """Take the process that the data directory names now."""
        try:
            with open(self.path, encoding="utf-8") as lines:
                pid = int(lines.readline())
        except (OSError, ValueError):
            pid = 0
        if pid == self.pid:
            return
        self.leave()
        self.pid = pid
        if pid > 0:
            with contextlib.suppress(OSError):  # what a PostgreSQL that was killed leaves behind names nobody
                self.handle = os.pidfd_open(pid)

    def leave(self) -> None:
        """Look no longer at the process."""
        if self.handle >= 0:
            os.close(self.handle)
        self.handle = -1


class Member:
    """Patroni and PostgreSQL on this server."""

    def __init__(self, config: Dict[str, Any]) -> None:
        """Use Patroni's configuration."""
        rest = config["restapi"]
        self.name = config["name"]
        self.url = f"https://{rest['connect_address']}"
        self.credentials = f"{rest['authentication']['username']}:{rest['authentication']['password']}"
        self.files = (rest["cafile"], rest["certfile"], rest["keyfile"])
        self.data = config["postgresql"]["data_dir"]
        self.pg_ctl = os.path.join(config["postgresql"]["bin_dir"], "pg_ctl")

    def ask(self, path: str, body: Optional[Dict[str, Any]] = None, method: Optional[str] = None) -> Any:
        """Ask Patroni; raises OSError when it does not answer in time or refuses, ValueError when it is no JSON."""
        authority, certificate, key = self.files
        context = ssl.create_default_context(cafile=authority)  # read each time: certificates are renewed
        context.load_cert_chain(certificate, key)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + base64.b64encode(self.credentials.encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with opener.open(request, timeout=ANSWER_SECONDS if body is None else 10) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith(("{", "[")) else text

    def wake(self) -> None:
        """Let Patroni look now. It does so after every change of its settings, also after one that changes nothing."""
        self.ask("/config", {"enlevohub_wake": None}, "PATCH")

    def beat(self) -> Beat:
        """Look at Patroni."""
        try:
            self.ask("/liveness")
            state = self.ask("/patroni")
            streams = state.get("replication_state") == "streaming"
            return Beat(alive=True, paused=bool(state.get("pause")), streams=streams)
        except (OSError, ValueError, AttributeError):
            return Beat(alive=False, stopping=self.stopping())

    @staticmethod
    def stopping() -> bool:
        """Whether systemd is stopping Patroni, which stops PostgreSQL in its own way."""
        command = ["systemctl", "show", "--property", "ActiveState", "--value", "patroni.service"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == "deactivating"

    def leads(self) -> bool:
        """Whether PostgreSQL runs here as a leader."""
        running = os.path.exists(os.path.join(self.data, "postmaster.pid"))
        return running and not os.path.exists(os.path.join(self.data, "standby.signal"))

    def stop(self) -> int:
        """Stop PostgreSQL at once."""
        command = [self.pg_ctl, "stop", "--pgdata", self.data, "--mode", "immediate"]
        return subprocess.run(command, check=False).returncode


def mark(path: str, streams: bool) -> None:
    """Make a file new, or take it away."""
    if streams:
        Path(path).touch()
    else:
        Path(path).unlink(missing_ok=True)


def say(text: str) -> None:
    """Write to the journal."""
    print(text, flush=True)


def main() -> int:
    """Look once a second, for ever."""
    with open(sys.argv[1], encoding="utf-8") as handle:
        member = Member(yaml.safe_load(handle))
    fence, copy = Fence(float(sys.argv[2])), Copy(float(sys.argv[3]))
    postmaster = Postmaster(member.data)
    say(f"guarding {member.data}: fence after {fence.limit:g} s, new copy after {copy.limit:g} s")
    turn = 0
    while True:
        beat = member.beat()
        if beat.alive:
            mark(MARK, beat.streams)
        if fence.due(time.monotonic(), beat) and member.leads():
            code = member.stop()
            say(f"FENCE: Patroni did not answer for {fence.limit:g} s, so PostgreSQL was stopped ({code})")
        turn += 1
        if beat.alive and turn % 5 == 0:
            try:
                if copy.due(time.monotonic(), member.name, member.ask("/cluster")["members"]):
                    say(f"COPY: no replication for {copy.limit:g} s: {member.ask('/reinitialize', {'force': False})}")
            except (OSError, ValueError, KeyError) as error:
                say(f"the cluster cannot be asked: {error}")
        if postmaster.ends(BEAT_SECONDS):
            try:
                member.wake()
                say("WAKE: PostgreSQL ended, and Patroni knows it")
            except (OSError, ValueError) as error:
                say(f"PostgreSQL ended, and Patroni cannot be told: {error}")


if __name__ == "__main__":
    sys.exit(main())
