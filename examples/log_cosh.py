"""A loss of one's own, proven by `pytest examples/log_cosh.py` or `parity check examples/log_cosh.py`."""

from typing import Any, ClassVar

import keras
import numpy as np
import torch
from hypothesis import strategies as st

import parity
from numpynet import Array, Criterion
from parity.drawing.strategies import arrays, sizes
from parity.mapping.loss import Loss


class LogCosh(Criterion):
    """log(cosh(input - target)): half the square of small errors, the size of large ones."""

    def loss(self, input: Array, target: Array) -> tuple[Any, tuple[Any, ...]]:
        self.check("a target of the input's shape", input.shape == target.shape)
        error = input - target
        size = np.abs(error)
        return np.sum(size + np.log1p(np.exp(-2 * size)) - log_2(error)), (error,)

    def gradient(self, error: Array) -> Array:
        return np.tanh(error)

    def count(self, input: Array, target: Array) -> int:
        return input.size


def log_2(like: Array) -> Array:
    """log 2 in the dtype of an array: a NumPy scalar would make float64 of float32."""
    return np.log(np.full_like(like, 2, shape=()))


class ByAutograd(LogCosh):
    """The gradient as automatic differentiation makes it: a difference, of which little is left near 0."""

    def gradient(self, error: Array) -> Array:
        total = np.abs(error) + np.log1p(np.exp(-2 * np.abs(error)))
        return np.exp(error - total) - np.exp(-error - total)


@st.composite
def losses(draw: st.DrawFn) -> Loss:
    """A loss, and the target that it is given."""
    shape = draw(st.tuples(sizes, sizes))
    return Loss(LogCosh(), draw(arrays(shape, np.dtype(np.float32))))


@parity.pair(LogCosh)
class LogCoshPair(parity.LossPair):
    modules = losses()
    formulas: ClassVar = {"torch": ByAutograd, "tensorflow": ByAutograd}

    def torch(self, criterion: LogCosh) -> Any:
        def loss(input: Any, target: Any) -> Any:
            error = input - target
            return (torch.logaddexp(error, -error) - np.log(2)).mean()

        return loss

    def tensorflow(self, criterion: LogCosh) -> Any:
        def loss(input: Any, target: Any) -> Any:
            error = input - keras.ops.cast(target, input.dtype)
            return keras.ops.mean(error + keras.ops.softplus(-2 * error) - np.log(2))

        return loss


def test_log_cosh() -> None:
    parity.check(LogCosh)
