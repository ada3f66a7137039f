"""Power of the t TOST and of the t test, and what follows from it: detectable effects and numbers of seeds.

Phillips (1990), J. Pharmacokin. Biopharm. 18:137-144: given the ratio u = s/sigma of observed to true SD,
TOST passes when the observed difference lies within margin - t u se of 0; the power is that normal
probability integrated over the chi distribution of u. (statsmodels and scipy have none.) For two
independent samples of n each the SDs are taken as equal, with 2n - 2 degrees of freedom; Welch's test has
no more than these, so its power is slightly lower.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from parity.statistics.equivalence import independent_exact_p, paired_exact_p
from parity.statistics.lazy import integrate, optimize, special, stats

CUSTOMARY_POWER = 0.8  # Cohen (1988), Statistical Power Analysis, section 2.4
LARGEST_STUDY = 2**20  # seeds; beyond this a study is out of anybody's reach
NEGLIGIBLE_TAIL = 1e-15  # probability left out at either end of the integral


def tost_power(
    n: int,
    standard_deviation: float,
    margin: float,
    difference: float = 0.0,
    alpha: float = 0.05,
    paired: bool = True,
) -> float:
    """The probability that a TOST with n seeds passes, given the true difference and SD.

    The SD is that of the differences (paired) or of each sample (independent).
    """
    if standard_deviation == 0:
        return float(abs(difference) < margin and _exact_p(n, paired) <= alpha)
    error, freedom = _error(n, standard_deviation, paired)
    critical = float(stats.t.isf(alpha, freedom))
    log_scale = math.log(2) + freedom / 2 * math.log(freedom / 2) - math.lgamma(freedom / 2)

    def passes_given(u: float) -> float:
        half = margin / error - critical * u
        within = special.ndtr(half - difference / error) - special.ndtr(-half - difference / error)
        log_density = log_scale + (freedom - 1) * math.log(u) - freedom * u * u / 2
        return float(within) * math.exp(log_density)

    lowest = math.sqrt(stats.chi2.ppf(NEGLIGIBLE_TAIL, freedom) / freedom)
    highest = math.sqrt(stats.chi2.isf(NEGLIGIBLE_TAIL, freedom) / freedom)
    highest = min(highest, margin / (error * critical))
    if highest <= lowest:
        return 0.0
    return min(1.0, float(integrate.quad(passes_given, lowest, highest)[0]))  # the quadrature may end just above 1


def difference_power(
    n: int, standard_deviation: float, difference: float, alpha: float = 0.05, paired: bool = True
) -> float:
    """The probability that a two-sided t test with n seeds finds a true difference, in the right direction."""
    if standard_deviation == 0:
        return float(difference != 0 and 2 * _exact_p(n, paired) <= alpha)
    error, freedom = _error(n, standard_deviation, paired)
    return float(stats.nct.sf(stats.t.isf(alpha / 2, freedom), freedom, abs(difference) / error))


def minimum_detectable_margin(
    n: int,
    standard_deviation: float,
    power: float = CUSTOMARY_POWER,
    alpha: float = 0.05,
    paired: bool = True,
) -> float:
    """The smallest margin within which n seeds show equivalence with this power when there is no difference."""
    return standard_deviation * _margin(n, power, alpha, paired)


def minimum_detectable_difference(
    n: int,
    standard_deviation: float,
    power: float = CUSTOMARY_POWER,
    alpha: float = 0.05,
    paired: bool = True,
) -> float:
    """The smallest true difference that n seeds find with this power."""
    return standard_deviation * _shift(n, power, alpha, paired)


def seeds_to_decide(
    standard_deviation: float,
    margin: float,
    difference: float = 0.0,
    power: float = CUSTOMARY_POWER,
    alpha: float = 0.05,
    paired: bool = True,
    pairs: int = 1,
) -> int | None:
    """The smallest number of seeds with which TOST or the t test has this power; None if it is beyond reach.

    The t test is made at alpha / `pairs`, the strictest level that Holm's correction asks for.
    """

    def decides(n: int) -> bool:
        tost = tost_power(n, standard_deviation, margin, difference, alpha, paired)
        return max(tost, difference_power(n, standard_deviation, difference, alpha / pairs, paired)) >= power

    enough = 2
    while not decides(enough):
        enough *= 2
        if enough > LARGEST_STUDY:
            return None
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if decides(middle) else (middle, enough)
    return enough


def _error(n: int, standard_deviation: float, paired: bool) -> tuple[float, int]:
    if n < 2:
        raise ValueError(f"a t test takes at least 2 seeds, got {n}")
    if paired:
        return standard_deviation / math.sqrt(n), n - 1
    return standard_deviation * math.sqrt(2 / n), 2 * n - 2


def _exact_p(n: int, paired: bool) -> float:
    return paired_exact_p(n) if paired else independent_exact_p(n, n)


# In SDs, what is detectable is a matter of the design alone, which is that of many pairs and of many studies.
@functools.cache
def _margin(n: int, power: float, alpha: float, paired: bool) -> float:
    return _solve(lambda margin: tost_power(n, 1.0, margin, 0.0, alpha, paired), power)


@functools.cache
def _shift(n: int, power: float, alpha: float, paired: bool) -> float:
    return _solve(lambda shift: difference_power(n, 1.0, shift, alpha, paired), power)


def _solve(power_of: Callable[[float], float], power: float) -> float:
    """The effect, in SDs, at which an increasing power curve reaches `power`."""
    highest = 1.0
    while power_of(highest) < power:
        highest *= 2
    return float(optimize.brentq(lambda effect: power_of(effect) - power, np.finfo(float).tiny, highest))
