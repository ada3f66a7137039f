"""Judges one case in every implementation against the reference, by the derived allowance."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet import Array
from parity.case import Case, parts
from parity.formats import format_of
from parity.frameworks import available
from parity.frameworks.framework import Subject
from parity.frameworks.numpynet.framework import NumPySubject
from parity.ladder.following import Following
from parity.ladder.runaway import in_range, until_beyond
from parity.ladder.trace import OUTPUT, Key, Stopwatch, Trace, run, rung_after
from parity.mapping.convert import subject as subject_of
from parity.mapping.pair import computed_by
from parity.rounding.allowance import Perturb, deviations
from parity.rounding.noisy import as_noisy

NEARLY = 0.5  # of the allowance
ASKED_AGAIN = 8  # in one of so many examples every implementation is asked again, which costs as much as the first time


@dataclass
class Judgement:
    """The tensors that every implementation computed, what was allowed, and how much of it was used.

    reference: the tensors of the wider format
    traces: by implementation, the tensors that it computed
    allowed: by implementation, how far each tensor's elements may be from the reference's
    used: by implementation, the largest share of that of each tensor; 1 is the limit
    crashes: by implementation, what it raised
    unsteady: by implementation, the first tensor that was another one when it was asked again; None where it raised
        then, or did before
    """

    case: Case
    reference: Trace
    traces: dict[str, Trace] = field(default_factory=dict)
    allowed: dict[str, Trace] = field(default_factory=dict)
    used: dict[str, dict[Key, float]] = field(default_factory=dict)
    crashes: dict[str, BaseException] = field(default_factory=dict)
    unsteady: dict[str, Key | None] = field(default_factory=dict)
    seconds_inside: float = 0.0

    def off(self) -> list[tuple[Key, str]]:
        """Every (tensor, implementation) outside its allowance, in the order of computation."""
        return [
            (key, name) for key in self.reference for name, used in self.used.items() if not used.get(key, 0.0) <= 1
        ]

    def first_off(self, name: str) -> Key | None:
        """The first tensor of an implementation that is outside its allowance."""
        used = self.used.get(name, {})
        return next((key for key in self.reference if not used.get(key, 0.0) <= 1), None)

    @property
    def rung(self) -> int | None:
        """The lowest rung on which implementations part, from each other or from themselves; None where they agree."""
        if self.unsteady:
            return min(OUTPUT if key is None else key.rung for key in self.unsteady.values())
        if self.crashes:
            return min(rung_after(self.case, self.traces[name]) for name in self.crashes)
        return next((key.rung for key, _ in self.off()), None)

    @property
    def passed(self) -> bool:
        return self.rung is None

    @property
    def beyond(self) -> bool:
        """Tells whether nothing is left to judge: the numbers leave the range at once, and nobody refuses them."""
        return self.passed and not self.reference

    def most(self, name: str) -> float:
        """The largest share of its allowance that an implementation used."""
        return max(self.used.get(name, {}).values(), default=0.0)

    def attempt(self, name: str, case: Case, make: Callable[[], Subject], watch: Stopwatch) -> Subject | None:
        """Run `case` and keep its trace under `name`; returns the subject, None where it raised.

        What is raised is the implementation's verdict: it is kept in `crashes`, never dropped.
        """
        trace: Trace = {}
        self.traces[name] = trace
        try:
            with np.errstate(all="ignore"):
                with watch:
                    subject = make()
                    beside = make() if case.beside else None
                run(case, subject, watch, trace, beside)
        except Exception as crash:
            self.crashes[name] = crash
            return None
        return subject

    def ask_again(self, name: str, case: Case, make: Callable[[], Subject], watch: Stopwatch) -> None:
        """Run `case` once more; what is not equal to the bit is kept in `unsteady`.

        What answers otherwise when it is asked again has no allowance: it would be as wide as the answers are apart.
        """
        again = Judgement(self.case, {})
        again.attempt(name, case, make, watch)
        if (name in self.crashes) != (name in again.crashes):
            self.unsteady[name] = None
        elif (other := first_difference(self.traces[name], again.traces[name])) is not None:
            self.unsteady[name] = other


def first_difference(first: Trace, again: Trace) -> Key | None:
    """The first tensor that is not the same, bit for bit, in two traces; None where all are."""

    def same(key: Key) -> bool:
        one, other = first.get(key), again.get(key)
        if one is None or other is None:
            return False
        return one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other, equal_nan=True)

    return next((key for key in {**first, **again} if not same(key)), None)


def asked_again(case: Case) -> bool:
    """Tells whether every implementation is asked again on this example: a matter of its numbers alone."""
    cotangents = b"".join(np.ascontiguousarray(values).tobytes() for values in parts(case.steps[0].cotangent))
    return zlib.crc32(cotangents) % ASKED_AGAIN == 0


def judge(case: Case, frameworks: list[str] | None = None, alter: Callable[[Case], Case] | None = None) -> Judgement:
    """Run `case` in numpynet and in `frameworks` (all that are installed), and compare each with the reference.

    `alter` gives numpynet another case, reference included; the frameworks get the counterpart of the original.
    """
    original = case
    if alter is not None:
        case = alter(case)
    wide = case.astype(format_of(case.dtype).wider)
    judgement = Judgement(case, {})
    name = f"numpynet in {wide.dtype}"
    judgement.attempt(name, wide, lambda: NumPySubject(wide), Stopwatch())
    _ask_reference_again(judgement, name, wide)
    if name not in judgement.crashes:
        judgement.reference = judgement.traces.pop(name)
    if judgement.unsteady:
        return judgement
    allowed = _allowed(wide, judgement.reference, case.dtype)
    judgement.reference = in_range(judgement.reference, allowed, case.dtype)

    looked = functools.cache(lambda steps: _allowed_thoroughly(judgement, wide, allowed, steps))

    def look(name: str, steps: int) -> None:
        """Look thoroughly at what the implementation is allowed in the first steps."""
        bounds = _allowed_by_all(_first(wide, steps), name, looked(steps), case.dtype, thorough=True)
        judgement.allowed[name] = _widest(judgement.allowed[name], bounds)
        judgement.used[name] = _used(judgement, name, subjects[name])

    @functools.cache
    def goes_its_own_way(name: str, steps: int) -> bool:
        return name in subjects and _goes_its_own_way(judgement, name, wide, subjects[name], steps)

    def before_it_is_accused(name: str, first: Key) -> None:
        """Look thoroughly: mostly what is outside remains so after a look at the steps until then."""
        look(name, first.step + 1)
        if (still := judgement.first_off(name)) is not None and still.step > first.step:
            look(name, every)
        if (still := judgement.first_off(name)) is None or not goes_its_own_way(name, still.step + 1):
            return
        look(name, every)
        # numpynet with it: what is wrong between its calls, as an array held twice, does not come with the tensors.
        if goes_its_own_way(name, every) and goes_its_own_way("numpynet", every):
            judgement.allowed[name] = _inherited(judgement, name)
            judgement.used[name] = {key: used if used <= 1 else 1.0 for key, used in judgement.used[name].items()}

    watch, again, every = Stopwatch(), asked_again(case), len(case.steps)
    subjects: dict[str, Subject] = {}
    for name in ["numpynet", *(available() if frameworks is None else frameworks)]:
        judgement.allowed[name] = allowed
        given = case if name == "numpynet" else original
        make = functools.partial(subject_of, given, name)
        subject = judgement.attempt(name, case, make, watch)
        if subject is not None:
            subjects[name] = subject
            judgement.used[name] = _used(judgement, name, subject)
            # The formulas of its own cost as much again: they are consulted where it comes near numpynet's allowance.
            if not judgement.most(name) <= NEARLY:
                judgement.allowed[name] = _allowed_by_all(wide, name, allowed, case.dtype, thorough=False)
                judgement.used[name] = _used(judgement, name, subject)
            if (first := judgement.first_off(name)) is not None:
                before_it_is_accused(name, first)
        if again or name in judgement.crashes or not judgement.most(name) <= 1:
            judgement.ask_again(name, case, make, watch)
    judgement.seconds_inside = watch.seconds
    return judgement


def _ask_reference_again(judgement: Judgement, name: str, wide: Case) -> None:
    """Run the reference once more, on the arrays of the perturbed runs but without an error: it is equal to the bit.

    A layer that computes something else on such arrays would be allowed the difference.
    """
    judgement.ask_again(name, wide, lambda: NumPySubject(wide, as_noisy), Stopwatch())
    if not judgement.unsteady:
        return
    other = judgement.unsteady.pop(name)
    judgement.ask_again(name, wide, lambda: NumPySubject(wide), Stopwatch())
    if not judgement.unsteady:
        if other is None:  # what it raises on such arrays each time is told as it is
            _computed(wide, as_noisy)
        judgement.unsteady[f"{name} on a subclass of np.ndarray"] = other


def _computed(wide: Case, perturb: Perturb = np.asarray, followed: Trace | None = None) -> Trace:
    """Returns what numpynet computes of a case on the arrays that `perturb` makes, or along another's trace."""
    subject = NumPySubject(wide, perturb) if followed is None else Following(wide, followed, perturb)
    # What differs by more than errors from how the reference was computed would become an allowance.
    return run(wide, subject, beside=NumPySubject(wide, perturb) if wide.beside else None)


