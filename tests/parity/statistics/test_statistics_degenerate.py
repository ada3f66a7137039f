"""Data on which the usual calls return NaN, a p-value of 0, or nonsense."""

from __future__ import annotations

import math

import numpy as np
import pytest

from parity.statistics import (
    PairedTable,
    churn,
    deviation_ratio,
    margin,
    mcnemar,
    newcombe_interval,
    paired_tost,
    seed_noise,
    seeds_to_decide,
    superiority,
    tango_interval,
    tango_z,
    tost_power,
    welch_tost,
)


@pytest.mark.parametrize("n", [2, 5, 30])
def test_without_spread_the_exact_permutation_p_decides(n: int) -> None:
    result = paired_tost(np.zeros(n), margin=0.01)
    assert result.p_equivalent == 0.5**n
    assert result.p_different == 1.0
    assert result.equivalent == (n >= 5)
    assert result.delta_star == (0.0 if n >= 5 else None)


def test_a_constant_shift_is_different_and_equivalent_only_within_a_wider_margin() -> None:
    shift = np.full(10, 0.1 + 0.2)  # a sum whose mean is not exactly its terms
    assert paired_tost(shift, margin=0.3).p_equivalent == 1.0
    result = paired_tost(shift, margin=0.31)
    assert (result.p_equivalent, result.p_different) == (0.5**10, 2 * 0.5**10)
    assert (result.delta_star, result.interval_95) == (0.1 + 0.2, (0.1 + 0.2, 0.1 + 0.2))


def test_two_constant_samples_are_judged_by_regrouping() -> None:
    result = welch_tost(np.full(4, 0.9), np.full(4, 0.8), margin=0.2)
    assert (result.p_equivalent, result.p_different) == (1 / 70, 2 / 70)
    assert result.degrees_of_freedom == 4 + 4 - 2


def test_one_constant_sample_leaves_welchs_test_defined() -> None:
    result = welch_tost(np.full(6, 0.9), np.linspace(0.88, 0.91, 6), margin=0.02)
    assert result.degrees_of_freedom == 5
    assert 0 < result.p_equivalent < 0.05


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_run_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 3 runs"):
        paired_tost([0.0, bad, 0.1], margin=0.1)
    with pytest.raises(ValueError, match="1 of 3 runs"):
        welch_tost([0.0, 0.2, 0.1], [0.0, bad, 0.1], margin=0.1)
    with pytest.raises(ValueError, match="finished runs"):
        superiority([0.0, bad], [0.1, 0.2])
    with pytest.raises(ValueError, match="finished runs"):
        seed_noise([0.0, bad])


def test_a_single_run_a_margin_of_zero_and_an_odd_alpha_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 runs"):
        paired_tost([0.1], margin=0.1)
    with pytest.raises(ValueError, match="margin must be positive"):
        paired_tost([0.1, 0.2], margin=0.0)
    with pytest.raises(ValueError, match="alpha"):
        paired_tost([0.1, 0.2], margin=0.1, alpha=0.5)


def test_without_discordant_examples_every_test_has_p_1() -> None:
    table = PairedTable(90, 0, 0, 10)
    for method in ("asymptotic", "corrected", "exact", "mid-p"):
        assert mcnemar(table, method).p == 1.0
    assert tango_z(table) == 0.0
    low, high = tango_interval(table)
    assert low == -high  # the difference excluded at z is z**2 / (n + z**2)
    assert round(high, 9) == round(1.959963984540054**2 / (100 + 1.959963984540054**2), 9)


def test_equally_many_discordant_examples_are_no_evidence_even_with_the_correction() -> None:
    assert mcnemar(PairedTable(5, 3, 3, 5), "corrected").p == 1.0


@pytest.mark.parametrize("cells", [(0, 7, 0, 0), (0, 0, 7, 0), (7, 0, 0, 0), (0, 0, 0, 7), (0, 1, 0, 0)])
def test_intervals_of_extreme_tables_contain_the_difference_and_stay_within_one(
    cells: tuple[int, int, int, int],
) -> None:
    table = PairedTable(*cells)
    for low, high in (tango_interval(table), newcombe_interval(table)):
        assert -1 <= low <= table.difference <= high <= 1
        assert low < high


def test_tango_interval_turns_over_with_the_table() -> None:
    low, high = tango_interval(PairedTable(4, 9, 3, 16))
    turned = tango_interval(PairedTable(4, 3, 9, 16))
    assert tuple(round(limit, 9) for limit in turned) == (round(-high, 9), round(-low, 9))


def test_an_empty_or_negative_table_is_refused() -> None:
    for cells in ((0, 0, 0, 0), (3, -1, 0, 0)):
        with pytest.raises(ValueError, match="2x2 table"):
            PairedTable(*cells)


def test_table_and_churn_of_predictions() -> None:
    first, second, labels = [0, 1, 2, 2, 1], [0, 1, 1, 0, 2], [0, 1, 2, 1, 2]
    assert PairedTable.of_predictions(first, second, labels) == PairedTable(2, 1, 1, 1)
    assert PairedTable.of_predictions([1, 1, 1, 0], [1, 1, 1, 2], [1, 1, 1, 1]) == PairedTable(3, 0, 0, 1)
    assert churn(first, second) == 0.6
    with pytest.raises(ValueError, match="one shape"):
        churn(first, second[:-1])
    with pytest.raises(ValueError, match="one shape"):
        churn(1, 1)


def test_power_without_noise_is_certain_as_soon_as_the_exact_test_can_decide() -> None:
    assert [tost_power(n, 0.0, 0.01, 0.005) for n in (4, 5)] == [0.0, 1.0]
    assert tost_power(5, 0.0, 0.01, 0.01) == 0.0
    assert seeds_to_decide(0.0, 0.01, 0.02) == 6


def test_power_is_zero_where_the_interval_can_hardly_fit_the_margin() -> None:
    assert tost_power(2, 1.0, 1e-20) < 1e-20
    assert tost_power(1000, 1.0, 1e-9) == 0.0


def test_no_number_of_seeds_in_reach_is_none() -> None:
    assert seeds_to_decide(1.0, 1e-6) is None


def test_spreads_are_not_compared_where_one_is_missing() -> None:
    assert deviation_ratio([0.9] * 6, [0.8, 0.9, 0.8, 0.9, 0.7, 0.9]) is None
    ratio = deviation_ratio([0.1, 0.2], [0.2, 0.4])
    assert ratio is not None
    assert ratio.interval is None


def test_complete_separation_still_leaves_an_interval() -> None:
    for paired in (True, False):
        effect = superiority([0.9] * 10, [0.8] * 10, paired)
        assert effect.estimate == 1.0
        assert effect.interval is not None
        assert 0.5 < effect.interval[0] < effect.interval[1] == 1.0


def test_margin_is_capped_by_half_a_point_and_floored_by_two_examples() -> None:
    assert margin(1.0, 10_000) == 0.005
    assert margin(0.002, 10_000) == 0.001
    assert margin(0.002, 10_000, coupled=False) == 0.954 * 0.002
    assert margin(0.0, 360) == 2 / 360
    with pytest.raises(ValueError, match="SD >= 0"):
        margin(math.nan, 360)


def test_seed_noise_is_the_lower_chi_square_bound() -> None:
    sample = np.array([0.1, 0.2, 0.3])
    assert seed_noise([0.9, 0.9]) == 0.0
    # chi-square with 2 degrees of freedom is exponential: its 90% quantile is -2 ln 0.1
    assert round(seed_noise(sample), 12) == round(0.1 * math.sqrt(2 / (-2 * math.log(0.1))), 12)
