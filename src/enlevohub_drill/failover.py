"""Faults of the database under writes: what was acknowledged, what was lost, how long nobody could write.

Reads the site as JSON from standard input, as the role `failover_drill` writes it; prints JSON on standard output, and
what happens meanwhile on standard error.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enlevohub_drill.faults import CONFIG, UNCUT, Faults, Power
from enlevohub_drill.judge import Verdict, acknowledged, gap, overlap
from enlevohub_drill.ledger import Ledger
from enlevohub_drill.servers import Server, ServerError, Servers, pause, wait

FAULTS = (
    "switchover",
    "postgres_kill",
    "patroni_kill",
    "host_stop",
    "partition",
    "etcd_loss",
    "standby_stop",
    "standby_partition",
    "saturation",
)
RANDOM = tuple(fault for fault in FAULTS if fault != "saturation")
LONG, MATRIX, CONTROL = "random", "matrix", "control"
WHOLE_SECONDS = 240.0
BEFORE_SECONDS = 3.0
AFTER_SECONDS = 3.0
CONTROL_CUT_SECONDS = 3.0
MATRIX_SECONDS = 60.0


@dataclass(frozen=True)
class Site:
    """What the role tells: the servers, the client's directory, the commands for power, what to do."""

    servers: Servers
    client: str
    directory: str
    scope: str
    power: Power
    results: Path
    environment: str
    helper: tuple[str, ...]

    @classmethod
    def read(cls, data: dict[str, Any]) -> Site:
        """Make it from the JSON of the role."""
        servers = {name: Server(name=name, **values) for name, values in data["servers"].items()}
        return cls(
            servers=Servers(servers, data["databases"], data["etcd"], int(data["restapi_port"])),
            client=data["client"],
            directory=data["directory"],
            scope=data["scope"],
            power=Power(tuple(data["power_off"]), tuple(data["power_on"])),
            results=Path(data["results"]),
            environment=data["environment"],
            helper=tuple(data["helper"]),
        )


@dataclass(frozen=True)
class Result:
    """One fault.

    Attributes:
        fault: its name.
        gap_seconds: longest time between two acknowledged writes around it.
        acked: acknowledged writes in the whole drill.
        lost, ghost: how many of them are gone; how many are there without an acknowledgement.
        old_leader, new_leader: before and after.
        rejoined_seconds: from the end of the fault until every member is well; from its begin where it has no end.
        failed, unknown: writes that were not acknowledged.
        overlap_seconds: for how long two leaders acknowledged at once; must be 0.
    """

    fault: str
    gap_seconds: float
    acked: int
    lost: int
    ghost: int
    old_leader: str
    new_leader: str
    rejoined_seconds: float
    failed: int
    unknown: int
    overlap_seconds: float


@dataclass(frozen=True)
class Window:
    """What one fault did, before the judge has spoken."""

    fault: str
    gap: float
    overlap: float
    old: str
    new: str
    rejoined: float

    def result(self, verdict: Verdict) -> Result:
        """Add the verdict."""
        return Result(
            fault=self.fault,
            gap_seconds=round(self.gap, 2),
            acked=verdict.acked,
            lost=len(verdict.lost) + len(verdict.foreign),
            ghost=len(verdict.ghost),
            old_leader=self.old,
            new_leader=self.new,
            rejoined_seconds=round(self.rejoined, 1),
            failed=verdict.failed,
            unknown=verdict.unknown,
            overlap_seconds=round(self.overlap, 3),
        )


