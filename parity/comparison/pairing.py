"""How two models go together, found out by running them: which array is which, and how the inputs lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from numpynet import Array
from parity.comparison.conversion import Misconverted, misconverted, values_of
from parity.comparison.formats import NEAR
from parity.comparison.layout import Layout, combinations, in_classes, layouts, turned
from parity.comparison.matching import Matching, copied, matching
from parity.comparison.model import Model, Run, Unfit, floats
from parity.comparison.settling import Settling


@dataclass
class Pairing:
    """Two models with the weights of the first in both.

    layouts: how each input lies in the second
    there: the inputs as the second takes them
    notes: what was assumed
    misconverted: what the second held of the first's before, but wrongly
    """

    matching: Matching
    layouts: tuple[Layout, ...]
    there: list[Array]
    notes: list[str]
    misconverted: list[Misconverted] = field(default_factory=list)


def paired(
    first: Model, second: Model, inputs: Sequence[Array], given: Mapping[str, str], near: float = NEAR
) -> Pairing:
    """Match the weights, copy them from the first into the second, and find out how the inputs lie there.

    What is nearer than `near`, of its size, is taken for equal.

    Raises `Unfit` where that cannot be done.
    """
    ran, before = asked_twice(first, inputs, "first "), values_of(second)
    if not all(np.isfinite(output).all() for output in ran.outputs):
        raise Unfit("the first model's outputs hold NaN or an infinity from the start")
    best: Apart | None = None
    refused: Exception | None = None
    for choice in combinations([_fitting(second, values, place) for place, values in enumerate(inputs)]):
        there = [layout.there(values) for layout, values in zip(choice, inputs, strict=True)]
        try:
            theirs = second.run(there, training=False)
        except Exception as error:  # whatever is raised: the inputs do not lie so
            refused = error
            continue
        ran.turned = turned(choice)
        found = matching(first, second, (ran, theirs), given)
        for apart, proposal in Settling(first, second, ran, there, near).proposals(found):
            best = _nearest(best, (apart, Pairing(proposal, choice, there, [])))
            if best[0] < near:
                break
        if best and best[0] < near:
            break
    if best is None:
        shapes = [values.shape for values in inputs]
        raise Unfit(f"the second model takes inputs of shapes {shapes} in no layout: {refused}") from refused
    pairing = best[1]
    asked_twice(second, pairing.there, "second ")
    pairing.notes = [*pairing.matching.notes, *_ambiguous(pairing.matching), *copied(first, second, pairing.matching)]
    pairing.misconverted = misconverted(first, second, pairing.matching, before)
    pairing.notes += [
        f"output {place + 1} is of {output.dtype}, and was not compared"
        for place, output in enumerate(ran.outputs)
        if place not in floats(ran.outputs)
    ]
    pairing.notes += [
        f"input {place + 1} lies otherwise in the second model: its {layout} are the first's"
        for place, layout in enumerate(pairing.layouts)
        if not layout.same
    ]
    return pairing


def _ambiguous(found: Matching) -> Iterator[str]:
    """Yields what is said of layers that cannot be told apart behind or ahead of one that is wrong."""
    if not found.ambiguous:
        return
    names = {match.first.name for match in found.ambiguous[0]}
    taken = [match for match in found.matches if match.first.name in names]
    ours, theirs = (" and ".join(names) for names in zip(*((m.first.name, m.second.name) for m in taken), strict=True))
    more = f"; of {len(found.ambiguous) - 1} more groups of layers likewise" if len(found.ambiguous) > 1 else ""
    yield (
        f"weights: {ours} are given the same, hold the same shapes, and nothing near tells which is which: they are "
        f"taken for {theirs}, in this order, and a mapping can be given{more}"
    )


Apart = tuple[float, Pairing]  # how far the outputs are apart


def _nearest(best: Apart | None, other: Apart) -> Apart:
    return other if best is None or other[0] < best[0] else best


def asked_twice(model: Model, inputs: Sequence[Array], which: str = "") -> Run:
    """A run of a model in evaluation mode, which has to be the same when it is made again.

    `which` says which of two models it is, for the message of `Unfit`.
    """
    try:
        ran, again = model.run(inputs, training=False), model.run(inputs, training=False)
    except Unfit:
        raise
    except Exception as error:  # whatever is raised, it is the model's verdict
        shapes = [values.shape for values in inputs]
        raise Unfit(
            f"the {which}model does not run on inputs of shapes {shapes}: {type(error).__name__}: {error}"
        ) from error
    if any(output.dtype.kind == "c" for output in ran.outputs):
        raise Unfit(f"the {which}model's outputs are complex: have it return their real and imaginary parts")
    if not floats(ran.outputs):
        kinds = ", ".join(str(output.dtype) for output in ran.outputs) or "nothing"
        raise Unfit(
            f"the {which}model returns {kinds}: have it return the floating-point numbers that these are made of"
        )
    if not all(np.array_equal(*pair, equal_nan=True) for pair in zip(ran.outputs, again.outputs, strict=True)):
        raise Unfit(
            f"the {which}model answers differently when it is asked again, in evaluation mode: nothing can be told"
        )
    return ran


def _fitting(model: Model, values: Array, place: int) -> list[Layout]:
    """The layouts in which an input has a shape that the model says it takes."""
    shapes = model.input_shapes()
    wanted = shapes[place] if place < len(shapes) else None
    found = layouts(values.shape, wanted or [None] * values.ndim)
    found += in_classes(values, wanted or [None] * (values.ndim - 1))
    if not found:
        raise Unfit(
            f"input {place + 1} of shape {values.shape} fits {wanted}, which the second model takes, in no layout"
        )
    return found
