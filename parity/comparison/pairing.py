"""How two models go together, found out by running them: which array is which, and how the inputs lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from numpynet import Array
from parity.comparison.conversion import Misconverted, misconverted, values_of
from parity.comparison.layout import Layout, closest, combinations, layouts
from parity.comparison.matching import BY_FEATURE, Matching, alternatives, copied, interchangeable, matching
from parity.comparison.model import Layer, Model, Run, Unfit, floats

NEAR = 1e-3  # of their size: outputs that are nearer need no other order of layers; nothing is judged by it


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


def paired(first: Model, second: Model, inputs: Sequence[Array], given: Mapping[str, str]) -> Pairing:
    """Match the weights, copy them from the first into the second, and find out how the inputs lie there.

    Raises `Unfit` where that cannot be done.
    """
    ran, before = asked_twice(first, inputs, "first "), values_of(second)
    if not all(np.isfinite(output).all() for output in ran.outputs):
        raise Unfit("the first model's outputs hold NaN or an infinity from the start")
    best: tuple[float, Pairing] | None = None
    refused: Exception | None = None
    for choice in combinations([_fitting(second, values, place) for place, values in enumerate(inputs)]):
        there = [layout.there(values) for layout, values in zip(choice, inputs, strict=True)]
        try:
            theirs = second.run(there, training=False)
        except Exception as error:  # whatever is raised: the inputs do not lie so
            refused = error
            continue
        found = matching(first, second, (ran, theirs), given)
        for proposal in [found, *alternatives(found)]:
            apart = _settled(first, second, proposal, ran, there)
            if best is None or apart < best[0]:
                best = apart, Pairing(proposal, choice, there, [])
            if apart < NEAR:
                break
        if best and best[0] < NEAR:
            break
    if best is None:
        shapes = [values.shape for values in inputs]
        raise Unfit(f"the second model takes inputs of shapes {shapes} in no layout: {refused}") from refused
    pairing = best[1]
    asked_twice(second, pairing.there, "second ")
    pairing.notes = [*pairing.matching.notes, *copied(first, second, pairing.matching)]
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
    if not found:
        raise Unfit(
            f"input {place + 1} of shape {values.shape} fits {wanted}, which the second model takes, in no layout"
        )
    return found


def _settled(first: Model, second: Model, found: Matching, ran: Run, there: Sequence[Array]) -> float:
    """Copy the weights, and set right what the inputs of layers tell then, until they tell nothing more.

    Returns how far the outputs are apart in the end, of their size.
    """
    for _ in range(len(found.matches) + 1):  # each time something is set right, from the first layer on
        copied(first, second, found)
        theirs = second.run(there, training=False)
        if not (_columns(found, ran, theirs) or _reordered(found, ran, theirs)):
            break
    return _apart(ran, theirs)


def _columns(found: Matching, ran: Run, theirs: Run) -> bool:
    """Find the layers whose inputs were flattened in another order; tells whether there are any."""
    changed = False
    for match in found.matches:
        if match.first.kind not in ("linear", *BY_FEATURE):
            continue
        ours, other = _first_input(ran, match.first), _first_input(theirs, match.second)
        if ours is None or other is None or ours.ndim != 2 or ours.shape != other.shape:
            continue
        layout = closest(ours, other, ran.unflattened)
        if layout is not None and layout.before and layout != match.columns:
            match.columns, changed = layout, True
    return changed


def _reordered(found: Matching, ran: Run, theirs: Run) -> bool:
    """Swap the first layer whose input is another one's, of those that hold the same shapes, with that one."""
    for place, match in enumerate(found.matches):
        others = [other for other in found.matches[place + 1 :] if interchangeable(match, other)]
        if not others:
            continue
        own = _inputs_apart(ran, theirs, match.first, match.second)
        best = min(others, key=lambda other: _inputs_apart(ran, theirs, match.first, other.second))
        # Half as far: what is equal, as the inputs of two layers side by side, tells nothing.
        if _inputs_apart(ran, theirs, match.first, best.second) < own / 2:
            match.second, best.second = best.second, match.second
            match.roles, best.roles = best.roles, match.roles  # which are called otherwise in each layer, may be
            match.columns = best.columns = None
            return True
    return False


def _inputs_apart(ran: Run, theirs: Run, first: Layer, second: Layer) -> float:
    """How far the inputs of two layers are apart, of their size."""
    ours, other = _first_input(ran, first), _first_input(theirs, second)
    if ours is None or other is None or (layout := closest(ours, other, ran.unflattened)) is None:
        return math.inf
    return float(np.mean(np.abs(ours - layout.back(other)))) / (float(np.mean(np.abs(ours))) or 1.0)


def _first_input(run: Run, layer: Layer) -> Array | None:
    return next((call.inputs[0] for call in run.calls if call.layer.name == layer.name and call.inputs), None)


def _apart(ran: Run, theirs: Run) -> float:
    """How far outputs are apart, of their size; infinity where they are others."""
    if len(ran.outputs) != len(theirs.outputs):
        return math.inf
    found = [0.0]
    for one, other in zip(ran.outputs, theirs.outputs, strict=True):
        if (layout := closest(one, other, ran.unflattened)) is None:
            return math.inf
        size = float(np.max(np.abs(one), initial=0)) or 1.0
        found.append(float(np.max(np.abs(one - layout.back(other)), initial=0)) / size)
    return max(found)
