"""What runs of both models tell of a proposed matching: which of layers that hold the same shapes is which."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from numpynet import Array
from parity.comparison.arranging import Arrangement
from parity.comparison.layout import closest
from parity.comparison.matching import BY_FEATURE, Match, Matching, copied, interchangeable
from parity.comparison.model import Layer, Model, Run
from parity.comparison.nearness import Nearness

TRIED = 24  # orders of layers that cannot be told apart: of four
Places = tuple[int, int]  # of two matches among all


@dataclass(frozen=True)
class Settling:
    """Two models, what the first computed, and the inputs as the second takes them.

    What is nearer than `near`, of its size, is taken for equal.
    """

    first: Model
    second: Model
    ran: Run
    there: Sequence[Array]
    near: float

    def proposals(self, found: Matching) -> Iterator[tuple[float, Matching]]:
        """Yields `found` as it was told apart, and then, where they are nearer, other orders of what is `ambiguous`.

        With each is told how far the outputs are apart, of their size. A factor of two makes them nearer.
        """
        best = self._copied(found)
        arrangement = Arrangement(found, self.ran, best.theirs)
        if arrangement.arrange(found):
            best = self._copied(found)
        best = self._told_apart(found, arrangement, self._settled(found, arrangement, best))
        yield best.outputs(), found
        for partners in _orders(found.ambiguous):
            other = found.copy()
            arrangement.exchange(other, partners)
            then = self._settled(other, arrangement, self._copied(other))
            if then.outputs() < best.outputs() / 2:
                other.ambiguous = [] if then.everywhere(_layers(other)) else found.ambiguous
                yield then.outputs(), other

    def _told_apart(self, found: Matching, arrangement: Arrangement, best: Nearness) -> Nearness:
        """Exchange layers that are given the same, as the heads of parallel branches, where what follows says so.

        Their own inputs cannot tell them apart. Those of which nothing near says so are `ambiguous`. Where everything
        is near, only those are tried that are set as each other's partners.
        """
        told: dict[Places, bool] = {}
        while True:
            near = best.everywhere(_layers(found))
            untried = (pair for pair in _given_the_same(found, arrangement, best) if pair not in told)
            places = next((pair for pair in untried if not near or _set_crosswise(found, pair)), None)
            if places is None or len(told) == TRIED:
                break
            other = found.copy()
            one, two = (other.matches[place] for place in places)
            arrangement.exchange(other, {one.first.name: two.second.name, two.first.name: one.second.name})
            then = self._settled(other, arrangement, self._copied(other))
            nearer, told[places] = _nearer(found, other, best, then)
            if nearer or (near and then.everywhere(_layers(other))):
                best, found.matches = then, other.matches
        if not near:
            pairs = [pair for pair in _given_the_same(found, arrangement, best) if not told.get(pair, False)]
            found.ambiguous = _together(found, pairs)
        return best

    def _copied(self, found: Matching) -> Nearness:
        """How near the models are with the weights of the first copied into the second."""
        copied(self.first, self.second, found)
        return Nearness(self.ran, self.second.run(self.there, training=False), self.near)

    def _settled(self, found: Matching, arrangement: Arrangement, now: Nearness) -> Nearness:
        """The same after everything that the inputs tell was set right; `now` is before."""
        for _ in found.matches:  # each time something is set right, from the first layer on
            if not (_columns(found, now) or _reordered(found, arrangement, now)):
                break
            now = self._copied(found)
        return now


def _orders(groups: Sequence[Sequence[Match]]) -> Iterator[dict[str, str]]:
    """Yields the layers of each group in another order than they have: that of their names first, at most `TRIED`."""
    orders = []
    for group in groups:
        firsts, seconds = [match.first.name for match in group], [match.second.name for match in group]
        by_name = sorted(
            itertools.permutations(seconds) if len(group) <= 4 else [tuple(seconds)],
            key=lambda order, firsts=firsts: -sum(map(_alike, firsts, order)),
        )
        orders += [dict(zip(firsts, order, strict=True)) for order in by_name if list(order) != seconds]
    yield from orders[:TRIED]


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def _columns(found: Matching, now: Nearness) -> bool:
    """Find the layers whose inputs were flattened in another order; tells whether there are any."""
    changed = False
    for match in found.matches:
        if match.first.kind not in ("linear", *BY_FEATURE):
            continue
        ours, other = now.ran.given.get(match.first.name), now.theirs.given.get(match.second.name)
        if ours is None or other is None or ours.ndim != 2 or ours.shape != other.shape:
            continue
        layout = closest(ours, other, now.ran.unflattened)
        if layout is not None and layout.before and layout != match.columns:
            match.columns, changed = layout, True
    return changed


def _reordered(found: Matching, arrangement: Arrangement, now: Nearness) -> bool:
    """Swap layers whose input is another one's, of those that hold the same shapes, with that one.

    What is near is sure, whatever the flow tells. Where the nearest is not, as behind a layer that is wrong, it is the
    last that is swapped, and of those alone that the flow does not tell apart: what comes after it is told by another
    run.
    """
    changed = False
    for place, match in enumerate(found.matches):
        own = now.inputs(match.first, match.second)
        others = [
            (now.inputs(match.first, other.second), after, other)
            for after, other in enumerate(found.matches[place + 1 :])
            if interchangeable(match, other) and (own >= now.near or arrangement.alike(match, other))
        ]
        nearest, _, best = min(others, default=(np.inf, 0, match))
        together = best is not match and arrangement.alike(match, best)
        # Half as far: what is equal, as the inputs of two layers side by side, tells nothing.
        if nearest < own / 2 and (together or nearest < now.near):
            if together:
                arrangement.exchange(found, {match.first.name: best.second.name, best.first.name: match.second.name})
            else:
                _swap(match, best)
            changed = True
            if nearest >= now.near:
                break
    return changed


def _swap(match: Match, other: Match) -> None:
    match.second, other.second = other.second, match.second
    match.roles, other.roles = other.roles, match.roles  # which are called otherwise in each layer, may be
    match.columns = other.columns = None


def _given_the_same(found: Matching, arrangement: Arrangement, now: Nearness) -> Iterator[Places]:
    """Yields the places of two matches that the flow does not tell apart, of layers that are given the same in both."""
    for place, match in enumerate(found.matches):
        for after, other in enumerate(found.matches[place + 1 :], place + 1):
            if (
                arrangement.alike(match, other)
                and _equal(now.ran, match.first.name, other.first.name)
                and _equal(now.theirs, match.second.name, other.second.name)
            ):
                yield place, after


def _set_crosswise(found: Matching, pair: Places) -> bool:
    """Tells whether the settings of two matched layers would be the same if they were exchanged, and are not so."""
    one, two = (found.matches[place] for place in pair)
    return not (_set_alike(one.first, one.second) and _set_alike(two.first, two.second)) and (
        _set_alike(one.first, two.second) and _set_alike(two.first, one.second)
    )


def _set_alike(one: Layer, other: Layer) -> bool:
    """Tells whether the settings that both have are the same."""
    values = ((one.settings[name].value, other.settings[name].value) for name in one.settings.keys() & other.settings)
    return all(
        ours == theirs
        # A momentum of 0.1 is written 1 - 0.9 in Keras, which may keep it in float32; nothing is judged by this.
        or (isinstance(ours, float) and isinstance(theirs, float) and math.isclose(ours, theirs, rel_tol=1e-6))
        for ours, theirs in values
    )


def _equal(run: Run, one: str, other: str) -> bool:
    both = run.given.get(one), run.given.get(other)
    return both[0] is not None and both[1] is not None and np.array_equal(both[0], both[1])


def _nearer(found: Matching, other: Matching, before: Nearness, after: Nearness) -> tuple[bool, bool]:
    """Tells whether the first layer whose input is another distance away is nearer; where none is, the outputs are.

    Tells also whether that is sure: one of the two distances is near, or both matchings compute the same. A factor of
    two makes another distance: behind a layer that is wrong, what comes is not near in either.
    """
    for one, two in zip(found.matches, other.matches, strict=True):
        was, now = before.inputs(one.first, one.second), after.inputs(two.first, two.second)
        if max(was, now) >= before.near and not was / 2 <= now <= was * 2:
            return now < was, min(was, now) < before.near
    was, now = before.outputs(), after.outputs()
    if now < was / 2 or was < now / 2:
        return now < was, min(was, now) < before.near
    both = [(one.second, two.second) for one, two in zip(found.matches, other.matches, strict=True)]
    return False, Nearness(before.theirs, after.theirs, before.near).everywhere(both)


def _together(found: Matching, pairs: Sequence[Places]) -> list[list[Match]]:
    """The matches at these places, those of pairs that have one in common together."""
    groups: list[set[int]] = []
    for pair in pairs:
        apart = [group for group in groups if group.isdisjoint(pair)]
        groups = [*apart, set(pair).union(*(group for group in groups if not group.isdisjoint(pair)))]
    return [[found.matches[place] for place in sorted(group)] for group in sorted(groups, key=min)]


def _layers(found: Matching) -> list[tuple[Layer, Layer]]:
    return [(match.first, match.second) for match in found.matches]
