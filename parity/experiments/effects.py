"""Effects: what changing one thing does to an accuracy, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from parity.results.records.trainings import Effect
from parity.statistics.equivalence import paired_summary

LEVEL = 0.95


def effect(factor: str, differences: Sequence[float], comparisons: int) -> Effect:
    """The effect of a factor from its `differences`, one for each seed, with a Student t interval.

    There are as many `comparisons`: by Bonferroni, all intervals hold at once. Without any spread Student's t has no
    scale, and there is no conclusion.
    """
    level = 1 - (1 - LEVEL) / comparisons
    found = paired_summary(np.asarray(differences, np.float64))
    half = float(found.standard_error * stats.t.isf((1 - level) / 2, found.degrees_of_freedom))
    low, high = float(found.difference) - half, float(found.difference) + half
    conclusion = "undecided" if half == 0 or low <= 0 <= high else "better" if low > 0 else "worse"
    return Effect(
        factor=factor,
        estimate=float(found.difference),
        interval=(low, high),
        level=level,
        differences=list(differences),
        conclusion=conclusion,
    )


def effects(
    accuracies: Mapping[str, Sequence[float]], baseline: str, interactions: Mapping[str, tuple[str, str, str]]
) -> list[Effect]:
    """The effect of every setting against the baseline; an interaction (a, b, both) is what both do beyond a and b."""
    arrays = {label: np.array(found) for label, found in accuracies.items()}
    changes = {label: found - arrays[baseline] for label, found in arrays.items() if label != baseline}
    changes |= {name: changes[both] - changes[a] - changes[b] for name, (a, b, both) in interactions.items()}
    return [effect(label, found.tolist(), len(changes)) for label, found in changes.items()]
