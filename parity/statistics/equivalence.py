"""Two one-sided t tests (TOST), paired and Welch: are two sets of accuracies the same, within a margin?

Schuirmann (1987), J. Pharmacokin. Biopharm. 15:657-680: equivalence is shown at level alpha when the difference is
significantly above -margin and significantly below +margin, that is, when the 1 - 2 alpha interval lies within the
margin. Welch (1947), Biometrika 34:28-35, for the degrees of freedom of independent samples.

Samples without any spread have no t statistic (scipy returns NaN, statsmodels p = 0 even for two runs). For them the
exact permutation test decides: of the 2**n sign flips (paired) or C(n1 + n2, n1) regroupings (independent), only the
observed one is as extreme, so its one-sided p is one over their number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity.statistics.lazy import special, stats

Interval = tuple[float, float]
Floats = NDArray[np.float64]


class Summary(NamedTuple):
    """The statistics that both designs reduce to; runs are the last axis, to summarise many studies at once."""

    n: int
    difference: Any
    standard_deviation: Any
    standard_error: Any
    degrees_of_freedom: Any
    exact_p: float


@dataclass(frozen=True)
class Equivalence:
    """A TOST and the t test that goes with it; differences, SD, intervals and margins are in the data's unit.

    `n` is the number of runs of each implementation (the smaller one if they differ), `standard_deviation` that of the
    differences (paired) or the root mean square of the two (Welch). `delta_star` is the smallest margin that would
    pass, None when no margin could (too few runs).
    """

    method: str
    n: int
    difference: float
    standard_deviation: float
    standard_error: float
    degrees_of_freedom: float
    interval_90: Interval
    interval_95: Interval
    margin: float
    alpha: float
    p_equivalent: float
    p_different: float
    delta_star: float | None

    @property
    def equivalent(self) -> bool:
        return self.p_equivalent <= self.alpha


def paired_tost(differences: ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """The paired-t TOST of differences (n,), one for each seed, against +-margin.

    Raises ValueError for a NaN or infinite difference (a diverged run makes a study invalid, it is never dropped), for
    fewer than two differences and for a margin that is not positive.
    """
    return _equivalence("paired-t TOST", paired_summary(_finite(differences)), margin, alpha)


def welch_tost(first: ArrayLike, second: ArrayLike, margin: float, alpha: float = 0.05) -> Equivalence:
    """The Welch TOST of mean(first) - mean(second), independent (n1,) and (n2,); raises as `paired_tost`."""
    return _equivalence("Welch TOST", welch_summary(_finite(first), _finite(second)), margin, alpha)


def paired_summary(differences: Floats) -> Summary:
    """The mean, SD and standard error of differences (..., n)."""
    n = differences.shape[-1]
    mean, deviation = _moments(differences)
    return Summary(n, mean, deviation, deviation / math.sqrt(n), np.float64(n - 1), paired_exact_p(n))


def welch_summary(first: Floats, second: Floats) -> Summary:
    """The difference of the means of (..., n1) and (..., n2), with its standard error and degrees of freedom."""
    (mean1, deviation1), (mean2, deviation2) = _moments(first), _moments(second)
    n1, n2 = first.shape[-1], second.shape[-1]
    error1, error2 = deviation1**2 / n1, deviation2**2 / n2
    with np.errstate(invalid="ignore"):  # 0/0 without spread, where nobody uses the degrees of freedom
        freedom = (error1 + error2) ** 2 / (error1**2 / (n1 - 1) + error2**2 / (n2 - 1))
    freedom = np.where(error1 + error2 > 0, freedom, n1 + n2 - 2)
    deviation = np.sqrt((deviation1**2 + deviation2**2) / 2)
    return Summary(
        min(n1, n2), mean1 - mean2, deviation, np.sqrt(error1 + error2), freedom, independent_exact_p(n1, n2)
    )


def paired_exact_p(n: int) -> float:
    """The smallest one-sided p of any sign-flip permutation test on n differences."""
    return 0.5**n


def independent_exact_p(n1: int, n2: int) -> float:
    """The smallest one-sided p of any permutation test on independent samples of n1 and n2."""
    return 1 / math.comb(n1 + n2, n1)


def equivalence_p(summary: Summary, margin: Any) -> Any:
    """The p of TOST: the larger of the two one-sided ones."""
    _, difference, _, error, freedom, exact_p = summary
    with np.errstate(divide="ignore", invalid="ignore"):
        above = special.stdtr(freedom, -(difference + margin) / error)
        below = special.stdtr(freedom, (difference - margin) / error)
    return np.where(error > 0, np.maximum(above, below), np.where(np.abs(difference) < margin, exact_p, 1.0))


def difference_p(summary: Summary) -> Any:
    """The two-sided p of the t test of no difference."""
    _, difference, _, error, freedom, exact_p = summary
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * special.stdtr(freedom, -np.abs(difference) / error)
    return np.where(error > 0, p, np.where(difference == 0, 1.0, 2 * exact_p))


def _equivalence(method: str, summary: Summary, margin: float, alpha: float) -> Equivalence:
    if not (margin > 0 and math.isfinite(margin)):
        raise ValueError(f"the equivalence margin must be positive and finite, got {margin}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha must lie between 0 and 0.5, got {alpha}")
    n, difference, deviation, error, freedom, exact_p = summary

    def half_width(tail: float) -> float:
        return float(error * stats.t.isf(tail, freedom))

    def interval(level: float) -> Interval:
        half = half_width((1 - level) / 2)
        return float(difference) - half, float(difference) + half

    can_pass = error > 0 or exact_p <= alpha
    return Equivalence(
        method=method,
        n=n,
        difference=float(difference),
        standard_deviation=float(deviation),
        standard_error=float(error),
        degrees_of_freedom=float(freedom),
        interval_90=interval(0.90),
        interval_95=interval(0.95),
        margin=float(margin),
        alpha=float(alpha),
        p_equivalent=float(equivalence_p(summary, margin)),
        p_different=float(difference_p(summary)),
        delta_star=abs(float(difference)) + half_width(alpha) if can_pass else None,
    )


def _moments(sample: Floats) -> tuple[Any, Any]:
    """The mean and the SD over the last axis; exactly the common value and 0 where all values are the same."""
    constant = np.ptp(sample, axis=-1) == 0
    mean = np.where(constant, sample[..., 0], sample.mean(axis=-1))
    return mean, np.where(constant, 0.0, sample.std(axis=-1, ddof=1))


def _finite(sample: ArrayLike) -> Floats:
    values = np.asarray(sample, dtype=np.float64)
    if values.ndim != 1 or values.size < 2:
        raise ValueError(f"a t test takes one value per run and at least 2 runs, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{(~np.isfinite(values)).sum()} of {values.size} runs are NaN or infinite: not testable")
    return values
