"""What the tests of the scenario share; datacenter and bucket are in enlevohub_drill."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from enlevohub_drill.site import ROOT, Datacenter, load_datacenter, resolve
from enlevohub_drill.storage import Bucket

INVENTORY = ROOT / os.environ.get("ENLEVOHUB_INVENTORY", "inventories/molecule")


@pytest.fixture(scope="session")
def datacenter() -> Datacenter:
    """The datacenter of the inventory."""
    return load_datacenter(INVENTORY)


@pytest.fixture(scope="session")
def containers() -> Callable[..., str]:
    """The Docker client of this machine, for what no host can do to itself: lose its power."""

    def docker(*arguments: str) -> str:
        return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout

    return docker


@pytest.fixture
def bucket(datacenter: Datacenter) -> Bucket:
    """The bucket with the keys of the API, when cluster and storage are whole."""
    found = Bucket(datacenter)
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    datacenter.wait("a whole object storage", found.whole, 240)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that names ``storage_server`` one case for each."""
    if "storage_server" in metafunc.fixturenames:
        _, groups = resolve(INVENTORY)
        assert groups["storage_servers"]
        metafunc.parametrize("storage_server", groups["storage_servers"])
