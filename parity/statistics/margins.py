"""The pre-registered margin, which says what differences are small beside those that another seed makes anyway."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from parity.statistics.lazy import stats

LARGEST_MARGIN = 0.005  # half a point of accuracy
SHARE_OF_SEED_NOISE = {True: 0.5, False: 0.954}  # coupled, disjoint: see DESIGN.md, "Study"
FEWEST_EXAMPLES = 2  # one test example more or less is the resolution of an accuracy


def seed_noise(accuracies: ArrayLike, level: float = 0.90) -> float:
    """The lower bound, one-sided at `level`, of the seed-to-seed SD of accuracies (n,).

    It is s sqrt((n-1) / chi2_level(n-1)), and comes from a frozen reference set, never from the study that is judged
    with it. Raises ValueError for fewer than two runs or a NaN.
    """
    sample = np.asarray(accuracies, dtype=np.float64)
    if sample.ndim != 1 or sample.size < 2 or not np.isfinite(sample).all():
        raise ValueError("the seed-to-seed SD takes the accuracies of at least 2 finished runs")
    if np.ptp(sample) == 0:
        return 0.0
    freedom = sample.size - 1
    return float(sample.std(ddof=1) * math.sqrt(freedom / stats.chi2.ppf(level, freedom)))


def margin(sigma_lower: float, n_test: int, coupled: bool = True) -> float:
    """The margin min(0.005, c sigma_lower), at least 2 of the n_test examples; c = 0.5 coupled, 0.954 disjoint.

    Raises ValueError for a negative SD and for n_test < 1.
    """
    if n_test < 1 or not sigma_lower >= 0:
        raise ValueError(f"a margin takes an SD >= 0 and n_test >= 1, got {sigma_lower} and {n_test}")
    return max(min(LARGEST_MARGIN, SHARE_OF_SEED_NOISE[coupled] * sigma_lower), FEWEST_EXAMPLES / n_test)
