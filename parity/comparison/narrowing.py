"""The errors of models in formats of 16 bits, or of which a part is: they compute in float32, and round once.

Products of matrices, sums, functions and normalisations take their terms as float32 and round what comes out, in
torch's kernels and in TensorFlow's. The fused gradients of convolutions and normalisations, and those of biases, add up
in the narrow format itself, and Keras rounds a product before it adds the bias. An operation that a framework keeps in
float32, as torch's autocast does with those on its list, makes the errors of float32 alone: in what format torch
computes each is watched while the model runs, and an operation of the float64 reference has the format of the one of
the same name and number.

These errors know no largest number. What the range of a format does is looked at apart, and allows nothing: there a
result that comes as near to the largest number as rounding makes of it is an infinity, as it is in one of two right
implementations, it may be. The results of operations are so, and not what torch computes inside of one, in float32.
"""

from __future__ import annotations

import contextlib
import copy
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.dispatching import handing_on
from parity.comparison.formats import NARROW, Arithmetic
from parity.comparison.kinds import ADDED_IN_NARROW, name_of
from parity.comparison.model import Model, Run
from parity.frameworks.lazy import torch
from parity.rounding.errors import LOST, SLACK, Errors, RandomErrors

SINGLE = np.dtype(np.float32)
SLACK_NARROW = 4.0  # roundings that one operation may be off: measured, see docs/explanation/allowance.md


class InNarrow(Errors):
    """What is computed in float32, with its errors, and rounded to a narrow format.

    kept: the errors of float32 alone, of what is not rounded so
    casting: whether what goes into an operation is rounded, too, as arrays of float32 are under a policy
    adding: whether sums are rounded at each of their terms
    passing: whether a forward pass is made, and not what is behind it
    ranged: whether what goes beyond the largest number is an infinity
    """

    kept: Errors
    adding = passing = ranged = False

    def __init__(self, arithmetic: Arithmetic) -> None:
        assert arithmetic.narrow is not None
        self.narrow, self.casting = arithmetic.narrow, arithmetic.mixed

    def of(self, operation: Any, kept: bool) -> Errors:
        """The errors that an operation makes, which may be kept in float32."""
        name = name_of(operation)
        if kept or not (name in ADDED_IN_NARROW or (name == "sum" and not self.passing)):
            return self.kept if kept else self
        made = copy.copy(self)
        made.adding = True
        return made

    @property
    def forward(self) -> Errors:
        made = copy.copy(self)
        made.passing = True
        return made

    @property
    def inside(self) -> InNarrow:
        """The errors inside of an operation, which is made of others."""
        made = copy.copy(self)
        made.ranged = False
        return made

    def cast(self, values: Array) -> Array:
        """The values, with the error of rounding each."""
        made = values.copy()
        self.round(made, np.abs(made), 1, True)
        return made

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        self.kept.perturb(result, magnitude, weight, where, larger)
        size = magnitude if self.adding else np.abs(result)
        self.round(result, size, weight if self.adding else 1, where)
        self.limit(result, size)

    def limit(self, result: Array, size: Array) -> None:
        """Make infinities of results of this size that may be beyond the largest number, where that is looked at."""
        if self.ranged:
            with np.errstate(all="ignore"):
                beyond = size * (1 + SLACK_NARROW * self.narrow.unit) > self.narrow.largest
            np.copyto(result, np.copysign(np.inf, result), where=beyond)

    def round(self, result: Array, size: Array, weight: int, where: Any) -> None:
        """Make the error of `weight` roundings of this size; what is 0 exactly is not rounded."""
        raise NotImplementedError


class RandomInNarrow(InNarrow):
    """Random errors of up to `size` roundings; `mirrored` gives those of the same seed the other sign."""

    def __init__(
        self, arithmetic: Arithmetic, seed: bytes, size: float, mirrored: bool = False, ranged: bool = False
    ) -> None:
        super().__init__(arithmetic)
        self.size, self.roundings, self.ranged = size, size, ranged
        self.kept = RandomErrors(SINGLE, seed, SLACK if size > 1 else size, mirrored)
        # Those of float32 are as large where they are of so many roundings more.
        self.rounding = RandomErrors(SINGLE, seed + b" narrow", size * self.narrow.unit * 2.0**24, mirrored)

    def round(self, result: Array, size: Array, weight: int, where: Any) -> None:
        # Below the smallest normal number, numbers lie as far apart as there.
        least = np.where(size > 0, np.maximum(size, self.narrow.smallest), 0)
        self.rounding.perturb(result, least, weight, where)


