"""An entry of the catalogue: a difference, what predicts it, and the experiment that measures it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from numpynet import Array
from parity.formats import format_of
from parity.frameworks import FRAMEWORKS
from parity.ladder.judge import errors, shares
from parity.results.boundaries import not_verified
from parity.results.conditions import described, holds_here
from parity.results.records.facts import DifferenceRecord
from parity.rounding.allowance import deviations

Formula = Callable[..., Any]


@dataclass(frozen=True)
class Claim:
    """The values that one implementation computes, those that are predicted, and how far rounding may part them."""

    values: Array
    predicted: Array
    allowed: Array

    @property
    def used(self) -> float:
        return float(np.max(shares(self.values, self.predicted, self.allowed), initial=0.0))


def claim(values: Any, formula: Formula, *inputs: Array) -> Claim:
    """The claim that `values` are `formula(*inputs)` but for rounding in their own format.

    `parity.rounding.allowance` measures how much that may be.
    """
    values = np.asarray(values)
    wide = [np.asarray(each, _wider(values.dtype)) for each in inputs]
    with np.errstate(all="ignore"):
        predicted = np.asarray(formula(*wide))
        allowed = deviations(
            {"": predicted}, lambda perturb: {"": np.asanyarray(formula(*map(perturb, wide)))}, values.dtype
        )[""]
    return Claim(values, predicted, allowed)


def claims(values: Mapping[str, Array], formula: Formula, *inputs: Array) -> dict[str, Claim]:
    """The claims that the values of each implementation are `formula(*inputs)`."""
    return {who: claim(found, formula, *inputs) for who, found in values.items()}


def _wider(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The format of the prediction: as in `allowance`, but longdouble for float64 even where it is no wider.

    There the slack covers its own rounding.
    """
    return format_of(dtype).wider if dtype == np.float32 else np.dtype(np.longdouble)


def exactly(values: Any, predicted: Any, allowed: Any = 0.0) -> Claim:
    """The claim that `values` are `predicted`, to the bit or within what is `allowed`."""
    values = np.asarray(values)
    predicted = np.broadcast_to(np.asarray(predicted, np.longdouble), values.shape)
    return Claim(values, predicted, np.broadcast_to(np.asarray(allowed, np.longdouble), values.shape))


def together(*claims: Claim) -> Claim:
    """One claim made of several: on both sides of a kink, at both ends of a clip, in both formats."""
    return Claim(
        *(
            np.concatenate([np.ravel(getattr(each, part)).astype(np.longdouble) for each in claims])
            for part in ("values", "predicted", "allowed")
        )
    )


def accepts(run: Callable[[], Any]) -> Claim:
    """Claims that `run` is accepted: the measured value is 1 if it is and 0 if it raises."""
    return exactly(_accepted(run), 1.0)


def refuses(run: Callable[[], Any]) -> Claim:
    """Claims that `run` is refused: the measured value is 0 if it raises and 1 if it does not."""
    return exactly(_accepted(run), 0.0)


def _accepted(run: Callable[[], Any]) -> float:
    try:
        run()
    except ModuleNotFoundError:  # a framework that is not installed has refused nothing
        raise
    except Exception:  # each framework refuses by errors of its own, and which is no part of the claim
        return 0.0
    return 1.0


@dataclass(frozen=True)
class Demonstration:
    """Claims by implementation: as it comes (`naive`), and after the mapping (`mapped`), which removes the difference.

    A claim has two sides: what differs has neighbours that do not, with another label, beside the kink or within the
    range. Where `naive` has no such points, `elsewhere` has them: claims about everyone whom `naive` names, as they
    come.
    """

    naive: dict[str, Claim]
    mapped: dict[str, Claim]
    elsewhere: dict[str, Claim] = field(default_factory=dict)


def avoided(naive: dict[str, Claim], other: dict[str, Claim]) -> Demonstration:
    """A demonstration whose mapping is to stay on the other side of the claim, where all agree as they come."""
    return Demonstration(naive, other, other)


def beside(shown: Demonstration, neighbour: Demonstration) -> Demonstration:
    """The demonstration `shown`, with the same experiment on the other side of the claim.

    That has other settings, and is taken as it comes.
    """
    return replace(shown, elsewhere=neighbour.naive)


