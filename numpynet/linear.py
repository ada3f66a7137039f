"""The fully connected layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpynet.initializers import Initializer, initial_bias, uniform_fan_in
from numpynet.module import Array, Module, Parameter, integer


class Linear(Module):
    """x W^T + b for x of shape (N, ..., in_features), W of (out_features, in_features), b of (out_features,).

    The output has shape (N, ..., out_features) and the weight's dtype. `init` draws the weight with `rng`; the bias
    starts at U(+-1/sqrt(in_features)) beside the default `uniform_fan_in`, as in torch.nn.Linear, and at zero beside
    any other, as in Keras. Raises ValueError for in_features < 1, for out_features < 0, where one of them is no
    integer, and unless x has that shape and the weight's dtype.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Initializer = uniform_fan_in,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        shape = (integer("Linear", "out_features", out_features, 0), integer("Linear", "in_features", in_features))
        rng = rng or np.random.default_rng()
        self.weight = Parameter(init(shape, rng, dtype))
        self.bias = Parameter(initial_bias(shape, init, rng, dtype)) if bias else None

    @property
    def in_features(self) -> int:
        """The number of features of the input."""
        return self.weight.value.shape[1]

    @property
    def out_features(self) -> int:
        """The number of features of the output."""
        return self.weight.value.shape[0]

    @property
    def dtype(self) -> str:
        """The name of the weight's dtype, such as "float32"."""
        return self.weight.value.dtype.name

    def arguments(self) -> dict[str, Any]:
        return super().arguments() | {"bias": self.bias is not None}

    def forward(self, input: Array) -> Array:
        input, weight = np.asanyarray(input), self.weight.value
        if input.ndim < 2 or input.shape[-1] != weight.shape[1] or input.dtype != weight.dtype:
            raise ValueError(
                f"{self!r} takes {weight.dtype} of shape (N, {weight.shape[1]}) or (N, ..., {weight.shape[1]}), "
                f"got {input.dtype} of shape {input.shape}"
            )
        rows = _rows(input)  # one product of matrices, however many axes there are
        output = np.matmul(rows, weight.T)
        if self.bias is not None:
            output += self.bias.value
        return self.remember(output.reshape(*input.shape[:-1], weight.shape[0]), rows)

    def accumulate(self, grad_output: Array) -> None:
        (rows,) = self.recall(grad_output)
        grad_rows = _rows(grad_output)
        self.weight.accumulate(lambda out: np.matmul(grad_rows.T, rows, out=out))
        if self.bias is not None:
            self.bias.accumulate(lambda out: grad_rows.sum(axis=0, out=out))

    def backward(self, grad_output: Array) -> Array:
        self.accumulate(grad_output)
        grad = np.matmul(_rows(grad_output), self.weight.value)
        return grad.reshape(*grad_output.shape[:-1], self.in_features)


def _rows(x: Array) -> Array:
    """`x` of shape (N, ..., features) as a matrix (rows, features)."""
    return x if x.ndim == 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
