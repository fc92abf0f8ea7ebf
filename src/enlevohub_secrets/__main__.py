"""Command line: `python -m enlevohub_secrets --environment ENVIRONMENT [--rotate STEP --secrets NAMES]`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.rotation import ALL, rotate
from enlevohub_secrets.store import Result, ensure_secrets
from enlevohub_secrets.table import ROTATED

PROJECT = Path(__file__).resolve().parents[2]


def describe(result: Result, project: Path, environment: str) -> list[str]:
    """What a person needs to know, without a single value."""
    where = f"group_vars/{environment}/vault.yml"
    lines = [f"{where}: {', '.join(result.added)} added" if result.added else f"{where}: complete, nothing changed"]
    if result.password and result.password_created:
        relative = result.password.relative_to(project)
        lines.append(f"The vault password is in {relative}, made now and readable by you only; git ignores it.")
        lines.append("Keep a copy in a safe place: without it the secrets are lost.")
    return lines


def main(arguments: list[str] | None = None, project: Path = PROJECT) -> int:
    """Run the command; 0 when the environment has all its secrets, 1 on an error that is told on standard error."""
    parser = argparse.ArgumentParser(prog="python -m enlevohub_secrets", description="Make the missing secrets.")
    parser.add_argument("--environment", required=True, help="lab, molecule, datacenter, ...")
    steps = ["show", "begin", "promote", "end"]
    parser.add_argument("--rotate", choices=steps, help="a step of playbooks/rotate-secrets.yml; prints no value")
    parser.add_argument("--secrets", default=ALL, help="for --rotate begin: all, or purposes with commas between")
    options = parser.parse_args(arguments)
    environment = options.environment
    try:
        if options.rotate:
            states = rotate(project, environment, os.environ, options.rotate, options.secrets)
            print(json.dumps({name: {"state": state, "secret": ROTATED[name]} for name, state in states.items()}))
            return 0
        result = ensure_secrets(project, environment, os.environ)
    except SecretsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(describe(result, project, environment)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
