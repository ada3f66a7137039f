"""How what the other model computed in one mode is judged, by no more runs under rounding errors than it takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.alignment import Aligned
from parity.comparison.allowing import Allowances, widened
from parity.comparison.correspondence import trace_of
from parity.comparison.formats import Arithmetic
from parity.comparison.known import known
from parity.comparison.model import Call, Run
from parity.comparison.result import Judged
from parity.ladder.judge import errors
from parity.ladder.trace import Key, Trace


@dataclass(frozen=True)
class Judge:
    """Judges single tensors by the reference and, where they are outside, by what is known to differ.

    reference: the run that they are compared with
    before: the running statistics before it
    arithmetic: the format that is judged
    """

    reference: Run
    before: dict[tuple[str, str], Array]
    arithmetic: Arithmetic
    knows: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """The format of the arrays that are judged."""
        return self.arithmetic.dtype

    def judged(self, key: Key, found: Array, allowances: Allowances[Key]) -> Judged:
        expected = allowances.reference[key]
        judged = self._by(key, found, expected, allowances)
        if judged.passed or not self.knows or key.quantity != "state":
            return judged
        before = self.before[key.layer, key.tensor].astype(expected.dtype)
        for difference in known(self.reference, key.layer, key.tensor):
            other = self._by(key, found, difference.predicted(before, expected), allowances)
            if other.passed:
                return replace(other, known=difference)
        return judged

    def _by(self, key: Key, found: Array, expected: Array, allowances: Allowances[Key]) -> Judged:
        left_out = allowances.out_of_range(key, found, expected)
        share, beyond = allowances.share(key, found, expected), int(np.sum(left_out))
        digits = self._digits(found[~left_out], expected[~left_out]) if beyond else self._digits(found, expected)
        return Judged(key, share, digits, beyond=beyond, size=expected.size)

    def _digits(self, actual: Array, expected: Array) -> float:
        """The decimal digits in which two arrays agree, of the largest element's; the format's where they are equal."""
        most = -math.log10(self.arithmetic.apart)
        size = float(np.max(np.abs(expected), initial=0))
        if actual.shape != expected.shape or not size:
            return 0.0 if actual.shape != expected.shape else most
        error = float(np.max(errors(actual, expected), initial=0)) / size
        return most if not error else min(most, max(0.0, -math.log10(error))) if math.isfinite(error) else 0.0


@dataclass
class Judgement:
    """One mode's: what was found of the other model, and how far it is outside.

    formulas: makes the allowances by the other framework's formulas, or None where it has none of its own
    found: what the other model computed, by the reference's keys
    pairs, other: the calls that compute the same, and all of the other model's
    tensors: those that were judged. What is inside is not judged again, since allowances only widen
    """

    judge: Judge
    allowances: Allowances[Key]
    formulas: Callable[[], Allowances[Key] | None]
    found: Trace
    pairs: list[Aligned]
    other: list[Call]
    _judged: dict[Key, Judged] = field(default_factory=dict)
    _itself: dict[Key, float] = field(default_factory=dict)

    @property
    def reference(self) -> Run:
        return self.judge.reference

    @property
    def tensors(self) -> list[Judged]:
        return list(self._judged.values())

    @property
    def itself(self) -> float:
        """The largest share that the reference uses itself in the format that is judged."""
        return max(self._itself.values(), default=0.0)

    @property
    def off(self) -> bool:
        return not all(tensor.passed for tensor in self._judged.values())

    @property
    def inside(self) -> bool:
        return not self.off and self.itself <= 1

    def look(self) -> None:
        """Look until everything is inside, or all was looked at but what `look_again` looks at."""
        for _ in widened(self.allowances, self.formulas):
            if self._settled():
                return

    def look_again(self) -> None:
        """Look on before anybody is accused, until everything is inside."""
        self.allowances.look_again(self._settled)

    def _settled(self) -> bool:
        """Judge what was not inside before; tells whether everything is now."""
        own = trace_of(self.reference)
        for key in self.allowances.reference:
            judged, itself = self._judged.get(key), self._itself.get(key, math.inf)
            if itself <= 1 and (key not in self.found or (judged is not None and judged.passed)):
                continue
            self._itself[key] = self.allowances.share(key, own.get(key))
            if key in self.found:
                self._judged[key] = self.judge.judged(key, self.found[key], self.allowances)
        if self.inside:
            self.allowances.forget()
            self.found = {}
        return self.inside
