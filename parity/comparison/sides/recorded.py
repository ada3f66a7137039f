"""Models that were recorded: what they computed is played, and nothing that they are written in is needed.

A recording holds what rounding allows each tensor. Under random errors of their natural size, which count `SLACK`
times, a tensor strays by a `SLACK`-th of that, and under others not at all: an allowance that is looked for finds the
one that was recorded. In formats of 16 bits they count `SLACK_NARROW` times, and what was recorded to be beyond the
range is infinite where that is looked at.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.flattened import BACK, GRADIENTS, STATES, unflattened
from parity.comparison.model import NOTHING, Applied, Call, Held, Layer, Model, Run, Setting, Unfit
from parity.comparison.narrowing import SLACK_NARROW, InNarrow
from parity.comparison.recording import LayerPart, damaged, read
from parity.rounding.errors import SLACK, RandomErrors, current_errors

FRAMEWORK = "parity"  # whose format it is
MODES = {False: "evaluation", True: "training"}
# What is recorded of a run, by folder: as the model computes it, in float64, and what rounding allows.
COMPUTED, REFERENCE, ALLOWED, ALLOWED_BESIDE = "computed", "reference", "allowed", "allowed beside"
BEYOND = "beyond"  # which elements the range of a format of 16 bits keeps from being judged
CURVE, LOSSES = "curve", "losses"  # a training, beside what was allowed
ALONE, BEHIND = "alone", "behind"  # of a layer given its input, and given what the layer before it makes of its own


class RecordedModel(Model):
    """A model that was recorded, read from a file; it answers for the inputs that it was recorded with alone.

    Raises `Unfit`, which says what is wrong with the file and what to do, where it is no recording.
    """

    precedence = 3

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = Path(file)
        self.header, self.arrays = read(self.file)
        self.framework, self.untrained = self.header.framework, self.header.untrained
        self.unmodelled = frozenset(self.header.unmodelled)
        self.dtype = np.dtype(self.header.dtype)
        self.played, self.allowed = COMPUTED, ""
        self.handed, self.sent, self.behind = _nothing(), _nothing(), 0
        self.asked: set[str] = set()  # the frameworks whose formulas nothing was recorded of
        try:
            self.frozen = {tuple(part.held[role]) for part in self.header.layers for role in part.frozen}
            self.layers = {part.name: self._layer(part) for part in self.header.layers}
            self.inputs = [self.arrays[f"inputs/{place}"] for place in range(self.header.inputs)]
            for training, mode in MODES.items():
                if mode in self.header.modes:
                    for played in (COMPUTED, REFERENCE):
                        self._view(played, "")._run(training, True)
                elif not (training and self.untrained):
                    raise KeyError(mode)
        except KeyError as error:
            raise damaged(self.file, f"it lacks {error.args[0]}") from error

    def _layer(self, part: LayerPart) -> Layer:
        held = {
            role: Held(tuple(names), (self.arrays[f"weights/{part.name}/{role}"],)) for role, names in part.held.items()
        }
        settings = {name: _setting(_value(known.value), known.written) for name, known in part.settings.items()}
        return Layer(part.name, part.title, part.kind, held, settings, part.activation)

    def _view(self, played: str, allowed: str) -> RecordedModel:
        other = copy.copy(self)
        other.played, other.allowed = played, allowed
        return other

    def untold(self) -> list[str]:
        made_by = " ".join(f"{name} {version}" for name, version in self.header.made_by.items())
        look = "a second look" if self.header.thorough else "one look, and there is no second before a layer is accused"
        lines = [f"{self.file.name} was recorded by {made_by}: its allowances are those of {look}"]
        lines += [
            f"allowances by {framework}'s own formulas were not recorded: where those round worse, a right layer may "
            f"be called wrong. Record the model with --beside {framework}"
            for framework in sorted(self.asked)
        ]
        return lines

    def run(
        self,
        inputs: Sequence[Array],
        training: bool,
        cotangents: Sequence[Array] | None = None,
        kept: Mapping[str, Array] = NOTHING,
    ) -> Run:
        same = len(inputs) == len(self.inputs) and all(map(np.array_equal, inputs, self.inputs))
        if not same:
            raise Unfit("inputs: a recording answers for the inputs that it was made with alone: give none")
        return self._run(training, cotangents is not None)

    def _run(self, training: bool, backwards: bool) -> Run:
        mode = MODES[training]

        def find(name: str) -> Array | None:
            if "gradients/" in name and not backwards:
                return None
            if "/inputs/" in name:
                return self.arrays.get(f"{mode}/{COMPUTED}/{name}")
            return self._played(f"{mode}/{{}}/{name}")

        whole = self.played == COMPUTED
        return unflattened(self.header.modes[mode], self.layers, len(self.inputs), find, whole)

    def _played(self, name: str) -> Array | None:
        """The array of this name, in which {} stands for the folder; strayed where errors are being made."""
        found = self.arrays.get(name.format(self.played))
        errors = current_errors()
        if found is None or not self.allowed or errors is None:
            return found
        if isinstance(errors, InNarrow) and errors.ranged:
            beyond = self.arrays.get(name.format(BEYOND))
            return found if beyond is None else np.where(beyond, np.inf, found)
        allowed = self.arrays.get(name.format(self.allowed))
        if allowed is None or errors.size != 1 or not isinstance(errors, RandomErrors | InNarrow):
            return found
        doubled = 2 if found.dtype == self.dtype else 1  # as `Allowances` does where the reference errs as well
        return found + allowed / ((SLACK_NARROW if isinstance(errors, InNarrow) else SLACK) * doubled)

    def apply(
        self, call: Call, inputs: Sequence[Array], training: bool, cotangents: Sequence[Array | None] | None = None
    ) -> Applied:
        """Returns what was recorded of the layer alone or, given what this model made, of two layers together.

        The second of two is given what the first handed on, and the first what the second sent back.
        """
        part, mode = self.header.modes[MODES[training]], MODES[training]
        number = next(place for place, one in enumerate(part.calls) if one.site == call.site)
        second = any(values is handed for values in inputs for handed in self.handed)
        first = cotangents is not None and cotangents is self.sent
        alone = f"{mode}/{{}}/{ALONE}/{number}"
        folder = f"{mode}/{{}}/{BEHIND}/{number if second else self.behind}" if first or second else alone

        def of_layer(kind: str) -> dict[str, Array]:
            found = {role: self._played(f"{folder}/{kind}/{call.layer.name}/{role}") for role in call.layer.held}
            return {role: values for role, values in found.items() if values is not None}

        outputs = [
            self._played(f"{folder if second else alone}/outputs/{place}")
            for place in range(part.calls[number].outputs)
        ]
        self.handed = [values for values in outputs if values is not None]
        applied = Applied(self.handed, of_layer(STATES))
        if cotangents is not None:
            applied.input_gradients = [self._played(f"{folder}/{BACK}/{place}") for place in range(len(inputs))]
            applied.parameter_gradients = of_layer(GRADIENTS)
            if second:
                self.sent, self.behind = applied.input_gradients, number
        return applied

    def cotangents(self, outputs: Sequence[Array], training: bool, rng: np.random.Generator) -> list[Array]:
        return [self._kept(f"{MODES[training]}/cotangents/{place}") for place in range(len(outputs))]

    def mask(self, call: Call, shape: Sequence[int], rng: np.random.Generator) -> Array:
        return self._kept(f"training/masks/{call.site}")

    def _kept(self, name: str) -> Array:
        if name not in self.arrays:
            raise damaged(self.file, f"it lacks {name}")
        return self.arrays[name]

    def read(self, held: Held) -> Array:
        return held.to_one([values.copy() for values in held.tensors])

    def write(self, held: Held, values: Array) -> None:
        raise Unfit(
            f"{self.file} is a recording, into which nothing can be copied: give it first, and the model that it is "
            "compared with second"
        )

    def format_of(self, held: Held) -> str:
        name: str = held.tensors[0].dtype.name
        return name if self.header.mixed else self.header.narrow or name

    def formats(self) -> dict[str, str]:
        """The formats of arrays, and that which the model computed in by autocast or a policy."""
        return {self.header.narrow or self.header.dtype: self.file.name} | super().formats()

    def judged_in(self, name: str) -> None:
        recorded = self.header.narrow or self.header.dtype
        if name != recorded:
            raise Unfit(
                f"{self.file} was recorded in {recorded}, and so are its allowances, but the second model computes in "
                f"{name}: give that in {recorded}, or record the first in {name}"
            )

    def is_frozen(self, held: Held) -> bool:
        return held.names in self.frozen

    @contextlib.contextmanager
    def left_as_it_was(self, layer: Layer | None = None) -> Iterator[None]:
        yield  # nothing changes it

    def wide(self) -> Model:
        return self._view(REFERENCE, ALLOWED)

    def by_formulas(self, framework: str) -> Model | None:
        if framework not in self.header.asked:
            self.asked.add(framework)
        return self._view(REFERENCE, ALLOWED_BESIDE) if framework == self.header.beside else None


def kind() -> tuple[type, ...]:
    return str, os.PathLike


SIDE = RecordedModel


def inputs_of(first: Model, second: Model, inputs: Any) -> Any:
    """The inputs of a comparison: those that were given or, of a recording, those that it was made with."""
    if isinstance(second, RecordedModel):
        raise Unfit(
            f"{second.file} is a recording, into which no weights can be copied: give it first, and the model that is "
            "compared with it second"
        )
    if isinstance(first, RecordedModel):
        if inputs is not None:
            raise Unfit(f"inputs: {first.file} answers for the inputs that it was recorded with alone: give none")
        return first.inputs
    if inputs is None:
        raise Unfit("inputs: give an array, or a sequence of the arrays that the model is called with")
    return inputs


def _nothing() -> list[Any]:
    """A list that is no other one, for what has not been handed on yet."""
    return []


def _setting(value: Any, written: str) -> Setting:
    return Setting(value, lambda _: written)


def _value(value: Any) -> Any:
    """Makes a tuple again of what JSON has as a list."""
    return tuple(map(_value, value)) if isinstance(value, list) else value
