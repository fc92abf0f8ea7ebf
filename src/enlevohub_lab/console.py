"""Step lines with elapsed seconds: a moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_FRAMES = "|/-\\"
_COLOURS = {"green": "32", "red": "31", "yellow": "33", "bold": "1", "dim": "2"}


class Console:
    """Writes progress, never results."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Start the clock; lines go to `stream`, or to standard error."""
        self._stream = stream if stream is not None else sys.stderr
        self.is_terminal = self._stream.isatty()
        self._started = time.monotonic()

    def elapsed(self) -> str:
        """Seconds since the start of the command, aligned."""
        return f"[{time.monotonic() - self._started:6.1f} s]"

    def line(self, text: str) -> None:
        """Write one line."""
        print(f"{self.elapsed()} {text}", file=self._stream, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while it runs and how long it took; a step that raises is shown as failed."""
        begin = time.monotonic()
        stop = threading.Event()
        spinner = threading.Thread(target=self._spin, args=(title, begin, stop), daemon=True)
        if self.is_terminal:
            spinner.start()
        else:
            self.line(f"{title} ...")
        outcome = "failed"
        try:
            yield
            outcome = "done"
        finally:
            stop.set()
            if self.is_terminal:
                spinner.join()
                self._stream.write("\r\x1b[K")
            seconds = time.monotonic() - begin
            if self.is_terminal or outcome == "failed" or seconds >= 1:
                self.line(f"{title}: {outcome} ({seconds:.1f} s)")

    def _spin(self, title: str, begin: float, stop: threading.Event) -> None:
        turn = 0
        while not stop.wait(0.2):
            seconds = time.monotonic() - begin
            frame = _FRAMES[turn % len(_FRAMES)]
            self._stream.write(f"\r\x1b[K{self.elapsed()} {frame} {title} ({seconds:.0f} s)")
            self._stream.flush()
            turn += 1


def paint(text: str, colour: str, enabled: bool) -> str:
    """The text in a colour (green, red, yellow, bold, dim), or unchanged where colours are off."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if enabled else text
