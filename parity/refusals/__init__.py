"""Refusals: what each implementation refuses of a list of wrong inputs and settings, tried on every pair.

What one implementation refuses and another accepts is a finding. It stands, with its reason, in
`parity.catalogue.refused`; a difference that is not listed there fails, and so does one that is no longer there.
"""

from __future__ import annotations

import copy
import functools
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import find, settings
from hypothesis import strategies as st

from numpynet import (
    Array,
    Dropout,
    Graph,
    Module,
    Optimizer,
    Sequential,
)
from numpynet.module import each
from parity.catalogue.refused import KNOWN, expected, of
from parity.drawing.strategies import each_shape
from parity.frameworks import NUMPYNET, available, framework, implementations
from parity.frameworks.lazy import keras, torch
from parity.mapping.convert import convert
from parity.mapping.loss import Loss
from parity.mapping.pair import pair_of
from parity.refusals import images, layers, rules
from parity.results.boundaries import not_verified
from parity.results.records.facts import RefusalRecord

ACCEPTS, REFUSES = "accepts", "refuses"
DTYPE = np.dtype(np.float32)  # of the layers that are tried


@dataclass(frozen=True)
class Attempt:
    """An input, or a tuple of them, that is tried on a module in training mode.

    Unless it is None, the gradient is then sent back.
    """

    module: Module
    input: Any
    gradient: Array | None = None

    def with_target(self, change: Callable[[Array], Array]) -> Attempt:
        """The same attempt with the criterion's target changed; any other module has none to change."""
        if not isinstance(self.module, Loss):
            return self
        return replace(self, module=Loss(self.module.criterion, change(self.module.target)))


@dataclass(frozen=True)
class Refusal:
    """One wrong thing, with the statuses of those who accept and who refuse it, and what is known of it."""

    pair: str
    wrong: str
    statuses: dict[str, str]
    expected: dict[str, str] | None
    reason: str | None
    messages: dict[str, str]
    boundary: str = ""

    @property
    def stated(self) -> bool:
        """Tells whether the statuses are those of the table or, where it has none, all equal."""
        if self.expected is None:
            return len(set(self.statuses.values())) == 1
        return self.statuses == self.expected

    @property
    def passed(self) -> bool | None:
        """Tells whether the statuses are as stated; None where they are not and `boundary` says why that may be."""
        return None if self.boundary and not self.stated else self.stated

    @property
    def key(self) -> str:
        return f"{self.pair}/{self.wrong}"

    def as_record(self) -> RefusalRecord:
        """The refusal as a record of the results store."""
        return RefusalRecord(key=self.key, passed=self.passed, **vars(self))

    def __str__(self) -> str:
        listed = "not in the table of known differences" if self.expected is None else f"the table says {self.expected}"
        if self.boundary:
            listed += f"; {self.boundary}"
        said = [f"{who} {what} {self.messages.get(who, '')}".rstrip() for who, what in self.statuses.items()]
        return "\n  ".join([f"{self.pair}, {self.wrong}; {listed}", *said])


