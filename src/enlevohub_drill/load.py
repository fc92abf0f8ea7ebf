"""Users who do not wait for each other: requests begin by the clock, whatever became of the ones before."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import threading
import time
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from enlevohub_drill.http import BrokenError, Connection, Reply, StaleError
from enlevohub_drill.stolen import Stolen

KINDS = {"list": 0.70, "fresh": 0.14, "create": 0.12, "large": 0.02, "slow": 0.02}
"""Share of each kind of request: on a kept connection, on a new one, a write, a large body, a body that takes long."""

QUICK = ("list", "fresh", "create")
TIMEOUT = 60.0
SLOW_SECONDS = 20.0
LARGE_BYTES = 256 * 1024
ADDRESS = {
    "street": "Rua das Obras",
    "number": "10",
    "neighborhood": "Centro",
    "city": "Recife",
    "state": "PE",
    "zipCode": "50000-000",
}


@dataclass
class Sample:
    """One request: when it began (monotonic), what it was, how long it took, and why it failed (empty: it did not)."""

    began: float
    kind: str
    seconds: float
    problem: str


def percentile(values: list[float], part: float) -> float:
    """Return the value below which a part (0 to 1) of the values lies, nearest rank; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, int(part * len(ordered) + 0.999999) - 1))]


@dataclass
class Period:
    """What the users noticed between two moments.

    Attributes:
        requests: how many requests began.
        failed: how many of them failed.
        p50, p99: seconds of the quick kinds.
        problems: the failures by their reason.
        resent: how many were sent again on a new connection, because the kept one had been closed in peace.
        p99_of: seconds by kind, of the quick kinds.
        stolen: share (0 to 1) of the CPU time that the hypervisor took meanwhile.
        undisturbed: how many of the quick requests had no second of theirs in which it took more than 2 %.
        p99_undisturbed: seconds of those.
    """

    requests: int
    failed: int
    p50: float
    p99: float
    problems: dict[str, int]
    resent: int
    p99_of: dict[str, float]
    stolen: float
    undisturbed: int
    p99_undisturbed: float

    @classmethod
    def of(cls, samples: list[Sample], resent: int, stolen: Stolen, windows: list[tuple[float, float]]) -> Period:
        """Sum samples up, which were under way in the windows."""
        timed = [sample for sample in samples if sample.kind in QUICK and not sample.problem]
        by_kind = {kind: [sample.seconds for sample in timed if sample.kind == kind] for kind in QUICK}
        quick = [sample.seconds for sample in timed]
        calm = [item.seconds for item in timed if not stolen.disturbed(item.began, item.began + item.seconds)]
        problems = Counter(f"{sample.kind}: {sample.problem}" for sample in samples if sample.problem)
        return cls(
            requests=len(samples),
            failed=sum(problems.values()),
            p50=round(percentile(quick, 0.5), 4),
            p99=round(percentile(quick, 0.99), 4),
            problems=dict(problems.most_common(10)),
            resent=resent,
            p99_of={kind: round(percentile(values, 0.99), 4) for kind, values in by_kind.items()},
            stolen=round(stolen.share(windows), 4),
            undisturbed=len(calm),
            p99_undisturbed=round(percentile(calm, 0.99), 4),
        )