def _first(wide: Case, steps: int) -> Case:
    return replace(wide, steps=wide.steps[:steps])


def _of_first(trace: Trace, steps: int) -> Trace:
    return {key: values for key, values in trace.items() if key.step < steps}


def _allowed_thoroughly(judgement: Judgement, wide: Case, allowed: Trace, steps: int) -> Trace:
    """numpynet's allowance of the first steps, `allowed` or what a thorough look makes of it."""
    reference = _of_first(judgement.reference, steps)
    bounds = _allowed(_first(wide, steps), reference, judgement.case.dtype, thorough=True)
    return _widest(_of_first(allowed, steps), bounds)


def _allowed_by_all(wide: Case, name: str, ours: Trace, dtype: np.dtype[Any], thorough: bool) -> Trace:
    """The allowance of an implementation: `ours`, numpynet's, widened to that of its own formulas where it has some."""
    if (other := computed_by(wide, name)) is None:
        return ours
    with np.errstate(all="ignore"):
        own = _allowed(other, _computed(other), dtype, thorough)
    return _widest(ours, own)


def _goes_its_own_way(judgement: Judgement, name: str, wide: Case, subject: Subject, steps: int) -> bool:
    """Tells whether every tensor of the first steps is right, given those before it as the implementation has them."""
    wide, reference = _first(wide, steps), _of_first(judgement.reference, steps)
    trace, dtype = judgement.traces[name], judgement.case.dtype
    followed = {
        key: values.astype(wide.dtype)
        for key, values in trace.items()
        if key in reference and values.shape == reference[key].shape and values.dtype == dtype
    }

    def computed(case: Case) -> Trace:
        with np.errstate(all="ignore"):
            return _computed(case, followed=followed)

    def right(bounds: Trace) -> bool:
        # Up to the first tensor beyond the range, not to its step: what made it so may be in that step, and wrong.
        in_range = until_beyond(math.sqrt(format_of(dtype).largest), expected, bounds, steps=math.inf)
        looked_at = {key: values for key, values in in_range.items() if key in reference}
        alone = Judgement(judgement.case, looked_at, {name: trace}, {name: bounds})
        return max(_used(alone, name, subject).values(), default=0.0) <= 1

    def allowed(thorough: bool) -> Trace:
        bounds = _allowed(wide, expected, dtype, thorough, followed)
        if other is None:
            return bounds
        return _widest(bounds, _allowed(other, computed(other), dtype, thorough, followed))

    other = computed_by(wide, name)
    try:
        expected = computed(wide)
        # One run tells nearly always: no layer errs by more alone than all of them together. What no error reached on
        # the reference's way tells nothing of another.
        glance = {key: np.where(bound == 0, np.inf, bound) for key, bound in judgement.allowed[name].items()}
        return right(glance) and any(right(allowed(thorough)) for thorough in (False, True))
    except Exception:  # what one layer returned may be what the next refuses
        return False