@dataclass(frozen=True)
class Difference:
    """One difference between the implementations, the mapping that removes it, and the experiment that shows both.

    `topic` is the family that it is of, and `does` says, by package, what each does. `when` names the versions that
    differ so, and `applies` the machines; elsewhere the entry is not measured.
    """

    id: str
    topic: str
    title: str
    does: Mapping[str, str]
    mapping: str
    sources: tuple[str, ...]
    demonstrate: Callable[[], Demonstration]
    when: str = ""
    applies: Callable[[], bool] = lambda: True

    def obstacle(self) -> str:
        """A sentence on why it cannot be measured here; empty where it can.

        The demonstration may still lack something that it imports.
        """
        if not holds_here(self.when):
            return f"not measured: differs so with {self.when}"
        try:
            return "" if self.applies() else "not measured: not so on this machine"
        except ModuleNotFoundError as error:
            return _without(error)


def _without(error: ModuleNotFoundError) -> str:
    """A sentence that the framework is not installed; an error about any other module is raised again."""
    missing = (error.name or "").partition(".")[0]
    if missing not in (*FRAMEWORKS, "keras"):
        raise error
    return f"not measured: {missing} not installed"


def difference(id: str, **text: Any) -> Callable[[Callable[[], Demonstration]], Difference]:
    """Make an entry of the decorated experiment, whose docstring is the title; its topic is its module."""

    def enter(demonstrate: Callable[[], Demonstration]) -> Difference:
        topic = demonstrate.__module__.rpartition(".")[2]
        title = (demonstrate.__doc__ or "").strip()
        return Difference(id, topic, title, demonstrate=demonstrate, **text)

    return enter


def measure(entry: Difference) -> DifferenceRecord:
    """The record of one entry: sizes predicted, naive and mapped, and whether it is real, as predicted, and gone.

    `passed` is None where it was not measured, and where it fails and `boundary` says why that may be.
    """
    record = DifferenceRecord(
        key=entry.id,
        topic=entry.topic,
        title=entry.title,
        does=dict(entry.does),
        mapping=entry.mapping,
        sources=list(entry.sources),
        when=entry.when,
        message=entry.obstacle(),
        measured=False,
        boundary=not_verified(entry.id, [entry.when]),
        passed=None,
    )
    if record.message:
        return record
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shown = entry.demonstrate()
    except ModuleNotFoundError as error:
        return replace(record, message=_without(error))
    problems = _problems(shown)
    return replace(
        record,
        measured=True,
        predicted=_apart([each.predicted for each in shown.naive.values()]),
        naive=_apart([each.values for each in shown.naive.values()]),
        mapped=_apart([each.values for each in shown.mapped.values()]),
        passed=True if not problems else None if record.boundary else False,
        message="\n".join([f"{entry.id}, with {described()}", *problems]) if problems else "",
    )


def _apart(values: list[Array]) -> float:
    """The largest difference between any two of these arrays."""
    wide = [each.astype(np.longdouble) for each in values]
    return max(float(np.max(errors(one, other), initial=0.0)) for one, other in combinations(wide, 2))


def _differ(claims: dict[str, Claim]) -> Array:
    """The elements, as a mask, at which any two differ by more than rounding allows the two together."""
    found = [
        errors(one.values.astype(np.longdouble), other.values.astype(np.longdouble)) > one.allowed + other.allowed
        for one, other in combinations(claims.values(), 2)
    ]
    return np.any(np.broadcast_arrays(*found), axis=0)


def _problems(shown: Demonstration) -> list[str]:
    """Sentences on everything that no longer is as the entry says."""
    found = [
        f"{stage}, {who} no longer computes what the entry says: {_worst(each)}"
        for stage, claims in (
            ("as it comes", shown.naive),
            ("mapped", shown.mapped),
            ("on the other side of the claim", shown.elsewhere),
        )
        for who, each in claims.items()
        if not each.used <= 1
    ]
    if not np.any(_differ(shown.naive)):
        found.append("the difference is gone: as it comes, all implementations agree")
    if np.any(_differ(shown.mapped)):
        found.append("the mapping no longer removes the difference")
    return found + _one_sided(shown)


def _one_sided(shown: Demonstration) -> list[str]:
    """Sentences on the other side of the claim: that nothing is shown of it, or that not all agree there."""
    if not shown.elsewhere:
        return ["one side of the claim is shown: all differ everywhere"] if np.all(_differ(shown.naive)) else []
    found = [f"{who} is not shown on the other side of the claim" for who in shown.naive if who not in shown.elsewhere]
    if np.any(_differ(shown.elsewhere)):
        found.append("the difference goes further: they differ on the other side of the claim, too")
    return found


def _worst(each: Claim) -> str:
    at = np.unravel_index(int(np.argmax(shares(each.values, each.predicted, each.allowed))), each.values.shape)
    return f"{each.values[at]:.9g} where {each.predicted[at]:.9g} was predicted, give or take {each.allowed[at]:.3g}"
