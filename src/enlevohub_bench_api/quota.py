"""Limit processes to a share of a core by the kernel's control groups, version 1 or 2."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PERIOD_MICROSECONDS = 100_000
REMOVE_LIMIT = 10.0
MOUNTS = Path("/proc/mounts")


class NotAllowedError(Exception):
    """This machine lets the caller limit nothing; the text says why."""


@dataclass(frozen=True)
class Hierarchy:
    """Where groups with a CPU limit are made."""

    root: Path
    version: int

    def limit(self, group: Path, share: float) -> None:
        """Set a group's share of a core."""
        quota = round(share * PERIOD_MICROSECONDS)
        if self.version == 1:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS), encoding="ascii")
            (group / "cpu.cfs_quota_us").write_text(str(quota), encoding="ascii")
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}", encoding="ascii")

    def yield_to_others(self, group: Path) -> None:
        """Let a group have what others leave: idle CPUs from Linux 5.15 on, else a fifth of the usual weight."""
        if (group / "cpu.idle").exists():
            (group / "cpu.idle").write_text("1", encoding="ascii")
            return
        name, weight = ("cpu.shares", "205") if self.version == 1 else ("cpu.weight", "20")
        (group / name).write_text(weight, encoding="ascii")


def find_hierarchy(mounts: str) -> Hierarchy:
    """Find the hierarchy that has the CPU controller, from the text of /proc/mounts.

    Raises:
        NotAllowedError: none has it.
    """
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split(" ")
        if kind == "cgroup" and "cpu" in options.split(","):
            return Hierarchy(Path(place), 1)
        controllers = Path(place) / "cgroup.controllers"
        if kind == "cgroup2" and controllers.exists() and "cpu" in controllers.read_text(encoding="ascii").split():
            return Hierarchy(Path(place), 2)
    raise NotAllowedError("no mounted control group hierarchy has the CPU controller")


def background(name: str, mounts: Path = MOUNTS) -> Path:
    """Make a group, if there is none yet, whose processes get what others leave of the CPUs; it stays.

    Returns:
        The file that takes the ids of its processes.

    Raises:
        NotAllowedError: this machine does not let the caller.
    """
    hierarchy = find_hierarchy(mounts.read_text(encoding="utf-8"))
    group = hierarchy.root / name
    try:
        if hierarchy.version == 2:
            (hierarchy.root / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
        group.mkdir(exist_ok=True)
        hierarchy.yield_to_others(group)
    except OSError as error:
        raise NotAllowedError(f"control groups version {hierarchy.version}: {error}") from error
    return group / "cgroup.procs"


@contextmanager
def groups(count: int, share: float, mounts: Path = MOUNTS) -> Iterator[Sequence[Path]]:
    """Make groups that each get a share of a core; they are removed when their processes have ended.

    Yields:
        One file per group: a process id written to it puts the process into the group.

    Raises:
        NotAllowedError: this machine does not let the caller.
    """
    hierarchy = find_hierarchy(mounts.read_text(encoding="utf-8"))
    made: list[Path] = []
    try:
        try:
            if hierarchy.version == 2:
                (hierarchy.root / "cgroup.subtree_control").write_text("+cpu", encoding="ascii")
            for number in range(count):
                group = hierarchy.root / f"enlevohub-bench-{os.getpid()}-{number}"
                group.mkdir()
                made.append(group)
                hierarchy.limit(group, share)
        except OSError as error:
            raise NotAllowedError(f"control groups version {hierarchy.version}: {error}") from error
        yield [group / "cgroup.procs" for group in made]
    finally:
        for group in made:
            _remove(group)


def _remove(group: Path) -> None:
    deadline = time.monotonic() + REMOVE_LIMIT
    while True:
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
