"""The contents of drift.json, of which its schema is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from parity.results.records.record import Count, Measured, Part, Probability, Share

SCHEMA: Final = 1
Status: TypeAlias = Literal["safe", "behaviour", "numbers", "incomplete"]
EXIT_CODES: dict[Status, int] = {"safe": 0, "behaviour": 1, "numbers": 2, "incomplete": 3}


@dataclass(frozen=True, kw_only=True)
class Missing(Part):
    """Evidence that there is not, or that cannot be compared: what, and why.

    what: the kinds of its records
    keys: of the records
    """

    what: str
    why: str
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Versions(Part):
    """A package, or a part of the machine, of which the stacks have not the same; empty where one has none."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Change(Part):
    """One thing that behaves otherwise.

    kind, key: of the records that say so
    of: the implementation or package
    harmless: whether all that ran before runs as before: another parameter with a default, a warning less
    suspects: the packages that changed and that it may be due to
    releases: the neighbouring releases between which it changes, where they were looked for
    sources: addresses of who says so: release notes, pull requests, commits
    """

    kind: str
    key: str
    of: str
    what: Literal["appeared", "vanished", "changed"]
    before: str = ""
    after: str = ""
    harmless: bool = False
    suspects: list[str] = field(default_factory=list)
    releases: list[Versions] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Move(Part):
    """The tensors of one implementation, class and dtype of which a bit changed.

    tensors, moved: how many were compared, and how many of them changed
    elements: the share of all elements that changed
    ulps: the largest move of an element, in units in the last place of its tensor's largest value; None is infinite
    tensor, element, before, after: where that is, and the values there
    script: what prints that value, to be run in either stack
    rounding: how many of the tensors that moved are nothing but rounding, and have no such unit
    used_before, used_after: the largest share of the allowance among the tensors that moved
    error_before, error_after: the largest error of these against the reference, in the same units
    reference: whether the error became larger, smaller, or neither
    floor: the largest move of the same tensors on the same stack, where it was measured; see `Floor`
    below_floor: whether the move is no larger than that
    beyond: whether a tensor that moved is beyond its allowance now
    suspects: the packages that changed and that it may be due to
    releases, sources: as of a `Change`
    """

    of: str
    pair: str
    dtype: str
    tensors: Count
    moved: Count
    elements: Probability
    ulps: Measured
    tensor: str
    element: list[int]
    before: Measured
    after: Measured
    script: str
    rounding: Count
    used_before: Share
    used_after: Share
    error_before: Measured
    error_after: Measured
    reference: Literal["better", "worse", "alike"]
    floor: Measured = None
    below_floor: bool = False
    beyond: bool = False
    suspects: list[str] = field(default_factory=list)
    releases: list[Versions] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class CurveMove(Part):
    """A loss curve of one implementation that is not the same to the bit.

    step: the first that differs, from 1
    distance: the largest between two losses of one step
    used_before, used_after: the largest share of the allowance
    beyond: whether it leaves its allowance now, and did not
    """

    key: str
    of: str
    step: Count
    distance: Measured
    used_before: Share
    used_after: Share
    beyond: bool
    suspects: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class StudyMove(Part):
    """The accuracies of one implementation in one study, before and after, paired by seed.

    weights: how many of the seeds ended in the same weights, to the bit
    outcome: a `parity.statistics.Outcome`, with its reason in words
    shown: whether they were shown to be identical, equivalent, or different by a negligible amount
    """

    study: str
    of: str
    seeds: Count
    weights: Count
    outcome: str
    reason: str
    shown: bool
    suspects: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Compared(Part):
    """The number of things that both stacks have and that were compared, and of tensors that either has."""

    tensors: Count = 0
    of_tensors: Count = 0
    facts: Count = 0
    signatures: Count = 0
    curves: Count = 0
    studies: Count = 0


@dataclass(frozen=True, kw_only=True)
class Step(Part):
    """The changes between two stacks.

    title: which packages changed from which version to which
    headline, details: the sentence that a reader came for, and what it rests on
    packages: those that compute and differ, Python among them
    others: the other installed packages that differ
    machine: the parts of the machine that differ
    notes: sentences on what a reader should know of the comparison
    """

    before: str
    after: str
    title: str
    status: Status
    headline: str
    details: str
    packages: list[Versions]
    others: list[Versions]
    machine: list[Versions]
    behaviour: list[Change]
    numbers: list[Move]
    curves: list[CurveMove]
    studies: list[StudyMove]
    compared: Compared
    missing: list[Missing]
    notes: list[str]

    @property
    def sentence(self) -> str:
        return f"{self.headline} {self.details}"


@dataclass(frozen=True, kw_only=True)
class Cell(Part):
    """The step of one class to one stack from the one before it.

    compared: whether its tensors were
    moved: the number of tensors that changed
    ulps: the largest move; None is infinite
    behaviour: the number of things that behave otherwise
    """

    compared: bool
    moved: Count = 0
    ulps: Measured = 0.0
    beyond: bool = False
    behaviour: Count = 0


@dataclass(frozen=True, kw_only=True)
class HistoryRow(Part):
    """One class of one implementation, with a cell for each stack but the first."""

    of: str
    pair: str
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True)
class Floor(Part):
    """The same stack elsewhere: the largest moves there are the floor of all others.

    machine: the parts of the machine that differ from those of the stack that it is the floor of
    """

    stack: str
    machine: list[Versions]
    moves: Count
    ulps: Measured


@dataclass(frozen=True, kw_only=True)
class Drift(Part):
    """The changes from stack to stack.

    steps: one from each stack to the next
    history: a row for each class that changed in any step; empty for two stacks
    unmoved: the number of classes and implementations that changed in no step
    """

    schema: Literal[1] = SCHEMA
    created: str
    status: Status
    exit_code: Count
    stacks: list[str]
    steps: list[Step]
    floors: list[Floor]
    history: list[HistoryRow]
    unmoved: Count
