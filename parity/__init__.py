"""Proof that numpynet, PyTorch and TensorFlow compute the same thing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from parity.importing import keep_triton_and_tensorflow_apart

if TYPE_CHECKING:
    from parity.convert import to_tensorflow, to_torch
    from parity.failure import ParityError
    from parity.pairing import Case, Counterpart, Pair, Step, Tensor, pair, transposed
    from parity.proving import check, explain, load, prove
    from parity.weights import load_weights, save_weights

_HOMES = {
    "proving": ("check", "explain", "load", "prove"),
    "convert": ("to_tensorflow", "to_torch"),
    "failure": ("ParityError",),
    "weights": ("load_weights", "save_weights"),
    "pairing": ("Case", "Counterpart", "Pair", "Step", "Tensor", "pair", "transposed"),
}

__all__ = [
    "Case",
    "Counterpart",
    "Pair",
    "ParityError",
    "Step",
    "Tensor",
    "check",
    "explain",
    "load",
    "load_weights",
    "pair",
    "prove",
    "save_weights",
    "to_tensorflow",
    "to_torch",
    "transposed",
]

keep_triton_and_tensorflow_apart()


def __getattr__(name: str) -> Any:
    """Public names are imported when first asked for: `parity --help` must not wait for Hypothesis."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"parity.{home}"), name)
    raise AttributeError(f"module 'parity' has no attribute {name!r}")
