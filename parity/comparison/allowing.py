"""The allowance of a whole model: deviations under rounding errors, run after run, since one run of it may be large.

The errors and their sum are those of `parity.rounding.allowance`, which makes many runs of a small computation at once.
Here each run is paid for, and they come in stages: a glance at one of each of `PAIRS` pairs of random errors; a look at
the other ones, at losing and at rounding; and, before anybody is accused, another look at `MORE` pairs and at the
branches that losing and rounding take. Where nothing jumps, errors of opposite signs have opposite effects: a glance
finds all that the pairs find. And more runs only ever widen an allowance: what is inside after a glance is inside after
any look. Who stops there has judged by no more than is allowed.

Torch has no format wider than float64, so the reference of a model in float64 errs as well as what is judged by it:

    |other - reference| <= |other - exact| + |reference - exact|

Either term is bounded by the allowance, which is that of any computation of the same in this format, and twice as much
is allowed between the two.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from numpynet import Array
from parity.comparison.allowed import Allowed, Key
from parity.comparison.formats import Arithmetic
from parity.comparison.narrowing import (
    NONE_KEPT,
    SLACK_NARROW,
    ExactInNarrow,
    Keeping,
    Kept,
    LosingInNarrow,
    NearestInNarrow,
    RandomInNarrow,
)
from parity.comparison.operations import Rounding
from parity.rounding.allowance import FEWER_BITS, MORE, PAIRS, PARTIAL, SMALL_EVERY, combined, size_of
from parity.rounding.errors import SLACK, BehindForward, Errors, InHalf, Losing, Nearest, RandomErrors, making

Made = Callable[[], None]
FEW = SMALL_EVERY  # pairs of both sizes
RUNS = 2 * PAIRS + FEW + 2  # of two glances and a look
FEWER_BITS_NARROW = int(math.log2(SLACK_NARROW))
BOTH = (False, True)  # of a pair: the errors, and those of the other signs


class Allowances(Allowed[Key]):
    """How far each tensor of `reference` may be off in the format of `arithmetic`, found out run after run.

    run: computes it anew, in the reference's format, under the errors that are being made
    made: is called after each run
    kept: what operations are kept in float32 where the format is a narrow one
    unmodelled: the names of torch's operations that there is no model of rounding for
    """

    def __init__(
        self,
        reference: dict[Key, Array],
        run: Callable[[], Mapping[Key, Array]],
        arithmetic: Arithmetic,
        made: Made = lambda: None,
        kept: Kept = NONE_KEPT,
    ) -> None:
        super().__init__(reference, arithmetic.dtype)
        self.run, self.made, self.kept, self.arithmetic = run, made, kept, arithmetic
        self.rounding = Rounding()
        self.large, self.small = ({key: np.zeros_like(value) for key, value in reference.items()} for _ in range(2))

    def glance(self) -> None:
        """Look at one of each of `PAIRS` pairs of random errors."""
        self._observe(self._random(range(PAIRS), [False]))

    def glance_again(self) -> None:
        """Look at a few more such: of millions of elements, some are hardly moved by any of six."""
        self._observe(self._random(range(PAIRS, PAIRS + FEW), [False]))

    def look(self) -> None:
        """Look at the other one of each pair, at losing and at rounding, after two glances."""
        special: list[Errors] = [Losing(self.dtype), Nearest(self.dtype)]
        if self.arithmetic.narrow is not None:
            special = [NearestInNarrow(self.arithmetic)]
        self._observe([*self._random(range(PAIRS), [True]), *special])

    def looked(self) -> Iterator[None]:
        """Look in stages; yields after each."""
        for look in (self.glance, self.glance_again, self.look):
            look()
            yield

    def look_again(self, enough: Callable[[], bool]) -> None:
        """Look further until `enough` says so, which is asked after every few runs."""
        for few in self._further():
            self._observe(few)
            if enough():
                return

    def look_at_range(self) -> None:
        """Look at what the range of a narrow format does, which is allowed nothing: it keeps one from judging.

        Where the reference strays further than is allowed in a range that ends, the same errors are made in one that
        does not: what differs is the range's doing.
        """
        if self.arithmetic.narrow is None:
            return
        self.strayed = {
            key: np.where(np.isfinite(value), 0, np.inf).astype(value.dtype) for key, value in self.reference.items()
        }
        self._stray(self._run(ExactInNarrow(self.arithmetic)), lambda: self.reference)
        for number in range(FEW):
            ending, endless = (self._in_range(number, ranged) for ranged in (True, False))
            self._stray(self._run(ending), functools.partial(self._run, endless))

    def _stray(self, ending: Mapping[Key, Array], endless: Callable[[], Mapping[Key, Array]]) -> None:
        """Take in what was computed in a range that ends, beside the same in one that does not."""
        further = {key: ~(_apart(ending[key], value) <= self.bound(key)) for key, value in self.reference.items()}
        if not any(where.any() for where in further.values()):
            return
        beside = endless()
        for key, strayed in self.strayed.items():
            far = np.where(np.isfinite(ending[key]), _apart(ending[key], beside[key]), np.inf)
            np.maximum(strayed, far, out=strayed, where=further[key])

    def _in_range(self, number: int, ranged: bool) -> Errors:
        """The errors of one of a few runs: the first rounds to the nearest number, the others at random."""
        if not number:
            return NearestInNarrow(self.arithmetic, ranged=ranged)
        return RandomInNarrow(self.arithmetic, f"pair {number}".encode(), SLACK_NARROW, ranged=ranged)

    def _further(self) -> Iterator[Iterable[Errors]]:
        """Yields the errors of another look, group by group: pairs, then those at branches (`deviations` has why)."""
        for first in range(PAIRS + FEW, PAIRS + FEW + MORE, PAIRS):
            yield self._random(range(first, first + PAIRS), BOTH)
        if self.arithmetic.narrow is not None:
            yield [NearestInNarrow(self.arithmetic, bits) for bits in range(1, FEWER_BITS_NARROW + 1)]
            yield [LosingInNarrow(self.arithmetic, bits) for bits in range(FEWER_BITS_NARROW + 1)]
            return
        for bits in range(FEWER_BITS + 1):
            yield Losing(self.dtype, Nearest(self.dtype, bits)), Nearest(self.dtype, bits)
        for pair in range(PAIRS):
            yield [BehindForward(self.dtype, f"behind {pair}".encode(), SLACK, other) for other in BOTH]
        for pair, special in itertools.product(range(PARTIAL), (Losing, Nearest)):
            yield [InHalf(special(self.dtype), f"half {pair}".encode(), other) for other in BOTH]

    def _random(self, pairs: Iterable[int], mirrored: Sequence[bool]) -> Iterator[Errors]:
        for pair, other in itertools.product(pairs, mirrored):
            seed, size = f"pair {pair}".encode(), size_of(pair)
            if self.arithmetic.narrow is None:
                yield RandomErrors(self.dtype, seed, size, other)
            else:
                yield RandomInNarrow(self.arithmetic, seed, min(size, SLACK_NARROW), other)

    def _observe(self, made: Iterable[Errors]) -> None:
        for one in made:
            found = self._run(one)
            for key, largest in (self.small if one.size == 1 else self.large).items():
                with np.errstate(all="ignore"):
                    deviation = np.abs(found[key] - self.reference[key])
                np.fmax(largest, deviation, out=largest, where=np.isfinite(deviation))  # jumps are finite

    def _run(self, one: Errors) -> Mapping[Key, Array]:
        # In this order: where no errors are made, attention stays fused, which has no model of rounding.
        self.rounding.keeping = Keeping(self.kept)
        with np.errstate(all="ignore"), making(one), self.rounding:
            found = self.run()
        self.made()
        return found

    def widen(self, other: Allowances[Key]) -> None:
        """Allow as much as `other` does where that is more."""
        for ours, theirs in ((self.large, other.large), (self.small, other.small)):
            for key, deviation in ours.items():
                np.fmax(deviation, theirs[key], out=deviation)

    def stray_with(self, other: Allowances[Key]) -> None:
        """Take what the range keeps from judging in `other` for what it keeps from judging here."""
        for key, strayed in self.strayed.items():
            np.maximum(strayed, other.strayed[key], out=strayed)

    def forget(self) -> None:
        """Let go of all arrays, which are many times as large as the model; nothing can be judged then."""
        self.reference, self.large, self.small, self.strayed = {}, {}, {}, {}

    def bound(self, key: Key) -> Array:
        if (narrow := self.arithmetic.narrow) is not None:
            # As in `combined`: in the few runs that jumped, the rounding beside the jump may have made it smaller.
            return (1 + SLACK_NARROW**2 * narrow.unit) * self.large[key] + SLACK_NARROW * self.small[key]
        allowed = combined(self.large[key], self.small[key], self.dtype)
        return 2 * allowed if self.reference[key].dtype == self.dtype else allowed

    @property
    def bounds(self) -> dict[Key, Array]:
        """The allowance of every tensor."""
        return {key: self.bound(key) for key in self.reference}

    @property
    def unmodelled(self) -> list[str]:
        return sorted(self.rounding.unmodelled)


def _apart(one: Array, other: Array) -> Array:
    with np.errstate(all="ignore"):
        apart: Array = np.abs(one - other)
    return apart


def widened(allowances: Allowances[Key], formulas: Callable[[], Allowances[Key] | None]) -> Iterator[None]:
    """Widen allowances, a look at a time, and then to those by other formulas, if there are some.

    Yields after each look, the last of which is at the range of a narrow format.
    """
    yield from allowances.looked()
    if (beside := formulas()) is not None:
        for _ in beside.looked():
            allowances.widen(beside)
            yield
    if allowances.arithmetic.narrow is not None:
        allowances.look_at_range()
        yield
        if beside is not None:
            beside.look_at_range()
            allowances.stray_with(beside)
            yield
