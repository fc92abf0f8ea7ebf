"""Stand-ins for other programs, put in front of the search path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

Program = Callable[[str, str], Path]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A function that makes a shell program of a name; returns the file its calls are written to."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def make(name: str, script: str) -> Path:
        calls = tmp_path / f"{name}.calls"
        path = directory / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{calls}"\n{script}\n')
        path.chmod(0o755)
        return calls

    return make
