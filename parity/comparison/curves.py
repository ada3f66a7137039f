"""Rung 4 of two models: the same training? Losses step by step, from the same weights, on the same batches.

What rounding alone does to a curve is measured as `parity.training.curves` does: the reference is trained again, its
weights moved by one unit in the last place before every step. A curve that leaves its allowance is tried from other
weights nearby: a ReLU that rounding switches parts two curves for good, and what is wrong shows from anywhere.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.causes import Cause
from parity.comparison.layout import Layout
from parity.comparison.losses import loss_causes
from parity.comparison.masks import Unshared
from parity.comparison.matching import Matching, copied
from parity.comparison.model import STATE, Held, Model, Unfit
from parity.comparison.rules import Stepper
from parity.comparison.sides.keras import KerasModel
from parity.comparison.sides.recorded import RecordedModel
from parity.comparison.sides.torch import TorchModel
from parity.frameworks.lazy import keras, tf, torch
from parity.training.curves import MOVED_RUNS, SEEDS, judge_losses

NEARBY = 2.0**-8  # of each weight: the start of another training, as far as nothing else changes
Batches = Sequence[tuple[list[Array], Array]]


@dataclass(frozen=True)
class Curves:
    """The losses of two models, step by step.

    shares: of what rounding allows, of the steps that tell anything
    steps: how many there were
    cause: the setting of the two losses that parts them in the first step; None where it is none that is known
    """

    reference: list[float]
    other: list[float]
    shares: list[float]
    steps: int
    cause: Cause | None = None

    @property
    def parted(self) -> int | None:
        """The first step that is outside, counted from 0; None where none is."""
        return next((step for step, share in enumerate(self.shares) if not share <= 1), None)


class Training(ABC):
    """A model that is trained; its weights are as before afterwards."""

    def __init__(self, model: Any, loss: Callable[..., Any], stepper: Stepper) -> None:
        self.model, self.loss, self.stepper = model, loss, stepper

    def losses(self, batches: Batches, move: Callable[[Array], Array] | None = None) -> list[float]:
        """The loss of each batch before the step along its gradient; `move` changes every weight before each step."""
        held = [one for layer in self.model.layers.values() for one in layer.held.values()]
        trained = _trained(self.model)
        before = [(one, self.model.read(one)) for one in held]
        try:
            self.begin()
            found: list[float] = []
            for inputs, target in batches:
                if move is not None:
                    for one in trained:
                        self.model.write(one, move(self.model.read(one)))
                found.append(self.step(inputs, target))
            return found
        finally:
            for one, values in before:
                self.model.write(one, values)

    @abstractmethod
    def begin(self) -> None:
        """Make the optimizer anew."""

    @abstractmethod
    def step(self, inputs: list[Array], target: Array) -> float:
        """Take one step; returns the loss before it."""


class TorchTraining(Training):
    def begin(self) -> None:
        self.optimizer = self.stepper.of(list(self.model.module.parameters()))
        self.model.module.train()

    def step(self, inputs: list[Array], target: Array) -> float:
        self.optimizer.zero_grad()
        loss = self.loss(self.model.module(*map(torch.tensor, inputs)), torch.tensor(target))
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


class KerasTraining(Training):
    def begin(self) -> None:
        self.optimizer = self.stepper.of(self.model.model.trainable_variables)

    def step(self, inputs: list[Array], target: Array) -> float:
        model = self.model.model
        given = [tf.constant(values) for values in inputs]
        with tf.GradientTape() as tape:
            output = model(given[0] if len(given) == 1 else given, training=True)
            loss = keras.ops.mean(self.loss(tf.constant(target), output)) + sum(model.losses)
        weights = model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return float(loss)


def training(model: Model, loss: Callable[..., Any], stepper: Stepper) -> Training:
    if isinstance(model, TorchModel):
        return TorchTraining(model, loss, stepper)
    if isinstance(model, KerasModel):
        return KerasTraining(model, loss, stepper)
    if isinstance(model, RecordedModel):
        raise Unshared("curves were not looked at: a recording cannot be trained")
    raise Unfit(f"batches: {model.framework} models are not trained here")


def _trained(model: Model) -> list[Held]:
    """The arrays that are no running statistics."""
    return [one for layer in model.layers.values() for role, one in layer.held.items() if role not in STATE]


def compare_curves(
    first: Training,
    second: Training,
    matching: Matching,
    layouts: Sequence[Layout],
    batches: Batches,
    swapped: bool,
) -> Curves:
    """Train both models on these batches, as the first takes them; the reference is the second where it is `swapped`.

    Raises `Unshared` where one of them drops at random.
    """
    for side in (first, second):
        for layer in side.model.layers.values():
            if (rate := layer.settings.get("rate")) is not None and rate.value:
                raise Unshared(
                    f"curves were not looked at: {layer.name} drops at random; compare them with a rate of 0"
                )
    there = [
        ([layout.there(values) for layout, values in zip(layouts, inputs, strict=True)], target)
        for inputs, target in batches
    ]
    own = [(one, first.model.read(one)) for one in _trained(first.model)]
    try:
        for seed in range(SEEDS):
            if seed:
                rng = np.random.default_rng(seed)
                for one, values in own:
                    factors = 1 + NEARBY * rng.standard_normal(values.shape)
                    first.model.write(one, (values * factors).astype(values.dtype))
                copied(first.model, second.model, matching)
            curves = _judged(first, second, batches, there, swapped)
            if curves.parted is None:
                return curves
        return replace(curves, cause=None if swapped else _cause(curves, first, second, there))
    finally:
        for one, values in own:
            first.model.write(one, values)
        copied(first.model, second.model, matching)


def _judged(first: Training, second: Training, batches: Batches, there: Batches, swapped: bool) -> Curves:
    sides = [(first, batches), (second, there)]
    (reference, ours), (other, theirs) = reversed(sides) if swapped else sides
    expected, found = reference.losses(ours), other.losses(theirs)
    moved = [reference.losses(ours, _mover(np.random.default_rng([0, run]))) for run in range(MOVED_RUNS)]
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


def _mover(rng: np.random.Generator) -> Callable[[Array], Array]:
    """Moves every weight by one unit in the last place, in either direction."""

    def move(values: Array) -> Array:
        towards = np.where(rng.random(values.shape) < 0.5, -np.inf, np.inf).astype(values.dtype)
        return np.nextafter(values, towards)

    return move
