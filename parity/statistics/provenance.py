"""Checks that the runs of a study are what they claim to be: fresh, independent, coupled across implementations."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, ItemsView, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from parity.statistics.lazy import stats

TREND_LEVEL = 0.001  # a sound study is called invalid once in a thousand


@dataclass(frozen=True)
class Provenance:
    """The origin of one run: hashes of its initial weights and batch order, and what was true before its first step."""

    implementation: str
    seed: int
    initial_weights: str
    batch_order: str
    optimizer_steps: int
    initial_loss: float


def provenance_problems(runs: Sequence[Provenance], *, classes: int, coupled: bool = True) -> list[str]:
    """Sentences on what is wrong; there are none if all is well.

    Within an implementation every seed starts from weights of its own, with a fresh optimizer and an untrained network.
    Coupled runs of one seed share weights and batch order across implementations. A network whose outputs know nothing
    of the labels has an expected loss of at least ln C (Gibbs' inequality); half of that is no luck but training.
    """
    found = []
    for name, own in _grouped(runs, lambda run: run.implementation):
        seeds = [run.seed for run in own]
        if len(set(seeds)) < len(seeds):
            found.append(f"{name}: a seed was run more than once")
        if len({run.initial_weights for run in own}) < len(own):
            found.append(f"{name}: repeats share their initial weights, so they are not independent runs")
        if warm := [run.seed for run in own if run.optimizer_steps != 0]:
            found.append(f"{name}: the optimizer had already made steps at the start of seeds {warm}")
        if trained := [run.seed for run in own if run.initial_loss < math.log(classes) / 2]:
            found.append(
                f"{name}: the loss before training is below half of ln {classes} for seeds {trained}: "
                "the model was trained before (repeats of one model are pseudo-replication)"
            )
    if coupled:
        for seed, same in _grouped(runs, lambda run: run.seed):
            if len({run.initial_weights for run in same}) > 1:
                found.append(f"seed {seed}: implementations started from different weights")
            if len({run.batch_order for run in same}) > 1:
                found.append(f"seed {seed}: implementations saw different batch orders")
    elif any(
        len({run.implementation for run in same}) > 1 for _, same in _grouped(runs, lambda run: run.initial_weights)
    ):
        found.append("disjoint runs share initial weights, so they are not independent")
    return found


def trend_problems(accuracies: ArrayLike) -> list[str]:
    """One sentence if accuracies (repeats,), in the order they were run, rise or fall with the repeats."""
    repeats = np.asarray(accuracies, dtype=np.float64)
    if repeats.size < 2 or not np.isfinite(repeats).all() or np.ptp(repeats) == 0:
        return []
    result = stats.kendalltau(np.arange(repeats.size), repeats)
    if result.pvalue > TREND_LEVEL:
        return []
    return [f"accuracy has a trend over repeats (Kendall's tau {result.statistic:.2f}, p = {result.pvalue:.2g})"]


def _grouped(
    runs: Iterable[Provenance], key: Callable[[Provenance], int | str]
) -> ItemsView[int | str, list[Provenance]]:
    groups = defaultdict(list)
    for run in runs:
        groups[key(run)].append(run)
    return groups.items()
