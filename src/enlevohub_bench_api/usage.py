"""CPU time of process trees, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process: its parent, and CPU seconds of itself and of the children that it has waited for."""

    parent: int
    seconds: float


def parse_stat(text: str, ticks_per_second: int) -> Process:
    """Read a line of /proc/<pid>/stat; the name in parentheses may hold spaces and parentheses."""
    fields = text[text.rindex(")") + 2 :].split()
    user, system, children_user, children_system = (int(fields[number]) for number in (11, 12, 13, 14))
    return Process(int(fields[1]), (user + system + children_user + children_system) / ticks_per_second)


def processes(proc: Path = PROC) -> dict[int, Process]:
    """Return all processes of the machine by their id."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for path in proc.glob("[0-9]*/stat"):
        try:
            found[int(path.parent.name)] = parse_stat(path.read_text(encoding="utf-8", errors="replace"), ticks)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def tree_seconds(roots: Iterable[int], table: dict[int, Process]) -> float:
    """Return the CPU seconds of some processes and all below them; each process counts once."""
    children: dict[int, list[int]] = {}
    for pid, process in table.items():
        children.setdefault(process.parent, []).append(pid)
    waiting, seen, total = list(roots), set(), 0.0
    while waiting:
        pid = waiting.pop()
        if pid in seen or pid not in table:
            continue
        seen.add(pid)
        total += table[pid].seconds
        waiting += children.get(pid, [])
    return total
