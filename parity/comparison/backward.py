"""Whose backward pass it is that differs, where all that was computed forwards is within."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parity.comparison.alignment import Aligned
from parity.comparison.result import Fault, Judged
from parity.ladder.trace import GRADIENT

UNSEEN_FORWARDS = ("padding row",)  # the settings that change gradients alone


def backward_faults(tensors: Sequence[Judged], pairs: Sequence[Aligned]) -> Iterator[Fault]:
    """Yields the layers whose parameters' gradients are outside, though what came back to their outputs is within."""
    gradients = [tensor for tensor in tensors if tensor.key.rung == GRADIENT]
    if not all(tensor.passed for tensor in tensors if tensor not in gradients):
        return  # gradients inherit what forward passes are off by
    for pair in pairs:
        came = [one for one in gradients if one.key.layer == pair.last.site and one.key.quantity == "output gradient"]
        names = {call.layer.name for call in pair.reference}
        made = [one for one in gradients if one.key.layer in names and one.key.quantity == "parameter gradient"]
        if made and all(one.passed for one in came) and not all(one.passed for one in made):
            cause = next((cause for _, cause in pair.causes() if cause.name in UNSEEN_FORWARDS), None)
            beside = " and ".join(call.site for call in pair.reference)
            yield Fault(pair.other.site, pair.other.layer.title, beside, max(one.share for one in made), cause)
