"""Rung 4 of two models: the same training? Losses step by step, from the same weights, on the same batches.

What rounding alone does to a curve is measured as `parity.training.curves` does: the reference is trained again, its
weights moved by one unit in the last place before every step. A curve that leaves its allowance is tried from other
weights nearby: a ReLU that rounding switches parts two curves for good, and what is wrong shows from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from numpynet import Array
from parity.comparison.alignment import aligned
from parity.comparison.causes import Cause
from parity.comparison.given import Batches
from parity.comparison.layout import Layout, in_classes, turned
from parity.comparison.losses import loss_causes
from parity.comparison.masks import Masks, shared
from parity.comparison.matching import Matching, copied
from parity.comparison.model import Unfit
from parity.comparison.training import Training
from parity.training.curves import SEEDS, judge_losses

NEARBY = 2.0**-8  # of each weight: the start of another training, as far as nothing else changes


@dataclass(frozen=True)
class Curves:
    """The losses of two models, step by step.

    shares: of what rounding allows, of the steps that tell anything
    steps: how many there were
    cause: the setting of the two losses that parts them in the first step; None where it is none that is known
    targets: what the second's are of the first's, where they are others; else ""
    """

    reference: list[float]
    other: list[float]
    shares: list[float]
    steps: int
    cause: Cause | None = None
    targets: str = ""

    @property
    def parted(self) -> int | None:
        """The first step that is outside, counted from 0; None where none is."""
        return next((step for step, share in enumerate(self.shares) if not share <= 1), None)


def compare_curves(
    first: Training,
    second: Training,
    matching: Matching,
    layouts: Sequence[Layout],
    batches: Batches,
    swapped: bool,
) -> Curves:
    """Train both models on these batches, as the first takes them; the reference is the second where it is `swapped`.

    Both drop the same, of each batch. Raises `Unshared` where that cannot be.
    """
    there = [
        ([layout.there(values) for layout, values in zip(layouts, inputs, strict=True)], target)
        for inputs, target in batches
    ]
    told = _fitting(first, batches[0], "first")
    if told is not None:
        raise Unfit(f"batches: the first model's loss takes {told} of these targets: give it those")
    told = _fitting(second, there[0], "second")
    there = [(inputs, target if told is None else told.there(target)) for inputs, target in there]
    if first.drops or second.drops:
        rng, unequal = np.random.default_rng(0), turned(layouts)
        masks = [
            _masks(first, second, matching, (inputs, others), unequal, rng)
            for (inputs, _), (others, _) in zip(batches, there, strict=True)
        ]
        first.masks, second.masks = ([both[side] for both in masks] for side in (0, 1))
    own = [(one, first.model.read(one)) for one in first.trained]
    try:
        for seed in range(SEEDS):
            if seed:
                rng = np.random.default_rng(seed)
                for one, values in own:
                    factors = 1 + NEARBY * rng.standard_normal(values.shape)
                    first.model.write(one, (values * factors).astype(values.dtype))
                copied(first.model, second.model, matching)
            curves = _judged(first, second, batches, there, swapped)
            curves = replace(curves, targets="" if told is None else str(told))
            if curves.parted is None:
                return curves
        return replace(curves, cause=None if swapped else _cause(curves, first, second, there))
    finally:
        for one, values in own:
            first.model.write(one, values)
        copied(first.model, second.model, matching)


def _fitting(side: Training, batch: tuple[list[Array], Array], which: str) -> Layout | None:
    """What the loss of this side takes of the targets, where it does not take them as they are; else None.

    Raises `Unfit` where it takes neither.
    """
    inputs, target = batch
    if (error := side.refuses(inputs, target)) is None:
        return None
    classes = side.model.run(inputs, False).outputs[0].shape[-1]
    wanted = [None] * (target.ndim - 1) if target.dtype.kind == "f" else [*[None] * target.ndim, classes]
    for layout in in_classes(target, wanted):
        if side.refuses(inputs, layout.there(target)) is None:
            return layout
    raise Unfit(
        f"batches: the {which} model cannot be trained on targets of {target.dtype} and shape {target.shape}: "
        f"{type(error).__name__}: {error}"
    ) from error


def _masks(
    first: Training,
    second: Training,
    matching: Matching,
    inputs: tuple[list[Array], list[Array]],
    turned: bool,
    rng: np.random.Generator,
) -> tuple[Masks, Masks]:
    """Masks that both share on one batch, as the first takes it and the second."""
    run, other = (side.model.run(values, False) for side, values in zip((first, second), inputs, strict=True))
    run.turned = turned
    return shared(first.model, run, other.calls, aligned(run, other, matching, swapped=False), rng)


def _judged(first: Training, second: Training, batches: Batches, there: Batches, swapped: bool) -> Curves:
    sides = [(first, batches), (second, there)]
    (reference, ours), (other, theirs) = reversed(sides) if swapped else sides
    expected, found, moved = reference.losses(ours), other.losses(theirs), reference.moved_losses(ours)
    if not np.isfinite(expected).all():
        raise Unfit(f"batches: the reference's loss is {expected[-1]} after {len(expected)} steps: give a smaller rate")
    series = judge_losses({"other": found}, expected, moved, "float32")
    shares = [
        abs(value - wanted) / allowed if math.isfinite(value) else math.inf
        for value, wanted, allowed in zip(found, expected, series.allowed, strict=True)
    ]
    return Curves(expected, found, shares[: series.compared], len(expected))


def _cause(curves: Curves, first: Training, second: Training, there: Batches) -> Cause | None:
    """The setting of the second loss without which the first step is within."""

    def share() -> float:
        (found,) = second.losses(there[:1])
        allowed = abs(curves.other[0] - curves.reference[0]) / curves.shares[0]
        return abs(found - curves.reference[0]) / allowed

    if curves.parted != 0:
        return None
    return next((cause for cause in loss_causes(first.loss, second.loss) if cause.removes(share)), None)
