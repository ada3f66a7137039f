"""Losses: scalar functions of (input, target) with their gradient for the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from numpynet.activations import log_softmax, sigmoid
from numpynet.module import Array, described

Reduction = Literal["mean", "sum", "batchmean"]


class Criterion:
    """Base of every loss: a subclass gives `loss`, its summed value and what `gradient` needs of it.

    `forward(input, target)` returns a scalar of the input's dtype; `backward()` the gradient for the last input.
    `reduction` says what the sum is divided by: "sum" by 1, "batchmean" by the number of rows, "mean" by what each
    class says. Raises ValueError for another reduction, for wrong shapes, dtypes and labels, and for an empty batch;
    RuntimeError on backward before forward.
    """

    _memory: tuple[Any, ...] | None = None

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = reduction
        self.check("reduction 'mean', 'sum' or 'batchmean'", reduction in ("mean", "sum", "batchmean"))

    def check(self, needs: str, holds: bool) -> None:
        """Raise ValueError, saying that the criterion needs `needs`, unless it `holds`."""
        if not holds:
            raise ValueError(f"{self!r} needs {needs}")

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        """The summed loss, and the tuple of what `gradient` needs."""
        raise NotImplementedError(f"{type(self).__name__} defines no loss")

    def gradient(self, *memory: Any) -> Array:
        """The gradient of the summed loss for the input, of the input's shape."""
        raise NotImplementedError(f"{type(self).__name__} defines no gradient")

    def count(self, input: Array, target: Array) -> Any:
        """The number that the "mean" divides by: of elements, of rows, or the weight of the targets."""
        raise NotImplementedError(f"{type(self).__name__} defines no count")

    def forward(self, input: Array, target: Array) -> Any:
        """The reduced loss of `input` against `target`, a scalar of the input's dtype.

        Raises ValueError for an input that is empty or not floating, and for a target that does not fit it.
        """
        input, target = np.asanyarray(input), np.asanyarray(target)
        if input.ndim < 1 or input.dtype.kind != "f" or input.size == 0:
            raise ValueError(f"{self!r} takes a floating, non-empty input, got {input.dtype} of shape {input.shape}")
        total, memory = self.loss(input, target)
        divisor = {"mean": self.count, "sum": lambda *_: 1, "batchmean": lambda *_: len(input)}[self.reduction]
        self._divisor = np.asanyarray(divisor(input, target)).astype(input.dtype, copy=False)
        self._memory = memory
        return total / self._divisor

    __call__ = forward

    def backward(self) -> Array:
        """The gradient of the reduced loss for the last input, of its shape; raises RuntimeError before `forward`."""
        if self._memory is None:
            raise RuntimeError(f"{self!r}: backward before forward")
        return self.gradient(*self._memory) / self._divisor

    def __repr__(self) -> str:
        return described(self, vars(self))


class _OfDifference(Criterion):
    """Base of the losses of input - target, averaged over all elements.

    Both have one shape and dtype: nothing broadcasts.
    """

    def count(self, input: Array, target: Array) -> int:
        return input.size

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        if target.shape != input.shape or target.dtype != input.dtype:
            raise ValueError(
                f"{self!r} takes a target like its input, {input.dtype} of shape {input.shape}, "
                f"got {target.dtype} of shape {target.shape}"
            )
        difference = input - target
        return np.sum(self.penalty(difference)), (difference,)

    def penalty(self, difference: Array) -> Array:
        """The loss of each element, given its `difference`."""
        raise NotImplementedError(f"{type(self).__name__} defines no penalty")


class MSECriterion(_OfDifference):
    """(input - target)^2, by default averaged over all elements, as in PyTorch.

    Input and target have one shape, which is any, and one floating dtype: nothing broadcasts. Raises ValueError
    otherwise.
    """

    def penalty(self, difference: Array) -> Array:
        return difference * difference

    def gradient(self, difference: Array) -> Array:
        return 2 * difference


class L1Criterion(_OfDifference):
    """|input - target|, by default averaged over all elements; the gradient where they are equal is 0.

    Input and target have one shape, which is any, and one floating dtype: nothing broadcasts. Raises ValueError
    otherwise.
    """

    def penalty(self, difference: Array) -> Array:
        return np.abs(difference)

    def gradient(self, difference: Array) -> Array:
        return np.sign(difference)


class HuberCriterion(_OfDifference):
    """d^2 / 2 for a difference d of at most delta, delta * (|d| - delta / 2) beyond.

    By default it is averaged over all elements. Input and target have one shape, which is any, and one floating dtype:
    nothing broadcasts. Raises ValueError otherwise, and unless delta > 0. torch's SmoothL1Loss(beta) is this divided by
    beta. Huber 1964.
    """

    def __init__(self, reduction: Reduction = "mean", delta: float = 1.0) -> None:
        self.delta = delta
        super().__init__(reduction)
        self.check("delta > 0", delta > 0)

    def penalty(self, difference: Array) -> Array:
        size = np.abs(difference)
        near = np.minimum(size, self.delta)
        return near * (size - near / 2)

    def gradient(self, difference: Array) -> Array:
        return np.clip(difference, -self.delta, self.delta)


class BinaryCrossEntropyCriterion(Criterion):
    """-(y log(p) + (1 - y) log(1 - p)) with p = sigmoid(input), by default averaged over all elements.

    The input is any logits, which never overflow. The target y has the input's shape and values in [0, 1]: labels, or
    probabilities of the label 1. Raises ValueError for any other target.
    """

    def count(self, input: Array, target: Array) -> int:
        return input.size

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        target = check_labels(self, input, target)
        values = np.maximum(input, 0) - input * target + np.log1p(np.exp(-np.abs(input)))
        return np.sum(values), (input, target)

    def gradient(self, input: Array, target: Array) -> Array:
        return sigmoid(input) - target


class BinaryCrossEntropyCriterionUnstable(BinaryCrossEntropyCriterion):
    """BinaryCrossEntropyCriterion of probabilities, with p and 1 - p raised to at least `eps` before the logarithm.

    It is unstable: a probability that is raised gives no gradient at all. Targets and errors are those of
    BinaryCrossEntropyCriterion.
    """

    def __init__(self, reduction: Reduction = "mean", eps: float = 1e-15) -> None:
        self.eps = eps
        super().__init__(reduction)

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        target = check_labels(self, input, target)
        of_one, of_zero = np.maximum(input, self.eps), np.maximum(1 - input, self.eps)
        values = target * np.log(of_one) + (1 - target) * np.log(of_zero)
        return -np.sum(values), (input, target, of_one, of_zero)

    def gradient(self, input: Array, target: Array, of_one: Array, of_zero: Array) -> Array:  # type: ignore[override]
        rising = np.where(1 - input == of_zero, (1 - target) / of_zero, 0)
        return rising - np.where(input == of_one, target / of_one, 0)


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


def check_labels(criterion: Criterion, input: Array, target: Array) -> Array:
    """The target in the input's dtype; raises ValueError unless it has the input's shape and values in [0, 1]."""
    if target.shape != input.shape or target.dtype.kind not in "fiub":
        raise ValueError(
            f"{criterion!r} takes a target of the input's shape {input.shape}, "
            f"got {target.dtype} of shape {target.shape}"
        )
    if np.any((target < 0) | (target > 1)):
        raise ValueError(f"{criterion!r} takes targets in [0, 1], got {target.min()} to {target.max()}")
    return target.astype(input.dtype, copy=False)


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
