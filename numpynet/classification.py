"""Losses of classes: the negative log-likelihood of log-probabilities, of probabilities and of logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numpynet.activations import log_softmax
from numpynet.criteria import Criterion, Reduction
from numpynet.module import Array


class ClassCriterion(Criterion):
    """Base of the losses of classes: input (N, C), target integer classes (N,) or rows of class weights (N, C).

    A subclass gives `loss`, computed from what `weigh` returns, and `gradient`, of shape (N, C).

    class_weights: the weight of each class, 1 for all if None. The mean divides by the weight of all targets, as torch
        does; "batchmean" divides by N, as Keras does.
    label_smoothing: the share of each target that is given to all C classes in equal parts (Szegedy et al. 2016)

    Raises ValueError for a negative class weight and a label_smoothing outside [0, 1], and in `forward` for inputs and
    targets of other shapes or dtypes, for a class outside 0..C-1, and unless there are C class weights.
    """

    def __init__(
        self,
        reduction: Reduction = "mean",
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        self.class_weights = None if class_weights is None else tuple(map(float, class_weights))
        self.label_smoothing = label_smoothing
        super().__init__(reduction)
        self.check("class_weights >= 0", all(weight >= 0 for weight in self.class_weights or ()))
        self.check("0 <= label_smoothing <= 1", 0 <= label_smoothing <= 1)

    def weigh(self, input: Array, target: Array) -> Array:
        """The targets with smoothing and class weights applied: class indices (N,), or rows of class weights (N, C).

        Indices stay indices where nothing smooths or weighs them; rows have the input's dtype.
        """
        target = check_target(self, input, target)
        if self.label_smoothing:
            rows = as_rows(target, input)
            target = (1 - self.label_smoothing) * rows + self.label_smoothing / input.shape[1]
        if self.class_weights is not None:
            target = as_rows(target, input) * self.weights_of_classes(input)
        return target

    def weights_of_classes(self, input: Array) -> Array:
        """`class_weights` as an array (C,) of the input's dtype; raises ValueError unless there are C of them."""
        self.check(f"one of its class_weights for each of {input.shape[1]} classes", self._fits(input))
        return np.array(self.class_weights, input.dtype)

    def _fits(self, input: Array) -> bool:
        return self.class_weights is not None and len(self.class_weights) == input.shape[1]

    def count(self, input: Array, target: Array) -> Any:
        if self.class_weights is None:
            return len(input)
        return np.sum(as_rows(target, input) * self.weights_of_classes(input))


class NLLCriterion(ClassCriterion):
    """The negative log-likelihood: minus the sum of the log-probability of each target, for log-probabilities (N, C).

    `forward` returns a scalar of the input's dtype, by default the mean over the rows. Arguments, targets and errors
    are those of `ClassCriterion`, as in torch.nn.NLLLoss.
    """

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = self.weigh(input, target)
        return -total(input, weights), (input, weights)

    def gradient(self, input: Array, weights: Array) -> Array:
        return -as_rows(weights, input)


class NLLCriterionUnstable(ClassCriterion):
    """NLLCriterion of probabilities (N, C), which are raised to at least `eps` before the logarithm.

    It is unstable: a probability below eps gives no gradient at all. It is kept to show why NLLCriterion takes
    logarithms. (The source course also clips at 1 - eps, which does nothing in float32 and stops the gradient of a sure
    answer.) Arguments, targets and errors are otherwise those of `ClassCriterion`.
    """

    def __init__(
        self,
        reduction: Reduction = "mean",
        eps: float = 1e-15,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        self.eps = eps
        super().__init__(reduction, class_weights, label_smoothing)

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = self.weigh(input, target)
        clipped = np.maximum(input, input.dtype.type(self.eps))
        return -total(np.log(clipped), weights), (input, clipped, weights)

    def gradient(self, input: Array, clipped: Array, weights: Array) -> Array:
        return np.where(input == clipped, -as_rows(weights, input) / clipped, 0)


class CrossEntropyCriterion(ClassCriterion):
    """The cross-entropy of logits (N, C): NLLCriterion of LogSoftMax, without overflow for any finite logits.

    `forward` returns a scalar of the input's dtype, by default the mean over the rows. Arguments, targets and errors
    are those of `ClassCriterion`.
    """

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = self.weigh(input, target)
        log_probabilities = log_softmax(input)
        return -total(log_probabilities, weights), (log_probabilities, weights)

    def gradient(self, log_probabilities: Array, weights: Array) -> Array:
        rows = as_rows(weights, log_probabilities)
        if weights.ndim == 1:
            return np.exp(log_probabilities) - rows
        return np.exp(log_probabilities) * np.sum(rows, axis=1, keepdims=True) - rows


def check_target(criterion: Criterion, input: Array, target: Array) -> Array:
    """The target as class indices (N,), or as rows of class weights (N, C) in the input's dtype.

    Raises ValueError, naming the criterion, for any other input or target and for a class outside 0..C-1.
    """
    if input.ndim == 2 and target.shape == input.shape and target.dtype.kind in "fiub":
        return target.astype(input.dtype, copy=False)
    takes = "takes input (N, C) and integer classes (N,) or one-hot rows (N, C)"
    if input.ndim != 2:
        raise ValueError(f"{criterion!r} {takes}, got an input of shape {input.shape}")
    if target.shape != input.shape[:1] or target.dtype.kind not in "iu":
        raise ValueError(f"{criterion!r} {takes}, got {target.dtype} of shape {target.shape} for input {input.shape}")
    if target.min() < 0 or target.max() >= input.shape[1]:
        bad = int(np.flatnonzero((target < 0) | (target >= input.shape[1]))[0])
        classes = f"0..{input.shape[1] - 1}"
        raise ValueError(f"{criterion!r} {takes} in {classes}, got class {target[bad]} at index {bad}")
    return target


def total(values: Array, weights: Array) -> Any:
    """The sum of `values` (N, C) at the class indices `weights` (N,), or weighted by the rows `weights` (N, C)."""
    if weights.ndim == 1:
        return values[np.arange(len(values)), weights].sum()
    return (values * weights).sum()


def as_rows(weights: Array, like: Array) -> Array:
    """Class indices (N,) as one-hot rows of the shape and dtype of `like`; rows are returned as they are."""
    if weights.ndim == 2:
        return weights
    rows = np.zeros_like(like)
    rows[np.arange(len(rows)), weights] = 1
    return rows
