"""What was soaked by other code counts on, where the present code finds the same when it is asked again.

A soak takes hours, and most changes of code are meant to change no number: they make it faster, or clearer. So a sample
of what other code judged is judged again: for each kind of record (a pair in a dtype, a network in a dtype), records
that the digest of the new code chooses, so that nobody else does. Where every number of them is the same, the other
code's records of that kind count as the new code's do; where one is not, none does, and the count starts again. Both
versions of what was judged twice are kept, so that whoever reads them sees the same.

That a sample of n examples is the same says, with 95% confidence, that fewer than 3 / n of all are not.
    Hanley and Lippman-Hand, JAMA 249 (1983) 1743-1745: the rule of three.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from parity.results.records import Json

Group = list[Json]


@dataclass(frozen=True)
class Soaked:
    """The records of a soak, and how those of other code are told from those of this code.

    records: all there are, of whatever code
    own: tells whether a record is of this code
    name: what was looked at in a record, whatever code did
    kind: what a record is one of; those of one kind, by one code, are carried on together or not at all
    code: what tells one code from another
    found: the numbers of a record, which this code has to find again
    weight: how much of a sample a record is
    enough: the weight of a sample that tells, of each kind
    """

    records: Sequence[Json]
    own: Callable[[Json], bool]
    name: Callable[[Json], str]
    kind: Callable[[Json], Hashable]
    code: Callable[[Json], Hashable]
    found: Callable[[Json], object]
    weight: Callable[[Json], int]
    enough: int

    @functools.cached_property
    def ours(self) -> dict[str, Json]:
        """The records of this code, by name."""
        return {self.name(record): record for record in self.records if self.own(record)}

    def groups(self) -> list[Group]:
        """The records of other code, those of one kind and code together."""
        found: dict[Hashable, dict[str, Json]] = {}
        for record in self.records:
            if not self.own(record):
                found.setdefault((self.kind(record), self.code(record)), {})[self.name(record)] = record
        return [list(group.values()) for group in found.values()]

    def carried(self, group: Group) -> bool:
        """Tells whether a group counts: enough of it was judged again, and every number of that was the same."""
        again = [(record, self.ours[name]) for record in group if (name := self.name(record)) in self.ours]
        same = all(self.found(record) == self.found(other) for record, other in again)
        return same and sum(self.weight(record) for record, _ in again) >= self.enough

    def differing(self) -> list[Json]:
        """This code's records that have other numbers than the same ones of other code."""
        others = [(self.name(record), self.found(record)) for group in self.groups() for record in group]
        off = {name for name, found in others if name in self.ours and found != self.found(self.ours[name])}
        return [self.ours[name] for name in sorted(off)]

    def basis(self) -> list[Json]:
        """All records that count, and both versions of those that were judged twice."""
        counts = [record for group in self.groups() if self.carried(group) for record in group]
        return [*counts, *self.ours.values()]

    def counted(self) -> list[Json]:
        """The records that count, each name once: this code's own, and those of other code that are carried on."""
        return list({self.name(record): record for record in self.basis()}.values())

    def twice(self) -> list[Json]:
        """This code's records of what other code judged, too, and alike: the sample that the others rest on."""
        others = {self.name(record) for record in self.basis() if not self.own(record)}
        return [record for name, record in self.ours.items() if name in others]

    def told(self, what: str, did: str, numbers: str) -> list[str]:
        """Sentences on what of the count rests on other code, and where this code finds something else than that.

        They tell it of `what`, which was judged or trained, as `did` says, by its `numbers`.
        """
        carried = sum(self.weight(record) for record in self.counted() if not self.own(record))
        sample = sum(map(self.weight, self.twice()))
        rests = (
            f"{carried} of these {what} were {did} by other code, and alike by the present one: of {sample} that were "
            f"{did} by both, all {numbers} are the same"
        )
        return [rests] * bool(carried) + [
            f"{record['key']}: this code finds other {numbers} than earlier code did, whose {what} do not count"
            for record in self.differing()
        ]

    def to_replay(self, seed: str) -> list[Json]:
        """Records of other code to be judged again: enough of each group, chosen by `seed`, a digest of this code."""
        chosen: dict[str, Json] = {}
        for group in self.groups():
            weight = 0
            for record in sorted(group, key=lambda record: _order(seed, self.name(record))):
                if weight >= self.enough:
                    break
                weight += self.weight(record)
                if (name := self.name(record)) not in self.ours:
                    chosen.setdefault(name, record)
        return list(chosen.values())


def _order(seed: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
