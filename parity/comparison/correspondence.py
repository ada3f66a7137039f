"""What of the other model is what of the reference: its outputs, gradients and states, by the reference's keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.layout import Layout, OneHot, closest
from parity.comparison.matching import Match, Matching
from parity.comparison.model import STATE, Layer, Model, Run, floats
from parity.ladder.trace import GRADIENT, OUTPUT, Key, Trace


@dataclass(frozen=True)
class Correspondence:
    """Two models that were matched; the reference is the second of them where they are `swapped`.

    layouts: how the first's inputs lie in the second
    inputs: the other model's
    """

    reference: Model
    other: Model
    matching: Matching
    layouts: Sequence[Layout]
    inputs: Sequence[Array]
    swapped: bool

    def as_reference(self, reference: Run, other: Run, pairs: Sequence[Aligned], outputs: Sequence[Layout]) -> Trace:
        """Returns what the other model computed, as the reference has it, whose outputs lie so there."""
        found: Trace = {}
        for pair in pairs:
            of = pair.last.outputs
            for place in [place for place in floats(of) if place < len(pair.left.outputs)]:
                values = pair.left.outputs[place]
                if (layout := closest(of[place], values, reference.unflattened)) is not None:
                    gradient = or_zero(pair.left.gradients[place], values)
                    found[key_of(OUTPUT, pair.last.site, "output", place, of)] = layout.back(values)
                    found[key_of(GRADIENT, pair.last.site, "output gradient", place, of)] = layout.back(gradient)
        for place, (layout, values) in enumerate(zip(outputs, other.outputs, strict=True)):
            found[key_of(OUTPUT, "", "output", place, other.outputs)] = layout.back(values)
        for place, (layout, values) in enumerate(zip(self.layouts, self.inputs, strict=True)):
            if isinstance(layout, OneHot):  # of one of the two there is no gradient
                continue
            gradient = or_zero(other.input_gradients[place], values)
            turned = layout.there(gradient) if self.swapped else layout.back(gradient)
            found[key_of(GRADIENT, "", "input gradient", place, self.inputs)] = turned
        for match in self.matching.matches:
            name = self._theirs(match).name
            found |= self._of_match(match, _of_layer(other.state, name), _of_layer(other.parameter_gradients, name))
        return found

    def of_layer(self, name: str, state: Mapping[str, Array], gradients: Mapping[str, Array]) -> Trace:
        """The running statistics and parameters' gradients of one of the other's layers, as the reference has them."""
        found: Trace = {}
        for match in self.matching.matches:
            if self._theirs(match).name == name:
                found |= self._of_match(match, state, gradients)
        return found

    def frozen_alone(self) -> Iterator[str]:
        """Yields what is said of the arrays that are trained in one of the two models alone."""
        models = (self.other, self.reference) if self.swapped else (self.reference, self.other)
        alone: tuple[list[str], list[str]] = ([], [])
        for match in self.matching.matches:
            for role, name in match.roles.items():
                held = (match.first.held[role], match.second.held[name])
                frozen = [model.is_frozen(one) for model, one in zip(models, held, strict=True)]
                if role not in STATE and frozen[0] != frozen[1]:
                    alone[frozen[1]].append(held[frozen[1]].name)
        for which, names in zip(("first", "second"), alone, strict=True):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                yield (
                    f"frozen in the {which} model alone, so that their gradients are not compared and a training would "
                    f"part the two: {', '.join(names[:SHOWN])}{more}"
                )

    def _theirs(self, match: Match) -> Layer:
        return match.first if self.swapped else match.second

    def _of_match(self, match: Match, state: Mapping[str, Array], gradients: Mapping[str, Array]) -> Trace:
        """Zeros stand where nothing came back; what is frozen in one of the two models has no gradient."""
        found: Trace = {}
        ours, theirs = (match.second, match.first) if self.swapped else (match.first, match.second)
        turn = match.there if self.swapped else match.back
        for role, second in match.roles.items():
            own, name = (second, role) if self.swapped else (role, second)
            held = theirs.held[name]
            if name in STATE:
                found[Key(0, OUTPUT, ours.name, "state", own)] = turn(role, state[name])
            elif not (self.other.is_frozen(held) or self.reference.is_frozen(ours.held[own])):
                gradient = gradients[name] if name in gradients else or_zero(None, self.other.read(held))
                found[Key(0, GRADIENT, ours.name, "parameter gradient", own)] = turn(role, gradient)
        return found


SHOWN = 4  # of the arrays that are listed


def or_zero(gradient: Array | None, of: Array) -> Array:
    """The gradient of an array; zeros where nothing came back to it, which is what that means."""
    return np.zeros_like(of) if gradient is None else gradient


def key_of(rung: int, layer: str, quantity: str, place: int, of: Sequence[Any]) -> Key:
    """The key of one of several arrays."""
    return Key(0, rung, layer, quantity, f"[{place}]" if len(of) > 1 else "")


def trace_of(run: Run) -> Trace:
    """Everything floating that a run computed, in the order in which it did."""
    found: Trace = {}
    for call in run.calls:
        for place in floats(call.outputs):
            found[key_of(OUTPUT, call.site, "output", place, call.outputs)] = call.outputs[place]
    for place in floats(run.outputs):
        found[key_of(OUTPUT, "", "output", place, run.outputs)] = run.outputs[place]
    for (layer, role), values in run.state.items():
        found[Key(0, OUTPUT, layer, "state", role)] = values
    for call in reversed(run.calls):
        for place, gradient in enumerate(call.gradients):
            if gradient is not None:
                found[key_of(GRADIENT, call.site, "output gradient", place, call.outputs)] = gradient
    for (layer, role), values in run.parameter_gradients.items():
        found[Key(0, GRADIENT, layer, "parameter gradient", role)] = values
    for place, gradient in enumerate(run.input_gradients):
        if gradient is not None:
            found[key_of(GRADIENT, "", "input gradient", place, run.input_gradients)] = gradient
    return found


def _of_layer(arrays: Mapping[tuple[str, str], Array], name: str) -> dict[str, Array]:
    """The arrays of one layer, by their role."""
    return {role: values for (layer, role), values in arrays.items() if layer == name}
