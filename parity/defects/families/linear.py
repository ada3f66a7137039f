"""Defects of the fully connected layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, Linear
from parity.defects.defect import caught_on
from parity.defects.mistakes import FourAtATime, GradientByRisingAddresses, ReadsMemory, ReadsPacked
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


@caught_on(OUTPUT)
class LinearInBlocksOfEight(Linear):
    """Multiplies in blocks of eight features, and forgets a last block that is short."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        features = self.in_features
        if features <= 8 or features % 8 == 0:
            return output
        rest = features // 8 * 8
        return output - input[..., rest:] @ self.weight.value[:, rest:].T


@caught_on(OUTPUT)
class LinearBatchInFours(FourAtATime, Linear):
    """Works on four rows at a time, and takes the fourth for every row that comes after."""


@caught_on(OUTPUT)
class LinearBiasForEachAxis(Linear):
    """Adds the bias once for each axis but the last: right for matrices alone."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return output if self.bias is None else output + (input.ndim - 2) * self.bias.value


@caught_on(GRADIENT)
class LinearBiasGradientOfLastAxes(Linear):
    """Sums the bias gradient over the batch and averages over whatever axes lie between."""

    def accumulate(self, grad_output: Array) -> None:
        super().accumulate(grad_output)
        if self.bias is not None and grad_output.ndim > 2:
            between = matrix(grad_output).shape[0] / len(grad_output)
            self.bias.grad = self.bias.grad / between


@caught_on(GRADIENT)
class LinearMemoryShared(Linear):
    """Remembers its input in the class: another layer that is applied in between takes its place."""

    rows: Any = None

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        type(self).rows = self.recall(output)[0]
        return output

    def accumulate(self, grad_output: Array) -> None:
        rows, gradient = type(self).rows, matrix(grad_output)
        self.weight.accumulate(lambda out: np.matmul(gradient.T, rows, out=out))
        if self.bias is not None:
            self.bias.accumulate(lambda out: gradient.sum(axis=0, out=out))


@caught_on(GRADIENT)
class LinearFirstInFirstOut(Linear):
    """Keeps its inputs in a queue: one that no backward pass took is taken by the next."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        self._queue = [*vars(self).get("_queue", []), self.recall(output)[0]]
        return output

    def accumulate(self, grad_output: Array) -> None:
        rows, *self._queue = self._queue
        gradient = matrix(grad_output)
        self.weight.accumulate(lambda out: np.matmul(gradient.T, rows, out=out))
        if self.bias is not None:
            self.bias.accumulate(lambda out: gradient.sum(axis=0, out=out))


@caught_on(GRADIENT)
class LinearFreesMemory(Linear):
    """Lets go of its input once the gradient was taken: a second backward pass finds nothing."""

    def backward(self, grad_output: Array) -> Array:
        grad = super().backward(grad_output)
        self._memory = None
        return grad


@caught_on(OUTPUT)
class LinearReadsMemory(ReadsMemory, Linear):
    """Reads rows of its input in the order of memory, not of its axes: right where an array is in C's order."""


@caught_on(OUTPUT)
class LinearReadsPacked(ReadsPacked, Linear):
    """Multiplies what lies next to each other in memory, in every other element of a wider matrix too."""


@caught_on(GRADIENT)
class LinearGradientByRisingAddresses(GradientByRisingAddresses, Linear):
    """Reads the gradient from its lowest address on: backwards where its strides are negative."""
