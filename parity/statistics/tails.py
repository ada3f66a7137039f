"""The estimate of how often a right implementation exceeds its allowance: the tail beyond what has been seen.

No exceedance in n examples says no more than that its probability is below 3/n. The shares that came near tell more:
above a high threshold they follow a generalised Pareto distribution, whose tail is then read off at the limit.

    J. Pickands, Statistical inference using extreme order statistics, Ann. Statist. 3 (1975) 119-131;
    J. R. M. Hosking and J. R. Wallis, Parameter and quantile estimation for the generalized Pareto distribution,
    Technometrics 29 (1987) 339-349, eq. (6) and (7): the estimate by probability-weighted moments;
    S. Coles, An Introduction to Statistical Modeling of Extreme Values (2001), chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array
from parity.statistics.lazy import stats

SHARE = 0.05  # of the examples lie above the threshold: the usual compromise of bias and variance (Coles, 4.3.1)
FEWEST = 50  # exceedances; of fewer, the shape's standard error is larger than the shape (Hosking and Wallis, table 2)
RESAMPLES = 200  # of the bootstrap, whose 95th percentile is then the tenth largest


@dataclass(frozen=True)
class Tail:
    """The estimated probability that a share exceeds the limit, its upper 95% bound, and what they rest on.

    shape, scale: the parameters of the generalised Pareto distribution of what exceeds `threshold`; shape < 0 has an
        upper end
    """

    probability: float
    upper: float
    threshold: float
    exceedances: int
    shape: float
    scale: float


def fitted(excesses: Array) -> tuple[float, float]:
    """The shape and scale of the generalised Pareto distribution of positive `excesses`.

    They are estimated by probability-weighted moments. The shape is that of `scipy.stats.genpareto`: Hosking and
    Wallis' with the other sign. Too heavy a tail, of shape 1 or more, has no moments and comes out as just below 1.
    """
    ordered = np.sort(excesses)
    n = len(ordered)
    first = ordered.mean()
    second = np.mean(ordered * (n - np.arange(1, n + 1)) / (n - 1))  # unbiased for E[X (1 - F(X))]
    shape = 2 - first / (first - 2 * second)
    return float(shape), float(2 * first * second / (first - 2 * second))


def tail(shares: Sequence[float] | Array, limit: float = 1.0) -> Tail | None:
    """The tail of `shares` of independent examples beyond `limit`; None where too few are apart to say.

    What is beyond the limit already, infinities included, is counted as it was seen.
    """
    values = np.asarray(shares, float)
    n = len(values)
    seen = int(np.sum(~(values <= limit)))
    values = np.sort(values[values <= limit])
    number = int(SHARE * n)
    if number < FEWEST or len(values) <= number or values[-number - 1] == values[-FEWEST]:
        return None
    threshold = values[-number - 1]
    excesses = values[values > threshold] - threshold
    rng = np.random.default_rng(0)
    estimates = [_beyond(rng.choice(excesses, len(excesses)), limit - threshold, n, seen) for _ in range(RESAMPLES)]
    shape, scale = fitted(excesses)
    return Tail(
        _beyond(excesses, limit - threshold, n, seen),
        float(np.quantile(estimates, 0.95)),
        float(threshold),
        len(excesses),
        shape,
        scale,
    )


def _beyond(excesses: Array, distance: float, n: int, seen: int) -> float:
    shape, scale = fitted(excesses)
    return float((len(excesses) * stats.genpareto.sf(distance, shape, scale=scale) + seen) / n)


def upper_bound(alarms: int, examples: int, confidence: float = 0.95) -> float:
    """Clopper and Pearson's one-sided upper bound of the probability of an alarm: about 3 / examples where none was.

    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934) 404-413.
    """
    if alarms >= examples:
        return 1.0
    return float(stats.beta.ppf(confidence, alarms + 1, examples - alarms))


def quantiles(shares: Sequence[float] | Array) -> dict[str, Any]:
    """The median and the upper quantiles of `shares`, by name."""
    levels = {"median": 0.5, "90%": 0.9, "99%": 0.99, "99.9%": 0.999}
    values = np.quantile(np.asarray(shares, float), list(levels.values()), method="higher")
    return dict(zip(levels, map(float, values), strict=True))
