"""The arithmetic of the API's benchmark."""

from __future__ import annotations

import pytest

from enlevohub_bench_api.figures import (
    API,
    BESIDE,
    CREATE,
    LIST,
    PG,
    PRISMA,
    SHARING,
    Figures,
    Goal,
    Window,
    cores,
    figures,
    goal_lines,
    goals,
    machine,
    quantile,
    scaling,
    table,
)


def window(latencies: list[float], seconds: float = 1.0, cpu: tuple[float, float] = (0.5, 0.25)) -> Window:
    """Make a window in which the client took a tenth of a core."""
    return Window(latencies, seconds, *cpu, client_cpu=seconds / 10)


def made_figures(per_cpu: float, per_second: float, p99: float) -> Figures:
    """Make figures of which only three matter."""
    return Figures(100, per_second, per_cpu, 1.0, 1.0, 1.0, p99, 0.1)


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1), (0.01, 1), (0.011, 2), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_quantile_is_the_smallest_value_that_enough_do_not_exceed(share: float, value: float) -> None:
    assert quantile(list(range(100, 0, -1)), share) == value


def test_quantile_of_one_value_is_the_value() -> None:
    assert quantile([7.0], 0.99) == 7.0


def test_rates_and_latencies_are_medians_over_the_windows() -> None:
    result = figures([window([0.001] * 100), window([0.002] * 200), window([0.009] * 900)])
    assert result.requests == 1200
    assert result.requests_per_second == 200
    assert (result.p50_ms, result.p99_ms) == (2.0, 2.0)


def test_cpu_figures_are_over_all_windows_together() -> None:
    result = figures([window([0.001] * 100, cpu=(1.0, 1.0)), window([0.001] * 500, cpu=(0.5, 0.5))])
    assert result.requests_per_cpu_second == pytest.approx(200)
    assert result.service_cpu_ms == pytest.approx(2.5)
    assert result.database_cpu_ms == pytest.approx(2.5)


def test_clients_share_is_of_a_core() -> None:
    assert figures([window([0.001], 2.0), window([0.001], 4.0)]).client_cpu_share == pytest.approx(0.1)


def test_cores_are_the_service_alone() -> None:
    assert cores([window([0.1], 2.0, (0.5, 9.0)), window([0.1], 2.0, (1.5, 9.0))]) == pytest.approx(0.5)


def test_cores_of_the_machine_are_all_that_worked() -> None:
    found = window([0.1], 2.0, (0.5, 1.5))
    assert machine([found]) == pytest.approx(1.1)


def test_scaling_compares_with_as_many_times_the_rate_of_one() -> None:
    one = [window([0.1] * 100), window([0.1] * 102), window([0.1] * 5)]
    three = [window([0.1] * 270), window([0.1] * 900), window([0.1] * 200)]
    assert scaling(one, three, 3) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("goal", "met"),
    [
        (Goal("g", 2.0, at_least=2.0), True),
        (Goal("g", 1.99, at_least=2.0), False),
        (Goal("g", 0.5, at_most=0.5), True),
        (Goal("g", 0.51, at_most=0.5), False),
        (Goal("g", None, at_least=2.0), None),
    ],
)
def test_goal_knows_whether_it_is_met(goal: Goal, met: bool | None) -> None:
    assert goal.met is met


def test_goals_are_ratios_to_prisma() -> None:
    peak = {
        LIST: {API: made_figures(900, 500, 5), PRISMA: made_figures(300, 400, 9), PG: made_figures(1, 1, 1)},
        CREATE: {API: made_figures(400, 600, 5), PRISMA: made_figures(800, 300, 9), PG: made_figures(1, 1, 1)},
    }
    fixed = {
        LIST: {API: made_figures(1, 1, 2), PRISMA: made_figures(1, 1, 8)},
        CREATE: {API: made_figures(1, 1, 6), PRISMA: made_figures(1, 1, 8)},
    }
    made = goals(peak, fixed, {CREATE: 0.97, CREATE + BESIDE: 0.99, LIST + SHARING: 0.94})
    assert [item.value for item in made[:6]] == [3.0, 1.25, 0.5, 2.0, 0.25, 0.75]
    assert [item.met for item in made[:6]] == [True, False, False, True, True, False]
    assert [item.value for item in made[6:]] == [None, None, 0.97, 0.99, 0.94, None, None, None]
    assert [item.met for item in made[6:]] == [None, None, True, True, False, None, None, None]


def test_goal_without_value_is_said_to_be_not_measured() -> None:
    text = goal_lines([Goal("scaling", None, at_least=0.95), Goal("p99", 0.4, at_most=0.5)])
    assert text.splitlines()[1].split() == ["scaling", "-", ">=", "0.95", "not", "measured"]
    assert text.splitlines()[2].split() == ["p99", "0.40", "<=", "0.50", "met"]


def test_table_shows_the_ratio_to_prisma() -> None:
    text = table("T", {LIST: {API: made_figures(900, 500, 5), PRISMA: made_figures(300, 400, 9)}})
    title, head, api, prisma = text.splitlines()
    assert title == "T"
    assert head.split()[:2] == ["requests", "req/s"]
    assert api.split() == ["list", "api", "100", "500", "900", "3.00", "1.000", "1.000", "1.0", "5.0", "10%"]
    assert prisma.split()[5] == "1.00"