def say(text: str) -> None:
    """Tell people what happens."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Drill:
    """Runs faults on one site."""

    def __init__(self, site: Site, minutes: float) -> None:
        """Use a site; nothing is contacted yet.

        Args:
            site: where.
            minutes: how long random faults go on, or cores are busy.
        """
        self.site, self.servers, self.minutes = site, site.servers, minutes

    def run(self, fault: str, times: int, seed: int) -> list[Result]:
        """Make what was asked for."""
        if fault == LONG:
            return self.long(seed)
        if fault == MATRIX:
            return self.matrix()
        return self.control() if fault == CONTROL else self.single(fault, times)

    def faults(self, ledger: Ledger) -> Faults:
        """Return the faults on this site, with the ledger of the writes."""
        return Faults(self.servers, ledger, self.site.power, self.site.scope, self.minutes)

    def whole(self) -> float:
        """Wait until the cluster is whole; returns the seconds it took."""
        return wait("every member well, one leader, a synchronous standby", self.servers.whole, WHOLE_SECONDS)

    def one(self, fault: str, ledger: Ledger) -> Window:
        """Make one fault and wait until everything is well again."""
        self.whole()
        old = self.servers.leader()
        pause(BEFORE_SECONDS)
        mark = len(ledger.writes)
        since = max(write.end for write in ledger.writes[-100:])
        say(f"{fault}: begins, the leader is {old}")
        begin = self.faults(ledger).known()[fault]()
        self.whole()
        rejoined = time.monotonic() - begin
        pause(AFTER_SECONDS)
        ledger.wait_for_writes(30)
        around = ledger.writes[max(0, mark - 200) :]
        window = Window(fault, gap(around, since), overlap(around), old, self.servers.leader(), rejoined)
        say(f"{fault}: no write for {window.gap:.2f} s, {old} -> {window.new}, whole {rejoined:.1f} s after its end")
        return window

    def single(self, fault: str, times: int) -> list[Result]:
        """Make one fault, several times with one ledger."""
        with Ledger(self.servers, self.site.client, self.site.directory) as ledger:
            windows = [self.one(fault, ledger) for _ in range(times)]
            verdict = ledger.verdict()
        return [window.result(verdict) for window in windows]

    def long(self, seed: int) -> list[Result]:
        """Make random faults one after the other, with one ledger."""
        order = random.Random(seed)
        say(f"seed {seed}, {self.minutes:g} minutes")
        windows: list[Window] = []
        end = time.monotonic() + 60 * self.minutes
        with Ledger(self.servers, self.site.client, self.site.directory) as ledger:
            while time.monotonic() < end:
                windows.append(self.one(order.choice(RANDOM), ledger))
                pause(order.uniform(0, 3))
            verdict = ledger.verdict()
        return [window.result(verdict) for window in windows]

    def control(self) -> list[Result]:
        """Lose the leader without synchronous replication: the judge must report lost writes.

        The standby is cut off for some seconds, so that it misses what the leader acknowledges; then the leader loses
        its power and the standby, reachable again, takes over.
        """
        self.whole()
        old = self.servers.leader()
        (standby,) = [name for name in self.servers.databases if name != old]
        edit = f"patronictl -c {CONFIG} edit-config {self.site.scope} --force --quiet -s synchronous_mode="
        self.servers.run(old, edit + "false", 60)
        try:
            wait("replication without a synchronous standby", lambda: not self.servers.standby(), 30)
            with Ledger(self.servers, self.site.client, self.site.directory) as ledger:
                faults = self.faults(ledger)
                pause(BEFORE_SECONDS)
                since = acknowledged(ledger.writes)[-1].end
                faults.cut(standby)
                try:
                    pause(CONTROL_CUT_SECONDS)
                    self.site.power.switch(self.site.power.off, old)
                finally:
                    self.servers.run(standby, UNCUT)
                begin = time.monotonic()
                try:
                    wait("another leader", lambda: self.servers.cluster([standby]) and self.leads(standby), 120)
                    ledger.wait_for_writes(30)
                finally:
                    self.site.power.switch(self.site.power.on, old)
                verdict = ledger.verdict()
                window = Window(CONTROL, gap(ledger.writes, since), 0.0, old, standby, time.monotonic() - begin)
        finally:
            wait("a leader", self.servers.leader, 120)
            self.servers.run(self.servers.leader(), edit + "true", 60)
            self.whole()
        return [window.result(verdict)]

    def leads(self, name: str) -> bool:
        """Whether a member leads, as it says itself."""
        return any(item["name"] == name and item["role"] == "leader" for item in self.servers.cluster([name]))

    def matrix(self) -> list[Result]:
        """Lose any one and any two servers of the quorum: who keeps writing?"""
        results = []
        names = sorted({*self.servers.etcd, *self.servers.databases} - {self.site.client})
        losses = [*itertools.combinations(names, 1), *itertools.combinations(names, 2)]
        for lost in losses:
            self.whole()
            old = self.servers.leader()
            with Ledger(self.servers, self.site.client, self.site.directory) as ledger:
                pause(BEFORE_SECONDS)
                since = acknowledged(ledger.writes)[-1].end
                for name in lost:
                    self.site.power.switch(self.site.power.off, name)
                try:
                    pause(BEFORE_SECONDS)
                    writes = self.writes_again(ledger)
                finally:
                    begin = time.monotonic()
                    for name in lost:
                        self.site.power.switch(self.site.power.on, name)
                self.whole()
                rejoined = time.monotonic() - begin
                ledger.wait_for_writes(60)
                length, verdict = gap(ledger.writes, since), ledger.verdict()
            word = "writes" if writes else "stops"
            title = f"loss of {' and '.join(lost)}: {word}"
            say(f"{title}, no write for {length:.1f} s, lost {len(verdict.lost)}")
            results.append(Window(title, length, 0.0, old, self.servers.leader(), rejoined).result(verdict))
        return results

    @staticmethod
    def writes_again(ledger: Ledger) -> bool:
        """Whether writes are acknowledged within the limit."""
        try:
            ledger.wait_for_writes(MATRIX_SECONDS)
        except ServerError:
            return False
        return True


@contextmanager
def helper(command: tuple[str, ...]) -> Iterator[None]:
    """Let a command run meanwhile, from its first line on.

    Raises:
        ServerError: it ends without a line.
    """
    if not command:
        yield
        return
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            if not line:
                raise ServerError(f"`{shlex.join(command)}` ended at once ({process.wait()})")
            say(f"{shlex.join(command)}: {line}")
            yield
        finally:
            process.terminate()


def plan(site: Site, fault: str) -> str:
    """Return what a drill would do."""
    leader, standby = site.servers.leader(), site.servers.standby()
    return f"{fault} on {site.scope}: leader {leader}, synchronous standby {standby}; {site.client} writes meanwhile"


def accepted(fault: str, results: list[Result]) -> bool:
    """Whether the results are good: nothing lost and no two leaders; the control must have lost something."""
    lost = any(result.lost for result in results)
    return lost if fault == CONTROL else not lost and not any(result.overlap_seconds > 0 for result in results)


def main() -> int:
    """Run a drill; 1 when an acknowledged write is gone (for the control: when none is), 2 when it could not be run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", required=True, choices=[*FAULTS, LONG, MATRIX, CONTROL])
    parser.add_argument("--times", type=int, default=1, help="how often, with one ledger")
    parser.add_argument("--minutes", type=float, default=15.0, help="of random and of saturation")
    parser.add_argument("--seed", type=int, default=0, help="seed of the order of random faults; 0: a new one")
    parser.add_argument("--plan", action="store_true", help="only tell what would happen")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what a fault took away must be given back
    site = Site.read(json.load(sys.stdin))
    drill = Drill(site, given.minutes)
    try:
        if given.plan:
            print(plan(site, given.fault))
            return 0
        if not site.servers.whole():
            raise ServerError(f"the cluster is not whole, so no drill: {site.servers.cluster()}")
        with helper(site.helper):
            seed = given.seed or random.SystemRandom().randrange(1, 10**6)
            results = drill.run(given.fault, given.times, seed)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    finally:
        site.servers.close()
    documents = [dataclasses.asdict(result) for result in results]
    text = json.dumps(documents if given.fault in (LONG, MATRIX) or given.times > 1 else documents[0], indent=2)
    site.results.mkdir(parents=True, exist_ok=True)
    moment = time.strftime("%Y%m%dT%H%M%S")
    (site.results / f"{site.environment}-{given.fault}-{moment}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if accepted(given.fault, results) else 1


if __name__ == "__main__":
    sys.exit(main())
