"""What a hypervisor takes is told apart from what the datacenter does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from enlevohub_drill.load import Period, Sample
from enlevohub_drill.stolen import Stolen


def followed(*shares: float) -> Stolen:
    """What was followed, the first second from 0 to 1."""
    stolen = Stolen()
    stolen.seconds = [(float(begin), begin + 1.0, share) for begin, share in enumerate(shares)]
    return stolen


@pytest.mark.parametrize(
    ("begin", "end", "disturbed"),
    [
        pytest.param(0.2, 0.9, False, id="before"),
        pytest.param(0.9, 1.1, True, id="into it"),
        pytest.param(1.3, 1.4, True, id="within"),
        pytest.param(0.5, 3.5, True, id="around it"),
        pytest.param(2.1, 2.2, False, id="after"),
        pytest.param(9.0, 9.1, False, id="not followed"),
    ],
)
def test_request_is_disturbed_by_a_second_that_it_shares_with_the_hypervisor(
    begin: float, end: float, disturbed: bool
) -> None:
    assert followed(0.0, 0.2, 0.01, 0.0).disturbed(begin, end) is disturbed


def test_share_is_that_of_the_windows() -> None:
    assert followed(0.0, 0.2, 0.1, 0.4).share([(1.1, 2.9)]) == pytest.approx(0.15)
    assert followed().share([(0.0, 9.0)]) == 0.0


def test_undisturbed_requests_have_a_percentile_of_their_own() -> None:
    samples = [Sample(0.5, "list", 0.1, ""), Sample(1.5, "list", 0.4, ""), Sample(2.5, "slow", 0.4, "")]
    period = Period.of(samples, 0, followed(0.0, 0.5, 0.0), [(0.0, 3.0)])
    assert (period.p99, period.p99_undisturbed, period.undisturbed) == (0.4, 0.1, 1)
    assert period.stolen == pytest.approx(0.1667, abs=1e-4)


def test_seconds_are_read_from_the_statistics_of_the_kernel(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  10 0 0 80 0 0 0 10 0 0\ncpu0 1 0 0 8 0 0 0 1 0 0\n", encoding="ascii")
    with Stolen(stat) as stolen:
        threading.Event().wait(0.2)
        stat.write_text("cpu  20 0 0 145 0 0 0 35 0 0\ncpu0 2 0 0 8 0 0 0 1 0 0\n", encoding="ascii")
        while not stolen.seconds:
            threading.Event().wait(0.05)
    assert stolen.seconds[0][2] == 0.25
