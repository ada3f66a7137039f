"""Layers that only rearrange the elements of an array."""

from __future__ import annotations

import math

from numpynet.module import Array, Module


class Flatten(Module):
    """(N, ...) -> (N, product of the rest), in C order (channels, rows, columns), for floating x of at least two axes.

    Raises ValueError for any other x.
    """

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        if input.ndim < 2:
            raise ValueError(f"{self!r} takes shape (N, ...), got shape {input.shape}")
        return self.remember(input.reshape(len(input), math.prod(input.shape[1:])), input.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.recall(grad_output)
        return grad_output.reshape(shape)
