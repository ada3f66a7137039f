"""Gradient clipping: bounds on the gradients that an optimizer takes, given to it as `clip`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from numpynet.module import Array

Clip = Callable[[list[Array]], list[Array]]


@dataclass(frozen=True)
class _Bound:
    """Base of the bounds: a callable that takes the gradients of all parameters and returns new ones of their shapes.

    Raises ValueError unless `limit` > 0.
    """

    limit: float

    def __post_init__(self) -> None:
        if not self.limit > 0:
            raise ValueError(f"{type(self).__name__} needs a limit > 0, got {self.limit}")


@dataclass(frozen=True)
class ClipByValue(_Bound):
    """Clips every element of every gradient to [-limit, limit].

    Called with the list of all gradients, it returns a new list of the same shapes and dtypes. Raises ValueError unless
    `limit` > 0.
    """

    def __call__(self, gradients: list[Array]) -> list[Array]:
        return [np.clip(gradient, -self.limit, self.limit) for gradient in gradients]


@dataclass(frozen=True)
class ClipByNorm(_Bound):
    """Scales each gradient that is longer than `limit` down to a Euclidean norm of `limit`, each by itself.

    Called with the list of all gradients, it returns a new list of the same shapes and dtypes. Raises ValueError unless
    `limit` > 0.
    """

    def __call__(self, gradients: list[Array]) -> list[Array]:
        return [gradient * (self.limit / np.maximum(norm([gradient]), self.limit)) for gradient in gradients]


@dataclass(frozen=True)
class ClipByGlobalNorm(_Bound):
    """Scales all gradients by one factor, so that their Euclidean norm, taken together, is at most `limit`.

    The direction of the step stays as it is. Called with the list of all gradients, it returns a new list of the same
    shapes and dtypes. Raises ValueError unless `limit` > 0.
    Pascanu, Mikolov and Bengio 2013, 'On the difficulty of training recurrent neural networks'.
    """

    def __call__(self, gradients: list[Array]) -> list[Array]:
        scale = self.limit / np.maximum(norm(gradients), self.limit)
        return [gradient * scale for gradient in gradients]


def norm(gradients: list[Array]) -> Array:
    """The Euclidean norm of all elements of all gradients together, in their dtype."""
    return np.asanyarray(np.sqrt(sum(np.sum(gradient * gradient) for gradient in gradients)))
