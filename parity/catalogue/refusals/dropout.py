"""Refusals of dropout."""

from __future__ import annotations

from numpynet import Dropout
from parity.catalogue.known import GRADIENT, Known
from parity.catalogue.settings import Settings, Tries, on_rows
from parity.frameworks.lazy import keras, torch

KNOWN = [
    Known("gradient of another precision", "Dropout", "tensorflow", GRADIENT),
    Known("gradient of integers", "Dropout", "tensorflow", GRADIENT),
    Known("p=1.0", "Dropout", "numpynet", "numpynet wants to keep something; the others return zeros", "keras>=3.14"),
    Known(
        "p=1.0",
        "Dropout",
        "numpynet tensorflow",
        "torch returns zeros, tf.nn.dropout takes rates below 1",
        "keras<3.14",
    ),
]


def _dropping(p: float) -> Tries:
    return on_rows(lambda: Dropout(p), lambda: torch.nn.Dropout(p), lambda: keras.layers.Dropout(p))


SETTINGS: Settings = {
    "Dropout": {
        "p=-0.5": _dropping(-0.5),
        "p=1.0": _dropping(1.0),
        "p=1.5": _dropping(1.5),
    },
}
