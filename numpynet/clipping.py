"""Gradient clipping: given to an optimizer as `clip`, it bounds what each step is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numpynet.module import Array

Clip = Callable[[list[Array]], list[Array]]


@dataclass(frozen=True)
class _Bound:
    """Callable on the gradients of all parameters; returns new ones. Raises ValueError on a bound that is none."""

    limit: float

    def __post_init__(self) -> None:
        if not self.limit > 0:
            raise ValueError(f"{type(self).__name__} needs a limit > 0, got {self.limit}")


@dataclass(frozen=True)
class ClipByValue(_Bound):
    """Every element into [-limit, limit]."""

    def __call__(self, gradients: list[Array]) -> list[Array]:
        return [np.clip(gradient, -self.limit, self.limit) for gradient in gradients]


@dataclass(frozen=True)
class ClipByNorm(_Bound):
    """Each parameter's gradient scaled down to a Euclidean norm of `limit`, if it is longer."""

    def __call__(self, gradients: list[Array]) -> list[Array]:
        return [gradient * (self.limit / np.maximum(norm([gradient]), self.limit)) for gradient in gradients]


@dataclass(frozen=True)
class ClipByGlobalNorm(_Bound):
    """All gradients scaled down alike, to a Euclidean norm of `limit` of all together: the direction stays.

    Pascanu, Mikolov and Bengio 2013, 'On the difficulty of training recurrent neural networks'.
    """

    def __call__(self, gradients: list[Array]) -> list[Array]:
        scale = self.limit / np.maximum(norm(gradients), self.limit)
        return [gradient * scale for gradient in gradients]


def norm(gradients: list[Array]) -> Array:
    """The Euclidean norm of all elements together, in their dtype."""
    return np.asanyarray(np.sqrt(sum(np.sum(gradient * gradient) for gradient in gradients)))
