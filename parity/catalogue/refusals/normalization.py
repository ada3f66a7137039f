"""Refusals of batch, layer and group normalisation, and of scaling."""

from __future__ import annotations

from numpynet import BatchNormalization, GroupNormalization, LayerNormalization
from parity.catalogue.known import EXACT_DTYPE, EXACT_SHAPE, FLOATING, GRADIENT, Known
from parity.catalogue.settings import Settings, Tries, on_rows
from parity.frameworks.lazy import keras, torch

NOTHING = "the mean of no features is NaN; numpynet refuses it"
ROOT = "a small variance would have no root; torch says so since 2.10, of batch normalisation alone"

ALL = "BatchNormalization LayerNormalization GroupNormalization Scaling"

KNOWN = [
    Known("integer input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("integer input", "GroupNormalization", "numpynet torch", FLOATING, "keras>=3.7"),
    Known("integer input", "LayerNormalization", "numpynet torch", FLOATING),
    Known("integer input", "Scaling", "numpynet tensorflow", FLOATING),
    Known("boolean input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("boolean input", "GroupNormalization", "numpynet torch", FLOATING, "keras>=3.7"),
    Known("boolean input", "LayerNormalization", "numpynet torch", FLOATING),
    Known("boolean input", "Scaling", "numpynet tensorflow", FLOATING),
    Known("complex input", "BatchNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "GroupNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "LayerNormalization", "numpynet torch", FLOATING, "keras<3.4"),
    Known("complex input", "LayerNormalization", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "Scaling", "numpynet tensorflow", FLOATING),
    Known("input of another precision", "BatchNormalization", "numpynet torch", EXACT_DTYPE),
    Known("input of another precision", "Scaling", "numpynet", EXACT_DTYPE),
    Known("gradient of another precision", ALL, "tensorflow", GRADIENT),
    Known("gradient of integers", ALL, "tensorflow", GRADIENT),
    Known("no features", "BatchNormalization", "numpynet tensorflow", "torch returns no elements of none"),
    Known("no features", "LayerNormalization", "numpynet", NOTHING),
    Known("no features", "GroupNormalization", "numpynet tensorflow", NOTHING, "torch<2.14"),
    Known("a single number", "Scaling", "numpynet", EXACT_SHAPE),
    Known("one dimension too few", "Scaling LayerNormalization", "numpynet", EXACT_SHAPE),
    Known(
        "empty batch",
        "BatchNormalization",
        "numpynet",
        "there are no statistics; torch leaves its running ones as they are, Keras' moving ones become NaN",
    ),
    Known("batch of one", "BatchNormalization", "numpynet torch", "see batchnorm-single-value"),
    Known("batch of one", "GroupNormalization", "torch", "see groupnorm-single-value"),
    Known("eps=0.0", "BatchNormalization", "torch", "see batchnorm-without-eps", "torch>=2.10"),
    Known("eps=-1.0", "BatchNormalization", "numpynet torch", ROOT, "torch>=2.10"),
    Known("eps=-1.0", "BatchNormalization", "numpynet", ROOT, "torch<2.10"),
    Known("eps=-1.0", "LayerNormalization GroupNormalization", "numpynet", ROOT),
]


def _batches(eps: float) -> Tries:
    return on_rows(
        lambda: BatchNormalization(2, eps=eps),
        lambda: torch.nn.BatchNorm1d(2, eps=eps),
        lambda: keras.layers.BatchNormalization(epsilon=eps),
    )


SETTINGS: Settings = {
    "BatchNormalization": {
        "eps=0.0": _batches(eps=0.0),
        "eps=-1.0": _batches(eps=-1.0),
    },
    "LayerNormalization": {
        "eps=-1.0": on_rows(
            lambda: LayerNormalization(eps=-1),
            lambda: torch.nn.LayerNorm(2, eps=-1),
            lambda: keras.layers.LayerNormalization(epsilon=-1),
        )
    },
    "GroupNormalization": {
        "eps=-1.0": on_rows(
            lambda: GroupNormalization(1, eps=-1),
            lambda: torch.nn.GroupNorm(1, 2, eps=-1),
            lambda: keras.layers.GroupNormalization(1, epsilon=-1),
        ),
        "groups that do not divide the features": on_rows(
            lambda: GroupNormalization(3),
            lambda: torch.nn.GroupNorm(3, 2),
            lambda: keras.layers.GroupNormalization(3),
        ),
    },
}
