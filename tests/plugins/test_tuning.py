"""Parameters of PostgreSQL that follow from memory and cores."""

from __future__ import annotations

import pytest
from ansible_collections.enlevohub.datacenter.plugins.filter.database import postgresql_tuning

UNITS = {"kB": 1 / 1024, "MB": 1.0}


def mib(value: str) -> float:
    """Return a size in MiB."""
    return int(value[:-2]) * UNITS[value[-2:]]


@pytest.mark.parametrize("memory", [256, 1024, 16384, 262144])
@pytest.mark.parametrize("cores", [1, 2, 8, 64])
def test_pages_and_sorts_of_all_connections_fit_into_half_of_the_memory(memory: int, cores: int) -> None:
    found = postgresql_tuning(memory, cores, 100)
    least = found["work_mem"] == "1024kB"
    assert least or mib(found["shared_buffers"]) + 100 * mib(found["work_mem"]) <= memory * 0.51


def test_quarter_of_the_memory_holds_pages() -> None:
    assert postgresql_tuning(16384, 8, 100)["shared_buffers"] == "4096MB"


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (4, 2), (32, 4)])
def test_one_query_gets_half_of_the_cores_at_most(cores: int, workers: int) -> None:
    assert postgresql_tuning(16384, cores, 100)["max_parallel_workers_per_gather"] == workers


@pytest.mark.parametrize(("memory", "wal"), [(1024, "1024MB"), (16384, "4096MB"), (262144, "16384MB")])
def test_wal_before_a_checkpoint_has_bounds(memory: int, wal: str) -> None:
    assert postgresql_tuning(memory, 4, 100)["max_wal_size"] == wal
