"""The pairs of the criteria of classes: the likelihood of log-probabilities, of probabilities and of logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array, CrossEntropyCriterion, NLLCriterion, NLLCriterionUnstable
from numpynet.activations import log_softmax
from numpynet.classification import ClassCriterion
from parity.drawing.strategies import arrays, dyadic, seeds, sizes
from parity.frameworks.framework import LossFunction
from parity.frameworks.lazy import tf, torch
from parity.mapping.loss import Loss
from parity.mapping.losses import in_torch, reductions
from parity.mapping.pair import LossPair, pair


@st.composite
def classified(draw: st.DrawFn, criterion_class: type[ClassCriterion]) -> Loss:
    """A strategy of criteria with class indices or one-hot rows as their target, perhaps weighted and smoothed."""
    n, classes = draw(sizes), draw(sizes)
    target: Array = np.random.default_rng(draw(seeds)).integers(0, classes, n)
    if draw(st.booleans()):
        target = np.eye(classes, dtype=np.float32)[target]
    weights = st.lists(dyadic(1 / 16, 4), min_size=classes, max_size=classes)
    smoothing = draw(st.just(0.0) | dyadic(0, 1))
    criterion = criterion_class(draw(reductions), class_weights=draw(st.none() | weights), label_smoothing=smoothing)
    return Loss(criterion, target)


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
        classes = st.just(fewest) | st.just(8) if weights is None else st.just(len(weights))
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
        return arrays(shape, dtype).map(log_softmax)

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
        return arrays(shape, dtype, largest=4.0).map(lambda x: np.exp(log_softmax(x)))

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
