"""How many members of a group that votes must live."""

from __future__ import annotations


def quorum(members: int) -> int:
    """Return how many of the members must live."""
    return members // 2 + 1
