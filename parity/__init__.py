"""Proof that numpynet, PyTorch and TensorFlow compute the same thing.

A pair says what a numpynet class is called in each framework, and draws instances of it and inputs. One example, a
`Case`, runs in every implementation and in numpynet's next wider format, the reference. Each tensor may differ from the
reference by its allowance, which is what rounding alone makes of it (`parity.rounding.allowance`). The rungs of the
ladder are 1 outputs, 2 gradients, 3 update steps, 4 training curves and 5 final accuracies.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from parity.importing import keep_triton_and_tensorflow_apart

if TYPE_CHECKING:
    from parity.case import Case, Step
    from parity.comparison.comparing import compare
    from parity.comparison.recorder import record
    from parity.comparison.result import Comparison
    from parity.files.weights import load_weights, save_weights
    from parity.frameworks.counterpart import Counterpart, TensorView, transposed
    from parity.ladder.failure import ParityError
    from parity.ladder.proving import check, explain, load, prove
    from parity.mapping.convert import to_tensorflow, to_torch
    from parity.mapping.pair import LayerPair, LossPair, OptimizerPair, pair

_HOMES = {
    "case": ("Case", "Step"),
    "comparison.comparing": ("compare",),
    "comparison.recorder": ("record",),
    "comparison.result": ("Comparison",),
    "files.weights": ("load_weights", "save_weights"),
    "frameworks.counterpart": ("Counterpart", "TensorView", "transposed"),
    "ladder.failure": ("ParityError",),
    "ladder.proving": ("check", "explain", "load", "prove"),
    "mapping.convert": ("to_tensorflow", "to_torch"),
    "mapping.pair": ("LayerPair", "LossPair", "OptimizerPair", "pair"),
}

__all__ = [
    "Case",
    "Comparison",
    "Counterpart",
    "LayerPair",
    "LossPair",
    "OptimizerPair",
    "ParityError",
    "Step",
    "TensorView",
    "check",
    "compare",
    "explain",
    "load",
    "load_weights",
    "pair",
    "prove",
    "record",
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
