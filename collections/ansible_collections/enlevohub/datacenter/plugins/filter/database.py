"""Filters for the database: parameters that follow from a server's memory and cores, and plans of operations."""

from __future__ import annotations

from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.later import later


def postgresql_tuning(memory_mib: int, cores: int, connections: int) -> dict[str, Any]:
    """Return parameters of PostgreSQL for a server that has little else to do.

    A quarter of the memory holds pages, the kernel's cache gets the rest; a sort of every connection at once fits in
    another quarter. WAL may take as much as a quarter of the memory, between 1 and 16 GiB, before a checkpoint.

    Args:
        memory_mib: memory of the server in MiB.
        cores: its cores.
        connections: value of max_connections.

    Returns:
        Values with PostgreSQL's units.
    """
    buffers = max(32, memory_mib // 4)
    wal = min(16384, max(1024, memory_mib // 4))
    gather = max(1, min(4, cores // 2))
    return {
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{max(64, memory_mib * 7 // 10)}MB",
        "work_mem": f"{max(1024, min(65536, memory_mib * 1024 // 4 // max(1, int(connections))))}kB",
        "maintenance_work_mem": f"{max(16, min(2048, memory_mib // 16))}MB",
        "max_wal_size": f"{wal}MB",
        "min_wal_size": f"{max(80, wal // 4)}MB",
        "max_parallel_workers": max(1, cores),
        "max_parallel_workers_per_gather": gather,
        "max_parallel_maintenance_workers": gather,
    }


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        plans = {name: later("database_plan", name) for name in ("database_plan", "database_description")}
        return {"postgresql_tuning": postgresql_tuning, **plans}