def _inherited(judgement: Judgement, name: str) -> Trace:
    """The allowance of an implementation, widened to all that it inherits where it goes its own way."""
    allowed, trace = judgement.allowed[name], judgement.traces[name]
    return allowed | {
        key: np.maximum(allowed[key], errors(trace[key], value))
        for key, value in judgement.reference.items()
        if key in trace
    }


def _widest(bounds: Trace, others: Trace) -> Trace:
    """For each tensor of `bounds`, the larger of its two allowances."""
    return {key: _wider(bound, others.get(key)) for key, bound in bounds.items()}


def _wider(bound: Array, own: Array | None) -> Array:
    """The larger of numpynet's allowance and that of the framework's own formulas.

    These say nothing of a tensor that they do not compute, as where a defect is planted that makes one more, or one of
    another shape: then it is numpynet's.
    """
    return np.maximum(bound, own) if own is not None and own.shape == bound.shape else bound


def _used(judgement: Judgement, name: str, subject: Any) -> dict[Key, float]:
    """The share that an implementation used of the allowance of every tensor it has."""
    trace, allowed, dtype = judgement.traces[name], judgement.allowed[name], judgement.case.dtype
    observed = {"", *subject.observed}
    return {
        key: share_used(trace.get(key), value, allowed[key], dtype)
        for key, value in judgement.reference.items()
        # Between parts of a module whose counterpart is one layer, it has no tensor.
        if key.layer in observed or key.quantity not in ("output", "output gradient")
    }


def _allowed(
    wide: Case, reference: Trace, dtype: np.dtype[Any], thorough: bool = False, followed: Trace | None = None
) -> Trace:
    if not reference:
        return {}
    return deviations(reference, functools.partial(_computed, wide, followed=followed), dtype, thorough=thorough)


def errors(actual: Array, expected: Array) -> Array:
    """|actual - expected| in the reference's format; 0 where both are the same infinity or NaN, inf where one is."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(actual.astype(expected.dtype) - expected)
    if np.isfinite(difference).all():
        return difference
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return np.where(same, 0, np.where(np.isnan(difference), np.inf, difference))


def shares(actual: Array, expected: Array, allowed: Array) -> Array:
    """The error over the allowance, element by element: 0 where there is no error, inf where none was allowed."""
    difference = errors(actual, expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0, difference / allowed)


def share_used(actual: Array | None, expected: Array, allowed: Array, dtype: np.dtype[Any]) -> float:
    """The largest share of its allowance that any element uses; inf on a missing tensor, wrong shape or dtype."""
    if actual is None or actual.shape != expected.shape or actual.dtype != dtype:
        return float("inf")
    return float(np.max(shares(actual, expected, allowed), initial=0.0))
