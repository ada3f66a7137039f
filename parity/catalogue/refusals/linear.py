"""Refusals of dense layers."""

from __future__ import annotations

from numpynet import Linear
from parity.catalogue.known import EXACT_DTYPE, FLOATING, GRADIENT, Known
from parity.catalogue.settings import Settings, on_rows
from parity.frameworks.lazy import keras, torch

KNOWN = [
    Known("integer input", "Linear", "numpynet torch", FLOATING),
    Known("boolean input", "Linear", "numpynet torch", FLOATING),
    Known("complex input", "Linear", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("input of another precision", "Linear", "numpynet torch", EXACT_DTYPE),
    Known("gradient of another precision", "Linear", "tensorflow", GRADIENT),
    Known("gradient of integers", "Linear", "tensorflow", GRADIENT),
    Known(
        "one dimension too few", "Linear", "numpynet tensorflow", "torch takes (in_features,), a row without a batch"
    ),
    Known("no output features", "Linear", "tensorflow", "Keras wants at least one unit", "keras>=3.13"),
]

SETTINGS: Settings = {
    "Linear": {
        "no output features": on_rows(
            lambda: Linear(2, 0), lambda: torch.nn.Linear(2, 0), lambda: keras.layers.Dense(0)
        ),
        "negative output features": on_rows(
            lambda: Linear(2, -1), lambda: torch.nn.Linear(2, -1), lambda: keras.layers.Dense(-1)
        ),
    },
}
