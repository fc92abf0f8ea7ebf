"""How long a process works before the next one on the same CPU gets its turn."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

TURN_MICROSECONDS = 300
ATTRIBUTES = struct.Struct("=IIQiIQQQII")
"""``struct sched_attr``: size, policy, flags, nice, priority, runtime, deadline, period, utilization (two)."""
CALLS = {"x86_64": 314, "aarch64": 274}
"""Number of the system call ``sched_setattr``, for which the C library has no function."""


def short_turns() -> None:
    """Ask for short turns for this process and all that it starts; a kernel or a rule that denies it changes nothing.

    Source: sched_setattr(2); Linux takes ``runtime`` of an ordinary process as the length of its turn from 6.12 on.
    """
    number = CALLS.get(platform.machine())
    if number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = ATTRIBUTES.pack(ATTRIBUTES.size, os.SCHED_OTHER, 0, nice, 0, TURN_MICROSECONDS * 1000, 0, 0, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, wanted, 0)
