"""Published values, to the digits that were published."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from parity.statistics import (
    PairedTable,
    difference_power,
    mcnemar,
    newcombe_interval,
    paired_tost,
    tango_interval,
    tango_z,
    tost_power,
    welch_tost,
)

# R's data set `sleep`: extra hours of sleep of ten patients with each of two drugs (Cushny & Peebles 1905)
SLEEP = (
    np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]),
    np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]),
)


def significant(value: float, digits: int) -> float:
    return float(f"{value:.{digits - 1}e}")


@pytest.mark.parametrize(
    ("cells", "tango", "newcombe"),
    [
        pytest.param((4, 9, 3, 16), (-0.027090, 0.389697), (-0.027348, 0.380672), id="Tango 1998, table VII"),
        pytest.param((53, 16, 8, 9), (-0.019659, 0.206911), (-0.020104, 0.203916), id="Agresti & Min 2005"),
        pytest.param((20, 12, 2, 16), (0.061112, 0.344709), (0.056156, 0.329207), id="Newcombe 1998"),
    ],
)
def test_intervals_of_paired_proportions(
    cells: tuple[int, int, int, int], tango: tuple[float, float], newcombe: tuple[float, float]
) -> None:
    table = PairedTable(*cells)
    assert tuple(round(limit, 6) for limit in tango_interval(table)) == tango
    assert tuple(round(limit, 6) for limit in newcombe_interval(table)) == newcombe


def test_paired_tost_of_sleep_is_that_of_toster() -> None:
    result = paired_tost(SLEEP[0] - SLEEP[1], margin=0.5)
    assert round(result.difference / result.standard_error, 5) == -4.06213
    assert result.degrees_of_freedom == 9
    assert round(result.p_different, 8) == 0.00283289
    assert round(result.p_equivalent, 6) == 0.989241
    assert tuple(round(limit, 6) for limit in result.interval_90) == (-2.293005, -0.866995)


@pytest.mark.parametrize(("n", "power"), [(15, 0.66629), (30, 0.93855)])
def test_power_of_the_paired_tost(n: int, power: float) -> None:
    assert round(tost_power(n, 25.4558, 19.2, difference=-4, alpha=0.05), 5) == power


@pytest.mark.parametrize("n", [2_000, 2**20])
def test_power_of_a_tost_of_very_many_seeds_is_the_normal_distributions(n: int) -> None:
    """The standard deviation is known then: 2 Phi(margin / error - z) - 1 (Julious 2004, equation 10)."""
    margin = 3 / math.sqrt(n)
    assert tost_power(n, 1.0, margin) == pytest.approx(2 * stats.norm.cdf(3 - stats.norm.isf(0.05)) - 1, abs=1e-3)


@pytest.mark.parametrize("n", [3, 10, 30])
@pytest.mark.parametrize(("paired", "theirs"), [(True, TTestPower()), (False, TTestIndPower())])
def test_power_of_the_t_test_agrees_with_statsmodels(paired: bool, theirs: TTestPower, n: int) -> None:
    for effect in (0.2, 0.8, 1.5):
        expected = float(theirs.power(effect, n, 0.05 / 2, alternative="larger"))  # a difference of the right sign
        assert significant(difference_power(n, 2.0, 2.0 * effect, 0.05, paired), 6) == significant(expected, 6)


@pytest.mark.parametrize("margin", [0.1, 0.5, 3.0])
def test_tost_agrees_with_statsmodels_and_the_t_test_with_scipy(margin: float) -> None:
    x, y = SLEEP
    paired, welch = paired_tost(x - y, margin), welch_tost(x, y[:8], margin)
    for ours, tost, t_test in (
        (paired, ttost_paired(x, y, -margin, margin), stats.ttest_rel(x, y)),
        (
            welch,
            ttost_ind(x, y[:8], -margin, margin, usevar="unequal"),
            stats.ttest_ind(x, y[:8], equal_var=False),
        ),
    ):
        assert significant(ours.p_equivalent, 9) == significant(tost[0], 9)
        assert significant(ours.p_different, 9) == significant(t_test.pvalue, 9)
        interval = t_test.confidence_interval(0.95)
        assert tuple(significant(limit, 9) for limit in ours.interval_95) == tuple(
            significant(limit, 9) for limit in (interval.low, interval.high)
        )
    pooled = math.sqrt((np.var(x, ddof=1) + np.var(y[:8], ddof=1)) / 2)
    assert significant(welch.standard_deviation, 9) == significant(pooled, 9)


def discordant_tables() -> list[PairedTable]:
    rng = np.random.default_rng(0)
    return [PairedTable(*cells) for cells in rng.integers(0, 30, (200, 4)).tolist() if cells[1] + cells[2]]


def test_square_of_tangos_z_at_zero_is_mcnemars_uncorrected_chi_square() -> None:
    for table in discordant_tables():
        chi_square = statsmodels_mcnemar([[0, table.only_first], [table.only_second, 0]], False, False).statistic
        assert significant(tango_z(table) ** 2, 10) == significant(float(chi_square), 10)


@pytest.mark.parametrize(
    ("method", "exact", "correction"), [("asymptotic", 0, 0), ("corrected", 0, 1), ("exact", 1, 0)]
)
def test_mcnemar_agrees_with_statsmodels_where_that_is_right(
    method: Literal["asymptotic", "corrected", "exact"], exact: int, correction: int
) -> None:
    for table in discordant_tables():
        if table.only_first != table.only_second:
            cells = [[table.both, table.only_first], [table.only_second, table.neither]]
            expected = float(statsmodels_mcnemar(cells, exact=bool(exact), correction=bool(correction)).pvalue)
            assert significant(mcnemar(table, method).p, 9) == significant(expected, 9)


def test_mid_p_of_mcnemar_is_the_exact_p_less_the_probability_of_what_was_observed() -> None:
    """Fagerland, Lydersen & Laake (2013), equation 6."""
    for table in discordant_tables():
        b, c = table.only_first, table.only_second
        expected = mcnemar(table, "exact").p - stats.binom.pmf(b, b + c, 0.5) if b != c else 1.0
        assert significant(mcnemar(table, "mid-p").p, 9) == significant(expected, 9)
