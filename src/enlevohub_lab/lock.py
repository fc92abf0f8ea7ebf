"""One command at a time for each environment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enlevohub_lab.errors import LabError


@contextmanager
def locked(directory: Path, purpose: str) -> Iterator[None]:
    """Hold .lab/ENVIRONMENT/lock; the kernel frees it when this process ends, however it ends.

    Args:
        directory: the environment's state directory, made when missing.
        purpose: what this process does, shown to whoever is refused.

    Raises:
        LabError: another process holds it; told at once, with its process id and purpose.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = stream.read().strip() or "unknown"
            raise LabError(f"{directory.name}: another command works on this lab (process {holder}).") from error
        stream.truncate(0)
        stream.write(f"{os.getpid()}: {purpose}\n")
        stream.flush()
        yield
