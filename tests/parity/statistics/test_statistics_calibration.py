"""The procedures keep their error rates (a quick `nox -s calibrate`), and intervals their coverage."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from parity.statistics import (
    calibrate,
    difference_power,
    minimum_detectable_difference,
    minimum_detectable_margin,
    seeds_to_decide,
    superiority,
    tost_power,
)
from parity.statistics.calibration import MONTE_CARLO_ERRORS, Cell, binomial, heavy_tailed
from parity.statistics.effects import deviation_ratio
from parity.statistics.equivalence import difference_p, equivalence_p, welch_summary

STUDIES = 2_000


def test_no_procedure_makes_more_false_claims_than_alpha_and_power_is_its_integral() -> None:
    cells = calibrate(STUDIES, seeds=(6, 20), noises=(0.5, 1.0), n_tests=(360,), churns=(0.1,))
    assert [cell for cell in cells if not cell.passed] == []
    assert {cell.kind for cell in cells} == {"type I", "power"}
    for cell in cells:
        error = np.sqrt(cell.expected * (1 - cell.expected) / cell.replications)
        assert cell.highest == pytest.approx(cell.expected + MONTE_CARLO_ERRORS * error)
        assert cell.lowest == pytest.approx(cell.expected - MONTE_CARLO_ERRORS * error if cell.kind == "power" else 0)


def test_calibration_notices_a_procedure_that_claims_too_much() -> None:
    assert not Cell("type I", "bad", "normal", 10, 1.0, 1.0, 20_000, 0.06, 0.05, 0.0, 0.0546).passed


def test_heavy_tailed_accuracies_have_the_quartiles_of_t_3_with_its_deviation() -> None:
    drawn = heavy_tailed(np.random.default_rng(0), (100_000,), 2.0)
    assert np.quantile(drawn, [0.25, 0.75]) == pytest.approx(stats.t.ppf([0.25, 0.75], 3) * 2 / np.sqrt(3), rel=0.02)


def test_binomial_accuracies_have_mean_0_and_the_deviation_that_is_asked_for() -> None:
    drawn = binomial(np.random.default_rng(0), (100_000,), 2.0)
    assert np.mean(drawn) == pytest.approx(0, abs=5 * 2 / np.sqrt(drawn.size))
    assert np.std(drawn) == pytest.approx(2, rel=0.02)


def test_power_and_seeds_belong_together() -> None:
    for paired in (True, False):
        n = seeds_to_decide(1.0, 0.6, paired=paired)
        assert isinstance(n, int)
        assert tost_power(n - 1, 1.0, 0.6, paired=paired) < 0.8 <= tost_power(n, 1.0, 0.6, paired=paired)
        margin = minimum_detectable_margin(n, 2.0, paired=paired)
        assert round(tost_power(n, 2.0, margin, paired=paired), 9) == 0.8
        shift = minimum_detectable_difference(n, 2.0, paired=paired)
        assert round(difference_power(n, 2.0, shift, paired=paired), 9) == 0.8


@pytest.mark.parametrize("n", [6, 20])
def test_power_for_independent_samples_is_the_share_of_studies_that_pass(n: int) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.2, 1, (2 * STUDIES, n)), rng.normal(0, 1, (2 * STUDIES, n))
    summary = welch_summary(first, second)
    for power, p in (
        (tost_power(n, 1.0, 1.2, 0.2, paired=False), equivalence_p(summary, 1.2)),
        (difference_power(n, 1.0, 0.2, paired=False), difference_p(summary)),
    ):
        assert abs(np.mean(p <= 0.05) - power) <= 3 * np.sqrt(power * (1 - power) / len(p))


def coverage(covered: list[bool]) -> tuple[float, float]:
    """Share of studies whose interval holds the truth, and three standard errors of a share of 0.95."""
    return float(np.mean(covered)), 3 * np.sqrt(0.95 * 0.05 / len(covered))


def test_without_ties_paired_superiority_has_wilsons_interval() -> None:
    for wins in range(21):
        interval = superiority([1.0] * wins + [0.0] * (20 - wins), [0.5] * 20).interval
        assert interval is not None
        wilson = stats.binomtest(wins, 20).proportion_ci(0.95, method="wilson")
        assert tuple(round(limit, 9) for limit in interval) == (round(wilson.low, 9), round(wilson.high, 9))


@pytest.mark.parametrize("paired", [True, False])
def test_the_superiority_of_one_is_the_rest_of_the_others_with_any_number_of_ties(paired: bool) -> None:
    for wins, losses, ties in itertools.product(range(4), repeat=3):
        if (n := wins + losses + ties) > 1:
            first, second = [0.6] * wins + [0.4] * losses + [0.5] * ties, [0.5] * n
            one, other = superiority(first, second, paired), superiority(second, first, paired)
            assert one.interval is not None
            assert other.interval is not None
            assert one.estimate == pytest.approx((wins + ties / 2) / n)
            assert other.estimate == pytest.approx(1 - one.estimate)
            assert one.interval == pytest.approx((1 - other.interval[1], 1 - other.interval[0]))


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_interval_of_the_independent_superiority_holds_the_truth(shift: float) -> None:
    rng = np.random.default_rng(0)
    truth = stats.norm.cdf(shift / np.sqrt(2))
    covered = []
    for _ in range(STUDIES):
        interval = superiority(rng.normal(shift, 1, 20), rng.normal(0, 1, 20), paired=False).interval
        assert interval is not None
        covered.append(interval[0] <= truth <= interval[1])
    share, error = coverage(covered)
    assert 0.95 - error <= share < 0.99  # it is a little conservative where one is nearly always ahead


def test_limits_of_the_paired_ratio_are_where_the_pitman_morgan_test_has_p_5_percent() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (2, 8)) + rng.normal(0, 1, 8)
    ratio = deviation_ratio(x, y)
    assert ratio is not None
    assert ratio.interval is not None
    for limit in ratio.interval:
        assert round(stats.pearsonr(x + limit * y, x - limit * y).pvalue, 9) == 0.05


@pytest.mark.parametrize("paired", [True, False])
def test_interval_of_the_ratio_of_deviations_holds_the_truth_in_95_of_100(paired: bool) -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(STUDIES):
        common = rng.normal(0, 1, 15) if paired else 0.0
        x, y = common + rng.normal(0, 1, 15), common + rng.normal(0, 1, 15)
        ratio = deviation_ratio(3 * x, y, paired)
        assert ratio is not None
        assert ratio.interval is not None
        covered.append(ratio.interval[0] <= 3 <= ratio.interval[1])
    share, error = coverage(covered)
    assert abs(share - 0.95) <= error
