"""What the inputs of layers tell of a proposed matching: which of layers that hold the same shapes is which."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from numpynet import Array
from parity.comparison.layout import closest
from parity.comparison.matching import BY_FEATURE, Match, Matching, copied, interchangeable
from parity.comparison.model import Layer, Model, Run

TRIED = 24  # orders of layers that cannot be told apart: of four


def settled(first: Model, second: Model, found: Matching, ran: Run, there: Sequence[Array], near: float) -> float:
    """Copy the weights, and set right what the inputs of layers tell then, until they tell nothing more.

    Returns how far the outputs are apart in the end, of their size.
    """
    return _apart(ran, _settled(first, second, found, ran, there, near))


def told_apart(first: Model, second: Model, found: Matching, ran: Run, there: Sequence[Array], near: float) -> float:
    """Exchange layers that are given the same, as those at the head of parallel branches, where what follows says so.

    Their own inputs cannot tell them apart; those of the layers behind them do, once these are settled, too. Returns
    how far the outputs are apart in the end, of their size.
    """
    theirs = _settled(first, second, found, ran, there, near)
    tried: set[tuple[int, int]] = set()
    while len(tried) < TRIED and not _all_near(found, ran, theirs, near):
        places = next((pair for pair in _given_the_same(found, ran, theirs) if pair not in tried), None)
        if places is None:
            break
        tried.add(places)
        other = _exchanged(found, *places)
        then = _settled(first, second, other, ran, there, near)
        if _nearer(found, other, ran, theirs, then, near):
            theirs = then
            for match, taken in zip(found.matches, other.matches, strict=True):
                match.second, match.roles, match.columns = taken.second, taken.roles, taken.columns
    copied(first, second, found)
    return _apart(ran, theirs)


def alternatives(found: Matching) -> Iterator[Matching]:
    """Yields matchings with layers of one group in another order: that of their names first, at most `TRIED`."""
    orders = []
    for group in found.ambiguous:
        seconds = [match.second for match in group]
        by_name = sorted(
            itertools.permutations(seconds) if len(group) <= 4 else [tuple(seconds)],
            key=lambda order: -sum(map(_alike, (match.first.name for match in group), (layer.name for layer in order))),
        )
        orders += [(group, order) for order in by_name if list(order) != seconds]
    for group, order in orders[:TRIED]:
        roles = {match.second.name: match.roles for match in group}
        swapped = {id(match): layer for match, layer in zip(group, order, strict=True)}
        matches = [
            replace(match, second=layer, roles=roles[layer.name], columns=None)
            if (layer := swapped.get(id(match)))
            else match
            for match in found.matches
        ]
        yield Matching(matches, found.ambiguous, found.notes)


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _settled(first: Model, second: Model, found: Matching, ran: Run, there: Sequence[Array], near: float) -> Run:
    """A run of the second model, with the weights copied, after everything that the inputs tell was set right."""
    for _ in range(len(found.matches) + 1):  # each time something is set right, from the first layer on
        copied(first, second, found)
        theirs = second.run(there, training=False)
        siblings = _Siblings(found, ran, theirs)
        if not (
            _regrouped(found, siblings)
            or _columns(found, ran, theirs)
            or _reordered(found, ran, theirs, siblings, near)
        ):
            break
    return theirs


class _Siblings:
    """The layers that are given the same in either model: those of one group there should be of one group here.

    It tells more than how near inputs are where these are wrong, as behind a layer that is.
    """

    def __init__(self, found: Matching, ran: Run, theirs: Run) -> None:
        self.ours, self.theirs = _given(ran), _given(theirs)
        self.groups: dict[Hashable, list[Match]] = {}
        for match in found.matches:
            self.groups.setdefault(self.ours(match.first), []).append(match)

    def gained(self, match: Match, other: Match) -> int:
        """How many more layers are beside their siblings in both models, if these two were swapped."""
        if self.ours(match.first) == self.ours(other.first):
            return 0
        now = self._beside(match, match.second, other) + self._beside(other, other.second, match)
        return self._beside(match, other.second, other) + self._beside(other, match.second, match) - now

    def _beside(self, match: Match, second: Layer, other: Match) -> int:
        """The number of a match's siblings that are given the same as `second`, but for `other`."""
        siblings = (one for one in self.groups[self.ours(match.first)] if one is not match and one is not other)
        return sum(self.theirs(one.second) == self.theirs(second) for one in siblings)


def _given(run: Run) -> Callable[[Layer], Hashable]:
    """Returns what stands for the first input of a layer, and is equal where that is; where it has none, its name."""
    found: dict[str, Hashable] = {}
    for call in run.calls:
        if call.inputs:
            found.setdefault(call.layer.name, (call.inputs[0].shape, hash(call.inputs[0].tobytes())))
    return lambda layer: found.get(layer.name, layer.name)


def _regrouped(found: Matching, siblings: _Siblings) -> bool:
    """Swap layers that are not beside their siblings with those in their place; tells whether there are any."""
    changed = False
    for place, match in enumerate(found.matches):
        for other in found.matches[place + 1 :]:
            if interchangeable(match, other) and siblings.gained(match, other) > 0:
                _swap(match, other)
                changed = True
    return changed


