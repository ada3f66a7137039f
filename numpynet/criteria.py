"""Losses, each a scalar function of (input, target) with its gradient for the input."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from numpynet.activations import log_softmax
from numpynet.module import Array

Reduction = Literal["mean", "sum"]


class Criterion:
    """Base of every loss: a subclass gives `loss`, its summed value and what `gradient` needs of it.

    `forward(input, target)` returns a scalar of the input's dtype, summed or averaged (`reduction`); `backward()` the
    gradient for the last input. The average is over the batch, except where a class says otherwise.
    Raises ValueError on wrong shapes, dtypes, labels and on an empty batch, RuntimeError on backward before forward.
    """

    _memory: tuple[Any, ...] | None = None

    def __init__(self, reduction: Reduction = "mean") -> None:
        if reduction not in ("mean", "sum"):
            raise ValueError(f"{type(self).__name__}: reduction is 'mean' or 'sum', got {reduction!r}")
        self.reduction = reduction

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        """The summed loss, and what `gradient` needs."""
        raise NotImplementedError(f"{type(self).__name__} defines no loss")

    def gradient(self, *memory: Any) -> Array:
        """The gradient of the summed loss."""
        raise NotImplementedError(f"{type(self).__name__} defines no gradient")

    def count(self, input: Array) -> int:
        """What the mean divides by."""
        return len(input)

    def forward(self, input: Array, target: Array) -> Any:
        input = np.asanyarray(input)
        if input.ndim < 1 or input.dtype.kind != "f" or input.size == 0:
            raise ValueError(f"{self!r} takes a floating, non-empty input, got {input.dtype} of shape {input.shape}")
        total, memory = self.loss(input, np.asanyarray(target))
        self._divisor = self.count(input) if self.reduction == "mean" else 1
        self._memory = memory
        return total / input.dtype.type(self._divisor)

    __call__ = forward

    def backward(self) -> Array:
        if self._memory is None:
            raise RuntimeError(f"{self!r}: backward before forward")
        return self.gradient(*self._memory) / self._divisor

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.reduction == 'mean' else repr(self.reduction)})"


class MSECriterion(Criterion):
    """(input - target)^2, averaged over all elements, as in PyTorch. Both have the same shape: nothing broadcasts."""

    def count(self, input: Array) -> int:
        return input.size

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        if target.shape != input.shape or target.dtype != input.dtype:
            raise ValueError(
                f"{self!r} takes a target like its input, {input.dtype} of shape {input.shape}, "
                f"got {target.dtype} of shape {target.shape}"
            )
        difference = input - target
        return np.sum(difference * difference), (difference,)

    def gradient(self, difference: Array) -> Array:
        return 2 * difference


class NLLCriterion(Criterion):
    """-sum of the log-probability of each target. Input: log-probabilities (N, C); target: (N,) classes or (N, C)."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = check_target(self, input, target)
        return -total(input, weights), (input, weights)

    def gradient(self, input: Array, weights: Array) -> Array:
        return -as_rows(weights, input)


class NLLCriterionUnstable(Criterion):
    """NLLCriterion on probabilities (N, C), raised to at least `eps` before the logarithm.

    Unstable: a probability below eps gives no gradient at all. Kept to show why NLLCriterion takes logarithms. (The
    source course also clips at 1 - eps, which does nothing in float32 and stops the gradient of a sure answer.)
    """

    def __init__(self, reduction: Reduction = "mean", eps: float = 1e-15) -> None:
        super().__init__(reduction)
        self.eps = eps

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = check_target(self, input, target)
        clipped = np.maximum(input, input.dtype.type(self.eps))
        return -total(np.log(clipped), weights), (input, clipped, weights)

    def gradient(self, input: Array, clipped: Array, weights: Array) -> Array:
        return np.where(input == clipped, -as_rows(weights, input) / clipped, 0)


class CrossEntropyCriterion(Criterion):
    """NLLCriterion of LogSoftMax: input are logits (N, C); target as there. Stable for any logits."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        weights = check_target(self, input, target)
        log_probabilities = log_softmax(input)
        return -total(log_probabilities, weights), (log_probabilities, weights)

    def gradient(self, log_probabilities: Array, weights: Array) -> Array:
        rows = as_rows(weights, log_probabilities)
        if weights.ndim == 1:
            return np.exp(log_probabilities) - rows
        return np.exp(log_probabilities) * np.sum(rows, axis=1, keepdims=True) - rows


def check_target(criterion: Criterion, input: Array, target: Array) -> Array:
    """Class indices (N,), or rows of class weights (N, C) in the input's dtype; ValueError on anything else."""
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
    """The sum of `values` (N, C) at the class indices (N,), or weighted by the rows (N, C)."""
    if weights.ndim == 1:
        return values[np.arange(len(values)), weights].sum()
    return (values * weights).sum()


def as_rows(weights: Array, like: Array) -> Array:
    """Class indices as one-hot rows in the layout of `like`; rows as they are."""
    if weights.ndim == 2:
        return weights
    rows = np.zeros_like(like)
    rows[np.arange(len(rows)), weights] = 1
    return rows
