"""Defects of flattening."""

from __future__ import annotations

import numpy as np

from numpynet import Array, Flatten
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, OUTPUT


@caught_on(OUTPUT)
class FlattenColumnMajor(Flatten):
    """Flattens in Fortran's order."""

    def forward(self, input: Array) -> Array:
        return self.remember(input.reshape(len(input), -1, order="F"), input.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.recall(grad_output)
        return grad_output.reshape(shape, order="F")


@caught_on(OUTPUT)
class FlattenChannelsLast(Flatten):
    """Flattens images as rows, columns, channels: the order of TensorFlow."""

    def forward(self, input: Array) -> Array:
        return super().forward(np.moveaxis(input, 1, -1))

    def backward(self, grad_output: Array) -> Array:
        return np.moveaxis(super().backward(grad_output), -1, 1)


@caught_on(GRADIENT)
class FlattenGradientColumnMajor(Flatten):
    """Flattens row by row, and folds the gradient column by column."""

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.recall(grad_output)
        return grad_output.reshape(shape, order="F")


@caught_on(OUTPUT)
class FlattenReadsMemory(Flatten):
    """Flattens in the order of memory, not of the axes: right where an array is in C's order."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return input.ravel(order="K").reshape(output.shape)


@caught_on(OUTPUT)
class FlattenVolumesLikeKeras(Flatten):
    """Moves the channels of volumes to the end, as a layout of the channels last has them."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return np.moveaxis(input, 1, -1).reshape(output.shape) if input.ndim == 5 else output
