"""Ordinary examples of every class, into which special values are put, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array, Criterion, Linear, Module, Optimizer
from parity.drawing.examples import normal
from parity.mapping.loss import Loss

# Odd numbers of elements, and more than any processor's vectors hold: the first is in a vector, the last in none.
# So what vectors make of a special value, and what they leave over, is compared on every machine, whatever its vectors.
ROWS = normal(0, (3, 33))
IMAGES = normal(0, (3, 3, 5, 5))
LABELS = np.array([0, 16, 32])  # of the rows: the first and the last element are of a row's own class
BINARY = np.eye(3, 33, dtype=np.int64)
PROBABILITIES = 0.5 + ROWS / 16  # `normal` gives numbers of less than 4 in size


@dataclass(frozen=True, eq=False)
class Example:
    """A module with an input, in whose first array special values are put or, of an optimizer, in the gradient.

    of: the class that it is an example of
    arguments: those of the optimizer; None where it is no example of one
    name: tells it from the other examples of its class
    """

    of: type
    module: Module
    input: Any
    arguments: dict[str, Any] | None = None
    name: str = ""


def layer(module: Module, input: Any = ROWS, name: str = "") -> Example:
    """An example of the layer's class."""
    return Example(type(module), module, input, name=name)


def loss(criterion: Criterion, target: Array, input: Array = ROWS) -> Example:
    """An example of the criterion's class."""
    return Example(type(criterion), Loss(criterion, target), input)


def rule(optimizer: type[Optimizer], name: str = "", **arguments: Any) -> Example:
    """An example of the optimizer, which trains one weight whose gradient is the cotangent."""
    return Example(optimizer, Linear(1, ROWS.shape[1], bias=False), np.ones((1, 1)), arguments, name)
