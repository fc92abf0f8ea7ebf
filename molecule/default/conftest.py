"""What the tests of the scenario share; the datacenter itself is in enlevohub_drill.site."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator

import pytest

from enlevohub_drill.cases import Drill
from enlevohub_drill.load import Load
from enlevohub_drill.meanwhile import lab_servers
from enlevohub_drill.servers import Servers
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
    found.wait_until_whole()
    return found


@pytest.fixture(scope="module")
def tokens(datacenter: Datacenter) -> dict[str, str]:
    """The tokens of the user that the load is."""
    found: dict[str, str] = datacenter.register()["tokens"]
    return found


@pytest.fixture(scope="module")
def load(datacenter: Datacenter, tokens: dict[str, str]) -> Iterator[Load]:
    """Users at work."""
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    seed = random.SystemRandom().randrange(10**6)
    print(f"\nseed of the load: {seed}")
    token = tokens["accessToken"]
    authority = datacenter.secrets["vault_pki_ca_certificate"]
    with Load(datacenter.public, authority, token, rate=20, seed=seed, slow_seconds=8) as load:
        yield load


@pytest.fixture(scope="module")
def drill(datacenter: Datacenter, load: Load, tokens: dict[str, str]) -> Drill:
    """The cases."""
    return Drill(datacenter, load, tokens["refreshToken"])


@pytest.fixture(scope="module")
def servers(datacenter: Datacenter) -> Servers:
    """The servers, as the drill reaches them."""
    return lab_servers(datacenter)


@pytest.fixture(scope="module")
def writer(datacenter: Datacenter) -> None:
    """The writer on the application server, as the role of the drill of a failover provides it."""
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    datacenter.playbook("-e", "fault=switchover", playbook="playbooks/drill-failover.yml")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that names a tier one case per host of it: ``backend_server``, ``database_server``..."""
    _, groups = resolve(INVENTORY) if set(metafunc.fixturenames) & TIERS.keys() else ({}, {})
    for name, group in TIERS.items():
        if name in metafunc.fixturenames:
            hosts = sorted({host for part in group for host in groups.get(part, [])})
            assert hosts, f"the inventory has no host in {', '.join(group)}"
            metafunc.parametrize(name, hosts)


TIERS = {
    "any_server": ["backend_servers", "frontend_servers", "etcd_servers", "database_servers", "load_balancers"],
    "backend_server": ["backend_servers"],
    "frontend_server": ["frontend_servers"],
    "etcd_server": ["etcd_servers"],
    "database_server": ["database_servers"],
    "redis_server": ["redis_servers"],
    "load_balancer": ["load_balancers"],
    "storage_server": ["storage_servers"],
    "docker_server": ["backend_servers", "frontend_servers"],
}
