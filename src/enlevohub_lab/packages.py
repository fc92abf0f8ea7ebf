"""Install the few Debian packages that the control machine needs for a lab."""

from __future__ import annotations

import shutil
from pathlib import Path

from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from enlevohub_lab.process import as_root, run


def distribution(os_release: Path = Path("/etc/os-release")) -> set[str]:
    """The identifiers of this machine's distribution and of those it is derived from ({"ubuntu", "debian"})."""
    names: set[str] = set()
    for line in os_release.read_text().splitlines() if os_release.is_file() else []:
        key, _, value = line.partition("=")
        if key in ("ID", "ID_LIKE"):
            names |= set(value.strip().strip('"').split())
    return names


def install(packages: list[str], purpose: str, console: Console) -> None:
    """Install packages with apt.

    Raises:
        LabError: not a Debian or Ubuntu machine, no way to become root, or apt fails.
    """
    if "debian" not in distribution() or not shutil.which("apt-get"):
        raise LabError(f"{purpose} needs {', '.join(packages)}: install it by hand, only Debian and Ubuntu are known.")
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", *packages]
    with console.step(f"Install {', '.join(packages)} ({purpose})"):
        if run(as_root(command), timeout=600, check=False).returncode != 0:
            run(as_root(["apt-get", "update"]), timeout=300)
            run(as_root(command), timeout=600)