@dataclass
class Load:
    """Requests through the load balancer, in a thread of their own.

    Attributes:
        address: public address.
        authority: PEM text of the CA.
        token: access token; a new one may be set at any time.
        rate: requests per second.
        seed: seed of the order of the kinds.
        slow_seconds: how long the sending of a slow body takes.
        acknowledged: ids of the projects whose creation was answered with 201.
    """

    address: str
    authority: str
    token: str
    rate: float = 40.0
    seed: int = 1
    acknowledged: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    resent: int = 0
    slow_seconds: float = SLOW_SECONDS
    _running: dict[int, float] = field(default_factory=dict, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Prepare TLS."""
        self._context = ssl.create_default_context(cadata=self.authority)
        self._free: deque[Connection] = deque()
        self._count = 0
        self._begun = 0
        self._stolen = Stolen()

    def __enter__(self) -> Load:
        """Begin."""
        self._stolen.__enter__()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End: no new requests; those under way end."""
        self._stop.set()
        self._stolen.__exit__()
        assert self._thread is not None
        self._thread.join(TIMEOUT + 30)
        if self._thread.is_alive():
            raise RuntimeError("the load did not end")

    def quick(self, begin: float) -> Period:
        """Return what the users noticed from requests that began after a moment and have ended (monotonic)."""
        found = [item for item in list(self.samples) if item.began >= begin]
        return Period.of(found, self.resent, self._stolen, [(begin, time.monotonic())])

    def between(self, begin: float, end: float) -> Period:
        """Return what the users noticed from the requests that were under way between two moments (monotonic).

        Waits for those that still are.
        """
        limit = time.monotonic() + TIMEOUT + 30
        while any(began < end for began in list(self._running.values())):
            if time.monotonic() > limit:
                raise RuntimeError("requests do not end")
            threading.Event().wait(0.1)
        return self.over([(begin, end)])

    def over(self, windows: list[tuple[float, float]]) -> Period:
        """Return what the users noticed from ended requests that were under way in any of the windows (monotonic)."""

        def inside(item: Sample) -> bool:
            return any(item.began < end and item.began + item.seconds >= begin for begin, end in windows)

        return Period.of([item for item in list(self.samples) if inside(item)], self.resent, self._stolen, windows)

    async def _run(self) -> None:
        chance = random.Random(self.seed)
        kinds, weights = list(KINDS), list(KINDS.values())
        running: set[asyncio.Task[None]] = set()
        begin, number = time.monotonic(), 0
        while not self._stop.is_set():
            number += 1
            wait = begin + number / self.rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            (kind,) = chance.choices(kinds, weights)
            task = asyncio.create_task(self._one(kind))
            running.add(task)
            task.add_done_callback(running.discard)
        if running:
            await asyncio.wait(running, timeout=TIMEOUT + 10)
        while self._free:
            self._free.pop().close()

    async def _one(self, kind: str) -> None:
        began = time.monotonic()
        self._begun += 1
        number = self._begun
        self._running[number] = began
        try:
            problem = await asyncio.wait_for(self._ask(kind), TIMEOUT)
        except TimeoutError:
            problem = f"no answer within {TIMEOUT:g} s"
        except BrokenError as error:
            problem = f"broken: {error}"
        except OSError as error:
            problem = f"no connection: {type(error).__name__}"
        self.samples.append(Sample(began, kind, time.monotonic() - began, problem))
        del self._running[number]

    async def _ask(self, kind: str) -> str:
        """Do one request; returns why it failed, empty when it did not."""
        key = str(uuid.uuid4())  # of a write, as the SPA gives one: it may be done again when its outcome is not known
        if kind in ("fresh", "slow"):
            connection = Connection(self.address, self._context)
        else:
            connection = self._free.popleft() if self._free else Connection(self.address, self._context)
        try:
            try:
                reply = await self._send(connection, kind, key)
            except StaleError:
                self.resent += 1
                reply = await self._send(connection, kind, key)  # the connection is closed: this opens a new one
        except BaseException:
            connection.close()
            raise
        if kind in ("fresh", "slow"):
            connection.close()
        else:
            self._free.append(connection)
        return self._judge(kind, reply)

    async def _send(self, connection: Connection, kind: str, key: str) -> Reply:
        headers = {"Authorization": f"Bearer {self.token}"}
        if kind in ("list", "fresh"):
            return await connection.request("GET", "/api/v1/projects?page=1&limit=9", headers)
        self._count += 1
        description = "x" * LARGE_BYTES if kind == "large" else "Obra em andamento"
        body = {"name": f"Obra {self._count}", "description": description, "address": ADDRESS}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        seconds = self.slow_seconds if kind == "slow" else 0
        return await connection.request("POST", "/api/v1/projects", headers, json.dumps(body).encode(), seconds)

    def _judge(self, kind: str, reply: Reply) -> str:
        wanted = 200 if kind in ("list", "fresh") else 201
        if kind == "large" and reply.status in (400, 413):
            return ""  # a body that is refused for its size was answered all the same
        if reply.status != wanted:
            return f"status {reply.status}"
        try:
            body: Any = reply.json
        except ValueError:
            return "the answer is no JSON"
        if wanted == 201:
            self.acknowledged.add(body["id"])
        elif "pagination" not in body:
            return "the answer has another form"
        return ""
