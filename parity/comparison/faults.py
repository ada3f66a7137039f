"""Whose fault it is: each layer of the other model is given the reference's input, and its own error is judged."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.allowing import Allowances
from parity.comparison.causes import together
from parity.comparison.feeding import Feeding, Lying
from parity.comparison.model import Call, Model, floats
from parity.comparison.result import Fault
from parity.ladder.judge import share_used
from parity.ladder.trace import OUTPUT, Key, Trace
from parity.rounding.errors import current_errors

# Judges a running statistic (what it is, what was found, the reference's, its allowance), with what is known to differ.
PROVEN = 3  # times: the batch normalisations of a deep network have all the same eps, and it matters in each
EVERYWHERE = ("eps", "momentum")  # the settings that matter whatever a layer is given; a padding does not
StateShare = Callable[[Key, Array, Array, Array], float]


@dataclass(frozen=True)
class Bench:
    """What layers are tried with, one after another.

    wide: the reference in float64
    formulas: the same by the other framework's formulas, where it has some
    other: the model whose layers are tried
    lying: how the reference's arrays lie in the other
    """

    wide: Model
    formulas: Model | None
    other: Model
    training: bool
    lying: Lying
    dtype: np.dtype[np.floating]
    state_share: StateShare


def faults(bench: Bench, pairs: Sequence[Aligned]) -> Iterator[Fault]:
    """Yields the layers whose own error is outside, in the order in which they are called.

    Before one is accused that no known difference explains, there is another look at its allowance. What a difference
    has done `PROVEN` times, it is taken to do in further layers that have it.
    """
    proven: Counter[tuple[str, str]] = Counter()
    for pair in pairs:
        differences = {(call.layer.title, cause.told): (call, cause) for call, cause in pair.causes()}
        known = next((cause for key, (_, cause) in differences.items() if proven[key] >= PROVEN), None)
        beside = " and ".join(call.site for call in pair.reference)
        if pair.other.layer.kind == "dropout":  # it is told by its rate alone: by itself it drops at random
            if differences:
                _, rate = next(iter(differences.values()))
                yield Fault(pair.other.site, pair.other.layer.title, beside, math.inf, rate)
            continue
        if known is not None:
            yield Fault(pair.other.site, pair.other.layer.title, beside, None, known)
            continue
        if (own := OwnError.of(bench, pair)) is None or (share := own.share()) is None or share <= 1:
            continue
        tried = ((call, cause) for call, cause in differences.values() if cause.removes(own.share))
        call, cause = next(tried, (pair.other, None))
        if cause is None:
            several = together([cause for call, cause in differences.values() if call is pair.other])
            cause = next((cause for cause in several if cause.removes(own.share)), None)
        if cause is not None and cause.name in EVERYWHERE:
            proven[pair.other.layer.title, cause.told] += 1
        elif cause is None:
            own.allowances.look_again()
            if (again := own.share()) is not None and again <= 1:
                continue
        yield Fault(call.site, call.layer.title, beside, share, cause)


class OwnError:
    """The error that a layer makes itself, given the reference's input as the other model has it."""

    def __init__(self, bench: Bench, pair: Aligned, feeding: Feeding) -> None:
        self.bench, self.pair, self.feeding = bench, pair, feeding
        self.inputs = pair.reference[0].inputs
        self.wanted = self._computed(bench.wide)
        self.allowances = Allowances(self.wanted, functools.partial(self._computed, bench.wide), bench.dtype)
        self.allowances.look()
        if bench.formulas is not None:
            compute = functools.partial(self._computed, bench.formulas)
            by_formulas = Allowances(compute(), compute, bench.dtype)
            by_formulas.look()
            self.allowances.widen(by_formulas)

    @classmethod
    def of(cls, bench: Bench, pair: Aligned) -> OwnError | None:
        """The own error of a layer; None where it does not take the reference's input in any layout."""
        feeding = Feeding.of(pair.reference[0], pair.entered, bench.lying)
        return cls(bench, pair, feeding) if feeding is not None else None

    def _computed(self, model: Model) -> Trace:
        """What the reference's layers compute of the input, and their running statistics after it."""
        arrays = [_rounded(values) for values in self.inputs]
        state: Trace = {}
        for call in self.pair.reference:
            if call.layer.name not in model.layers:  # a layer that only the other model has: nothing is computed here
                continue
            arrays, after = model.apply(_same_call(model, call), arrays, self.bench.training)
            state |= {Key(0, OUTPUT, call.layer.name, "state", role): values for role, values in after.items()}
        return {Key(0, OUTPUT, "", "output", str(place)): arrays[place] for place in floats(arrays)} | state

    def share(self) -> float | None:
        """The largest share of its allowance that the layer uses as it is now; None where nothing is comparable."""
        there = self.feeding.inputs(self.inputs)
        if self.pair.ahead is not None:
            there, _ = self.bench.other.apply(self.pair.ahead, there, self.bench.training)
        outputs, state = self.bench.other.apply(self.pair.other, there, self.bench.training)
        if self.pair.behind is not None:
            outputs, _ = self.bench.other.apply(self.pair.behind, outputs, self.bench.training)
        return max(self._shares(outputs, state), default=None)

    def _shares(self, outputs: Sequence[Array], state: dict[str, Array]) -> Iterator[float]:
        bounds = self.allowances.bounds
        for key, value in self.wanted.items():
            if key.quantity == "state":
                if key.tensor in state:
                    yield self.bench.state_share(key, state[key.tensor], value, bounds[key])
            elif int(key.tensor) < len(outputs):
                found = outputs[int(key.tensor)]
                if (layout := self.bench.lying.layout(value.astype(self.bench.dtype), found)) is not None:
                    yield share_used(layout.back(found), value, bounds[key], self.bench.dtype)
                elif [side for side in found.shape if side > 1] == [side for side in value.shape if side > 1]:
                    yield share_used(found.reshape(value.shape), value, bounds[key], self.bench.dtype)
                elif found.ndim == value.ndim:  # of another rank it may be the last step of what is whole there
                    yield math.inf


def _same_call(model: Model, call: Call) -> Call:
    return replace(call, layer=model.layers[call.layer.name])


def _rounded(values: Array) -> Array:
    """The input of a layer, with the error of what rounded it: one formula is more sensitive to it than another."""
    errors = current_errors()
    if errors is None or values.dtype.kind != "f":
        return values
    values = values.astype(np.float64)
    errors.perturb(values, np.abs(values), 1, True)
    return values
