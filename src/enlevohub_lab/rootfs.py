"""A slim Debian root file system: pulled where a registry answers, else made from Debian packages."""

from __future__ import annotations

import queue
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from enlevohub_lab.apt_sources import MIRROR_SETTING, DebianMirror
from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from enlevohub_lab.packages import install
from enlevohub_lab.process import as_root, docker, run, tail

REGISTRY_IMAGE = "debian:trixie-slim"
ROOTFS_IMAGE = "enlevohub/rootfs:trixie"
REGISTRY_ANSWERS_WITHIN = 10
PULL_LIMIT = 300

# What a slim image leaves out: documentation but not its licences, manuals, and translations.
RECIPE = (
    "--variant=minbase",
    "--include=ca-certificates,debian-archive-keyring",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/lintian/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--aptopt=APT::Install-Recommends false",
    "--aptopt=Acquire::Languages none",
    '--customize-hook=rm -f "$1/etc/apt/sources.list" "$1/etc/hostname" "$1/etc/resolv.conf"',
)


def pull_rootfs(console: Console, *, refresh: bool = False) -> str:
    """The slim Debian image, pulled unless it is there; an empty string when no registry answers within 10 s.

    Args:
        console: where progress is shown.
        refresh: pull although it is there.
    """
    if not refresh and docker("image", "ls", "--quiet", REGISTRY_IMAGE):
        return REGISTRY_IMAGE
    with console.step(f"Ask for {REGISTRY_IMAGE} in a registry"):
        process = subprocess.Popen(
            ["docker", "pull", REGISTRY_IMAGE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_copy, args=(process.stdout, lines), daemon=True).start()
        begin = time.monotonic()
        while process.poll() is None:
            seconds = time.monotonic() - begin
            if seconds > PULL_LIMIT or (seconds > REGISTRY_ANSWERS_WITHIN and lines.empty()):
                process.kill()
            time.sleep(0.1)
    if process.returncode == 0:
        return REGISTRY_IMAGE
    console.line("No registry answers: the base is made from Debian packages")
    return ""


def _copy(output: IO[str] | None, lines: queue.Queue[str]) -> None:
    for line in output or ():
        lines.put(line)


def make_rootfs(mirror: DebianMirror | None, apt_options: str, console: Console) -> None:
    """Make the image `enlevohub/rootfs:trixie` with mmdebstrap.

    Args:
        mirror: where packages come from; None when this machine has no Debian source.
        apt_options: apt configuration lines that fetching needs.
        console: where progress is shown.

    Raises:
        LabError: no mirror, a key file is missing or too old, or mmdebstrap fails.
    """
    if mirror is None:
        raise LabError(
            "The base image cannot be made: no container registry answers, and apt on this machine has no Debian "
            f"source (only another distribution's).\nSet {MIRROR_SETTING} to the address of a Debian mirror, or make "
            f"{REGISTRY_IMAGE} available with `docker load`."
        )
    missing = [] if shutil.which("mmdebstrap") else ["mmdebstrap"]
    if not mirror.keyring.is_file():
        missing.append("debian-archive-keyring")
    if missing:
        install(missing, "to make the base image", console)
    options = [f"--aptopt={line.rstrip(';')}" for line in apt_options.splitlines()]
    with console.step("Make a slim Debian root file system"), tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "rootfs.tar"
        command = ["mmdebstrap", *RECIPE, *options, "trixie", str(archive), *mirror.lines("trixie")]
        done = run(as_root(command), timeout=900, check=False)
        if done.returncode != 0:
            hint = ""
            if "NO_PUBKEY" in done.stderr:
                hint = f"\n{mirror.keyring} does not hold the keys of trixie: upgrade debian-archive-keyring."
            raise LabError(f"mmdebstrap failed (exit status {done.returncode}).{hint}\n{tail(done.stderr)}")
        docker("import", str(archive), ROOTFS_IMAGE, timeout=300)