def _columns(found: Matching, ran: Run, theirs: Run) -> bool:
    """Find the layers whose inputs were flattened in another order; tells whether there are any."""
    changed = False
    for match in found.matches:
        if match.first.kind not in ("linear", *BY_FEATURE):
            continue
        ours, other = _first_input(ran, match.first), _first_input(theirs, match.second)
        if ours is None or other is None or ours.ndim != 2 or ours.shape != other.shape:
            continue
        layout = closest(ours, other, ran.unflattened)
        if layout is not None and layout.before and layout != match.columns:
            match.columns, changed = layout, True
    return changed


def _reordered(found: Matching, ran: Run, theirs: Run, siblings: _Siblings, near: float) -> bool:
    """Swap layers whose input is another one's, of those that hold the same shapes, with that one.

    What is near is sure. Where the nearest is not, as behind a layer that is wrong, it is the last that is swapped:
    what comes after it is told by another run.
    """
    changed = False
    for place, match in enumerate(found.matches):
        others = [
            other
            for other in found.matches[place + 1 :]
            if interchangeable(match, other) and siblings.gained(match, other) >= 0
        ]
        if not others:
            continue
        own = _inputs_apart(ran, theirs, match.first, match.second)
        best = min(others, key=lambda other: _inputs_apart(ran, theirs, match.first, other.second))
        nearest = _inputs_apart(ran, theirs, match.first, best.second)
        # Half as far: what is equal, as the inputs of two layers side by side, tells nothing.
        if nearest < own / 2:
            _swap(match, best)
            changed = True
            if nearest >= near:
                break
    return changed


def _swap(match: Match, other: Match) -> None:
    match.second, other.second = other.second, match.second
    match.roles, other.roles = other.roles, match.roles  # which are called otherwise in each layer, may be
    match.columns = other.columns = None


def _given_the_same(found: Matching, ran: Run, theirs: Run) -> Iterator[tuple[int, int]]:
    """Yields the places of two matches of interchangeable layers that are given the same, in either model."""
    for place, match in enumerate(found.matches):
        for after in range(place + 1, len(found.matches)):
            other = found.matches[after]
            if (
                interchangeable(match, other)
                and _equal(ran, match.first, other.first)
                and _equal(theirs, match.second, other.second)
            ):
                yield place, after


def _equal(run: Run, one: Layer, other: Layer) -> bool:
    both = _first_input(run, one), _first_input(run, other)
    return both[0] is not None and both[1] is not None and np.array_equal(both[0], both[1])


def _exchanged(found: Matching, place: int, after: int) -> Matching:
    """A matching of copies, two of which have each other's layer of the second model."""
    matches = [replace(match) for match in found.matches]
    _swap(matches[place], matches[after])
    return Matching(matches, found.ambiguous, found.notes)


def _nearer(found: Matching, other: Matching, ran: Run, before: Run, after: Run, near: float) -> bool:
    """Tells whether the first layer whose input is another distance away is nearer; where none is, the outputs are.

    A factor of two makes another distance: behind a layer that is wrong, what comes is not near in either.
    """
    for one, two in zip(found.matches, other.matches, strict=True):
        was = _inputs_apart(ran, before, one.first, one.second)
        now = _inputs_apart(ran, after, two.first, two.second)
        if max(was, now) >= near and not was / 2 <= now <= was * 2:
            return now < was
    return _apart(ran, after) < _apart(ran, before) / 2


def _all_near(found: Matching, ran: Run, theirs: Run, near: float) -> bool:
    """Tells whether outputs and what every layer is given are near: a bias may hide from outputs what a layer does."""
    inputs = (_inputs_apart(ran, theirs, match.first, match.second) for match in found.matches)
    return _apart(ran, theirs) < near and all(apart < near or apart == math.inf for apart in inputs)


def _inputs_apart(ran: Run, theirs: Run, first: Layer, second: Layer) -> float:
    """How far the inputs of two layers are apart, of their size."""
    ours, other = _first_input(ran, first), _first_input(theirs, second)
    if ours is None or other is None or (layout := closest(ours, other, ran.unflattened)) is None:
        return math.inf
    return float(np.mean(np.abs(ours - layout.back(other)))) / (float(np.mean(np.abs(ours))) or 1.0)


def _first_input(run: Run, layer: Layer) -> Array | None:
    return next((call.inputs[0] for call in run.calls if call.layer.name == layer.name and call.inputs), None)


def _apart(ran: Run, theirs: Run) -> float:
    """How far outputs are apart, of their size; infinity where they are others."""
    if len(ran.outputs) != len(theirs.outputs):
        return math.inf
    found = [0.0]
    for one, other in zip(ran.outputs, theirs.outputs, strict=True):
        if (layout := closest(one, other, ran.unflattened)) is None:
            return math.inf
        size = float(np.max(np.abs(one), initial=0)) or 1.0
        found.append(float(np.max(np.abs(one - layout.back(other)), initial=0)) / size)
    return max(found)
