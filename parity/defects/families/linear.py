"""Defects of the fully connected layer."""

from __future__ import annotations

import numpy as np

from numpynet import Array, Linear
from parity.defects.defect import caught_on
from parity.ladder.trace import CURVE, GRADIENT, OUTPUT


def matrix(x: Array) -> Array:
    """`x` of shape (N, ..., features) as (rows, features)."""
    return x.reshape(-1, x.shape[-1])


@caught_on(OUTPUT)
class LinearLayoutGuessed(Linear):
    """Tells a weight (in, out) from (out, in) by its shape, and so takes a square one for its transpose."""

    @property
    def _matrix(self) -> Array:
        weight = self.weight.value
        return weight.T if weight.shape[0] == weight.shape[1] else weight

    def forward(self, input: Array) -> Array:
        super().forward(input)
        output = input @ self._matrix.T
        return output if self.bias is None else output + self.bias.value

    def backward(self, grad_output: Array) -> Array:
        self.accumulate(grad_output)
        return grad_output @ self._matrix


@caught_on(OUTPUT)
class LinearBatchOfOneSqueezed(Linear):
    """A batch of one row loses its batch axis."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return output[0] if len(output) == 1 else output


@caught_on(GRADIENT)
class LinearBiasGradientAveraged(Linear):
    """Averages the bias gradient over the batch, which the loss has done already."""

    def accumulate(self, grad_output: Array) -> None:
        (rows,) = self.recall(grad_output)
        gradient = matrix(grad_output)
        self.weight.accumulate(lambda out: np.matmul(gradient.T, rows, out=out))
        if self.bias is not None:
            self.bias.accumulate(lambda out: np.mean(gradient, axis=0, out=out))


@caught_on(GRADIENT)
class LinearGradientOverwritten(Linear):
    """Writes its gradients over those of the backward pass before, where they should add up."""

    def accumulate(self, grad_output: Array) -> None:
        (rows,) = self.recall(grad_output)
        self.weight.grad = matrix(grad_output).T @ rows
        if self.bias is not None:
            self.bias.grad = np.sum(matrix(grad_output), axis=0)


@caught_on(GRADIENT)
class LinearInputGradientOfSquareTransposed(Linear):
    """Sends the gradient back through the weight, not its transpose: shapes fit where it is square."""

    def backward(self, grad_output: Array) -> Array:
        self.accumulate(grad_output)
        weight = self.weight.value
        return grad_output @ (weight.T if weight.shape[0] == weight.shape[1] else weight)


@caught_on(CURVE)
class LinearFirstLayerWithoutBias(Linear):
    """The short cut for a network's first layer, which needs no input gradient, forgets the bias."""

    def accumulate(self, grad_output: Array) -> None:
        (rows,) = self.recall(grad_output)
        self.weight.accumulate(lambda out: np.matmul(matrix(grad_output).T, rows, out=out))

    def backward(self, grad_output: Array) -> Array:
        super().accumulate(grad_output)
        return grad_output @ self.weight.value
