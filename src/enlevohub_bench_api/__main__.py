"""Measure the API beside two Node.js services: compare their answers, load them in turns, print a table and JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from enlevohub_bench_api import check, figures, quota, seed, traffic, usage
from enlevohub_bench_api.figures import API, BESIDE, CREATE, LIST, PG, PRISMA, SHARING, Figures, Window
from enlevohub_bench_api.load import AnswerError, Load, closed_loop, open_loop
from enlevohub_bench_api.servers import Postgres, Redis, Service, Stranger, postgres

ROOT = Path(__file__).resolve().parents[2]
API_PYTHON = ROOT / "build" / "api-venv" / "bin" / "python"
NODE = ROOT / "build" / "node" / "bin" / "node"
OPPONENTS = ROOT / "bench"
CONTENDERS = (API, PRISMA, PG)
WARM_SECONDS = 2.0
FIXED_SHARE = 0.7
FIXED_CONNECTIONS = 64
COPIES = 3
COPY_SHARE = 0.25
COPY_CONNECTIONS = 8
COPY_WINDOWS = 2
"""Windows are so much longer: a limit of CPU time is kept over 0.1 s, and its rest at the edges counts less."""


@dataclass(frozen=True)
class Options:
    """How long and how hard."""

    seed: int
    rounds: int
    seconds: float
    connections: int


@dataclass(frozen=True)
class Kind:
    """A kind of load: its requests and the status of their answers."""

    requests: Sequence[bytes]
    status: int


class Scaling(NamedTuple):
    """Windows of one copy at a time, of one beside others that share nothing with it, and of all of them together."""

    one: list[Window]
    beside: list[Window]
    every: list[Window]


class Bench:
    """The database, the contenders over it, and the requests of one run."""

    def __init__(self, options: Options, server: Postgres, stack: ExitStack) -> None:
        """Fill one database per contender with the same rows and start the contenders; ``stack`` ends them."""
        self.options = options
        self.server = server
        self._stack = stack
        self._logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="enlevohub-bench-logs-")))
        self._secret = secrets.token_hex(32)
        self._now = int(time.time())
        self.data = seed.make(options.seed)
        self._stores = [server.pid]
        self._fill()
        self.services = {name: self.start(name) for name in CONTENDERS}
        for service in self.services.values():
            service.wait_until_live()
        viewers = [
            user for user in self.data.users if user.contractor is None and user.tenant != self.data.empty_tenant
        ]
        creator = next(user for user in self.data.users if user.tenant == self.data.empty_tenant)
        self.kinds = {
            LIST: Kind(traffic.lists(viewers, self._secret, self._now, options.seed), 200),
            CREATE: Kind(traffic.creations(creator, self._secret, self._now, options.seed), 201),
        }

    def _fill(self) -> None:
        self.server.sql("create database seed")
        subprocess.run(
            [str(API_PYTHON), "-m", "enlevohub_api", "migrate"],
            env={"PATH": os.environ["PATH"], **self._api_environment("seed")},
            stdout=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )
        self.server.sql(self.data.script, "seed")
        self.server.sql("vacuum analyze", "seed")
        for name in CONTENDERS:
            self.server.sql(f"create database {name} template seed")

    def _api_environment(self, database: str) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT / "files" / "api" / "src"),
            "DATABASE_URL": self.server.url(database),
            "JWT_SECRET": self._secret,
            "HOST": "127.0.0.1",
            "METRICS_PORT": "0",
            "DRAIN_NOTICE_SECONDS": "0",
        }

    def start(self, name: str, copy: str = "", redis: Redis | None = None) -> Service:
        """Start a contender; further copies of the API share its database, and a Redis if there is one."""
        log = self._logs / f"{name}{copy}.log"
        if name == API:
            environment = self._api_environment(name) | ({"REDIS_URL": redis.url} if redis is not None else {})
            service = Service(name, [str(API_PYTHON), "-m", "enlevohub_api", "serve"], environment, log)
        else:
            environment = {
                "NODE_ENV": "production",
                "DATABASE_URL": self.server.url(name),
                "JWT_SECRET": self._secret,
            }
            service = Service(name, [str(NODE), str(OPPONENTS / "src" / f"{name}.ts")], environment, log)
        self._stack.callback(service.stop)
        return service

    def compare(self) -> int:
        """Ask all contenders the same; return how many requests were compared.

        Raises:
            SystemExit: they answered differently.
        """
        probes = check.probes(self.data, self._secret, self._now)
        for probe in probes:
            if probe.sql is not None:
                for name in self.services:
                    self.server.sql(probe.sql, name)
            try:
                check.compare(probe, {name: check.ask(item.port, probe) for name, item in self.services.items()})
            except check.DifferentError as error:
                raise SystemExit(f"The contenders differ: {error}") from error
        self.forget_creations()
        return len(probes)

    def forget_creations(self) -> None:
        """Give every database its first rows again: creations would slow down what comes later."""
        for name in CONTENDERS:
            self.server.sql(f"delete from projects where tenant_id = '{self.data.empty_tenant}'", name)
            self.server.sql("vacuum projects", name)

    def _cpu(self, services: Sequence[Service]) -> tuple[float, float]:
        table = usage.processes()
        own = usage.tree_seconds([service.pid for service in services], table)
        return own, usage.tree_seconds(self._stores, table)

    @contextmanager
    def _window(self, services: Sequence[Service], into: list[Window]) -> Iterator[list[Load]]:
        loads: list[Load] = []
        before = self._cpu(services)
        try:
            yield loads
        except AnswerError as error:
            raise SystemExit(f"{services[0].name}: {error}\n{services[0].last_lines()}") from error
        after = self._cpu(services)
        (load,) = loads
        into.append(
            Window(load.latencies, load.seconds, after[0] - before[0], after[1] - before[1], load.client_cpu_seconds)
        )

    def peak(self, kind: str, services: Sequence[Service], connections: int, seconds: float) -> Window:
        """Load services as hard as they go, each over some connections."""
        into: list[Window] = []
        ports = [service.port for service in services for _ in range(connections)]
        with self._window(services, into) as loads:
            loads.append(closed_loop(ports, self.kinds[kind].requests, self.kinds[kind].status, seconds))
        if kind == CREATE:
            self.forget_creations()
        return into[0]

    def fixed(self, kind: str, service: Service, rate: float, number: int) -> Window:
        """Load a service at a rate."""
        into: list[Window] = []
        with self._window([service], into) as loads:
            loads.append(
                open_loop(
                    service.port,
                    self.kinds[kind].requests,
                    self.kinds[kind].status,
                    self.options.seconds,
                    rate,
                    FIXED_CONNECTIONS,
                    number,
                )
            )
        if kind == CREATE:
            self.forget_creations()
        return into[0]

    def turns(self, number: int) -> Iterator[tuple[str, str]]:
        """Give each kind of load and each contender once; another contender begins every round."""
        for kind in self.kinds:
            for turn in range(len(CONTENDERS)):
                yield kind, CONTENDERS[(number + turn) % len(CONTENDERS)]

    def measure_peaks(self) -> dict[str, dict[str, Figures]]:
        """Load all contenders in rounds, after a warm-up."""
        windows: dict[str, dict[str, list[Window]]] = {kind: {name: [] for name in CONTENDERS} for kind in self.kinds}
        for kind, name in self.turns(0):
            self.peak(kind, [self.services[name]], self.options.connections, WARM_SECONDS)
        for number in range(self.options.rounds):
            for kind, name in self.turns(number):
                window = self.peak(kind, [self.services[name]], self.options.connections, self.options.seconds)
                windows[kind][name].append(window)
        return {kind: {name: figures.figures(windows[kind][name]) for name in CONTENDERS} for kind in self.kinds}

    def measure_fixed(self, rates: dict[str, float]) -> dict[str, dict[str, Figures]]:
        """Load all contenders at the same rates, in rounds."""
        windows: dict[str, dict[str, list[Window]]] = {kind: {name: [] for name in CONTENDERS} for kind in self.kinds}
        for number in range(self.options.rounds):
            for kind, name in self.turns(number):
                windows[kind][name].append(self.fixed(kind, self.services[name], rates[kind], number))
        return {kind: {name: figures.figures(windows[kind][name]) for name in CONTENDERS} for kind in self.kinds}

    def measure_scaling(self) -> dict[str, Scaling]:
        """Load one copy of the API, then three, each on a share of a core; give both by what was loaded.

        Copies that share a Redis, as those of a datacenter, are told from those without by `SHARING`.

        Raises:
            NotAllowedError: this machine does not let the caller limit processes.
        """
        found: dict[str, Scaling] = {}
        with quota.groups(COPIES, COPY_SHARE) as files:
            for redis in (None, self._redis()):
                with ExitStack() as stack:
                    copies = [self._limited_copy(file, redis, stack) for file in files]
                    strangers = [stack.enter_context(Stranger(file)) for file in files]
                    for kind in self.kinds:
                        name = kind if redis is None else kind + SHARING
                        found[name] = self._scaling(kind, copies, strangers)
        return found

    def _redis(self) -> Redis:
        redis = Redis()
        self._stack.callback(redis.stop)
        self._stores.append(redis.pid)
        return redis

    def _limited_copy(self, group: Path, redis: Redis | None, stack: ExitStack) -> Service:
        service = self.start(API, group.parent.name + (SHARING if redis is not None else ""), redis)
        stack.callback(service.stop)
        service.wait_until_live()
        group.write_text(str(service.pid), encoding="ascii")
        return service

    def _scaling(self, kind: str, copies: Sequence[Service], strangers: Sequence[Stranger]) -> Scaling:
        found = Scaling([], [], [])
        seconds = COPY_WINDOWS * self.options.seconds
        self.peak(kind, copies, COPY_CONNECTIONS, WARM_SECONDS)
        for number, alone in enumerate(copies):
            found.one.append(self.peak(kind, [alone], COPY_CONNECTIONS, seconds))
            with ExitStack() as stack:
                for other, stranger in enumerate(strangers):
                    if other != number:
                        stack.enter_context(stranger.at_work())
                found.beside.append(self.peak(kind, [alone], COPY_CONNECTIONS, seconds))
            found.every.append(self.peak(kind, copies, COPY_CONNECTIONS, seconds))
        return found


def versions(server: Postgres) -> dict[str, str]:
    """Return what was measured on what."""
    packages = json.loads((OPPONENTS / "package.json").read_text(encoding="utf-8"))["dependencies"]

    def said(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    return {
        "kernel": platform.release(),
        "cores": str(len(os.sched_getaffinity(0))),
        "postgresql": server.sql("show server_version"),
        "python": said(str(API_PYTHON), "-c", "import platform; print(platform.python_version())"),
        "node": said(str(NODE), "--version"),
        **{name: packages[name] for name in ("fastify", "@prisma/client", "pg")},
    }


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(prog="enlevohub_bench_api", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load per window")
    parser.add_argument("--connections", type=int, default=16, help="of the closed loop")
    parser.add_argument("--check", action="store_true", help="only compare the answers")
    arguments = parser.parse_args()
    options = Options(arguments.seed, arguments.rounds, arguments.seconds, arguments.connections)
    began = time.monotonic()
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        bench = Bench(options, server, stack)
        data = bench.data
        print(
            f"Seed {options.seed}: {data.projects} projects, {data.evolutions} evolutions, {data.units} units; "
            f"load average {os.getloadavg()[0]:.1f}"
        )
        print(f"The contenders answer {bench.compare()} requests alike.", flush=True)
        if arguments.check:
            return
        document = run(bench)
    document["seconds"] = round(time.monotonic() - began)
    path = ROOT / "build" / "bench-api.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"\n{path.relative_to(ROOT)} written after {document['seconds']} s.")


def run(bench: Bench) -> dict[str, object]:
    """Measure everything, print it, and return it as a document."""
    peak = bench.measure_peaks()
    print("\n" + figures.table(f"Closed loop, {bench.options.connections} connections", peak), flush=True)
    rates = {kind: FIXED_SHARE * peak[kind][PRISMA].requests_per_second for kind in peak}
    fixed = bench.measure_fixed(rates)
    spoken = ", ".join(f"{kind} {value:.0f}/s" for kind, value in rates.items())
    print("\n" + figures.table(f"Open loop at {FIXED_SHARE:.0%} of the peak of {PRISMA}: {spoken}", fixed), flush=True)
    scaled: dict[str, Any] = {"copies": COPIES, "share_of_a_core": COPY_SHARE}
    values: dict[str, float] = {}
    try:
        print()
        for name, (one, beside, every) in bench.measure_scaling().items():
            values[name] = figures.scaling(one, every, COPIES)
            values[name + BESIDE] = figures.scaling(beside, every, COPIES)
            scaled[name] = {"scaling": values[name], "scaling_beside_strangers": values[name + BESIDE]}
            for case, windows in (("one", one), ("one_beside_strangers", beside), ("all", every)):
                found, busy, used = figures.figures(windows), figures.cores(windows), figures.machine(windows)
                scaled[name] |= {case: {**asdict(found), "cores": busy, "machine": used}}
                print(
                    f"{name}, copies of {COPY_SHARE} core each, {case.replace('_', ' ')}: "
                    f"{found.requests_per_second:.0f} req/s of {found.service_cpu_ms:.2f} ms, {busy:.2f} cores busy, "
                    f"{used:.2f} of {len(os.sched_getaffinity(0))} with all servers and the load"
                )
    except quota.NotAllowedError as error:
        scaled["not_measured"] = str(error)
        print(f"\nScaling was not measured: this machine does not allow CPU limits ({error}).")
    items = figures.goals(peak, fixed, values)
    print("\n" + figures.goal_lines(items))
    return {
        "options": asdict(bench.options),
        "versions": versions(bench.server),
        "load_average": os.getloadavg(),
        "peak": {kind: {name: asdict(item) for name, item in found.items()} for kind, found in peak.items()},
        "rates": rates,
        "fixed": {kind: {name: asdict(item) for name, item in found.items()} for kind, found in fixed.items()},
        "scaling": scaled,
        "goals": [{**asdict(item), "met": item.met} for item in items],
    }


main()
