"""Short turns reach what the engine of a lab starts."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from enlevohub_lab.turns import TURN_MICROSECONDS, short_turns

CHILD = """
import subprocess
from enlevohub_lab.turns import short_turns
short_turns()
subprocess.run(["sh", "-c", "cat /proc/self/sched || true"], stderr=subprocess.DEVNULL)
"""


def test_call_asks_for_the_turn_and_keeps_policy_and_niceness(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def syscall(number: int, process: int, wanted: bytes, flags: int) -> int:
        size, policy, bits, nice, priority, runtime, *rest = struct.unpack("=IIQiIQQQII", wanted)
        asked.append((number, process, flags, size, policy, bits, nice, priority, runtime, *rest))
        return 0

    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(syscall=syscall))
    short_turns()
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert asked == [(314, 0, 0, 56, os.SCHED_OTHER, 0, nice, 0, TURN_MICROSECONDS * 1000, 0, 0, 0, 0)]


def test_what_a_process_starts_inherits_it_on_a_kernel_that_can() -> None:
    said = subprocess.run([sys.executable, "-c", CHILD], check=True, capture_output=True, text=True).stdout
    turns = [int(line.split()[-1]) for line in said.splitlines() if line.startswith("se.slice")]
    release = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))
    assert turns in ([], [TURN_MICROSECONDS * 1000]) or release < (6, 12)


def test_machine_without_the_call_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise AssertionError("nothing may be called here")

    monkeypatch.setattr("platform.machine", lambda: "vax")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    short_turns()
