"""Which inputs of the reference's layer go where in the other model's, so that both are given the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpynet import Array
from parity.comparison.layout import Layout, closest
from parity.comparison.model import Call

ATTENTION = (0, 2, 1)  # which of torch's query, key and value Keras takes first, second and third


@dataclass(frozen=True)
class Feeding:
    """How the inputs of a call are made of the reference's.

    sources: for each, the place among the reference's and how it lies; None for what the call keeps, as a mask, which
        says something else in each framework
    """

    call: Call
    sources: Sequence[tuple[int, Layout] | None]

    @classmethod
    def of(cls, reference: Call, other: Call, earlier: Sequence[tuple[int, ...]]) -> Feeding | None:
        """The feeding of `other` by what `reference` was given; None where it does not take that in any layout."""
        if len(reference.inputs) == len(other.inputs) and reference.layer.kind != "attention":
            places: list[int] = list(range(len(other.inputs)))
        elif reference.layer.kind == other.layer.kind == "attention" and reference.layer.title != other.layer.title:
            places = list(ATTENTION[: sum(values.ndim == 3 and values.dtype.kind == "f" for values in other.inputs)])
        elif reference.layer.kind == other.layer.kind == "attention":
            places = [0, 1, 2][: len(other.inputs)]
        else:
            return None
        sources: list[tuple[int, Layout] | None] = []
        for place, values in zip(places, other.inputs, strict=False):
            layout = closest(reference.inputs[place], values, earlier)
            if layout is None:
                return None
            sources.append((place, layout))
        return cls(other, [*sources, *[None] * (len(other.inputs) - len(sources))])

    def inputs(self, given: Sequence[Array]) -> list[Array]:
        """What the call is given where the reference's is given this."""
        return [
            own if source is None else source[1].there(given[source[0]])
            for own, source in zip(self.call.inputs, self.sources, strict=True)
        ]
