"""Which call of a layer of one model is which of the other: by what the layers hold, and by kind in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parity.comparison.matching import Matching
from parity.comparison.model import ACTIVATIONS, Call, Run

POOLINGS = ("max pooling", "average pooling", "global average pooling")


@dataclass(frozen=True)
class Aligned:
    """A call in the other model, and the calls in the reference that compute the same, one after another.

    They are two where the other model's layer applies an activation that is a layer of its own in the reference.
    """

    reference: tuple[Call, ...]
    other: Call

    @property
    def last(self) -> Call:
        return self.reference[-1]


def aligned(reference: Run, other: Run, found: Matching, swapped: bool) -> list[Aligned]:
    """The calls that compute the same, in the other model's order.

    `swapped` says that the reference is the second of the models that were matched. Calls that nothing is known of are
    left out; so is one that applies an activation which the reference computes in no layer.
    """
    of_layer = {
        (match.first if swapped else match.second).name: (match.second if swapped else match.first).name
        for match in found.matches
    }
    places = _anchors(reference.calls, other.calls, of_layer)
    pairs: list[Aligned] = []
    bounds = [*sorted(places), len(other.calls)]
    taken: set[int] = set()
    for here, after in zip([-1, *bounds[:-1]], bounds, strict=True):
        start = places.get(here, -1)
        end = places.get(after, len(reference.calls))
        if here >= 0:
            pairs += _anchored(reference, start, other.calls[here], taken)
        free = [place for place in range(start + 1, end) if place not in taken]
        pairs += _between([reference.calls[place] for place in free], other.calls[here + 1 : after])
    return pairs


def _anchors(reference: Sequence[Call], other: Sequence[Call], of_layer: dict[str, str]) -> dict[int, int]:
    """The place of the reference's call for the place of each call of a layer that holds arrays, first to last."""
    by_layer: dict[str, list[int]] = {}
    for place, call in enumerate(reference):
        by_layer.setdefault(call.layer.name, []).append(place)
    found = {}
    for place, call in enumerate(other):
        if (name := of_layer.get(call.layer.name)) and by_layer.get(name):
            found[place] = by_layer[name].pop(0)
    return found


def _between(reference: Sequence[Call], other: Sequence[Call]) -> list[Aligned]:
    """Calls of layers that hold nothing, between two that do: by kind, then activations and poolings in order."""
    left, pairs = list(reference), {}
    for place, call in enumerate(other):
        if same := [one for one in left if one.layer.kind == call.layer.kind]:
            pairs[place] = same[0]
            left.remove(same[0])
    for kinds in (ACTIVATIONS, POOLINGS):
        rest = [place for place, call in enumerate(other) if place not in pairs and call.layer.kind in kinds]
        alike = [one for one in left if one.layer.kind in kinds]
        if len(rest) == len(alike):
            pairs |= dict(zip(rest, alike, strict=True))
    return [Aligned((pairs[place],), other[place]) for place in sorted(pairs)]


def _anchored(run: Run, place: int, call: Call, taken: set[int]) -> list[Aligned]:
    """A call of a layer that holds arrays, with the activation behind it if the other model's applies one as well."""
    first = run.calls[place]
    taken.add(place)
    activation = call.layer.activation
    if not activation or activation == first.layer.activation:
        return [Aligned((first,), call)]
    following = run.calls[place + 1] if place + 1 < len(run.calls) else None
    if following is not None and following.layer.kind in ACTIVATIONS:
        taken.add(place + 1)
        return [Aligned((first, following), call)]
    after = following.inputs if following else run.outputs
    # What comes next is what came out: no function in between has activated it, and the other's activation is too many.
    if after and after[0].shape == first.outputs[0].shape and (after[0] == first.outputs[0]).all():
        return [Aligned((first,), call)]
    return []
