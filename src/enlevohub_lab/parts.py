"""What the answers of a running lab mean: one part of the report each."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from enlevohub_lab.containers import Container
from enlevohub_lab.inventory import Environment


@dataclass(frozen=True)
class Part:
    """One thing that was asked.

    Attributes:
        name: what it is, for people.
        rows: the answer, one mapping per line of a table.
        problem: why it is not well, empty when it is.
    """

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """The state of a lab.

    Attributes:
        environment: its name.
        address: what to open in a browser, empty when no port is published.
        parts: page, database, pools, etcd, servers.
    """

    environment: str
    address: str
    parts: list[Part]

    @property
    def well(self) -> bool:
        """Whether every part answered and is as it should be."""
        return not any(part.problem for part in self.parts)


def database_part(answer: Any, reason: str) -> Part:
    """The database cluster from Patroni's list: one leader, and every other member streaming."""
    name = "Database"
    if reason:
        return Part(name, problem=reason)
    rows = [
        {
            "member": member["Member"],
            "role": member["Role"],
            "state": member["State"],
            "lag MB": "" if member["Role"] == "Leader" else member.get("Lag in MB", "unknown"),
            "timeline": member.get("TL", ""),
        }
        for member in answer
    ]
    problems = [f"{row['member']} is {row['state']}" for row in rows if row["state"] not in ("running", "streaming")]
    if [row["role"] for row in rows].count("Leader") != 1:
        problems.append("no leader")
    if len(rows) > 1 and not any(row["role"] == "Sync Standby" for row in rows):
        problems.append("no synchronous standby: the loss of the leader could lose writes")
    return Part(name, rows, "; ".join(problems))


def pools_part(answer: Any, reason: str) -> Part:
    """The load balancer's pools: every member up."""
    if reason:
        return Part("Load balancer", problem=reason)
    rows = [{key: row.get(key, "") for key in ("pool", "member", "address", "state", "sessions")} for row in answer]
    down = [f"{row['member']} of {row['pool']} is {row['state']}" for row in rows if not _is_up(str(row["state"]))]
    return Part("Load balancer", rows, "; ".join(down) if rows else "no pool has a member")


def _is_up(state: str) -> bool:
    return state.lower().split(" ")[0] in ("up", "no")  # "no check": nothing watches it


def storage_part(answer: Any, reason: str) -> Part:
    """The object storage, as one of its servers tells it: every server up, a leading master, every object twice."""
    name = "Object storage"
    if reason:
        return Part(name, problem=reason)
    rows = [
        {
            "server": server["name"],
            "s3": server["s3"],
            "master": "leader" if server["name"] == answer["leader"] else "",
            "objects": "unknown" if server.get("objects") is None else server["objects"],
            "MiB": "unknown" if server.get("mib") is None else server["mib"],
        }
        for server in answer["servers"]
    ]
    return Part(name, rows, "; ".join(answer["problems"]))


SHOWN_RELEASES = 5


def releases_part(answer: Any, reason: str) -> Part:
    """The newest records of the journal of releases. One that failed went back; an interrupted one did not."""
    name = "Releases"
    if reason:
        return Part(name, problem=reason)
    rows = [
        {
            "when": datetime.datetime.fromtimestamp(record["began"]).strftime("%Y-%m-%d %H:%M:%S"),
            "what": record["kind"],
            "release": record["release"],
            "result": record["result"],
            "who": f"{record['by']} on {record['on']}",
            "images": " ".join(sorted(image["id"].removeprefix("sha256:")[:12] for image in record["images"].values())),
        }
        for record in answer[-SHOWN_RELEASES:]
    ]
    last = rows[-1] if rows else {}
    problem = f"{last['what']} {last['release']} was interrupted" if last.get("result") == "interrupted" else ""
    return Part(name, rows, problem)


def etcd_part(answers: Mapping[str, tuple[Any, str]]) -> Part:
    """The health of every etcd member, as each tells it."""
    rows = [
        {
            "member": name,
            "health": "healthy" if not reason and answer.get("health") == "true" else reason or "unhealthy",
        }
        for name, (answer, reason) in sorted(answers.items())
    ]
    sick = [f"{row['member']}: {row['health']}" for row in rows if row["health"] != "healthy"]
    return Part("etcd", rows, "; ".join(sick) if rows else "no host in etcd_servers")


def redis_part(answers: Mapping[str, tuple[Any, str]], names: Mapping[str, str]) -> Part:
    """The Redis members: one primary, every other in sync with it, and Sentinels that could move it.

    Args:
        answers: what each member tells of itself, and the reason where it tells nothing.
        names: name of each server by its address.
    """
    rows = []
    for member, (answer, reason) in sorted(answers.items()):
        found = answer or {"role": "unknown", "state": reason, "of": "", "memory": "", "sentinel": "unknown"}
        rows.append(
            {
                "member": member,
                "role": found["role"],
                "state": found["state"],
                "of": names.get(found["of"], found["of"]),
                "memory": found["memory"],
                "sentinel": found["sentinel"],
            }
        )
    problems = [f"{row['member']} is {row['state']}" for row in rows if row["state"] not in ("serves", "in sync")]
    problems += [f"{row['member']}: {row['sentinel']}" for row in rows if row["sentinel"] not in ("quorum", "unknown")]
    primaries = [row["member"] for row in rows if row["role"] == "primary"]
    if len(primaries) != 1:
        problems.append(f"{' and '.join(primaries)} are primaries" if primaries else "no primary")
    return Part("Redis", rows, "; ".join(problems))


def backup_part(answers: Mapping[str, tuple[Any, str]]) -> Part:
    """Backups and the archive of WAL, as the hosts that have a part in it tell it. A standby has nothing to tell."""
    rows, problems = [], []
    for name, (answer, reason) in sorted(answers.items()):
        found = answer or {}
        if found.get("role") == "standby" and not found["problems"]:
            continue
        rows.append(
            {
                "host": name,
                "part": found.get("role", "repository" if found else "unknown"),
                "backup": " ".join(str(found[key]) for key in ("backup", "type") if key in found),
                "hours old": found.get("backup_age_hours", ""),
                "WAL MiB waiting": found.get("wal_waiting_mib", ""),
                "drill days ago": found.get("drill_age_days", ""),
            }
        )
        problems += [f"{name}: {problem}" for problem in ([reason] if reason else found["problems"])]
    return Part("Backup", rows, "; ".join(problems))


def servers_part(environment: Environment, found: Mapping[str, Container]) -> Part:
    """Every container of the lab, and whether it runs."""
    rows = [
        {
            "server": name,
            "address": str(environment.hosts[name].address) if name in environment.hosts else found[name].address,
            "state": "missing" if name not in found else "running" if found[name].running else "stopped",
            "note": "" if name in environment.hosts else "not in the inventory",
        }
        for name in sorted({*environment.hosts, *found})
    ]
    wrong = [f"{row['server']} is {row['state']}" for row in rows if row["state"] != "running"]
    return Part("Servers", rows, "; ".join(wrong))
