"""Two classifiers on the same test examples: the 2x2 table of who was right, its interval and its tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from parity.statistics.equivalence import Interval
from parity.statistics.lazy import optimize, stats


@dataclass(frozen=True)
class PairedTable:
    """The numbers of test examples that both, only the first, only the second and neither got right."""

    both: int
    only_first: int
    only_second: int
    neither: int

    def __post_init__(self) -> None:
        cells = (self.both, self.only_first, self.only_second, self.neither)
        if min(cells) < 0 or sum(cells) == 0:
            raise ValueError(f"a 2x2 table takes counts >= 0 of at least one example, got {cells}")

    @classmethod
    def of_predictions(cls, first: ArrayLike, second: ArrayLike, labels: ArrayLike) -> PairedTable:
        """The table of predicted class indices (N,) and (N,) against labels (N,); ValueError for other shapes."""
        right1, right2 = np.asarray(first) == np.asarray(labels), np.asarray(second) == np.asarray(labels)
        if right1.ndim != 1 or right1.shape != right2.shape:
            raise ValueError("predictions and labels must be class indices of one shape (N,)")
        cells = (right1 & right2, right1 & ~right2, ~right1 & right2, ~right1 & ~right2)
        return cls(*(int(cell.sum()) for cell in cells))

    @property
    def n(self) -> int:
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def difference(self) -> float:
        """The accuracy of the first minus that of the second."""
        return (self.only_first - self.only_second) / self.n


@dataclass(frozen=True)
class McNemar:
    """The result of McNemar's test.

    `statistic` is the chi-square, or the smaller discordant count for the exact and mid-p tests.
    """

    method: str
    statistic: float
    p: float


def churn(first: ArrayLike, second: ArrayLike) -> float:
    """The share of test examples on which two predictions (N,) differ (Milani Fard et al. 2016, NeurIPS)."""
    predictions1, predictions2 = np.asarray(first), np.asarray(second)
    if predictions1.ndim != 1 or predictions1.shape != predictions2.shape or predictions1.size == 0:
        raise ValueError("churn takes two non-empty predictions of one shape (N,)")
    return float(np.mean(predictions1 != predictions2))


def tango_z(table: PairedTable, difference: float = 0.0) -> float:
    """The score statistic of H0: accuracy difference = `difference`.

    Its square at 0 is McNemar's uncorrected chi-square. Tango (1998), Statistics in Medicine 17:891-908.
    """
    n, b, c = table.n, table.only_first, table.only_second
    linear = (2 * n - b + c) * difference - b - c
    constant = -c * difference * (1 - difference)
    only_second = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
    variance = n * (2 * only_second + difference * (1 - difference))
    excess = b - c - n * difference
    if excess == 0:
        return 0.0
    return excess / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, excess)


def tango_interval(table: PairedTable, level: float = 0.95) -> Interval:
    """Tango's score interval: the differences that his test at 1 - level does not reject."""
    z = float(stats.norm.isf((1 - level) / 2))
    return invert_score(lambda difference: tango_z(table, difference), table.difference, z, -1.0, 1.0)


def tango_equivalence_p(table: PairedTable, margin: float) -> float:
    """The p of a TOST by Tango's score test, whose H0 is |accuracy difference| >= margin."""
    return float(max(stats.norm.sf(tango_z(table, -margin)), stats.norm.cdf(tango_z(table, margin))))


def newcombe_interval(table: PairedTable, level: float = 0.95) -> Interval:
    """The interval of the accuracy difference by method 10 of Newcombe: Wilson limits, corrected phi.

    Newcombe (1998), Statistics in Medicine 17:2635-2650.
    """
    n, a, b, c, d = table.n, table.both, table.only_first, table.only_second, table.neither
    (low1, p1, high1), (low2, p2, high2) = _wilson(a + b, n, level), _wilson(a + c, n, level)
    covariance = float(a * d - b * c)
    if covariance > 0:
        covariance = max(covariance - n / 2, 0.0)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    phi = covariance / math.sqrt(margins) if margins else 0.0

    def spread(x: float, y: float) -> float:
        return math.sqrt(max(x * x - 2 * phi * x * y + y * y, 0.0))

    return table.difference - spread(p1 - low1, high2 - p2), table.difference + spread(high1 - p1, p2 - low2)


def mcnemar(table: PairedTable, method: Literal["asymptotic", "corrected", "exact", "mid-p"] = "mid-p") -> McNemar:
    """McNemar's test of equal accuracies; p = 1 when no example tells the two apart.

    corrected: Edwards (1948), Psychometrika 13:185-187, where the correction cannot overshoot (statsmodels lets it).
    mid-p: Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91. Raises ValueError for another
    method.
    """
    b, c = table.only_first, table.only_second
    fewer, discordant = min(b, c), b + c
    if method == "exact":
        return McNemar(method, fewer, min(2 * float(stats.binom.cdf(fewer, discordant, 0.5)), 1.0))
    if method == "mid-p":
        cdf, pmf = stats.binom.cdf(fewer, discordant, 0.5), stats.binom.pmf(fewer, discordant, 0.5)
        return McNemar(method, fewer, 1.0 if b == c else float(2 * cdf - pmf))
    if method not in ("asymptotic", "corrected"):
        raise ValueError(f"McNemar's test is asymptotic, corrected, exact or mid-p, got {method!r}")
    excess = abs(b - c) - (1 if method == "corrected" and b != c else 0)
    statistic = excess**2 / discordant if discordant else 0.0
    return McNemar(method, statistic, float(stats.chi2.sf(statistic, 1)))


def invert_score(z_of: Callable[[float], float], estimate: float, z: float, lowest: float, highest: float) -> Interval:
    """The values at which a score statistic, decreasing in its parameter and 0 at the estimate, crosses +z and -z."""
    low = optimize.bisect(lambda value: z_of(value) - z, lowest, estimate) if estimate > lowest else lowest
    high = optimize.bisect(lambda value: z_of(value) + z, estimate, highest) if estimate < highest else highest
    return float(low), float(high)


def _wilson(successes: int, n: int, level: float) -> tuple[float, float, float]:
    """Wilson's lower limit, the proportion itself, and Wilson's upper limit."""
    interval = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    return float(interval.low), successes / n, float(interval.high)
