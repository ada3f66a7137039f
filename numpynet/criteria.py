"""Losses: scalar functions of (input, target) with their gradient for the input.

`numpynet.classification` has those of classes.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from numpynet.activations import sigmoid
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
