"""Which array of one model is which of the other, without a comparison: a mapping to look at, change and give back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parity.comparison.formats import judged_format
from parity.comparison.given import arrays_of
from parity.comparison.narrowing import as_computed
from parity.comparison.pairing import Pairing, paired
from parity.comparison.sides import side
from parity.comparison.sides.recorded import inputs_of


def proposed(first: Any, second: Any, inputs: Any = None, weights: Mapping[str, str] | None = None) -> Pairing:
    """How the two go together, found out as `compare` does it; the second is given the first's weights.

    Raises `Unfit` where they do not.
    """
    one, other = side(first, "first"), side(second, "second")
    with one.left_as_it_was():
        arithmetic = judged_format(one, other)
        arrays = arrays_of(inputs_of(one, other, inputs), arithmetic)
        return paired(one, other, arrays, weights or {}, as_computed(one, arrays, arithmetic).near)
