"""The arithmetic of the report, and the report."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

API = "api"
PRISMA = "prisma"
PG = "pg"
LIST = "list"
CREATE = "create"
SHARING = " with Redis"
"""What is added to a kind of load when the copies share a Redis."""
BESIDE = " beside strangers"
"""What is added when the one copy that all are compared with ran beside processes as busy as the other copies are."""


@dataclass(frozen=True)
class Window:
    """One stretch of load on one contender: latencies in seconds, CPU seconds of the service and of PostgreSQL."""

    latencies: Sequence[float]
    seconds: float
    service_cpu: float
    database_cpu: float
    client_cpu: float


@dataclass(frozen=True)
class Figures:
    """What the windows of one contender and one kind of load come to.

    Rates and latencies are medians over the windows; CPU figures are over all windows together.
    """

    requests: int
    requests_per_second: float
    requests_per_cpu_second: float
    service_cpu_ms: float
    database_cpu_ms: float
    p50_ms: float
    p99_ms: float
    client_cpu_share: float


@dataclass(frozen=True)
class Goal:
    """A figure and what it is wanted to be; it is reported, never enforced."""

    name: str
    value: float | None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the value is as wanted; None without a value."""
        if self.value is None:
            return None
        too_low = self.at_least is not None and self.value < self.at_least
        too_high = self.at_most is not None and self.value > self.at_most
        return not (too_low or too_high)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def figures(windows: Sequence[Window]) -> Figures:
    """Bring the windows of one contender together."""
    requests = sum(len(window.latencies) for window in windows)
    service = sum(window.service_cpu for window in windows)
    database = sum(window.database_cpu for window in windows)
    return Figures(
        requests=requests,
        requests_per_second=statistics.median(rate(window) for window in windows),
        requests_per_cpu_second=requests / (service + database),
        service_cpu_ms=1000 * service / requests,
        database_cpu_ms=1000 * database / requests,
        p50_ms=1000 * statistics.median(quantile(window.latencies, 0.5) for window in windows),
        p99_ms=1000 * statistics.median(quantile(window.latencies, 0.99) for window in windows),
        client_cpu_share=sum(window.client_cpu for window in windows) / sum(window.seconds for window in windows),
    )


def rate(window: Window) -> float:
    """Return the requests per second of a window."""
    return len(window.latencies) / window.seconds


def cores(windows: Sequence[Window]) -> float:
    """Return how many cores the service kept busy."""
    return sum(window.service_cpu for window in windows) / sum(window.seconds for window in windows)


def machine(windows: Sequence[Window]) -> float:
    """Return how many cores the service, the database and the load kept busy together."""
    busy = sum(window.service_cpu + window.database_cpu + window.client_cpu for window in windows)
    return busy / sum(window.seconds for window in windows)


def scaling(one: Sequence[Window], all_copies: Sequence[Window], copies: int) -> float:
    """Return how near several copies come to as many times the rate of one; 1 is perfect."""
    return statistics.median(map(rate, all_copies)) / (copies * statistics.median(map(rate, one)))


def goals(
    peak: Mapping[str, Mapping[str, Figures]],
    fixed: Mapping[str, Mapping[str, Figures]],
    scaled: Mapping[str, float],
) -> list[Goal]:
    """Return the goals with their values; all are by kind of load, ``peak`` and ``fixed`` then by contender."""
    made = []
    for kind, wanted in ((LIST, 2.0), (CREATE, 1.6)):
        per_cpu = peak[kind][API].requests_per_cpu_second / peak[kind][PRISMA].requests_per_cpu_second
        made.append(Goal(f"{kind}: requests per CPU second, {API} / {PRISMA}", per_cpu, at_least=wanted))
        per_second = peak[kind][API].requests_per_second / peak[kind][PRISMA].requests_per_second
        made.append(Goal(f"{kind}: requests per second, {API} / {PRISMA}", per_second, at_least=wanted))
    for kind in (LIST, CREATE):
        ratio = fixed[kind][API].p99_ms / fixed[kind][PRISMA].p99_ms
        made.append(Goal(f"{kind}: p99 at the fixed rate, {API} / {PRISMA}", ratio, at_most=0.5))
    for sharing in ("", SHARING):
        for kind in (LIST, CREATE):
            value = scaled.get(kind + sharing)
            made.append(Goal(f"{kind}{sharing}: scaling from 1 to 3 copies", value, at_least=0.95))
            value = scaled.get(kind + sharing + BESIDE)
            made.append(Goal(f"{kind}{sharing}: the same, CPUs as busy with 1", value, at_least=0.95))
    return made


def table(title: str, by_kind: Mapping[str, Mapping[str, Figures]]) -> str:
    """Return figures as a table, with each contender's requests per CPU second relative to Prisma's."""
    columns = ("requests", "req/s", "req/CPU s", "/ prisma", "API ms", "PG ms", "p50 ms", "p99 ms", "client")
    lines = [title, f"{'':16}" + "".join(f"{column:>11}" for column in columns)]
    for kind, by_contender in by_kind.items():
        base = by_contender[PRISMA].requests_per_cpu_second
        for name, item in by_contender.items():
            lines.append(
                f"{kind + ' ' + name:16}{item.requests:>11}{item.requests_per_second:>11.0f}"
                f"{item.requests_per_cpu_second:>11.0f}{item.requests_per_cpu_second / base:>11.2f}"
                f"{item.service_cpu_ms:>11.3f}{item.database_cpu_ms:>11.3f}{item.p50_ms:>11.1f}{item.p99_ms:>11.1f}"
                f"{item.client_cpu_share:>11.0%}"
            )
    return "\n".join(lines)


def goal_lines(items: Sequence[Goal]) -> str:
    """Return the goals, one per line."""
    words = {True: "met", False: "missed", None: "not measured"}
    lines = ["Goals (reported, not enforced)"]
    for item in items:
        wanted = f">= {item.at_least:.2f}" if item.at_least is not None else f"<= {item.at_most:.2f}"
        value = "-" if item.value is None else f"{item.value:.2f}"
        lines.append(f"  {item.name:48}{value:>8}  {wanted:8} {words[item.met]}")
    return "\n".join(lines)
