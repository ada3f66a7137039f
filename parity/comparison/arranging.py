"""Which of layers that hold the same shapes is which, as far as the flow of arrays through both models tells.

Layers are told apart as the vertices of two graphs are, by refining colours (B. Weisfeiler and A. Leman, 1968): what
has other neighbours is another layer. Where that tells no more, one is taken for another, in the order of calls, and
what follows from it is told by the same rule: so branches are matched whole, and blocks in their order. Where two
models are connected differently, the layers around are told apart by what is alike in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from parity.comparison.flow import Flow
from parity.comparison.matching import Match, Matching, in_groups
from parity.comparison.model import Run

Names = tuple[list[str], list[str]]  # of layers of the first model, and of the second


class _Colouring:
    """Layers of two models, of which those that may be each other's have one colour.

    members: the layers of each colour, in the order of calls
    """

    def __init__(self, flows: tuple[Flow, Flow], members: Sequence[Names]) -> None:
        self.flows, self.members = flows, list(members)
        self.colours: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for colour, both in enumerate(members):
            for names, colours in zip(both, self.colours, strict=True):
                colours |= dict.fromkeys(names, colour)
        self._refine(set(range(len(members))))

    def partners(self, name: str) -> list[str]:
        """The layers of the second model that a layer of the first may be; none where it has no colour."""
        return self.members[self.colours[0][name]][1] if name in self.colours[0] else []

    def fix(self, name: str, partner: str) -> None:
        """Take a layer of the first model for one of the second, and tell what follows from it."""
        if len(self.partners(name)) > 1:
            self._refine(self._coloured(([name], [partner])))

    def _refine(self, changed: set[int]) -> None:
        """Part the layers of each colour by their neighbours, until nothing tells more.

        `changed` are the colours of layers whose neighbours may have other colours than before.
        """
        while changed:
            colour = min(changed)
            changed.remove(colour)
            for relation in range(len(self.flows[0].relations)):
                changed |= self._parted(colour, relation)

    def _parted(self, colour: int, relation: int) -> set[int]:
        """Part the layers of a colour by the colours of their neighbours; returns the colours that this may concern.

        Those with some neighbours are told apart if they are as many in both models.
        """
        if len(self.members[colour][0]) < 2:
            return set()
        seen = [
            {name: self._neighbours(which, relation, name) for name in names}
            for which, names in enumerate(self.members[colour])
        ]
        ours, theirs = (Counter(found.values()) for found in seen)
        told = [neighbours for neighbours, number in ours.items() if theirs[neighbours] == number]
        if len(told) == len(ours):
            del told[0]  # the first ones keep the colour
        changed = {colour} if told else set()
        for neighbours in told:
            parts = [[name for name, found in one.items() if found == neighbours] for one in seen]
            changed |= self._coloured((parts[0], parts[1]))
        return changed

    def _neighbours(self, which: int, relation: int, name: str) -> tuple[int, ...]:
        colours, related = self.colours[which], self.flows[which].relations[relation].get(name, ())
        return tuple(sorted(colours[one] for one in related if one in colours))

    def _coloured(self, moved: Names) -> set[int]:
        """Give some layers of one colour a new one; returns the colours of all that are connected with them."""
        old, new = self.colours[0][moved[0][0]], len(self.members)
        self.members.append(moved)
        changed = {old, new}
        for which, names in enumerate(moved):
            colours = self.colours[which]
            colours |= dict.fromkeys(names, new)
            self.members[old][which][:] = [name for name in self.members[old][which] if colours[name] == old]
            related = [one for flow in self.flows[which].relations for name in names for one in flow.get(name, ())]
            changed |= {colours[one] for one in related if one in colours}
        return changed


class Arrangement:
    """What the flow of arrays in a run of each model, with the same weights, tells of the layers that were matched.

    order: the first model's layers that were matched, in the order of calls
    """

    def __init__(self, found: Matching, ran: Run, theirs: Run) -> None:
        self.flows = Flow.of(ran), Flow.of(theirs)
        places = [{layer.name: place for place, layer in enumerate(run.order)} for run in (ran, theirs)]
        groups = in_groups(found.matches)
        names = [([match.first.name for match in group], [match.second.name for match in group]) for group in groups]
        for both in names:
            for which, place in zip(both, places, strict=True):
                in_order = {name: place.get(name, len(place)) for name in which}
                which.sort(key=in_order.__getitem__)
        self._groups: list[Names] = names
        self.order = sorted((name for ours, _ in names for name in ours), key=lambda name: places[0].get(name, -1))
        self._positions = self._coloured([]).colours

    def alike(self, match: Match, other: Match) -> bool:
        """Tells whether the flow tells nothing that keeps two matches from having each other's layers."""
        ours, theirs = self._positions
        return (
            ours[match.first.name] == ours[other.first.name] == theirs[match.second.name] == theirs[other.second.name]
        )

    def arrange(self, found: Matching) -> bool:
        """Match the layers as the flow tells, in the order of calls where it does not; tells whether any changes."""
        return self._match(found, self._coloured([]), {})

    def exchange(self, found: Matching, partners: Mapping[str, str]) -> None:
        """Match the layers of these names, and move what has to go with them, but nothing else.

        What was matched against what the flow tells, since it is near, stays so.
        """
        ours, theirs = self._positions
        stay = [match for match in found.matches if ours[match.first.name] != theirs[match.second.name]]
        coloured = self._coloured(stay)
        before = {match.first.name: match.second.name for match in found.matches}
        for name, partner in partners.items():
            if partner in coloured.partners(name):
                coloured.fix(name, partner)
        self._match(found, coloured, before)

    def _coloured(self, stay: Sequence[Match]) -> _Colouring:
        """The layers, coloured by what the flow tells, without those of the matches that stay as they are."""
        known = {match.first.name for match in stay}, {match.second.name for match in stay}
        left = [
            ([name for name in ours if name not in known[0]], [name for name in theirs if name not in known[1]])
            for ours, theirs in self._groups
        ]
        return _Colouring(self.flows, left)

    def _match(self, found: Matching, coloured: _Colouring, before: Mapping[str, str]) -> bool:
        """Match the layers that are coloured; of several, one is taken that it was `before`, or else the first."""
        held = {match.second.name: (match.second, match.roles) for match in found.matches}
        matches = {match.first.name: match for match in found.matches}
        changed = False
        for name in filter(coloured.colours[0].__contains__, self.order):
            partners, match = coloured.partners(name), matches[name]
            partner = before[name] if before.get(name) in partners else partners[0]
            coloured.fix(name, partner)
            if match.second.name != partner:
                (match.second, match.roles), match.columns, changed = held[partner], None, True
        return changed