class NearestInNarrow(InNarrow):
    """Results are rounded to the nearest number of the format, or of one with `dropped` bits fewer."""

    kept = Errors()

    def __init__(self, arithmetic: Arithmetic, dropped: int = 0, ranged: bool = False) -> None:
        super().__init__(arithmetic)
        self.dropped, self.roundings, self.ranged = dropped, 2.0**dropped, ranged

    def round(self, result: Array, size: Array, weight: int, where: Any) -> None:
        np.copyto(result, self.narrow.nearest(result, self.dropped), where=where)


class ExactInNarrow(InNarrow):
    """No errors but the end of the range: what is selected by rounding is selected as in the reference."""

    kept = Errors()
    ranged = True

    def round(self, result: Array, size: Array, weight: int, where: Any) -> None:
        pass


class LosingInNarrow(NearestInNarrow):
    """What may be lost of a sum of two becomes 0, and all else is rounded to the nearest number."""

    losing = True

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        if larger is not None:
            least = np.maximum(LOST * 2 * self.narrow.unit * larger, self.narrow.smallest)
            np.copyto(result, 0, where=(np.abs(result) < least) & where)
        super().perturb(result, magnitude, weight, where, larger)


Kept = Mapping[str, Sequence[bool]]  # by an operation's name, whether each call of it computed in float32
NONE_KEPT: Kept = {}


class Keeping:
    """Tells, call by call, what operations a framework keeps in float32. One counts anew in each run."""

    def __init__(self, kept: Kept) -> None:
        self._calls: dict[str, Iterator[bool]] = {name: iter(calls) for name, calls in kept.items()}

    def next(self, operation: Any) -> bool:
        """Tells whether the next call of this operation is kept; one that was not watched is not."""
        return next(self._calls.get(name_of(operation), iter(())), False)


class Watch:
    """A context that watches in what formats torch computes.

    kept: what is computed in float32
    narrow: the names of the narrow formats that were met
    """

    def __init__(self) -> None:
        self.kept: dict[str, list[bool]] = defaultdict(list)
        self.narrow: set[str] = set()
        self._entered = contextlib.ExitStack()

    def __enter__(self) -> Watch:
        if "torch" in sys.modules:
            self._entered.enter_context(handing_on(self._perform))
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()

    def _perform(self, operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Perform an operation, and note the format of what it computed."""
        results = operation(*args, **kwargs)
        leaves = results if isinstance(results, list | tuple) else [results]
        floating = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
        if floating:
            self.narrow |= {name for leaf in floating if (name := str(leaf.dtype).removeprefix("torch.")) in NARROW}
            self.kept[name_of(operation)].append(all(leaf.dtype == torch.float32 for leaf in floating))
        return results


def in_single(watch: Watch, other: Watch) -> Kept:
    """Returns what is kept in float32 by both of two models, call by call as far as both have it."""
    return {
        name: [one and two for one, two in zip(calls, other.kept[name], strict=False)]
        for name, calls in watch.kept.items()
        if name in other.kept
    }


def as_computed(model: Model, inputs: Sequence[Array], arithmetic: Arithmetic) -> Arithmetic:
    """The arithmetic with the narrow format that a torch model computes in though its arrays do not, under autocast.

    A model that casts by its own hand does so in float64 as well, and has no reference: it stays as it is.
    """
    if model.framework != "torch" or arithmetic.name != "float32":
        return arithmetic
    try:
        with Watch() as watch:
            model.run(inputs, training=False)
        with Watch() as wide:
            if watch.narrow:
                model.wide().run(inputs, training=False)
    except Exception:  # it does not run so: who runs it next says why
        return arithmetic
    if len(watch.narrow) != 1 or wide.narrow:
        return arithmetic
    return replace(arithmetic, narrow=NARROW[watch.narrow.pop()], mixed=True)


def overflown(run: Run, arithmetic: Arithmetic, mode: str) -> Iterator[str]:
    """Yields what is said of a run that went beyond the largest number of its format."""
    if arithmetic.narrow is None:
        return
    for call in run.calls:
        computed = [*call.outputs, *(gradient for gradient in call.gradients if gradient is not None)]
        if any(np.isinf(values).any() for values in computed if values.dtype.kind == "f"):
            yield (
                f"in {mode} mode {call.site} goes beyond {arithmetic.narrow.largest:g}, the largest number of "
                f"{arithmetic.name}: give smaller inputs, or take bfloat16"
            )
            return
