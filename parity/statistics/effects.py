"""Effect sizes beside the mean difference: probability of superiority and ratio of standard deviations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parity.statistics.equivalence import Floats, Interval
from parity.statistics.lazy import stats
from parity.statistics.proportions import PairedTable, invert_score, tango_interval


@dataclass(frozen=True)
class Effect:
    """An estimate with its interval; `interval` is None where the data determine none."""

    name: str
    estimate: float
    interval: Interval | None
    level: float


def superiority(first: ArrayLike, second: ArrayLike, paired: bool = True, level: float = 0.95) -> Effect:
    """P(first > second) + P(first = second) / 2, from accuracies (n,) each: 0.5 when neither is ahead.

    Paired: wins, losses and ties over seeds are a 2x2 table of matched pairs, so (1 + wins/n - losses/n) / 2 has
    Tango's score interval. Independent: the interval is method 5 of Newcombe (2006), Statistics in Medicine 25:559-573.
    Raises ValueError for fewer than two runs or a NaN.
    """
    x, y = _samples(first, second)
    if paired:
        wins, losses = int((x > y).sum()), int((x < y).sum())
        table = PairedTable(x.size - wins - losses, wins, losses, 0)
        low, high = tango_interval(table, level)
        return Effect("probability of superiority", (1 + table.difference) / 2, ((1 + low) / 2, (1 + high) / 2), level)
    ahead = float(np.mean((np.sign(x[:, None] - y[None, :]) + 1) / 2))
    z = float(stats.norm.isf((1 - level) / 2))
    interval = invert_score(lambda theta: _newcombe_z(ahead, theta, x.size, y.size), ahead, z, 0.0, 1.0)
    return Effect("probability of superiority", ahead, interval, level)


def deviation_ratio(first: ArrayLike, second: ArrayLike, paired: bool = True, level: float = 0.95) -> Effect | None:
    """The SD of first over the SD of second, from accuracies (n,) each; None where either has no spread.

    The interval is by normal theory. Independent: that of F. Paired: the ratios that the test of Morgan (1939),
    Biometrika 31:13-19, and Pitman (1939), Biometrika 31:9-12, does not reject; it needs three seeds. Raises ValueError
    for fewer than two runs or a NaN.
    """
    x, y = _samples(first, second)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    ratio = float(x.std(ddof=1) / y.std(ddof=1))
    tail = (1 - level) / 2
    interval: Interval | None
    if not paired:
        freedom1, freedom2 = x.size - 1, y.size - 1
        low, high = stats.f.isf([tail, 1 - tail], freedom1, freedom2)
        interval = ratio / math.sqrt(low), ratio / math.sqrt(high)
    elif x.size < 3:
        interval = None
    else:
        unexplained = max(1 - float(np.corrcoef(x, y)[0, 1]) ** 2, 0.0)
        k = 1 + 2 * unexplained * float(stats.t.isf(tail, x.size - 2)) ** 2 / (x.size - 2)
        spread = math.sqrt(k + math.sqrt(k * k - 1))
        interval = ratio / spread, ratio * spread
    return Effect("ratio of standard deviations", ratio, interval, level)


def _newcombe_z(ahead: float, theta: float, m: int, n: int) -> float:
    if ahead == theta:
        return 0.0
    mean_size = (m + n) / 2 - 1
    variance = theta * (1 - theta) / (m * n) * (1 + mean_size * ((1 - theta) / (2 - theta) + theta / (1 + theta)))
    return (ahead - theta) / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, ahead - theta)


def _samples(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if min(x.size, y.size) < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("an effect size takes the accuracies of at least 2 finished runs of each implementation")
    return x, y
