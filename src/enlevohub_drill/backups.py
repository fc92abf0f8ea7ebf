"""Backups of a datacenter under test: what the hosts tell about them, and rows that are known."""

from __future__ import annotations

import json
import uuid
from typing import Any

from enlevohub_drill.site import Datacenter


def confirm(datacenter: Datacenter) -> str:
    """Return the confirmation for this cluster."""
    return f"confirm=enlevohub-{datacenter.inventory.name}"


def status(datacenter: Datacenter, server: str) -> Any:
    """Return what a host tells about backup and archive."""
    return json.loads(datacenter.run(server, "enlevohub-backup status"))


def backups_of(datacenter: Datacenter, server: str) -> list[Any]:
    """Return the backups of the repository as a server sees it."""
    text = datacenter.run(server, "cd / && sudo -u postgres pgbackrest info --output=json")
    found: list[Any] = json.loads(text)[0]["backup"]
    return found


def write(datacenter: Datacenter) -> tuple[str, str]:
    """Write a known row on the leader; returns its name and a moment after it."""
    name = uuid.uuid4().hex
    leader = datacenter.leader()
    datacenter.sql(leader, "create table if not exists known (name text)", "postgres")
    datacenter.sql(leader, f"insert into known values ('{name}')", "postgres")
    return name, datacenter.sql(leader, "select clock_timestamp()", "postgres")


def is_archived(datacenter: Datacenter) -> bool:
    """Whether a segment that is closed now has reached the repository."""
    leader = datacenter.leader()
    write(datacenter)
    segment = datacenter.sql(leader, "select pg_walfile_name(pg_switch_wal())", "postgres")
    question = f"select left(last_archived_wal, 24) >= '{segment}' from pg_stat_archiver"
    datacenter.wait(f"{segment} in the archive", lambda: datacenter.sql(leader, question, "postgres") == "t", 120)
    return True


def rows(datacenter: Datacenter, server: str) -> set[str]:
    """Return the known rows on a server."""
    return set(datacenter.sql(server, "select name from known", "postgres").splitlines())
