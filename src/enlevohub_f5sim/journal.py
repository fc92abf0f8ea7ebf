"""What the simulator was asked and what it gave to whom: one JSON line for each, for those who check it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BYTES = 32 * 1024 * 1024


@dataclass
class Journal:
    """A file of JSON lines; a full one gets the suffix ``.1`` and takes the place of the one before.

    Attributes:
        path: the file, None to keep nothing.
        most: bytes after which the file is full.
    """

    path: Path | None = None
    most: int = BYTES
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, kind: str, **values: Any) -> None:
        """Add a line.

        Args:
            kind: ``rest`` (a request to the management address) or ``request`` (one of a user).
            values: what to tell about it; moments are seconds since the epoch.
        """
        if self.path is None:
            return
        line = json.dumps({"kind": kind, **values}) + "\n"
        with self._lock:
            if self.path.exists() and self.path.stat().st_size + len(line) > self.most:
                self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            with self.path.open("a", encoding="utf-8") as handle:
                handle.write(line)


MEMBERS = re.compile(r"^/mgmt/tm/ltm/pool/(?P<pool>[^/]+)/members(?:/(?P<member>[^/]+))?$")


@dataclass
class Drain:
    """A time in which a member was disabled, by whomever.

    Attributes:
        pool, member: their full paths.
        began: when the device had answered the order (seconds since the epoch).
        ended: when the order that enabled or removed the member came; infinity when none came.
        requests: the first lines of the requests of users that the member was given all the same.
    """

    pool: str
    member: str
    began: float
    ended: float = float("inf")
    requests: list[str] = field(default_factory=list)


def drains(entries: Iterable[dict[str, Any]]) -> list[Drain]:
    """Return the drains of a journal, each with the requests that it should have kept away."""
    found: list[Drain] = []
    going: dict[tuple[str, str], Drain] = {}
    lines = list(entries)
    for entry in sorted((item for item in lines if item["kind"] == "rest"), key=lambda item: float(item["began"])):
        match = MEMBERS.match(entry["path"])
        if match is None or entry["status"] != 200 or entry["method"] == "GET":
            continue
        pool, member = match["pool"].replace("~", "/"), (match["member"] or "").replace("~", "/")
        member = member or f"/{entry['body']['partition']}/{entry['body']['name']}"
        session = entry["body"].get("session", "") if entry["method"] != "DELETE" else "removed"
        if session == "user-disabled" and (pool, member) not in going:
            going[(pool, member)] = Drain(pool, member, entry["ended"])
            found.append(going[(pool, member)])
        elif session in ("user-enabled", "removed") and (pool, member) in going:
            going.pop((pool, member)).ended = entry["began"]
    for entry in (item for item in lines if item["kind"] == "request"):
        for drain in found:
            same = (drain.pool, drain.member) == (entry["pool"], entry["member"])
            if same and drain.began <= entry["began"] < drain.ended:
                drain.requests.append(entry["line"])
    return found
