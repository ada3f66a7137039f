"""Arrays of what a comparison is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.formats import Arithmetic
from parity.comparison.model import Unfit

Batches = Sequence[tuple[list[Array], Array]]


def arrays_of(inputs: Any, arithmetic: Arithmetic) -> list[Array]:
    """The arrays that a model is called with, floating ones in this format; raises `Unfit` where they are none."""
    given = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    if isinstance(inputs, Mapping) or not given:
        raise Unfit(
            "inputs: give an array, or a sequence of the arrays that the model is called with, one after another"
        )
    found = list(map(_array, given))
    for place, values in enumerate(found):
        if not values.size:
            raise Unfit(f"inputs: the {place + 1}. holds nothing, from which nothing can be told")
        if values.dtype.kind not in "fiub":
            raise Unfit(
                f"inputs: the {place + 1}. is of {values.dtype}; only real numbers, integers and truth values are taken"
            )
        if not np.isfinite(values).all():
            raise Unfit(f"inputs: the {place + 1}. holds NaN or an infinity, from which nothing can be told")
    return [arithmetic.of(values) if values.dtype.kind == "f" else values for values in found]


def taken(batches: Sequence[tuple[Any, Any]], arithmetic: Arithmetic) -> Batches:
    """Batches of inputs and targets as arrays, inputs in this format."""
    return [(arrays_of(inputs, arithmetic), _array(target)) for inputs, target in batches]


def _array(values: Any) -> Array:
    """A copy of an array or tensor, which may be part of a graph, or of a format that NumPy does not have."""
    values = getattr(values, "detach", lambda: values)()
    return np.array(values.float() if str(getattr(values, "dtype", "")) == "torch.bfloat16" else values)
