"""Criteria: each pair names the two loss functions (input, target) -> scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import (
    Array,
    Criterion,
    CrossEntropyCriterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from numpynet.activations import log_softmax
from numpynet.criteria import Reduction
from parity.lazy import keras_layers, tf, torch, torch_layers
from parity.loss import Loss
from parity.pairing import Pair, pair, pair_of
from parity.strategies import arrays, seeds, sizes

LossFunction = Callable[[Any, Any], Any]


@pair(Loss)
class LossPair(Pair):
    """A criterion with its target; what it is called elsewhere is the criterion's business."""

    def torch(self, module: Loss) -> Any:
        return pair_of(module.criterion).torch(module)

    def tensorflow(self, module: Loss) -> Any:
        return pair_of(module.criterion).tensorflow(module)


class CriterionPair(Pair):
    """Base: draws a target, and makes a layer of the framework's loss function."""

    def torch_loss(self, criterion: Any) -> LossFunction:
        raise NotImplementedError(f"{type(self).__name__} has no PyTorch counterpart")

    def tensorflow_loss(self, criterion: Any) -> LossFunction:
        raise NotImplementedError(f"{type(self).__name__} has no TensorFlow counterpart")

    def torch(self, module: Loss) -> Any:
        return torch_layers.Loss(self.torch_loss(module.criterion), module.target)

    def tensorflow(self, module: Loss) -> Any:
        return keras_layers.Loss(self.tensorflow_loss(module.criterion), module.target)

    def shapes(self, module: Loss) -> SearchStrategy[tuple[int, ...]]:
        if module.target.dtype.kind == "f":
            return st.just(module.target.shape)
        return st.tuples(st.just(len(module.target)), st.just(int(module.target.max()) + 1) | st.just(8))


reductions: SearchStrategy[Reduction] = st.sampled_from(["mean", "sum"])


@st.composite
def classified(draw: st.DrawFn, criterion_class: type[Criterion]) -> Loss:
    """A criterion with class indices or one-hot rows."""
    n, classes = draw(sizes), draw(sizes)
    target: Array = np.random.default_rng(draw(seeds)).integers(0, classes, n)
    if draw(st.booleans()):
        target = np.eye(classes, dtype=np.float32)[target]
    return Loss(criterion_class(draw(reductions)), target)


@st.composite
def regressed(draw: st.DrawFn) -> Loss:
    shape = draw(st.lists(sizes, min_size=1, max_size=3).map(tuple))
    return Loss(MSECriterion(draw(reductions)), draw(arrays(shape, np.dtype(np.float32))))


def _rows(target: Any, like: Any) -> Any:
    """Targets as rows of class weights (TensorFlow)."""
    target = tf.convert_to_tensor(target)
    if len(target.shape) == 1:
        return tf.one_hot(target, like.shape[-1], dtype=like.dtype)
    return tf.cast(target, like.dtype)


def _classes(target: Any) -> Any:
    """Targets as class indices (torch)."""
    return target if target.dim() == 1 else target.argmax(dim=1)


def _reduced(values: Any, reduction: str) -> Any:
    return tf.reduce_mean(values) if reduction == "mean" else tf.reduce_sum(values)


@pair(MSECriterion)
class MSECriterionPair(CriterionPair):
    """Keras averages over the last axis before it sums (differences, mse-reduction): plain TensorFlow does not."""

    modules = regressed()

    def torch_loss(self, criterion: MSECriterion) -> LossFunction:
        loss = torch.nn.MSELoss(reduction=criterion.reduction)
        return lambda input, target: loss(input, target.to(input.dtype))

    def tensorflow_loss(self, criterion: MSECriterion) -> LossFunction:
        return lambda input, target: _reduced(
            tf.math.squared_difference(input, tf.cast(target, input.dtype)), criterion.reduction
        )


@pair(NLLCriterion)
class NLLCriterionPair(CriterionPair):
    """TensorFlow has no loss on log-probabilities: minus the sum of the chosen ones."""

    modules = classified(NLLCriterion)

    def values(self, module: Loss, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        return arrays(shape, dtype).map(log_softmax)

    def torch_loss(self, criterion: NLLCriterion) -> LossFunction:
        loss = torch.nn.NLLLoss(reduction=criterion.reduction)
        return lambda input, target: loss(input, _classes(target))

    def tensorflow_loss(self, criterion: NLLCriterion) -> LossFunction:
        return lambda input, target: -_reduced(tf.reduce_sum(_rows(target, input) * input, axis=1), criterion.reduction)


@pair(NLLCriterionUnstable)
class NLLCriterionUnstablePair(CriterionPair):
    """On probabilities: Keras' own clips at 1e-7 and renormalises (differences, probabilities-clipped)."""

    modules = classified(NLLCriterionUnstable)

    def values(self, module: Loss, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        return arrays(shape, dtype, largest=4.0).map(lambda x: np.exp(log_softmax(x)))

    def torch_loss(self, criterion: NLLCriterionUnstable) -> LossFunction:
        loss = torch.nn.NLLLoss(reduction=criterion.reduction)
        return lambda input, target: loss(torch.log(torch.clamp(input, min=criterion.eps)), _classes(target))

    def tensorflow_loss(self, criterion: NLLCriterionUnstable) -> LossFunction:
        return lambda input, target: (
            -_reduced(
                tf.reduce_sum(_rows(target, input) * tf.math.log(tf.maximum(input, criterion.eps)), axis=1),
                criterion.reduction,
            )
        )


@pair(CrossEntropyCriterion)
class CrossEntropyCriterionPair(CriterionPair):
    modules = classified(CrossEntropyCriterion)

    def torch_loss(self, criterion: CrossEntropyCriterion) -> LossFunction:
        loss = torch.nn.CrossEntropyLoss(reduction=criterion.reduction)
        return lambda input, target: loss(input, target.to(input.dtype) if target.dim() > 1 else target)

    def tensorflow_loss(self, criterion: CrossEntropyCriterion) -> LossFunction:
        def loss(input: Any, target: Any) -> Any:
            if len(target.shape) == 1:
                values = tf.nn.sparse_softmax_cross_entropy_with_logits(target, input)
            else:
                values = tf.nn.softmax_cross_entropy_with_logits(tf.cast(target, input.dtype), input)
            return _reduced(values, criterion.reduction)

        return loss
