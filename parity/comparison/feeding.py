"""Which inputs of the reference's layer go where in the other model's, so that both are given the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.layout import NOTHING_FLATTENED, Flattened, Layout, closest, layouts
from parity.comparison.model import Call

ATTENTION = (0, 2, 1)  # which of torch's query, key and value Keras takes first, second and third


SAMPLES_AND_CHANNELS = (0, 1)  # the first axes, as torch has them
NEAR = 1e-3  # of their size: arrays that are nearer lie as they seem to


@dataclass(frozen=True)
class Lying:
    """How the arrays of one model lie in the other: what came in with errors does not tell where shapes leave it open.

    usual: the order of the axes in most places whose shapes leave no choice, by rank
    earlier: what is known of arrays that may have been flattened
    made: the shapes of what layers of the other model make; what is of none has been padded by what is no layer
    """

    usual: Mapping[int, tuple[int, ...]]
    earlier: Flattened = NOTHING_FLATTENED
    made: Set[tuple[int, ...]] = frozenset()

    @classmethod
    def of(cls, pairs: Sequence[Aligned], earlier: Flattened) -> Lying:
        votes: dict[int, Counter[tuple[int, ...]]] = {}
        for pair in pairs:
            for values, other in zip(pair.reference[0].inputs, pair.entered.inputs, strict=False):
                fitting = layouts(values.shape, other.shape)
                if values.ndim > 2 and len(fitting) == 1:
                    votes.setdefault(values.ndim, Counter())[fitting[0].order] += 1
        made = {values.shape for pair in pairs for call in pair.chain for values in call.outputs}
        return cls({rank: counted.most_common(1)[0][0] for rank, counted in votes.items()}, earlier, made)

    def layout(self, values: Array, other: Array) -> Layout | None:
        """How an array lies in the other model; None where it is another one's in any order of its axes."""
        nearest, order = closest(values, other, self.earlier), self.usual.get(values.ndim)
        if nearest is None or order is None or tuple(values.shape[axis] for axis in order) != other.shape:
            return nearest
        apart = np.mean(np.abs(nearest.there(values).astype(float) - other))
        return nearest if apart < NEAR * np.mean(np.abs(values)) else Layout(order)

    def placed(self, values: Array, other: Array) -> Layout | None:
        """The same as `layout`, also of images that are of another size there, since a layer before made them so."""
        if (found := self.layout(values, other)) is not None or (order := self.usual.get(values.ndim)) is None:
            return found
        alike = values.ndim == other.ndim and all(
            other.shape[order.index(axis)] == values.shape[axis] for axis in SAMPLES_AND_CHANNELS
        )
        return Layout(order) if alike and other.shape in self.made else None


@dataclass(frozen=True)
class Feeding:
    """How the inputs of a call are made of the reference's.

    sources: for each, the place among the reference's and how it lies; None for what the call keeps, as a mask, which
        says something else in each framework
    """

    call: Call
    sources: Sequence[tuple[int, Layout] | None]

    @classmethod
    def of(cls, reference: Call, other: Call, lying: Lying) -> Feeding | None:
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
            layout = lying.placed(reference.inputs[place], values)
            if layout is None:
                return None
            sources.append((place, layout))
        return cls(other, [*sources, *[None] * (len(other.inputs) - len(sources))])

    def alone(self, place: int) -> tuple[int, Layout] | None:
        """The one place that an input of the reference goes to, and how it lies there; None where others go there, too.

        Keras' attention takes its value for the key where it is given none.
        """
        found = [
            (there, source[1]) for there, source in enumerate(self.sources) if source is not None and source[0] == place
        ]
        both = self.call.layer.kind == "attention" and place and sum(source is not None for source in self.sources) == 2
        return None if both or len(found) != 1 else found[0]

    def inputs(self, given: Sequence[Array]) -> list[Array]:
        """Returns what the call is given where the reference's is given this."""
        return [
            own if source is None else source[1].there(given[source[0]])
            for own, source in zip(self.call.inputs, self.sources, strict=True)
        ]
