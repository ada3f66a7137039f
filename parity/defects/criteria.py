"""Defects of criteria."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import (
    Array,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    HuberCriterion,
    L1Criterion,
    MSECriterion,
)
from numpynet.activations import sigmoid
from numpynet.losses import check_labels
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, OUTPUT


@caught_on(OUTPUT)
class MSEHalved(MSECriterion):
    """Half the squared error, as textbooks write it."""

    def penalty(self, difference: Array) -> Array:
        return difference * difference / 2

    def gradient(self, difference: Array) -> Array:
        return difference


@caught_on(OUTPUT)
class MSEOverBatch(MSECriterion):
    """Averages over the batch alone, not over all elements."""

    def count(self, input: Array, target: Array) -> int:
        return len(input)


@caught_on(OUTPUT)
class MSEBroadcasts(MSECriterion):
    """Subtracts a flattened target (N,) from a column (N, 1): every pair of rows is compared."""

    def count(self, input: Array, target: Array) -> int:
        return input.size ** (1 + (input.shape[1:] == (1,)))

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        if input.shape[1:] != (1,):
            return super().loss(input, target)
        difference = input - target.reshape(-1)
        return np.sum(difference * difference), (np.sum(difference, axis=1, keepdims=True),)


@caught_on(GRADIENT)
class L1GradientAtZero(L1Criterion):
    """Has slope 1 where input and target are equal."""

    def gradient(self, difference: Array) -> Array:
        return np.where(difference < 0, -1, 1).astype(difference.dtype)


@caught_on(OUTPUT)
class HuberIsSmoothL1(HuberCriterion):
    """Divides by delta, as torch's SmoothL1Loss does: the same for delta = 1."""

    def penalty(self, difference: Array) -> Array:
        return super().penalty(difference) / self.delta

    def gradient(self, difference: Array) -> Array:
        return super().gradient(difference) / self.delta


@caught_on(OUTPUT)
class HuberJumps(HuberCriterion):
    """Forgets delta / 2 in the straight part: a jump where it begins."""

    def penalty(self, difference: Array) -> Array:
        size = np.abs(difference)
        return np.where(size <= self.delta, size * size / 2, self.delta * size)


@caught_on(GRADIENT)
class HuberGradientOfSign(HuberCriterion):
    """Has slope 1 in the straight part, whatever delta is."""

    def gradient(self, difference: Array) -> Array:
        return np.where(np.abs(difference) <= self.delta, difference, np.sign(difference))


@caught_on(OUTPUT)
class BinaryCrossEntropyOverflows(BinaryCrossEntropyCriterion):
    """Log(1 + exp(x)) - x y as written: infinite above 88."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        target = check_labels(self, input, target)
        return np.sum(np.log(1 + np.exp(input)) - input * target), (input, target)


@caught_on(OUTPUT)
class BinaryCrossEntropyOfProbabilities(BinaryCrossEntropyCriterion):
    """Takes the logarithm of the sigmoid, clipped as Keras does: 16.1 is the largest loss of float32."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        target = check_labels(self, input, target)
        p = np.clip(sigmoid(input), 1e-7, 1 - 1e-7)
        return -np.sum(target * np.log(p) + (1 - target) * np.log(1 - p)), (input, target)


@caught_on(GRADIENT)
class BinaryCrossEntropyGradientOfSigmoid(BinaryCrossEntropyCriterion):
    """Multiplies by the sigmoid's own derivative once more: p (1 - p) (p - y)."""

    def gradient(self, input: Array, target: Array) -> Array:
        p = sigmoid(input)
        return p * (1 - p) * (p - target)


@caught_on(OUTPUT)
class BinaryCrossEntropyOverBatch(BinaryCrossEntropyCriterion):
    """Sums over the labels of a row, and averages over the rows alone."""

    def count(self, input: Array, target: Array) -> int:
        return len(input)


@caught_on(OUTPUT)
class BinaryCrossEntropyClipsOneSide(BinaryCrossEntropyCriterionUnstable):
    """Raises p to eps, but not 1 - p: infinite for a probability of 1."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        target = check_labels(self, input, target)
        of_one, of_zero = np.maximum(input, self.eps), 1 - input
        values = target * np.log(of_one) + (1 - target) * np.log(of_zero)
        return -np.sum(values), (input, target, of_one, of_zero)


@caught_on(GRADIENT)
class BinaryCrossEntropyGradientThroughClip(BinaryCrossEntropyCriterionUnstable):
    """Lets the gradient through where a probability was raised to eps."""

    def gradient(self, input: Array, target: Array, of_one: Array, of_zero: Array) -> Array:  # type: ignore[override]
        return (1 - target) / of_zero - target / of_one
