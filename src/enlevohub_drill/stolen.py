"""CPU time that a hypervisor gave to other machines: it makes users wait, whatever this datacenter does."""

from __future__ import annotations

import bisect
import threading
import time
from pathlib import Path

STAT = Path("/proc/stat")
LIMIT = 0.02
"""Share of a second's CPU time from which on the second tells of the hypervisor."""


class Stolen:
    """Follows the stolen CPU time of this machine, second by second, in a thread of its own.

    Attributes:
        seconds: begin, end (monotonic) and stolen share (0 to 1) of each second, oldest first.
    """

    def __init__(self, stat: Path = STAT) -> None:
        """Read from the kernel's statistics; source: proc_stat(5)."""
        self.seconds: list[tuple[float, float, float]] = []
        self._stat = stat
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stolen")

    def __enter__(self) -> Stolen:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def share(self, windows: list[tuple[float, float]]) -> float:
        """Return the stolen share of the CPU time in windows (monotonic)."""
        found = [
            share for start, stop, share in self.seconds if any(start < end and stop > begin for begin, end in windows)
        ]
        return sum(found) / len(found) if found else 0.0

    def disturbed(self, begin: float, end: float) -> bool:
        """Whether the hypervisor took part of a second that lies between two moments (monotonic), at least partly."""
        first = bisect.bisect_left(self.seconds, begin, key=lambda second: second[1])
        last = bisect.bisect_right(self.seconds, end, key=lambda second: second[0])
        return any(share > LIMIT for _, _, share in self.seconds[first:last])

    def _run(self) -> None:
        moment, before = time.monotonic(), self._read()
        while not self._stop.wait(1):
            now, after = time.monotonic(), self._read()
            total = sum(after) - sum(before)
            stolen = after[7] - before[7]
            self.seconds.append((moment, now, stolen / total if total else 0.0))
            moment, before = now, after

    def _read(self) -> list[int]:
        """Return user, nice, system, idle, iowait, irq, softirq and steal in ticks, of all CPUs together."""
        with self._stat.open(encoding="ascii") as lines:
            return [int(word) for word in lines.readline().split()[1:9]]
