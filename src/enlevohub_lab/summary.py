"""A report as a person likes to read it, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from enlevohub_lab.console import paint
from enlevohub_lab.containers import container_name
from enlevohub_lab.inventory import Environment
from enlevohub_lab.parts import Part, Report
from enlevohub_lab.site import AUTHORITY_FILE
from enlevohub_lab.ssh import USER

_GOOD = frozenset(
    {"leader", "up", "healthy", "sync standby", "running", "streaming", "http 200", "success", "in sync", "serves"}
)
_BAD = frozenset(
    {"down", "stopped", "missing", "maint", "drain", "start failed", "crashed", "unhealthy", "failed", "interrupted"}
)


def table(rows: Sequence[dict[str, Any]], colours: bool) -> list[str]:
    """Rows as aligned columns with a heading; well-known words are coloured."""
    if not rows:
        return []
    columns = list(rows[0])
    widths = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in columns}
    lines = ["  " + paint("  ".join(name.ljust(widths[name]) for name in columns).rstrip(), "dim", colours)]
    for row in rows:
        cells = []
        for name in columns:
            text = str(row[name]).ljust(widths[name])
            word = str(row[name]).lower()
            colour = "green" if word in _GOOD else "red" if word in _BAD else ""
            cells.append(paint(text, colour, colours) if colour else text)
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def part_lines(part: Part, colours: bool) -> list[str]:
    """One part: its name, what is wrong with it, its table."""
    mark = paint("not well", "red", colours) if part.problem else paint("well", "green", colours)
    lines = [f"{paint(part.name, 'bold', colours)}: {mark}", *table(part.rows, colours)]
    if part.problem:
        lines += [f"  ! {reason}" for reason in part.problem.split("; ")]
    return lines


def ssh_command(environment: str, address: str) -> str:
    """What a person types to log in on a server."""
    directory = f".lab/{environment}"
    return f"ssh -i {directory}/id_ed25519 -o UserKnownHostsFile={directory}/known_hosts {USER}@{address}"


def next_steps(environment: Environment, report: Report) -> list[tuple[str, str]]:
    """What to try next: a reason and a command each."""
    leader = next((row["member"] for part in report.parts for row in part.rows if row.get("role") == "Leader"), "")
    name = environment.name
    inventory = environment.inventory
    steps = []
    if leader in environment.hosts:
        kill = f"{ssh_command(name, str(environment.hosts[leader].address))} sudo pkill -9 -o -u postgres -x postgres"
        steps.append((f"kill PostgreSQL on the leader ({leader})", kill))
        lost = container_name(name, leader)
        steps.append((f"lose the whole server {leader}", f"docker kill {lost}   (back: docker start {lost})"))
    is_default = name == "lab"
    program = f"python -m enlevohub_lab --inventory {inventory}"
    taken = {*environment.hosts, *(row["server"] for part in report.parts for row in part.rows if "server" in row)}
    new = next(candidate for candidate in (f"app{number}" for number in range(1, 255)) if candidate not in taken)
    steps += [
        ("run everything again: it changes nothing", f".venv/bin/ansible-playbook -i {inventory} playbooks/site.yml"),
        ("add a blank server", f"make lab-host NAME={new}" if is_default else f"{program} host {new}"),
        ("remove the lab", "make lab-down" if is_default else f"{program} down"),
    ]
    return steps


def render(report: Report, environment: Environment, *, colours: bool) -> str:
    """The report as text."""
    state = paint("well", "green", colours) if report.well else paint("not well", "red", colours)
    lines = [f"{paint(f'Lab {report.environment}', 'bold', colours)} is {state}", ""]
    for part in report.parts:
        lines += [*part_lines(part, colours), ""]
    if report.address:
        lines += [
            f"Open       {paint(report.address, 'bold', colours)}",
            f"           Browsers warn until they trust .lab/{report.environment}/{AUTHORITY_FILE}.",
            "Log in     Register a company in the browser; its first user is the administrator.",
            "",
        ]
    lines.append(paint("Servers by SSH", "bold", colours))
    for host in environment.hosts.values():
        lines.append(f"  {host.name:<6}  {ssh_command(report.environment, str(host.address))}")
    lines += ["", paint("Try next", "bold", colours)]
    for reason, command in next_steps(environment, report):
        lines += [f"  {paint(f'# {reason}', 'dim', colours)}", f"  {command}"]
    return "\n".join(lines)


def render_json(report: Report) -> str:
    """The report for machines."""
    return json.dumps({**dataclasses.asdict(report), "well": report.well}, indent=2)
