"""Releases and faults under load on a lab: prints one JSON document, and a table for people on stderr."""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from enlevohub_bench_api.quota import NotAllowedError, background
from enlevohub_drill import variants
from enlevohub_drill.cases import Drill, Result
from enlevohub_drill.load import Load
from enlevohub_drill.site import ROOT, load_datacenter
from enlevohub_lab.engine import started_here

BEFORE_SECONDS = 60.0
"""Long enough for a percentile: 3,200 requests at the usual rate."""


def cases(drill: Drill, releases: int) -> dict[str, Callable[[], Result]]:
    """Return the cases by their short names, in the order in which they run."""
    return {
        "releases": lambda: drill.releases(releases),
        "rollback": drill.rollback,
        "growth": drill.growth,
        "switchover": drill.switchover,
        "bad": lambda: drill.broken("a version that does not start", variants.NEVER_STARTS),
        "dies": lambda: drill.broken("a version that dies after 20 s", variants.DIES.format(seconds=20)),
        "kill": drill.kill,
        "engine": drill.engine,
        "control": drill.control,
        "busy": drill.busy,
    }


def summary(drill: Drill, results: list[Result], lost: int) -> dict[str, Any]:
    """Return what the users noticed over the planned cases and before them, all together, and the writes lost."""
    planned = [result for result in results if result.planned]
    before = drill.load.over([result.before_window for result in planned])
    during = drill.load.over([result.during_window for result in planned])
    return {
        "planned_requests": during.requests,
        "planned_failed": during.failed,
        "planned_p99_before": before.p99,
        "planned_p99_during": during.p99,
        "planned_p99_undisturbed_before": before.p99_undisturbed,
        "planned_p99_undisturbed_during": during.p99_undisturbed,
        "planned_undisturbed_requests": during.undisturbed,
        "planned_p99_of_before": before.p99_of,
        "planned_p99_of_during": during.p99_of,
        "acknowledged_writes_lost": lost,
    }


def table(results: list[Result]) -> str:
    """Return the results for people."""
    times = f"{'p50 ms':>14} {'p99 ms':>15} {'undisturbed':>15} {'stolen %':>9}"
    lines = [f"{'case':45} {'requests':>9} {'failed':>7} {times} {'s/host':>12}  touched"]
    for item in results:
        figures = item.seconds_per_host
        spread = f"{min(figures):g}-{max(figures):g}" if figures else ""
        lines.append(
            f"{item.name:45} {item.during.requests:>9} {item.during.failed:>7} "
            f"{item.before.p50 * 1000:>6.0f} {item.during.p50 * 1000:>7.0f} "
            f"{item.before.p99 * 1000:>7.0f} {item.during.p99 * 1000:>7.0f} "
            f"{item.before.p99_undisturbed * 1000:>7.0f} {item.during.p99_undisturbed * 1000:>7.0f} "
            f"{item.before.stolen * 100:>4.1f} {item.during.stolen * 100:>4.1f} {spread:>12}  "
            f"{' '.join(item.hosts_touched)}"
        )
    return "\n".join(lines)


def main() -> int:
    """Run the cases; 1 when a planned case lost a request, a write is gone, or the control lost nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inventory", type=Path, default=Path("inventories/lab"))
    parser.add_argument("--cases", help="short names, separated by commas; all when absent")
    parser.add_argument("--releases", type=int, default=10, help="how many releases in a row")
    parser.add_argument("--rate", type=float, default=55.0, help="requests per second")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    site = load_datacenter(ROOT / given.inventory)
    account = site.register()
    print(f"seed {given.seed}", file=sys.stderr)
    engine = started_here(ROOT / ".lab")
    try:  # a control machine is a machine of its own; here it may have what the servers leave of the CPUs
        site.control_group = background("enlevohub-control")
        if engine:  # it builds the images; the servers are in groups of their own
            site.control_group.write_text(str(engine), encoding="ascii")
    except NotAllowedError as error:
        print(f"the control machine shares the CPUs with the servers: {error}", file=sys.stderr)
    # Servers have CPUs of their own. In a lab a task that works on six at once takes what one of them needs to answer.
    site.forks = 1
    load = Load(
        site.public,
        site.secrets["vault_pki_ca_certificate"],
        account["tokens"]["accessToken"],
        rate=given.rate,
        seed=given.seed,
    )
    drill = Drill(site, load, account["tokens"]["refreshToken"], BEFORE_SECONDS)
    known = cases(drill, given.releases)
    names = given.cases.split(",") if given.cases else list(known)
    unknown = sorted(set(names) - set(known))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    results: list[Result] = []
    with load:
        for name in names:
            results.append(known[name]())
            print(table(results[-1:]), file=sys.stderr)
    lost = missing_writes(site, load.acknowledged)
    report = {
        "seed": given.seed,
        "rate": given.rate,
        "control_machine_yields": site.control_group is not None,
        "engine_yields": site.control_group is not None and bool(engine),
        "forks": site.forks,
        "cases": [dataclasses.asdict(result) for result in results],
        **summary(drill, results, lost),
    }
    path = ROOT / "build" / "drill-release.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    print(table(results), file=sys.stderr)
    for name, key in (("p99", "planned_p99"), ("p99 where no hypervisor took CPU time", "planned_p99_undisturbed")):
        before, during = report[f"{key}_before"] * 1000, report[f"{key}_during"] * 1000
        print(f"{name}, all planned cases: {before:.0f} ms before, {during:.0f} ms during", file=sys.stderr)
    blind = any(result.name.startswith("control") and not result.during.failed for result in results)
    return 1 if report["planned_failed"] or lost or blind else 0


def missing_writes(site: Any, acknowledged: set[str]) -> int:
    """Return how many acknowledged projects the database does not have."""
    found = set(site.sql(site.leader(), "select id from projects").split())
    return len(acknowledged - found)


if __name__ == "__main__":
    sys.exit(main())