def _input(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """A change of an attempt that changes its input; each of several."""
    return lambda attempt: replace(attempt, input=each(change, attempt.input))


def _cast(dtype: type) -> Callable[[Attempt], Attempt]:
    return _input(lambda input: input.astype(dtype))


def _batch(size: int) -> Callable[[Attempt], Attempt]:
    return lambda attempt: _input(lambda input: input[:size])(attempt).with_target(lambda target: target[:size])


def _more(values: Array, axis: int) -> Array:
    """`values` with their last slice along `axis` once more."""
    return np.concatenate([values, np.take(values, [-1], axis)], axis)


def _gradient(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """A change of an attempt that sends a gradient back: the changed one in place of the right one, of ones."""
    return lambda attempt: replace(attempt, gradient=change(np.ones_like(copy.deepcopy(attempt.module)(attempt.input))))


WRONG_INPUTS: dict[str, Callable[[Attempt], Attempt]] = {
    "integer input": _cast(np.int64),
    "boolean input": _cast(np.bool_),
    "complex input": _cast(np.complex64),
    "input of another precision": _cast(np.float64),
    "one feature too many": _input(lambda input: _more(input, 1)),
    "no features": _input(lambda input: input[:, :0]),
    "one dimension too few": _input(lambda input: input[0]),
    "one dimension too many": _input(lambda input: input[None]),
    "a single number": _input(lambda input: input.ravel()[0]),
    "empty batch": _batch(0),
    "batch of one": _batch(1),
    "input of NaN": _input(lambda input: np.full_like(input, np.nan)),
    "gradient with one element too many": _gradient(lambda ones: np.ones(ones.size + 1, ones.dtype)),
    "gradient of another precision": _gradient(lambda ones: ones.astype(np.float64)),
    "gradient of integers": _gradient(lambda ones: ones.astype(np.int64)),
}


def _second(change: Callable[[Array], Array]) -> Callable[[Attempt], Attempt]:
    """A change of an attempt that changes the second of several inputs."""
    return lambda attempt: replace(attempt, input=(attempt.input[0], change(attempt.input[1]), *attempt.input[2:]))


WRONG_TUPLES: dict[str, Callable[[Attempt], Attempt]] = {
    "no input": lambda attempt: replace(attempt, input=()),
    "a tuple of one input": lambda attempt: replace(attempt, input=attempt.input[:1]),
    "inputs of two precisions": _second(lambda input: input.astype(np.float64)),
    "inputs of two batch sizes": _second(lambda input: _more(input, 0)),
    "inputs that broadcast": _second(lambda input: input[:1]),
    "inputs of two ranks": _second(lambda input: input[..., None]),
}

WRONG_TARGETS: dict[str, Callable[[Array], Array]] = {
    "one target too many": lambda target: _more(target, 0),
    "target with one dimension more": lambda target: target[..., None],
    "target that broadcasts": lambda target: target[:1],
    "target of another precision": lambda target: target.astype(np.float64),
    "a complex target": lambda target: target.astype(np.complex64),
}

WRONG_LABELS: dict[str, Callable[[Array], Array]] = {
    "a label too large": lambda labels: labels + 100,
    "a negative label": lambda labels: labels - 1,
    "labels of another integer type": lambda labels: labels.astype(np.int32),
    "one-hot rows": lambda labels: np.eye(2, dtype=np.float32)[labels],
    "one-hot rows that are too wide": lambda labels: np.eye(3, dtype=np.float32)[labels],
    "one-hot rows of integers": lambda labels: np.eye(2, dtype=np.int64)[labels],
}


def _wrong_targets(make: dict[str, Callable[[Array], Array]]) -> dict[str, Callable[[Attempt], Attempt]]:
    return {wrong: lambda attempt, change=change: attempt.with_target(change) for wrong, change in make.items()}  # type: ignore[misc]


@functools.cache
def right(target: type) -> Attempt:
    """The simplest attempt that the pair of `target` draws: a module, and an input of two or more axes, each 2 long."""
    pair = pair_of(target)
    module, shapes = find(
        pair.modules.flatmap(lambda module: st.tuples(st.just(module), pair.shapes(module))),
        lambda found: (
            set(np.ravel(found[1])) == {2}
            and np.shape(found[1])[-1] > 1
            and "0.0" not in map(repr, found[0].arguments().values())
        ),
        settings=settings(database=None, max_examples=10_000),
        random=random.Random(0),
    )
    attempt = Attempt(module.train(), each_shape(lambda shape: np.resize(x, shape), shapes))
    labelled = attempt.with_target(lambda target: np.arange(2))
    return attempt if error_of(lambda: attempted(NUMPYNET, labelled)) else labelled


# The frameworks' own dropout: ours, which shares masks, refuses nothing of what is tried.
OWN_DROPOUT: dict[str, Callable[[float], Any]] = {
    "torch": lambda p: torch.nn.Dropout(p),
    "tensorflow": lambda p: keras.layers.Dropout(p),
}


def attempted(name: str, attempt: Attempt) -> None:
    """Try the attempt on the implementation called `name`."""
    if isinstance(attempt.module, Dropout) and name in OWN_DROPOUT:
        layer = OWN_DROPOUT[name](attempt.module.p)
    else:
        layer = convert(attempt.module, name).layer
    framework(name).attempt(layer, attempt.input, attempt.gradient, DTYPE)


x = np.linspace(0.25, 0.75, 4, dtype=DTYPE).reshape(2, 2)


WRONG_SETTINGS: dict[tuple[str, str], dict[str, Callable[[], Any]]] = {
    (kind, wrong): tries
    for kind, by_wrong in {
        **layers.SETTINGS,
        **images.SETTINGS,
        **rules.SETTINGS,
    }.items()
    for wrong, tries in by_wrong.items()
}


def attempts(target: type) -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
    """Yields every wrong thing for the pair of `target`, with a call for each implementation that tries it."""
    if not any(issubclass(target, kind) for kind in (Optimizer, Sequential, Graph)):
        attempt = right(target)
        wrong = WRONG_INPUTS | (WRONG_TUPLES if isinstance(attempt.input, tuple) else {})
        if isinstance(attempt.module, Loss):
            wrong |= _wrong_targets(WRONG_TARGETS)
            if attempt.module.target.ndim == 1:
                wrong |= _wrong_targets(WRONG_LABELS)
        for name, change in wrong.items():
            changed = change(attempt)
            yield name, {who: functools.partial(attempted, who, changed) for who in implementations()}
    for (kind, name), tries in WRONG_SETTINGS.items():
        if kind == target.__name__:
            yield name, tries


def refusals(target: type, frameworks: Iterable[str] | None = None) -> list[Refusal]:
    """Try every wrong thing on the pair of `target`, in numpynet and the frameworks (all that are installed)."""
    names = ["numpynet", *(available() if frameworks is None else frameworks)]
    found = []
    for wrong, tries in attempts(target):
        statuses, messages = {}, {}
        for name in names:
            error = error_of(tries[name])
            statuses[name] = ACCEPTS if error is None else REFUSES
            if error is not None:
                messages[name] = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        known = expected(target.__name__, wrong)
        reason = None if known is None else known.reason
        told = None if known is None else {name: REFUSES if name in known.refused_by else ACCEPTS for name in names}
        conditions = [other.when for other in of(target.__name__, wrong)]
        boundary = not_verified(f"{target.__name__}/{wrong}", conditions)
        found.append(Refusal(target.__name__, wrong, statuses, told, reason, messages, boundary))
    return found


def measure_refusals(target: type, frameworks: Iterable[str] | None = None) -> list[RefusalRecord]:
    """The records of what `refusals` finds."""
    return [refusal.as_record() for refusal in refusals(target, frameworks)]


def error_of(run: Callable[[], Any]) -> Exception | None:
    """The exception that `run` raises; None where it raises none."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run()
    except Exception as error:  # whatever is raised is a refusal
        return error
    return None


def unmatched(found: Iterable[Refusal]) -> set[tuple[str, str]]:
    """The entries (pair, wrong) of the table that were not tried: stale ones, where `found` is everything."""
    listed = {(pair, known.wrong) for known in KNOWN for pair in known.pairs.split()}
    return listed - {(refusal.pair, refusal.wrong) for refusal in found}
