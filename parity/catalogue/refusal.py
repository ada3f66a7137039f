"""Refusals: what each implementation refuses of a list of wrong inputs and settings, tried on every pair.

What one implementation refuses and another accepts is a finding. It stands, with its reason, in its family's file in
`parity.catalogue.refusals`; a difference that is not listed there fails, and so does one that is no longer there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parity.catalogue.attempt import attempts, error_of
from parity.catalogue.kernels import kernels
from parity.catalogue.known import Known
from parity.catalogue.refusals import KNOWN
from parity.frameworks import NUMPYNET, available
from parity.results.boundaries import not_verified
from parity.results.conditions import holds_here
from parity.results.records.facts import RefusalRecord

ACCEPTS, REFUSES = "accepts", "refuses"


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


def refusals(target: type, frameworks: Iterable[str] | None = None) -> list[Refusal]:
    """Try every wrong thing on the pair of `target`, in numpynet and the frameworks (all that are installed)."""
    names = [NUMPYNET, *(available() if frameworks is None else frameworks)]
    found = []
    for wrong, tries in attempts(target):
        statuses, messages = {}, {}
        for name in names:
            error = error_of(tries[name])
            statuses[name] = ACCEPTS if error is None else REFUSES
            if error is not None:
                messages[name] = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        known = expected(target.__name__, wrong)
        reason, told = None, None
        if known is not None:
            who = known.refused_by.split()
            reason, told = known.reason, {name: REFUSES if name in who else ACCEPTS for name in names}
        conditions = [other.when for other in of(target.__name__, wrong)]
        boundary = not_verified(f"{target.__name__}/{wrong}", conditions)
        found.append(Refusal(target.__name__, wrong, statuses, told, reason, messages, boundary))
    return found


def measure_refusals(target: type, frameworks: Iterable[str] | None = None) -> list[RefusalRecord]:
    """The records of what `refusals` finds."""
    return [refusal.as_record() for refusal in refusals(target, frameworks)]


def unmatched(found: Iterable[Refusal]) -> set[tuple[str, str]]:
    """The entries (pair, wrong) of the table that were not tried: stale ones, where `found` is everything."""
    listed = {(pair, known.wrong) for known in KNOWN for pair in known.pairs.split()}
    return listed - {(refusal.pair, refusal.wrong) for refusal in found}


def expected(
    pair: str, wrong: str, installed: Mapping[str, str] | None = None, computed_by: str | None = None
) -> Known | None:
    """The entry for a pair and a wrong thing that holds for the installed versions and TensorFlow's kernels here.

    `installed` and `computed_by` replace these. None where there is no such entry. Entries for several versions of one
    package differ in what that package does, so without it any of them will do.
    """
    for known in of(pair, wrong):
        if not holds_here(known.when, missing=True, installed=installed):
            continue
        if known.by and computed_by is None:
            computed_by = kernels() if "tensorflow" in available() else known.by
        if known.by in ("", computed_by):
            return known
    return None


def of(pair: str, wrong: str) -> list[Known]:
    """Every entry for a pair and a wrong thing, whatever is installed."""
    return [known for known in KNOWN if known.wrong == wrong and pair in known.pairs.split()]
