"""The pairs of numpynet's own classes; importing this registers them."""

from parity.pairs import (
    activations,
    adaptive,
    classification,
    containers,
    conv,
    criteria,
    dropout,
    graph,
    linear,
    normalization,
    optimizers,
    pooling,
    reshape,
)

__all__ = [
    "activations",
    "adaptive",
    "classification",
    "containers",
    "conv",
    "criteria",
    "dropout",
    "graph",
    "linear",
    "normalization",
    "optimizers",
    "pooling",
    "reshape",
]
