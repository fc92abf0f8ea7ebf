"""Command line: `python -m enlevohub_lab --inventory inventories/lab COMMAND`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from enlevohub_lab import inventory as inventories
from enlevohub_lab import power, ssh, status, summary
from enlevohub_lab.addition import add_host, inventory_lines
from enlevohub_lab.console import Console
from enlevohub_lab.engine import ensure_engine
from enlevohub_lab.errors import LabError
from enlevohub_lab.hosts import ensure_hosts
from enlevohub_lab.images import ensure_base, ensure_host
from enlevohub_lab.inventory import Environment
from enlevohub_lab.lock import locked
from enlevohub_lab.removal import remove_lab
from enlevohub_lab.site import make_secrets, run_site

PROJECT = Path(__file__).resolve().parents[2]

SETTLES_WITHIN = 60


def parser() -> argparse.ArgumentParser:
    """The command line's shape."""
    top = argparse.ArgumentParser(prog="python -m enlevohub_lab", description=__doc__)
    top.add_argument("--inventory", type=Path, default=Path("inventories/lab"), help="inventory directory of a lab")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("engine", help="a working Docker engine")
    base = commands.add_parser("base", help="the base image of all images")
    base.add_argument("--refresh", action="store_true", help="build again, with today's packages")
    commands.add_parser("hosts", help="blank servers that answer by SSH")
    commands.add_parser("up", help="servers, secrets, playbooks/site.yml, summary")
    host = commands.add_parser("host", help="one more blank server")
    host.add_argument("name", metavar="NAME", help="such as app4")
    state = commands.add_parser("status", help="how the lab is")
    state.add_argument("--json", action="store_true", help="for machines")
    commands.add_parser("power", help="tell the servers whether one of them is off, until interrupted")
    commands.add_parser("down", help="remove the lab")
    return top


def blank_servers(environment: Environment, console: Console) -> None:
    """Engine, images, containers."""
    ensure_engine(PROJECT / ".lab", console)
    digest = ensure_base(PROJECT, console)
    ensure_host(PROJECT, digest, console)
    ensure_hosts(environment, PROJECT, console)


def show(environment: Environment, *, as_json: bool = False, patience: float = 0) -> int:
    """Print the state of a lab; 1 when something is not well after `patience` seconds."""
    vault = PROJECT / "group_vars" / environment.name / "vault.yml"
    limit = time.monotonic() + patience
    while True:
        report = status.collect(environment, ssh.access(PROJECT, environment.name), vault)
        if report.well or time.monotonic() >= limit:
            break
        time.sleep(1)
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(summary.render_json(report) if as_json else summary.render(report, environment, colours=colours))
    return 0 if report.well else 1


def run_command(options: argparse.Namespace, console: Console) -> int:
    """Run one command of the command line and return its exit status."""
    if options.command == "engine":
        ensure_engine(PROJECT / ".lab", console)
        return 0
    if options.command == "base":
        ensure_engine(PROJECT / ".lab", console)
        ensure_base(PROJECT, console, refresh=options.refresh)
        return 0
    name = inventories.environment_name(options.inventory)
    if options.command == "status":
        return show(inventories.read(options.inventory), as_json=options.json)
    if options.command == "power":
        power.serve(inventories.read(options.inventory), PROJECT / "group_vars" / name / "vault.yml")
        return 0
    with locked(PROJECT / ".lab" / name, options.command):
        if options.command == "down":
            print("\n".join(remove_lab(name, PROJECT, console)))
            return 0
        environment = inventories.read(options.inventory)
        if options.command == "host":
            host = add_host(environment, options.name, PROJECT, console)
            print(inventory_lines(environment, host))
            return 0
        blank_servers(environment, console)
        if options.command == "hosts":
            return 0
        make_secrets(PROJECT, name, console)
        run_site(PROJECT, options.inventory, console)
        return show(environment, patience=SETTLES_WITHIN)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 done, 1 something is not well (told on standard error), 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        return run_command(options, Console())
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
