"""How a setting that makes no sense is tried on each implementation: what has it is made, and a layer is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import Module, Optimizer, Parameter
from parity.frameworks.lazy import keras, torch

Tries = dict[str, Callable[[], Any]]  # a call for each implementation
Settings = dict[str, dict[str, Tries]]  # by pair, and by what is wrong

rows = np.linspace(0.25, 0.75, 4, dtype=np.float32).reshape(2, 2)
image = np.linspace(0.25, 0.75, 32, dtype=np.float32).reshape(1, 2, 4, 4)


def on_rows(ours: Callable[[], Module], in_torch: Callable[[], Any], in_keras: Callable[[], Any]) -> Tries:
    """The calls that make each implementation's layer and apply it, in training, to rows of two features."""
    return {
        "numpynet": lambda: ours()(rows),
        "torch": lambda: in_torch()(torch.from_numpy(rows)),
        "tensorflow": lambda: in_keras()(rows, training=True),
    }


def on_image(ours: Callable[[], Module], in_torch: Callable[[], Any], in_keras: Callable[[], Any]) -> Tries:
    """The calls that make each implementation's layer and apply it to an image of two channels, 4 by 4."""
    return {
        "numpynet": lambda: ours()(image),
        "torch": lambda: in_torch()(torch.from_numpy(image)),
        "tensorflow": lambda: in_keras()(image.transpose(0, 2, 3, 1)),
    }


def rule(kind: type[Optimizer], ours: dict[str, Any], of_torch: dict[str, Any], of_keras: dict[str, Any]) -> Tries:
    """The calls that make each implementation's optimizer of this name, with their own arguments."""
    return {
        "numpynet": lambda: kind([Parameter(np.ones(1))], **{"lr": 0.5, **ours}),
        "torch": lambda: getattr(torch.optim, kind.__name__)([torch.ones(1)], **{"lr": 0.5, **of_torch}),
        "tensorflow": lambda: getattr(keras.optimizers, kind.__name__)(**{"learning_rate": 0.5, **of_keras}),
    }


def alike(kind: type[Optimizer], **arguments: Any) -> Tries:
    """The calls that make the rule with the same arguments everywhere, but for dampening, which Keras does not know."""
    return rule(kind, arguments, arguments, {name: value for name, value in arguments.items() if name != "dampening"})


def negative_rate(kind: type[Optimizer]) -> Tries:
    """The calls that make the rule with a learning rate below 0."""
    return rule(kind, {"lr": -0.5}, {"lr": -0.5}, {"learning_rate": -0.5})
