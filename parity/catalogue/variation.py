"""How an example is run with a special value: in every format, in both modes where they differ, at two places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numpynet import SGD, Array
from numpynet.module import each
from parity.case import Case, Shape, Step
from parity.catalogue.example import Example
from parity.drawing.examples import normal
from parity.formats import FORMATS, Format
from parity.ladder.trace import STEP, Key, Trace, run
from parity.mapping.convert import subject

PLACES = {"first": 0, "last": -1}
VALUES = ("NaN", "+inf", "-inf", "-0", "largest", "smallest normal", "subnormal")
FINITE, ZERO, NEGATIVE_ZERO, INFINITE, MINUS_INFINITE, NAN = range(6)
KINDS = ("finite", "zero", "negative zero", "+inf", "-inf", "NaN")


def values(of: Format) -> dict[str, Any]:
    """The special values of a format, by name."""
    numbers = (np.nan, np.inf, -np.inf, -0.0, of.largest, of.smallest, of.smallest / 4)
    return dict(zip(VALUES, numbers, strict=True))


def kinds(values: Array, signed: bool) -> Array:
    """The kind of number that each element is, as its index in KINDS; a zero has no sign unless they are `signed`."""
    negative = np.signbit(values) & signed
    found = np.select(
        [np.isnan(values), values == np.inf, values == -np.inf, values == 0],
        [NAN, INFINITE, MINUS_INFINITE, np.where(negative, NEGATIVE_ZERO, ZERO)],
        FINITE,
    )
    return np.asarray(found)


@dataclass(frozen=True)
class Variation:
    """An example in one format and mode, with the special value at one place."""

    example: Example
    format: Format
    training: bool
    place: str

    @property
    def words(self) -> tuple[str, ...]:
        """Returns what tells it from the others of its class: the example's name, format, mode and place."""
        return self.example.name, self.format.name, "training" if self.training else "evaluation", self.place


def variations(example: Example) -> list[list[Variation]]:
    """The variations of an example; those of one list share a case, as far as they can.

    An optimizer works element by element, or on all of them alike: it is tried at one place.
    """
    modes = (True, False) if _remembers(example) else (True,)
    places = PLACES if example.arguments is None else ("first",)
    return [
        [Variation(example, format, training, place) for place in places]
        for format in FORMATS.values()
        for training in modes
    ]


def traces(together: list[Variation], name: str) -> Iterator[tuple[Variation, str, Trace]]:
    """Yields what the implementation called `name` computes of each special value, by variation and value.

    Of an optimizer these are its steps alone: one along a special gradient, and one along an ordinary gradient. What
    remembers nothing from call to call is made once, and called with one value after another: to make it takes longest.
    """
    first = together[0]
    case, steps = _case(first), {}
    for variation in together:
        for value, number in values(first.format).items():
            steps[variation, value] = _steps(variation, case, number)
    apart = case.arguments is not None or (first.training and _remembers(first.example))
    for group in [[key] for key in steps] if apart else [list(steps)]:
        each_case = replace(case, steps=[step for key in group for step in steps[key]])
        with np.errstate(all="ignore"):
            trace = run(each_case, subject(each_case, name))
        length = len(each_case.steps) // len(group)
        for number, (variation, value) in enumerate(group):
            own = range(number * length, (number + 1) * length)
            yield (
                variation,
                value,
                {
                    key._replace(step=key.step - own.start): np.asarray(array)
                    for key, array in trace.items()
                    if key.step in own and (case.arguments is None or key.rung == STEP)
                },
            )


def quantity(key: Key, of: Example) -> str:
    """Returns what is computed, in words; of an optimizer, which trains one weight, with the step."""
    return str(key).rpartition(", ")[0] if of.arguments is None else f"{key.quantity}, step {key.step + 1}"


def _remembers(example: Example) -> bool:
    """Tells whether a call in training changes what later calls compute: statistics move, random numbers are drawn."""
    parts = [part for _, part in example.module.named_modules()]
    return bool(example.module.named_buffers()) or any("rng" in vars(part) for part in parts)


def _case(variation: Variation) -> Case:
    """The case of the variation, with fixed weights and no steps."""
    example, dtype = variation.example, variation.format.dtype
    module = example.module.astype(dtype)
    for number, parameter in enumerate(module.parameters()):
        weights = _positive(number + 2, parameter.value.shape, dtype)
        parameter.map(lambda _, weights=weights: weights)  # type: ignore[misc]
    optimizer = SGD if example.arguments is None else example.of
    return Case(module, [], variation.training, example.arguments, optimizer=optimizer)


def _positive(seed: int, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Random weights, or a random cotangent, between 1/2 and 1: an infinity keeps its sign."""
    return np.asarray(0.5 + np.abs(normal(seed, shape)) / 8, dtype)


def _steps(variation: Variation, case: Case, number: Any) -> list[Step]:
    """The steps with the special value."""
    dtype, place = variation.format.dtype, PLACES[variation.place]

    def special(values: Array) -> Array:
        changed = values.copy()
        changed[(place,) * values.ndim] = number
        return changed

    input = each(lambda array: array.astype(dtype), variation.example.input)
    with np.errstate(all="ignore"):
        output = case.fresh()(input)
    cotangent = each(lambda array: _positive(1, array.shape, dtype), output)
    if case.arguments is not None:
        return [Step(input, special(cotangent)), Step(input, cotangent)]
    spoiled = (special(input[0]), *input[1:]) if isinstance(input, tuple) else special(input)
    return [Step(spoiled, cotangent)]
