"""Proof that numpynet, PyTorch and TensorFlow compute the same thing.

A `Pair` says what a numpynet class is called in each framework, and draws instances of it and inputs. One example, a
`Case`, runs in every implementation and in numpynet's next wider format, the reference. Each tensor may differ from the
reference by its allowance, which is what rounding alone makes of it (`parity.allowance`). The rungs of the ladder are 1
outputs, 2 gradients, 3 update steps, 4 training curves and 5 final accuracies.
"""

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
    """The public name, imported when it is first asked for, since `parity --help` must not wait for Hypothesis.

    Raises AttributeError for any other name.
    """
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"parity.{home}"), name)
    raise AttributeError(f"module 'parity' has no attribute {name!r}")
