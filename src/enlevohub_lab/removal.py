"""Remove a lab: what carries its label, and its files; nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

from enlevohub_lab.console import Console
from enlevohub_lab.containers import ENVIRONMENT_LABEL
from enlevohub_lab.engine import engine_answers, started_here
from enlevohub_lab.images import BASE_IMAGE, HOST_IMAGE
from enlevohub_lab.process import count, docker

# What a lab consists of, in the order in which Docker lets it go: noun, listing, removal.
OBJECTS = (
    ("container", ("ps", "--all"), ("rm", "--force", "--volumes")),
    ("volume", ("volume", "ls"), ("volume", "rm")),
    ("network", ("network", "ls"), ("network", "rm")),
)


def labelled(environment: str, *listing: str) -> list[str]:
    """Identifiers of the labelled objects that a docker listing command shows."""
    return docker(*listing, "--quiet", "--filter", f"label={ENVIRONMENT_LABEL}={environment}").split()


def remove_lab(environment: str, project: Path, console: Console) -> list[str]:
    """Remove containers, volumes, network, keys and known hosts of an environment; safe to run again.

    Returns:
        Lines that say what went and what stays.

    Raises:
        LabError: the Docker engine cannot be asked, or refuses to remove something; the keys are then kept.
    """
    state = project / ".lab"
    gone = []
    for noun, listing, removal in OBJECTS if engine_answers(state, console, may_install=False) else ():
        found = labelled(environment, *listing)
        if found:
            with console.step(f"Remove {count(len(found), noun)}"):
                docker(*removal, *found, timeout=120)
            gone.append(count(len(found), noun))
    shutil.rmtree(state / environment, ignore_errors=True)
    lines = [f"Lab {environment}: {', '.join(gone)} removed." if gone else f"Lab {environment}: nothing to remove."]
    lines.append(f"Images stay, so that the next lab starts fast (docker image rm {HOST_IMAGE} {BASE_IMAGE}).")
    pid = started_here(state)
    lines.append(f"The Docker engine keeps running{f' (started by this tool: kill {pid} ends it)' if pid else ''}.")
    return lines
