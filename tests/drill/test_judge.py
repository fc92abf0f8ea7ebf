"""The judge of a failover: what counts as lost, as a ghost, as a gap, and as two leaders at once."""

from __future__ import annotations

import pytest

from enlevohub_drill.judge import Write, gap, judge, overlap


def write(number: int, end: float, outcome: str = "ok", by: str = "db1") -> Write:
    """Return a write that took 10 ms."""
    return Write(id=number, sent=end - 0.01, end=end, outcome=outcome, by=by)


LEDGER = [write(1, 1.0), write(2, 1.02), write(3, 1.04, "unknown"), write(4, 3.5, "fail", ""), write(5, 4.0, by="db2")]


def test_acknowledged_write_that_is_absent_is_lost() -> None:
    assert judge(LEDGER, [1, 5]).lost == (2,)


def test_nothing_is_lost_when_everything_acknowledged_is_there() -> None:
    assert judge(LEDGER, [1, 2, 5]).lost == ()


@pytest.mark.parametrize("number", [3, 4])
def test_write_without_acknowledgement_that_is_there_is_a_ghost(number: int) -> None:
    found = judge(LEDGER, [1, 2, 5, number])
    assert (found.lost, found.ghost) == ((), (number,))


def test_row_that_nobody_sent_is_foreign() -> None:
    assert judge(LEDGER, [1, 2, 5, 77]).foreign == (77,)


def test_outcomes_are_counted() -> None:
    found = judge(LEDGER, [1, 2, 5])
    assert (found.acked, found.failed, found.unknown) == (3, 1, 1)


def test_gap_is_the_longest_time_between_two_acknowledgements() -> None:
    assert gap(LEDGER) == pytest.approx(2.98)


def test_gap_before_the_fault_does_not_count() -> None:
    later = [*LEDGER, write(6, 4.02, by="db2"), write(7, 4.04, by="db2")]
    assert gap(later, begin=4.0) == pytest.approx(0.02)


def test_gap_that_has_not_ended_is_no_gap() -> None:
    with pytest.raises(ValueError, match="no write was acknowledged"):
        gap(LEDGER, begin=4.0)


def test_leaders_one_after_the_other_do_not_overlap() -> None:
    assert overlap(LEDGER) == 0


def test_acknowledgement_of_the_old_leader_after_the_new_one_is_an_overlap() -> None:
    assert overlap([*LEDGER, write(6, 4.5, by="db1")]) == pytest.approx(0.5)


def test_write_that_the_old_leader_could_not_acknowledge_is_no_overlap() -> None:
    assert overlap([*LEDGER, write(6, 4.5, "unknown", by="db1")]) == 0
