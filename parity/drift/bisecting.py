"""Between which two neighbouring releases of the package that changed each change of a step appeared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

from parity.drift.comparing import compare
from parity.drift.document import Change, Move, Step, Versions
from parity.drift.sources import parameter
from parity.drift.stack import FACTS, SIGNATURES, TENSORS, Stack

Name = tuple[str, ...]
Measure = Callable[[str], Stack | None]
Row = TypeVar("Row", Change, Move)
# The kinds of what is measured of a release between; modes and checks take minutes each.
BY_FINGERPRINT = (TENSORS, SIGNATURES, "examples", "warnings")
BY_CHECK = tuple(kind for kind in FACTS if kind != "modes")


def name_of(row: Change | Move) -> Name:
    """What a change is called in any step: a move by its class, whatever its size is."""
    if isinstance(row, Move):
        return (row.of, row.pair, row.dtype)
    return (row.kind, row.key, row.of, *parameter(row))


def located(
    step: Step, versions: Versions, ends: tuple[Stack, Stack], between: Sequence[str], measure: Measure
) -> Step:
    """Returns the step, whose only package that changed is `versions`, with its changes' releases.

    ends: the two stacks of the step
    between: the package's releases between the two, oldest first
    measure: makes the stack of a release, or None where that cannot be measured: it counts as if not released

    Measured is the middle between two releases in which a change is found, until they are neighbours; what comes and
    goes is found at each place that so is seen.
    """
    asked = {name_of(row) for row in _rows(step) if _measured(row) and not row.releases}
    known: dict[str, Stack] = {versions.before: ends[0], versions.after: ends[1]}
    order = [versions.before, *between, versions.after]
    found: dict[tuple[str, str], frozenset[Name]] = {}
    while True:
        tried = [version for version in order if version in known]
        for pair in pairwise(tried):
            if pair not in found:
                found[pair] = _changes(known[pair[0]], known[pair[1]]) & asked
        middles = [middle for pair in pairwise(tried) if found[pair] and (middle := _middle(order, *pair))]
        if not middles:
            break
        for version in middles:
            stack = measure(version)
            if stack is None:
                order.remove(version)
            else:
                known[version] = stack
    places = {pair: found[pair] for pair in pairwise(order) if pair in found}
    return replace(
        step,
        behaviour=[_at(row, versions.name, places) for row in step.behaviour],
        numbers=[_at(row, versions.name, places) for row in step.numbers],
    )


def _rows(step: Step) -> list[Change | Move]:
    return [*step.behaviour, *step.numbers]


def _measured(row: Change | Move) -> bool:
    return isinstance(row, Move) or row.kind in (*BY_FINGERPRINT, *BY_CHECK)


def _changes(before: Stack, after: Stack) -> frozenset[Name]:
    return frozenset(map(name_of, _rows(compare(before, after, {}).step)))


def _middle(order: Sequence[str], last: str, first: str) -> str | None:
    between = order[order.index(last) + 1 : order.index(first)]
    return between[len(between) // 2] if between else None


def _at(row: Row, package: str, places: Mapping[tuple[str, str], frozenset[Name]]) -> Row:
    """The row with the neighbouring releases between which what it is called changes, unless they are known."""
    if row.releases:
        return row
    return replace(
        row,
        releases=[
            Versions(name=package, before=last, after=first)
            for (last, first), names in places.items()
            if name_of(row) in names
        ],
    )
