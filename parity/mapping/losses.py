"""The pairs of the criteria: each names the two frameworks' loss functions (input, target) -> scalar."""

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
    CrossEntropyCriterion,
    HuberCriterion,
    L1Criterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from numpynet.losses import ClassCriterion, Reduction, check_labels
from parity.drawing.elementary import chances, log_probabilities, probabilities
from parity.drawing.strategies import arrays, batches, dyadic, seeds, sizes
from parity.drawing.tails import ends
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

    modules = regressed(st.builds(HuberCriterion, reductions, ends(dyadic(1 / 16, 4), 1.0, 2.0**-10, 64.0)))

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

    eps = ends(st.integers(-40, -4).map(lambda exponent: 2.0**exponent), 1e-15)
    modules = labelled(st.builds(BinaryCrossEntropyCriterionUnstable, reductions, eps))

    def values(self, module: Loss, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        return arrays(shape, dtype, largest=4.0).map(chances)

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


@st.composite
def classified(draw: st.DrawFn, criterion_class: type[ClassCriterion]) -> Loss:
    """A strategy of criteria with class indices or one-hot rows as their target, perhaps weighted and smoothed."""
    n, classes = draw(batches), draw(sizes)
    labels: Array = np.random.default_rng(draw(seeds)).integers(0, classes, n)
    target = np.eye(classes, dtype=np.float32)[labels] if draw(st.booleans()) else labels
    weights = st.lists(ends(dyadic(1 / 16, 4), 0.0), min_size=classes, max_size=classes)
    smoothing = draw(st.just(0.0) | dyadic(0, 1))
    weighted = draw(st.none() | weights)
    if weighted is not None and not any(weighted[label] for label in labels):
        weighted = None  # 0 / 0 is NaN everywhere but in torch's gradient, which is 0 beside the target's class
    return Loss(criterion_class(draw(reductions), class_weights=weighted, label_smoothing=smoothing), target)


class ClassCriterionPair(LossPair):
    """Base: the reduced -sum(weights of classes * smoothed target * log-probabilities).

    A subclass gives the log-probabilities. Keras' class weights divide by the number of rows, and torch's do so for
    one-hot rows alone (differences, class-weights, class-weights-rows); neither smooths labels for likelihoods.
    """

    def shapes(self, module: Loss) -> SearchStrategy[tuple[int, ...]]:
        if module.target.ndim == 2:
            return st.just(module.target.shape)
        weights = module.criterion.class_weights  # type: ignore[attr-defined]
        fewest = int(module.target.max()) + 1
        classes = st.just(fewest) | st.just(max(8, fewest)) if weights is None else st.just(len(weights))
        return st.tuples(st.just(len(module.target)), classes)

    def torch_logs(self, criterion: Any, input: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no PyTorch counterpart")

    def tensorflow_logs(self, criterion: Any, input: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no TensorFlow counterpart")

    def torch(self, criterion: ClassCriterion) -> LossFunction:
        def loss(input: Any, target: Any) -> Any:
            logs, classes = self.torch_logs(criterion, input), classes_of(target)
            weights = torch_weights(criterion, input)
            if not criterion.label_smoothing:
                return in_torch(torch.nn.functional.nll_loss, criterion, weight=weights)(logs, classes)
            weights = torch.ones_like(input[0]) if weights is None else weights
            rows = torch.nn.functional.one_hot(classes, input.shape[1]).to(input.dtype)
            smoothed = (1 - criterion.label_smoothing) * rows + criterion.label_smoothing / input.shape[1]
            divisor = {"mean": weights[classes].sum(), "batchmean": len(input), "sum": 1}[criterion.reduction]
            return -(smoothed * weights * logs).sum() / divisor

        return loss

    def tensorflow(self, criterion: ClassCriterion) -> LossFunction:
        def loss(input: Any, target: Any) -> Any:
            weights = tf.constant(criterion.class_weights or [1.0] * input.shape[1], input.dtype)
            rows = rows_of(target, input)
            smoothed = smoothed_in_tensorflow(criterion, rows)
            total = -tf.reduce_sum(smoothed * weights * self.tensorflow_logs(criterion, input))
            return total / divisor_in_tensorflow(criterion, rows * weights)

        return loss


def torch_weights(criterion: ClassCriterion, input: Any) -> Any:
    """The class weights as a torch tensor (C,) in the dtype of the input; None where there are none."""
    return None if criterion.class_weights is None else torch.tensor(criterion.class_weights, dtype=input.dtype)


def classes_of(target: Any) -> Any:
    """A torch target, of classes or one-hot rows, as class indices (N,)."""
    return target if target.dim() == 1 else target.argmax(dim=1)


def rows_of(target: Any, like: Any) -> Any:
    """A TensorFlow target, of classes or rows, as rows (N, C) in the dtype of `like`."""
    target = tf.convert_to_tensor(target)
    if len(target.shape) == 1:
        return tf.one_hot(target, like.shape[-1], dtype=like.dtype)
    return tf.cast(target, like.dtype)


def smoothed_in_tensorflow(criterion: ClassCriterion, rows: Any) -> Any:
    """The rows with `label_smoothing` of each spread over all classes; the rows themselves where that is 0."""
    if not criterion.label_smoothing:
        return rows
    return (1 - criterion.label_smoothing) * rows + criterion.label_smoothing / rows.shape[1]


def divisor_in_tensorflow(criterion: ClassCriterion, weighted_rows: Any) -> Any:
    """The number that the criterion's reduction divides the sum by: 1, the number of rows or their weight."""
    if criterion.reduction == "mean" and criterion.class_weights is not None:
        return tf.reduce_sum(weighted_rows)
    return 1 if criterion.reduction == "sum" else weighted_rows.shape[0]


@pair(NLLCriterion)
class NLLCriterionPair(ClassCriterionPair):
    """TensorFlow has no loss of log-probabilities: it is written out."""

    modules = classified(NLLCriterion)

    def values(self, module: Loss, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        return arrays(shape, dtype).map(log_probabilities)

    def torch_logs(self, criterion: NLLCriterion, input: Any) -> Any:
        return input

    def tensorflow_logs(self, criterion: NLLCriterion, input: Any) -> Any:
        return input


@pair(NLLCriterionUnstable)
class NLLCriterionUnstablePair(ClassCriterionPair):
    """Keras' own loss of probabilities clips them at 1e-7 and renormalises them (differences, probabilities-clipped).

    So it is written out.
    """

    modules = classified(NLLCriterionUnstable)

    def values(self, module: Loss, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Array]:
        return arrays(shape, dtype, largest=4.0).map(probabilities)

    def torch_logs(self, criterion: NLLCriterionUnstable, input: Any) -> Any:
        return torch.log(torch.clamp(input, min=criterion.eps))

    def tensorflow_logs(self, criterion: NLLCriterionUnstable, input: Any) -> Any:
        return tf.math.log(tf.maximum(input, criterion.eps))


@pair(CrossEntropyCriterion)
class CrossEntropyCriterionPair(ClassCriterionPair):
    """The frameworks' own losses of logits are used, unless rows of class weights would not sum to 1.

    For those see differences: soft-targets and class-weights-rows.
    """

    modules = classified(CrossEntropyCriterion)

    def torch(self, criterion: ClassCriterion) -> LossFunction:
        def loss(input: Any, target: Any) -> Any:
            weights = torch_weights(criterion, input)
            target = classes_of(target) if weights is not None or target.dim() == 1 else target.to(input.dtype)
            function, smoothing = torch.nn.functional.cross_entropy, criterion.label_smoothing
            return in_torch(function, criterion, weight=weights, label_smoothing=smoothing)(input, target)

        return loss

    def tensorflow_logs(self, criterion: CrossEntropyCriterion, input: Any) -> Any:
        return tf.nn.log_softmax(input)

    def tensorflow(self, criterion: ClassCriterion) -> LossFunction:
        if criterion.class_weights is not None:
            return super().tensorflow(criterion)

        def loss(input: Any, target: Any) -> Any:
            if len(target.shape) == 1 and not criterion.label_smoothing:
                values = tf.nn.sparse_softmax_cross_entropy_with_logits(target, input)
            else:
                rows = smoothed_in_tensorflow(criterion, rows_of(target, input))
                values = tf.nn.softmax_cross_entropy_with_logits(rows, input)
            return tf.reduce_sum(values) / divisor_in_tensorflow(criterion, input)

        return loss
