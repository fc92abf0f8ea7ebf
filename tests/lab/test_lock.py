"""Two commands never work on one lab."""

import os
from pathlib import Path

import pytest

from enlevohub_lab.errors import LabError
from enlevohub_lab.lock import locked


def test_second_command_is_refused_and_told_who_holds_the_lab(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lab", "up"),
        pytest.raises(LabError, match=rf"process {os.getpid()}: up"),
        locked(tmp_path / "lab", "down"),
    ):
        pass


def test_lock_is_free_after_the_first_command(tmp_path: Path) -> None:
    with locked(tmp_path / "lab", "up"):
        pass
    with locked(tmp_path / "lab", "down"):
        assert "down" in (tmp_path / "lab/lock").read_text()


def test_lock_of_another_lab_is_free(tmp_path: Path) -> None:
    with locked(tmp_path / "lab", "up"), locked(tmp_path / "molecule", "up"):
        assert (tmp_path / "molecule/lock").exists()
