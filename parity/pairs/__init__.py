"""The pairs of numpynet's own classes; importing this registers them."""

from parity.pairs import (
    activations,
    containers,
    criteria,
    dropout,
    linear,
    normalization,
    optimizers,
    reshape,
)

__all__ = [
    "activations",
    "containers",
    "criteria",
    "dropout",
    "linear",
    "normalization",
    "optimizers",
    "reshape",
]
