"""What a ledger of writes says: gaps, lost and ghost writes, and whether two leaders acknowledged at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Write:
    """One write and what became of it.

    Attributes:
        id: unique number.
        sent, end: when it began and ended, in seconds of the writer's own clock.
        outcome: ``ok`` (acknowledged), ``fail`` (cannot have been committed) or ``unknown``.
        by: address of the server that answered.
        why: reason, when it is not ok.
    """

    id: int
    sent: float
    end: float
    outcome: str
    by: str
    why: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the leader has, compared with what was acknowledged.

    Attributes:
        acked: number of acknowledged writes.
        failed, unknown: numbers of the others.
        lost: acknowledged ids that are absent: must be none.
        ghost: ids that are there although they were not acknowledged: allowed, since the client was told nothing.
        foreign: ids that nobody sent: must be none.
    """

    acked: int
    failed: int
    unknown: int
    lost: tuple[int, ...]
    ghost: tuple[int, ...]
    foreign: tuple[int, ...]


def acknowledged(writes: Iterable[Write]) -> list[Write]:
    """Return the acknowledged writes in the order of their acknowledgement."""
    return sorted((write for write in writes if write.outcome == "ok"), key=lambda write: write.end)


def gap(writes: Sequence[Write], begin: float = float("-inf")) -> float:
    """Return the longest time in seconds between two acknowledgements, of which the later came after ``begin``.

    Raises:
        ValueError: nothing was acknowledged after ``begin``: the gap has not ended.
    """
    ends = [write.end for write in acknowledged(writes)]
    gaps = [later - earlier for earlier, later in zip(ends, ends[1:], strict=False) if later > begin]
    if not gaps:
        raise ValueError("no write was acknowledged after the fault")
    return max(gaps)


def overlap(writes: Iterable[Write]) -> float:
    """Return for how many seconds two servers acknowledged at once, between one change of the leader; 0 if never.

    For the writes around one fault only: over several faults a server may lead twice.
    """
    last: dict[str, float] = {}
    first: dict[str, float] = {}
    for write in acknowledged(writes):
        first.setdefault(write.by, write.end)
        last[write.by] = write.end
    order = sorted(first, key=lambda server: first[server])
    return max([0.0, *(last[a] - first[b] for a, b in zip(order, order[1:], strict=False))])


def judge(writes: Iterable[Write], present: Iterable[int]) -> Verdict:
    """Compare what was acknowledged with what is there."""
    there = set(present)
    known = {write.id: write.outcome for write in writes}
    acked = {number for number, outcome in known.items() if outcome == "ok"}
    outcomes = list(known.values())
    return Verdict(
        acked=len(acked),
        failed=outcomes.count("fail"),
        unknown=outcomes.count("unknown"),
        lost=tuple(sorted(acked - there)),
        ghost=tuple(sorted((there & known.keys()) - acked)),
        foreign=tuple(sorted(there - known.keys())),
    )
