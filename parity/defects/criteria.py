"""Defects of criteria."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, CrossEntropyCriterion, MSECriterion, NLLCriterion, NLLCriterionUnstable
from numpynet.activations import softmax
from numpynet.criteria import as_rows, check_target, total
from parity.defects.defect import caught_on
from parity.rungs.record import GRADIENT, OUTPUT


@caught_on(OUTPUT)
class MSEHalved(MSECriterion):
    """Half the squared error, as textbooks write it."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        difference = input - target
        return np.sum(difference * difference) / 2, (difference / 2,)


@caught_on(OUTPUT)
class MSEOverBatch(MSECriterion):
    """Averages over the batch alone, not over all elements."""

    def count(self, input: Array) -> int:
        return len(input)


@caught_on(OUTPUT)
class MSEBroadcasts(MSECriterion):
    """Subtracts a flattened target (N,) from a column (N, 1): every pair of rows is compared."""

    def count(self, input: Array) -> int:
        return input.size ** (1 + (input.shape[1:] == (1,)))

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        if input.shape[1:] != (1,):
            return super().loss(input, target)
        difference = input - target.reshape(-1)
        return np.sum(difference * difference), (np.sum(difference, axis=1, keepdims=True),)


@caught_on(OUTPUT)
class NLLClassesFromOne(NLLCriterion):
    """Counts classes from one: class 0 reads the last column."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = check_target(self, input, target)
        weights = weights - 1 if weights.ndim == 1 else np.roll(weights, -1, axis=1)
        return -total(input, weights), (input, weights)


@caught_on(GRADIENT)
class NLLAlwaysMean(NLLCriterion):
    """Averages over the batch even where the sum is asked for."""

    def forward(self, input: Array, target: Array) -> Any:
        value = super().forward(input, target) * self._divisor
        self._divisor = len(input)
        return value / input.dtype.type(self._divisor)

    __call__ = forward


@caught_on(OUTPUT)
class NLLOverAllElements(NLLCriterion):
    """Averages over rows and classes: `np.mean` of the one-hot product."""

    def count(self, input: Array) -> int:
        return input.size


@caught_on(GRADIENT)
class NLLGradientSummed(NLLCriterion):
    """Averages the loss, but not its gradient."""

    def backward(self) -> Array:
        return super().backward() * self._divisor


@caught_on(OUTPUT)
class CrossEntropyOverflows(CrossEntropyCriterion):
    """The logarithm of a sum of exponentials of unshifted logits: infinite above 88."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = check_target(self, input, target)
        log_probabilities = input - np.log(np.sum(np.exp(input), axis=1, keepdims=True))
        return -total(log_probabilities, weights), (log_probabilities, weights)


@caught_on(OUTPUT)
class CrossEntropyTwice(CrossEntropyCriterion):
    """Takes the softmax of probabilities: once in the network, once more in the loss."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        return super().loss(softmax(input), target)


@caught_on(GRADIENT)
class CrossEntropyGradientOfSoftMax(CrossEntropyCriterion):
    """Multiplies by the softmax's own derivative once more: p (1 - p) (p - y)."""

    def gradient(self, log_probabilities: Array, weights: Array) -> Array:
        probabilities = np.exp(log_probabilities)
        return probabilities * (1 - probabilities) * (probabilities - as_rows(weights, probabilities))


@caught_on(GRADIENT, dtype="float64")
class NLLUnstableAddsEps(NLLCriterionUnstable):
    """Adds eps to every probability, where only those below it should be raised."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = check_target(self, input, target)
        raised = input + input.dtype.type(self.eps)
        return -total(np.log(raised), weights), (raised, raised, weights)
