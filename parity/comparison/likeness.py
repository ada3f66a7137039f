"""Which of several calls of one kind are each other's, as the arrays tell that both models compute there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from numpynet import Array
from parity.comparison.layout import Flattened, distance, size_of
from parity.comparison.model import Call


@dataclass(frozen=True, eq=False)
class _Shown:
    """The first array that goes in, comes out and comes back to that, each with its mean size; None where none does."""

    call: Call
    arrays: tuple[tuple[Array, float] | None, ...]

    @classmethod
    def of(cls, call: Call) -> _Shown:
        firsts = (arrays[0] if arrays else None for arrays in (call.inputs, call.outputs, call.gradients))
        return cls(call, tuple(None if values is None else (values, size_of(values)) for values in firsts))


def alike(
    calls: Sequence[Call], others: Sequence[Call], unflattened: Flattened, near: float
) -> list[tuple[Call, Call]]:
    """The calls of one kind that are given the same in both models, hand on the same, and have the same come back.

    Branches are told apart so, whatever their order. Where nothing the same comes back to any, as where what follows is
    wrong, the first that computes the same is taken, as it is of those that nothing tells apart. Two arrays are the
    same where they are nearer than `near`, of their size.
    """

    def same(ours: tuple[Array, float] | None, theirs: tuple[Array, float] | None) -> bool:
        """Tells whether arrays are near in any layout; None, of what did not come back, is near None alone."""
        if ours is None or theirs is None:
            return ours is theirs
        (one, size), (other, size_there) = ours, theirs
        alike_in_size = one.size == other.size and math.isclose(size, size_there, rel_tol=near)  # whatever the layout
        return alike_in_size and distance(one, other, unflattened) <= near

    left, waiting = list(map(_Shown.of, calls)), list(map(_Shown.of, others))
    found = []
    for shown in (3, 2):  # what comes back as well, and then without it
        for other in list(waiting):
            of_kind = (one for one in left if one.call.layer.kind == other.call.layer.kind)
            one = next((one for one in of_kind if all(map(same, one.arrays[:shown], other.arrays[:shown]))), None)
            if one is not None:
                left.remove(one)
                waiting.remove(other)
                found.append((one.call, other.call))
    return found
