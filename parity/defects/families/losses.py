"""Defects of losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import (
    Array,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    CrossEntropyCriterion,
    HuberCriterion,
    L1Criterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from numpynet.activations import sigmoid, softmax
from numpynet.losses import as_rows, check_labels, check_target, total
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


@caught_on(OUTPUT)
class NLLClassesFromOne(NLLCriterion):
    """Counts classes from one: class 0 reads the last column."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = self.weigh(input, target)
        weights = weights - 1 if weights.ndim == 1 else np.roll(weights, -1, axis=1)
        return -total(input, weights), (input, weights)


@caught_on(GRADIENT)
class NLLAlwaysMean(NLLCriterion):
    """Averages over the batch even where the sum is asked for."""

    def forward(self, input: Array, target: Array) -> Any:
        asked, self.reduction = self.reduction, "mean"
        value = super().forward(input, target)
        self.reduction = asked
        return value

    __call__ = forward


@caught_on(OUTPUT)
class NLLOverAllElements(NLLCriterion):
    """Averages over rows and classes: `np.mean` of the one-hot product."""

    def count(self, input: Array, target: Array) -> int:
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
        weights = self.weigh(input, target)
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
        weights = self.weigh(input, target)
        raised = input + input.dtype.type(self.eps)
        return -total(np.log(raised), weights), (raised, raised, weights)


@caught_on(OUTPUT)
class CrossEntropySmoothsTheOthers(CrossEntropyCriterion):
    """Gives the smoothed share to the C - 1 other classes alone: the right one keeps 1 - s, not 1 - s + s / C."""

    def weigh(self, input: Array, target: Array) -> Array:
        if not self.label_smoothing or input.shape[1] == 1:
            return super().weigh(input, target)
        rows = as_rows(check_target(self, input, target), input)
        others = (1 - rows) * (self.label_smoothing / (input.shape[1] - 1))
        rows = (1 - self.label_smoothing) * rows + others
        return rows if self.class_weights is None else rows * self.weights_of_classes(input)


@caught_on(OUTPUT)
class CrossEntropySmoothsIndicesAlone(CrossEntropyCriterion):
    """Smooths class indices, but not one-hot rows."""

    def weigh(self, input: Array, target: Array) -> Array:
        asked = self.label_smoothing
        self.label_smoothing = asked if target.ndim == 1 else 0.0
        weights = super().weigh(input, target)
        self.label_smoothing = asked
        return weights


@caught_on(OUTPUT)
class CrossEntropyWeightsUnnormalized(CrossEntropyCriterion):
    """Averages weighted losses over the rows, as Keras' class weights do, where the mean is over the weights."""

    def count(self, input: Array, target: Array) -> int:
        return len(input)


@caught_on(OUTPUT)
class NLLWeightsOfSmoothed(NLLCriterion):
    """Divides by the weight of the smoothed targets."""

    def count(self, input: Array, target: Array) -> Any:
        weights = self.weigh(input, target)
        return len(input) if weights.ndim == 1 else weights.sum()


@caught_on(OUTPUT)
class NLLWeightOfRow(NLLCriterion):
    """Weighs the smoothed row with the weight of its target, not each class with its own."""

    def weigh(self, input: Array, target: Array) -> Array:
        asked, self.class_weights = self.class_weights, None
        weights = super().weigh(input, target)
        self.class_weights = asked
        if asked is None:
            return weights
        rows = as_rows(check_target(self, input, target), input)
        return as_rows(weights, input) * (rows * self.weights_of_classes(input)).sum(axis=1, keepdims=True)


@caught_on(GRADIENT)
class NLLGradientUnweighted(NLLCriterion):
    """Weighs the loss, but not its gradient."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        value, (_, weights) = super().loss(input, target)
        return value, (input, weights if self.class_weights is None else check_target(self, input, target))


@caught_on(OUTPUT)
class MSEDifferencesClipped(MSECriterion):
    """Clips differences at 30,000, so that squares never overflow."""

    def penalty(self, difference: Array) -> Array:
        return super().penalty(np.clip(difference, -3e4, 3e4))


@caught_on(OUTPUT)
class L1OfEightRows(L1Criterion):
    """Adds up the first eight rows."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        loss, memory = super().loss(input, target)
        return loss - np.sum(np.abs(input[8:] - target[8:])), memory


@caught_on(OUTPUT)
class HuberSmallDeltaRaised(HuberCriterion):
    """Raises a small delta to 1/32."""

    def penalty(self, difference: Array) -> Array:
        own, self.delta = self.delta, max(self.delta, 1 / 32)
        found = super().penalty(difference)
        self.delta = own
        return found


@caught_on(OUTPUT)
class CrossEntropyFirstTen(CrossEntropyCriterion):
    """Normalises over ten classes, as many as digits are."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        loss, memory = super().loss(input, target)
        return (loss + np.sum(np.maximum(input[:, 10:], 0)), memory) if input.shape[1] > 10 else (loss, memory)


@caught_on(OUTPUT)
class CrossEntropyWeightOfZero(CrossEntropyCriterion):
    """Takes a class weight of zero for none given, which is 1."""

    def weights_of_classes(self, input: Array) -> Array:
        weights = super().weights_of_classes(input)
        return np.where(weights == 0, 1, weights).astype(weights.dtype)


@caught_on(OUTPUT)
class NLLMeanOfEight(NLLCriterion):
    """Divides by eight rows at most."""

    def count(self, input: Array, target: Array) -> Any:
        count = super().count(input, target)
        return min(count, 8) if self.class_weights is None else count


@caught_on(GRADIENT)
class BCEGradientOfLargeFlushed(BinaryCrossEntropyCriterion):
    """Takes the gradient of a logit beyond 1,000 for zero, whatever its label."""

    def gradient(self, *memory: Any) -> Array:
        gradient = super().gradient(*memory)
        return np.where(np.abs(memory[0]) > 1e3, 0 * gradient, gradient)
