"""The allowance of a whole model: deviations under rounding errors, run after run, since one run of it may be large.

The errors and their sum are those of `parity.rounding.allowance`, which makes many runs of a small computation at once.
A first look is at `PAIRS` pairs of random errors, at losing and at rounding; a second, before anybody is accused, at
`MORE` pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from numpynet import Array
from parity.comparison.operations import Rounding
from parity.rounding.allowance import MORE, PAIRS, combined, size_of
from parity.rounding.errors import SLACK, Errors, Losing, Nearest, RandomErrors, making

Key = TypeVar("Key")
RUNS = 2 * PAIRS + 2  # of a first look


class Allowances(Generic[Key]):
    """How far each tensor of `reference` may be off in the format `dtype`.

    run: computes it anew, in float64, under the errors that are being made
    unmodelled: the names of torch's operations that there is no model of rounding for
    """

    def __init__(
        self, reference: dict[Key, Array], run: Callable[[], Mapping[Key, Array]], dtype: np.dtype[Any]
    ) -> None:
        self.reference, self.run, self.dtype = reference, run, dtype
        self.rounding = Rounding()
        self.pairs = 0
        self.largest: dict[float, dict[Key, Array]] = {
            size: {key: np.zeros_like(value) for key, value in reference.items()} for size in (SLACK, 1.0)
        }

    def look(self, made: Callable[[], None] = lambda: None) -> None:
        """Look at what random errors, losing and rounding make of every tensor; `made` is called after each run."""
        self._look_at(PAIRS, made)
        for errors in (Losing(self.dtype), Nearest(self.dtype)):
            self._observe(errors, SLACK)
            made()

    def look_again(self, made: Callable[[], None] = lambda: None) -> None:
        """Look at `MORE` pairs of random errors more."""
        self._look_at(MORE, made)

    def _look_at(self, pairs: int, made: Callable[[], None]) -> None:
        for pair in range(self.pairs, self.pairs + pairs):
            size = size_of(pair)
            for mirrored in (False, True):
                self._observe(RandomErrors(self.dtype, f"pair {pair}".encode(), size, mirrored), size)
                made()
        self.pairs += pairs

    def _observe(self, errors: Errors, size: float) -> None:
        # In this order: where no errors are made, attention stays fused, which has no model of rounding.
        with np.errstate(all="ignore"), making(errors), self.rounding:
            found = self.run()
        for key, largest in self.largest[size].items():
            with np.errstate(all="ignore"):
                deviation = np.abs(found[key] - self.reference[key])
            np.fmax(largest, np.where(np.isinf(deviation), 0, deviation), out=largest)  # jumps are finite

    def widen(self, other: Allowances[Key]) -> None:
        """Allow as much as `other` does where that is more."""
        for size, largest in self.largest.items():
            for key, deviation in largest.items():
                np.fmax(deviation, other.largest[size][key], out=deviation)

    @property
    def bounds(self) -> dict[Key, Array]:
        """The allowance of every tensor."""
        small = self.largest[1.0]
        return {key: combined(large, small[key], self.dtype) for key, large in self.largest[SLACK].items()}

    @property
    def unmodelled(self) -> list[str]:
        return sorted(self.rounding.unmodelled)
