"""A simulated F5 for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enlevohub_f5sim.server import Simulator
from tests.f5.site import PASSWORD, USER, Site, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key of all simulators."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def f5(tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[Site]:
    """A control machine with a blank F5."""
    with Simulator({USER: PASSWORD}).serve(*certificate) as simulator:
        yield Site(simulator, tmp_path, certificate[0])
