"""The estimate of a tail: right on distributions whose tail is known, and silent where it cannot know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, genpareto

from parity.statistics.tails import FEWEST, fitted, quantiles, tail, upper_bound


@pytest.mark.parametrize("shape", [-0.4, -0.2, 0.0, 0.2, 0.4])
def test_the_fit_finds_shape_and_scale(shape: float) -> None:
    """Within five of the standard errors that Hosking and Wallis (1987), eq. (9), give for its estimates."""
    n, scale = 20_000, 2.0
    found_shape, found_scale = fitted(genpareto.rvs(shape, scale=scale, size=n, random_state=1))
    k = -shape
    of_shape = math.sqrt((1 + k) * (2 + k) ** 2 * (1 + k + 2 * k**2) / ((1 + 2 * k) * (3 + 2 * k)) / n)
    of_scale = scale * math.sqrt((7 + 18 * k + 11 * k**2 + 2 * k**3) / ((1 + 2 * k) * (3 + 2 * k)) / n)
    assert abs(found_shape - shape) < 5 * of_shape
    assert abs(found_scale - scale) < 5 * of_scale


def test_the_fit_is_by_unbiased_probability_weighted_moments() -> None:
    """By hand: of 1, 2, 3 and 4 they are 5/2 and 5/6, which shape -1 and scale 5 have."""
    assert fitted(np.array([3.0, 1.0, 4.0, 2.0])) == pytest.approx((-1, 5))


@pytest.mark.parametrize("rate", [6.0, 9.0])
def test_the_tail_of_an_exponential_distribution(rate: float) -> None:
    """Shares that exceed 1 with probability exp(-rate), which is seen in few of the examples or in none."""
    shares = np.random.default_rng(0).exponential(1 / rate, 20_000)
    found = tail(shares)
    assert found is not None
    assert found.exceedances == 1000
    assert found.probability < 5 * math.exp(-rate)
    assert math.exp(-rate) < found.upper


def test_a_distribution_that_ends_below_the_limit_has_no_tail_beyond_it() -> None:
    found = tail(np.random.default_rng(0).uniform(0, 0.5, 10_000))
    assert found is not None
    assert found.shape < 0
    assert found.probability == 0


def test_alarms_are_counted_as_they_were_seen() -> None:
    shares = np.random.default_rng(0).uniform(0, 0.5, 10_000)
    shares[:20] = np.inf
    found = tail(shares)
    assert found is not None
    assert found.probability >= 20 / 10_000


def test_too_few_examples_or_too_few_that_differ_say_nothing() -> None:
    assert tail(np.linspace(0, 0.5, 10 * FEWEST)) is None
    assert tail(np.zeros(100_000)) is None
    assert tail([]) is None


def test_where_hardly_a_share_is_within_the_limit_there_is_no_tail_to_fit() -> None:
    shares = np.concatenate([np.linspace(0, 0.5, FEWEST), np.full(100 * FEWEST, 2.0)])
    assert tail(shares) is None


def test_the_bound_without_alarms_is_the_rule_of_three() -> None:
    """1 - 0.05^(1/n), which Hanley and Lippman-Hand, JAMA 249 (1983) 1743, call 3/n."""
    assert upper_bound(0, 100) == pytest.approx(0.029513, rel=1e-4)
    assert upper_bound(0, 300_000) == pytest.approx(-math.log(0.05) / 300_000, rel=1e-5)
    assert upper_bound(5, 5) == 1


def test_the_bound_with_alarms_is_where_so_few_are_seen_in_one_of_twenty() -> None:
    for alarms, examples in ((3, 10), (3, 300), (7, 21)):
        assert binom.cdf(alarms, examples, upper_bound(alarms, examples)) == pytest.approx(0.05)


def test_quantiles_are_of_the_examples() -> None:
    assert quantiles(np.arange(1001)) == {"median": 500, "90%": 900, "99%": 990, "99.9%": 999}
