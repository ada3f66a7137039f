"""The pairs of the criteria: each names the two frameworks' loss functions (input, target) -> scalar.

Those of classes are in `classification`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import (
    Array,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    Criterion,
    HuberCriterion,
    L1Criterion,
    MSECriterion,
)
from numpynet.activations import sigmoid
from numpynet.criteria import Reduction, check_labels
from parity.drawing.strategies import arrays, dyadic, seeds, sizes
from parity.frameworks.framework import LossFunction
from parity.frameworks.lazy import tf, torch
from parity.mapping.loss import Loss
from parity.mapping.pair import LossPair, pair

Reducing = Callable[..., Any]
reductions: SearchStrategy[Reduction] = st.sampled_from(["mean", "sum", "batchmean"])


def in_torch(function: Reducing, criterion: Criterion, **arguments: Any) -> LossFunction:
    """A loss function made of one of torch.nn.functional's, with the criterion's reduction.

    "batchmean" is torch's sum divided by the number of rows.
    """

    def loss(input: Any, target: Any) -> Any:
        reduction = "mean" if criterion.reduction == "mean" else "sum"
        value = function(input, target, reduction=reduction, **arguments)
        return value / len(input) if criterion.reduction == "batchmean" else value

    return loss


def of_elements(function: Reducing, criterion: Criterion, **arguments: Any) -> LossFunction:
    """The loss function of `in_torch` for a target that is first cast to the dtype of the input."""
    loss = in_torch(function, criterion, **arguments)
    return lambda input, target: loss(input, target.to(input.dtype))


def in_tensorflow(values: LossFunction, criterion: Criterion) -> LossFunction:
    """A loss function that reduces the elements' losses, `values`, as the criterion does.

    Keras averages over the last axis before it sums (differences, mse-reduction): plain TensorFlow does not.
    """

    def loss(input: Any, target: Any) -> Any:
        each = values(input, tf.cast(target, input.dtype))
        if criterion.reduction == "mean":
            return tf.reduce_mean(each)
        return tf.reduce_sum(each) / (input.shape[0] if criterion.reduction == "batchmean" else 1)

    return loss


shapes = st.lists(sizes, min_size=1, max_size=3).map(tuple) | st.tuples(sizes, st.just(1))


@st.composite
def regressed(draw: st.DrawFn, criteria: SearchStrategy[Criterion]) -> Loss:
    return Loss(draw(criteria), draw(arrays(draw(shapes), np.dtype(np.float32))))


@st.composite
def labelled(draw: st.DrawFn, criteria: SearchStrategy[Criterion]) -> Loss:
    """A strategy of criteria whose target is labels 0 and 1, or probabilities of 1."""
    sixteenths = np.random.default_rng(draw(seeds)).integers(0, 17, draw(shapes))
    target: Array = np.asarray(sixteenths / 16, np.float32) if draw(st.booleans()) else sixteenths // 9
    return Loss(draw(criteria), target)


@pair(MSECriterion)
class MSECriterionPair(LossPair):
    modules = regressed(st.builds(MSECriterion, reductions))

    def torch(self, criterion: MSECriterion) -> LossFunction:
        return of_elements(torch.nn.functional.mse_loss, criterion)

    def tensorflow(self, criterion: MSECriterion) -> LossFunction:
        return in_tensorflow(tf.math.squared_difference, criterion)


@pair(L1Criterion)
class L1CriterionPair(LossPair):
    modules = regressed(st.builds(L1Criterion, reductions))

    def torch(self, criterion: L1Criterion) -> LossFunction:
        return of_elements(torch.nn.functional.l1_loss, criterion)

    def tensorflow(self, criterion: L1Criterion) -> LossFunction:
        return in_tensorflow(lambda input, target: tf.abs(input - target), criterion)


@pair(HuberCriterion)
class HuberCriterionPair(LossPair):
    """torch calls it huber_loss; its smooth_l1_loss is divided by the threshold (differences, smooth-l1)."""

    modules = regressed(st.builds(HuberCriterion, reductions, dyadic(1 / 16, 4)))

    def torch(self, criterion: HuberCriterion) -> LossFunction:
        return of_elements(torch.nn.functional.huber_loss, criterion, delta=criterion.delta)

    def tensorflow(self, criterion: HuberCriterion) -> LossFunction:
        def values(input: Any, target: Any) -> Any:
            size = tf.abs(input - target)
            far = criterion.delta * (size - criterion.delta / 2)
            return tf.where(size <= criterion.delta, size * size / 2, far)

        return in_tensorflow(values, criterion)


class BinaryCrossEntropyOfTorch(BinaryCrossEntropyCriterion):
    """torch's formula, (1 - y) x - log(sigmoid(x)): of a small loss only the digits are left that x leaves.

    See differences: bce-logits-cancellation.
    """

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        target = check_labels(self, input, target)
        log_sigmoid = np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input)))
        return np.sum((1 - target) * input - log_sigmoid), (input, target)


@pair(BinaryCrossEntropyCriterion)
class BinaryCrossEntropyCriterionPair(LossPair):
    formulas: ClassVar = {"torch": BinaryCrossEntropyOfTorch}
    modules = labelled(st.builds(BinaryCrossEntropyCriterion, reductions))

    def torch(self, criterion: BinaryCrossEntropyCriterion) -> LossFunction:
        return of_elements(torch.nn.functional.binary_cross_entropy_with_logits, criterion)

    def tensorflow(self, criterion: BinaryCrossEntropyCriterion) -> LossFunction:
        return in_tensorflow(
            lambda input, target: tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=input), criterion
        )


@pair(BinaryCrossEntropyCriterionUnstable)
class BinaryCrossEntropyCriterionUnstablePair(LossPair):
    """torch's own loss bounds the logarithms at -100, Keras' clips at 1e-7 (differences, bce-clipped).

    So it is written out in both.
    """

    eps = st.integers(-40, -4).map(lambda exponent: 2.0**exponent)
    modules = labelled(st.builds(BinaryCrossEntropyCriterionUnstable, reductions, eps))

    def values(self, module: Loss, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        return arrays(shape, dtype, largest=4.0).map(sigmoid)

    def torch(self, criterion: BinaryCrossEntropyCriterionUnstable) -> LossFunction:
        def values(input: Any, target: Any, reduction: str) -> Any:
            of_one, of_zero = (torch.log(torch.clamp(p, min=criterion.eps)) for p in (input, 1 - input))
            each = -(target * of_one + (1 - target) * of_zero)
            return each.mean() if reduction == "mean" else each.sum()

        return of_elements(values, criterion)

    def tensorflow(self, criterion: BinaryCrossEntropyCriterionUnstable) -> LossFunction:
        def values(input: Any, target: Any) -> Any:
            of_one, of_zero = (tf.math.log(tf.maximum(p, criterion.eps)) for p in (input, 1 - input))
            return -(target * of_one + (1 - target) * of_zero)

        return in_tensorflow(values, criterion)
