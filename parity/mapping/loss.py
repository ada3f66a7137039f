"""A criterion with its target as a module, so that the ladder needs no second kind of thing."""

from __future__ import annotations

import numpy as np

from numpynet import Array, Criterion, Module


class Loss(Module):
    """The function input -> criterion(input, target), whose output is an array of shape ().

    A floating target is cast to the input's dtype.
    """

    def __init__(self, criterion: Criterion, target: Array) -> None:
        self.criterion = criterion
        self.target = target

    def forward(self, input: Array) -> Array:
        input = np.asanyarray(input)
        target = self.target.astype(input.dtype) if self.target.dtype.kind == "f" else self.target
        return self.remember(np.asanyarray(self.criterion(input, target)))

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return grad_output * self.criterion.backward()

    def __repr__(self) -> str:
        return f"Loss({self.criterion!r}, np.array({self.target.tolist()!r}, {self.target.dtype.name!r}))"
