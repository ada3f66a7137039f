"""The error that a layer makes itself, forward and backward, given what comes to it from either side in the reference.

What it inherits from the layers before and behind it is no part of that.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.allowing import Allowances, widened
from parity.comparison.correspondence import Correspondence, or_zero
from parity.comparison.judging import Judge
from parity.comparison.layout import Layout, closest
from parity.comparison.model import Applied, Model, floats
from parity.ladder.judge import share_used
from parity.ladder.trace import GRADIENT, OUTPUT, Key, Trace
from parity.rounding.errors import current_errors


@dataclass(frozen=True)
class Bench:
    """What layers are tried with, one after another.

    wide: the reference in the wider format
    formulas: the same by the other framework's formulas, where it has some
    correspondence: the model whose layers are tried, and what of it is what of the reference
    judge: judges a running statistic by what is known to differ, too
    """

    wide: Model
    formulas: Model | None
    correspondence: Correspondence
    training: bool
    judge: Judge

    @property
    def other(self) -> Model:
        return self.correspondence.other

    @property
    def earlier(self) -> Sequence[tuple[int, ...]]:
        """The shapes that an example has before it may be flattened."""
        return self.judge.reference.unflattened


class OwnError:
    """The error that a layer makes itself, given the reference's input and cotangent as the other model has them.

    laid: how the inputs lie there
    """

    def __init__(self, bench: Bench, pair: Aligned, laid: Sequence[Layout]) -> None:
        self.bench, self.pair, self.laid = bench, pair, laid
        self.inputs = pair.reference[0].inputs
        self.back = self._cotangents_there()
        self.allowances = self._allowances(bench.wide)

    @classmethod
    def of(cls, bench: Bench, pair: Aligned) -> OwnError | None:
        """The own error of a layer; None where it does not take the reference's input in any layout."""
        inputs = pair.reference[0].inputs
        laid = [closest(*both, bench.earlier) for both in zip(inputs, pair.other.inputs, strict=False)]
        placed = [layout for layout in laid if layout is not None]
        return cls(bench, pair, placed) if len(placed) == len(inputs) == len(pair.other.inputs) else None

    def settled(self) -> float | None:
        """The share of `share`, after no more looks than it takes to see that the layer is not at fault."""
        found, share = self._applied(), None
        formulas = self.bench.formulas
        for _ in widened(self.allowances, formulas and functools.partial(self._allowances, formulas)):
            share = self._largest(found)
            if share is None or share <= 1:
                break
        return share

    def settled_again(self) -> float | None:
        """The share after another look, before the layer is accused."""
        found = self._applied()

        def enough() -> bool:
            share = self._largest(found)
            return share is None or share <= 1

        self.allowances.look_again(enough)
        return self._largest(found)

    def share(self) -> float | None:
        """The largest share of its allowance that the layer uses as it is now; None where nothing is comparable."""
        return self._largest(self._applied())

    def _allowances(self, model: Model) -> Allowances[Key]:
        def computed() -> Trace:
            return self._computed(model)

        return Allowances(computed(), computed, self.bench.judge.dtype)

    def _computed(self, model: Model) -> Trace:
        """What the reference's layers compute of the input, their running statistics after it, and their gradients."""
        calls = [replace(call, layer=model.layers[call.layer.name]) for call in self.pair.reference]
        back = None if self.back is None else self.pair.last.gradients
        given = [[_rounded(values) for values in self.inputs]]
        for call in calls[:-1]:
            given.append(model.apply(call, given[-1], self.bench.training).outputs)
        outputs: Trace = {}
        held: Trace = {}
        for call, arrays in zip(reversed(calls), reversed(given), strict=True):
            applied = model.apply(call, arrays, self.bench.training, back)
            if call is calls[-1]:
                outputs = {_output(place): applied.outputs[place] for place in floats(applied.outputs)}
            for role, values in applied.state.items():
                held[Key(0, OUTPUT, call.layer.name, "state", role)] = values
            for role, values in applied.parameter_gradients.items():
                held[Key(0, GRADIENT, call.layer.name, "parameter gradient", role)] = values
            back = applied.input_gradients if back is not None else None
        if back is not None:
            held |= {_input_gradient(place): or_zero(back[place], given[0][place]) for place in floats(self.inputs)}
        return outputs | held

    def _cotangents_there(self) -> list[Array | None] | None:
        """What comes back to the reference's outputs, as they lie in the other model; None where they do not."""
        ours, theirs = self.pair.last, self.pair.other
        back: list[Array | None] = [None] * len(theirs.outputs)
        for place, gradient in enumerate(ours.gradients):
            if gradient is None:
                continue
            if place >= len(back) or len(ours.gradients) != len(ours.outputs):
                return None
            if (layout := closest(ours.outputs[place], theirs.outputs[place], self.bench.earlier)) is None:
                return None
            back[place] = layout.there(gradient)
        return None if all(gradient is None for gradient in back) else back

    def _applied(self) -> Applied:
        """What the other's layer computes of the same."""
        there = [layout.there(values) for layout, values in zip(self.laid, self.inputs, strict=True)]
        return self.bench.other.apply(self.pair.other, there, self.bench.training, self.back)

    def _largest(self, applied: Applied) -> float | None:
        return max(self._shares(applied), default=None)

    def _shares(self, applied: Applied) -> Iterator[float]:
        judge, name = self.bench.judge, self.pair.other.layer.name
        held = self.bench.correspondence.of_layer(name, applied.state, applied.parameter_gradients)
        for key, value in self.allowances.reference.items():
            bound = self.allowances.bound(key)
            if key.layer:
                if key in held:
                    yield judge.judged(key, held[key], value, bound).share
            elif key.rung == GRADIENT:
                place = int(key.tensor)
                gradient = or_zero(applied.input_gradients[place], self.laid[place].there(value))
                yield share_used(self.laid[place].back(gradient).astype(judge.dtype), value, bound, judge.dtype)
            elif int(key.tensor) < len(applied.outputs):
                found = applied.outputs[int(key.tensor)]
                if (layout := closest(value.astype(judge.dtype), found, self.bench.earlier)) is not None:
                    yield share_used(layout.back(found), value, bound, judge.dtype)
                elif found.ndim == value.ndim:  # of another rank it may be the last step of what is whole there
                    yield math.inf


def _output(place: int) -> Key:
    return Key(0, OUTPUT, "", "output", str(place))


def _input_gradient(place: int) -> Key:
    return Key(0, GRADIENT, "", "input gradient", str(place))


def _rounded(values: Array) -> Array:
    """The input of a layer, with the error of what rounded it: one formula is more sensitive to it than another."""
    errors = current_errors()
    if errors is None or values.dtype.kind != "f":
        return values
    values = values.astype(np.float64)
    errors.perturb(values, np.abs(values), 1, True)
    return values
