"""Which of several calls of one kind are each other's, as the arrays tell that both models compute there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from numpynet import Array
from parity.comparison.layout import Flattened, closest
from parity.comparison.model import Call


def alike(
    calls: Sequence[Call], others: Sequence[Call], unflattened: Flattened, near: float
) -> list[tuple[Call, Call]]:
    """The calls of one kind that are given the same in both models, hand on the same, and have the same come back.

    Branches are told apart so, whatever their order. Where nothing the same comes back to any, as where what follows is
    wrong, the first that computes the same is taken, as it is of those that nothing tells apart. Two arrays are the
    same where they are nearer than `near`, of their size.
    """
    left, found = list(calls), []

    def matched(other: Call, same: Callable[[Call, Call], bool]) -> bool:
        for call in left:
            if call.layer.kind == other.layer.kind and same(call, other):
                left.remove(call)
                found.append((call, other))
                return True
        return False

    def computed(call: Call, other: Call) -> bool:
        return _same(call.inputs, other.inputs, unflattened, near) and _same(
            call.outputs, other.outputs, unflattened, near
        )

    def came_back(call: Call, other: Call) -> bool:
        return _same(call.gradients, other.gradients, unflattened, near)

    rest = [
        other for other in others if not matched(other, lambda one, two: computed(one, two) and came_back(one, two))
    ]
    for other in rest:
        matched(other, computed)
    return found


def _same(ours: Sequence[Array | None], theirs: Sequence[Array | None], unflattened: Flattened, near: float) -> bool:
    """Tells whether the first arrays are near in any layout; None, of what did not come back, is near None alone."""
    one, other = (arrays[0] if arrays else None for arrays in (ours, theirs))
    if one is None or other is None:
        return one is other
    if one.size != other.size:
        return False
    size, size_there = _size(one), _size(other)
    if not math.isclose(size, size_there, rel_tol=near):  # whatever the layout
        return False
    layout = closest(one, other, unflattened)
    return layout is not None and float(np.mean(np.abs(one - layout.back(other)))) <= near * size


def _size(values: Array) -> float:
    return float(np.mean(np.abs(values), dtype=float)) if values.size else 0.0
