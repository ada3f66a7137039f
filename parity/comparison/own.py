"""The error that a layer makes itself, forward and backward, given what comes to it from either side in the reference.

What it inherits from the layers before and behind it is no part of that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numpynet import Array
from parity.comparison.alignment import NOTHING, Aligned
from parity.comparison.allowing import Allowances, widened
from parity.comparison.correspondence import Correspondence, or_zero
from parity.comparison.feeding import Feeding, Lying
from parity.comparison.judging import Judge
from parity.comparison.model import Applied, Model, floats
from parity.ladder.trace import GRADIENT, OUTPUT, Key, Trace
from parity.rounding.errors import current_errors


@dataclass(frozen=True)
class Bench:
    """The means by which layers are tried, one after another.

    wide: the reference in the wider format
    formulas: makes the same by the other framework's formulas, or None where it has none of its own
    correspondence: the model whose layers are tried, and what of it is what of the reference
    judge: judges a running statistic by what is known to differ, too
    lying: how the reference's arrays lie in the other model
    """

    wide: Model
    formulas: Callable[[], Model | None]
    correspondence: Correspondence
    training: bool
    judge: Judge
    lying: Lying

    @property
    def other(self) -> Model:
        return self.correspondence.other


class OwnError:
    """The error that a layer makes itself, given the reference's input and cotangent as the other model has them.

    feeding: makes the inputs there of those here
    """

    def __init__(self, bench: Bench, pair: Aligned, feeding: Feeding) -> None:
        self.bench, self.pair, self.feeding = bench, pair, feeding
        # Both are given the same, also where one of two models is in float32, and the other in a format of 16 bits.
        of = bench.judge.arithmetic.digits_of
        self.inputs = [of(values) for values in pair.reference[0].inputs]
        self.gradients = [None if values is None else of(values) for values in pair.last.gradients]
        self.back = self._cotangents_there()
        self.allowances = self._allowances(bench.wide)

    @classmethod
    def of(cls, bench: Bench, pair: Aligned) -> OwnError | None:
        """The own error of a layer; None where it does not take the reference's input in any layout."""
        feeding = Feeding.of(pair.reference[0], pair.entered, bench.lying)
        return cls(bench, pair, feeding) if feeding is not None else None

    def settled(self) -> float | None:
        """The share of `share`, after no more looks than it takes to see that the layer is not at fault."""
        found, share = self._applied(), None
        for _ in widened(self.allowances, self._by_formulas):
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

    def _by_formulas(self) -> Allowances[Key] | None:
        model = self.bench.formulas()
        return None if model is None else self._allowances(model)

    def _allowances(self, model: Model) -> Allowances[Key]:
        def computed() -> Trace:
            return self._computed(model)

        return Allowances(computed(), computed, self.bench.judge.arithmetic)

    def _computed(self, model: Model) -> Trace:
        """Returns what the reference's layers compute of the input: outputs, running statistics after it, gradients."""
        given = [[_rounded(values) for values in self.inputs]]
        if self.pair.last.layer is NOTHING:
            return {_output(place): given[0][place] for place in floats(given[0])}
        calls = [replace(call, layer=model.layers[call.layer.name]) for call in self.pair.reference]
        back = None if self.back is None else self.gradients
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
        """Returns what comes back to the reference's outputs as they lie in the other; None where they do not."""
        ours, theirs = self.pair.last, self.pair.left
        back: list[Array | None] = [None] * len(theirs.outputs)
        for place, gradient in enumerate(self.gradients):
            if gradient is None:
                continue
            if place >= len(back) or len(ours.gradients) != len(ours.outputs):
                return None
            if (layout := self.bench.lying.placed(ours.outputs[place], theirs.outputs[place])) is None:
                return None
            back[place] = layout.there(gradient)
        return None if all(gradient is None for gradient in back) else back

    def _applied(self) -> Applied:
        """Returns what the other's layer computes of the same, with what pads ahead of it or crops behind it."""
        other, training, back = self.bench.other, self.bench.training, self.back
        chain = self.pair.chain
        given = [self.feeding.inputs(self.inputs)]
        for call in chain[:-1]:
            given.append(other.apply(call, given[-1], training).outputs)
        found: dict[str, Applied] = {}
        as_it_was = _fit(given[0], chain[0].inputs) and _fit(back or [], chain[-1].outputs)
        if not as_it_was and not _fit(back or [], other.apply(chain[-1], given[-1], training).outputs):
            back = None  # a wrong stride makes outputs of another size
        for call, arrays in zip(reversed(chain), reversed(given), strict=True):
            found[call.site] = other.apply(call, arrays, training, back)
            back = found[call.site].input_gradients if back is not None else None
        first, last, own = found[chain[0].site], found[chain[-1].site], found[self.pair.other.site]
        return replace(own, outputs=last.outputs, input_gradients=first.input_gradients)

    def backward(self) -> bool:
        """Tells whether only gradients are outside."""
        return not any(key.rung == OUTPUT for key, share in self._shares(self._applied()) if not share <= 1)

    def _largest(self, applied: Applied) -> float | None:
        return max((share for _, share in self._shares(applied)), default=None)

    def _shares(self, applied: Applied) -> Iterator[tuple[Key, float]]:
        """Yields every tensor with the largest share of its allowance that an element uses."""
        judge, name = self.bench.judge, self.pair.other.layer.name
        held = self.bench.correspondence.of_layer(name, applied.state, applied.parameter_gradients)
        for key, value in self.allowances.reference.items():
            if key.layer:
                if key in held:
                    yield key, judge.judged(key, held[key], self.allowances).share
            elif key.rung == GRADIENT:
                came_back = bool(applied.input_gradients)  # where outputs are of the reference's shapes
                if came_back and (source := self.feeding.alone(int(key.tensor))) is not None:
                    place, lies = source
                    gradient = or_zero(applied.input_gradients[place], lies.there(value))
                    yield key, self.allowances.share(key, lies.back(gradient).astype(judge.dtype))
            elif int(key.tensor) < len(applied.outputs):
                found = applied.outputs[int(key.tensor)]
                if (layout := self.bench.lying.layout(value.astype(judge.dtype), found)) is not None:
                    yield key, self.allowances.share(key, layout.back(found))
                elif [side for side in found.shape if side > 1] == [side for side in value.shape if side > 1]:
                    yield key, self.allowances.share(key, found.reshape(value.shape))
                elif found.ndim == value.ndim:  # of another rank it may be the last step of what is whole there
                    yield key, math.inf


def _fit(given: Sequence[Array | None], others: Sequence[Array]) -> bool:
    """Tells whether what is given has the others' shapes."""
    return all(one is None or one.shape == other.shape for one, other in zip(given, others, strict=False))


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
