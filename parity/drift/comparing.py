"""What changed between stacks, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from parity.drift import numbers, training
from parity.drift.behaviour import changes, looked_at, trained_in_one, unseen
from parity.drift.document import Change, Compared, CurveMove, Drift, Floor, Missing, Move, Step, StudyMove, Versions
from parity.drift.history import history
from parity.drift.machine import TOLD
from parity.drift.numbers import Place
from parity.drift.origins import PYTHON, differing, in_words, machines, suspects
from parity.drift.sources import told
from parity.drift.stack import CURVES, FACTS, NEEDED, SIGNATURES, TENSORS, Stack, both, read
from parity.drift.verdict import EXIT_CODES, details, headline, status_of, worst
from parity.results.store import ResultsError

Due = TypeVar("Due", Change, Move, CurveMove, StudyMove)


def drift(folders: Sequence[Path], floor: Sequence[Path] = ()) -> Drift:
    """Returns what changed from each of these results folders to the next.

    `floor` are folders of one of these stacks on other machines. Raises ResultsError where a folder cannot be read,
    for fewer than two, and for a floor that is of none of these stacks.
    """
    if len(folders) < 2:
        raise ResultsError("drift is between two stacks at least: name their results folders, the older one first")
    stacks = read(folders)
    grounds = [_ground(each, stacks) for each in read(floor)]
    least = numbers.floors([each.moves for each in grounds])
    found = [compare(before, after, least if grounds else {}) for before, after in pairwise(stacks)]
    steps = [each.step for each in found]
    status = worst(step.status for step in steps)
    rows, unmoved = history(steps, [each.places for each in found])
    return Drift(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        status=status,
        exit_code=EXIT_CODES[status],
        stacks=[each.name for each in stacks],
        steps=steps,
        floors=[each.told for each in grounds],
        history=rows if len(stacks) > 2 else [],
        unmoved=unmoved,
    )


@dataclass(frozen=True)
class _Ground:
    """A floor: the moves of the same stack on another machine, and what is told of it."""

    moves: list[Move]
    told: Floor


def _ground(floor: Stack, stacks: Iterable[Stack]) -> _Ground:
    for stack in stacks:
        if stack.lock and stack.lock == floor.lock:
            found = numbers.compare(stack, floor)
            if not found.compared:
                why = "; ".join(found.refused) or "it has none of the same classes"
                raise ResultsError(f"no tensor of the floor {floor.folder} can be compared: {why}")
            machine = machines(stack, floor)
            ulps = max(numbers.floors([found.moves]).values(), default=0.0)
            return _Ground(found.moves, Floor(stack=stack.name, machine=machine, moves=len(found.moves), ulps=ulps))
    raise ResultsError(
        f"{floor.folder} is the floor of none of these stacks: a floor is measured with the very same packages, "
        "on another number of threads or another processor"
    )


@dataclass(frozen=True)
class Found:
    """A step, and the classes and implementations that were compared in it."""

    step: Step
    places: frozenset[tuple[str, str]]


def compare(before: Stack, after: Stack, floor: Mapping[Place, float]) -> Found:
    """Returns what changed between two stacks."""
    packages, machine = differing(before.computing, after.computing), machines(before, after)
    missing = [*before.missing, *after.missing, *_unlike(before, after), *unseen(before, after)]
    moved, curves = numbers.Numbers(), list[CurveMove]()
    studies, unpaired = training.studies(before, after)
    if packages and machine:
        why = f"the machine changed with the packages ({in_words(machine)}): what moves may be due to either"
        missing += [Missing(what=what, why=why) for what in (TENSORS, CURVES)]
    else:
        moved, curves = numbers.compare(before, after), training.curves(before, after)
    missing += [*moved.missing, *unpaired]

    def due(found: Iterable[Due]) -> list[Due]:
        return [replace(each, suspects=suspects(each.of, packages)) for each in found]

    step = Step(
        before=before.name,
        after=after.name,
        title=in_words(packages or machine) or "the same packages",
        status="safe",
        headline="",
        details="",
        packages=packages,
        others=differing(before.others, after.others),
        machine=machine,
        behaviour=[
            told(each, packages) for each in due(sorted(changes(before, after), key=lambda change: change.harmless))
        ],
        numbers=[told(each, packages) for each in due(numbers.above(moved.moves, floor))],
        curves=due(curves),
        studies=due(studies),
        compared=_counted(before, after, moved, studies),
        missing=missing,
        notes=_notes(before, after, packages),
    )
    step = replace(step, status=status_of(step))
    return Found(replace(step, headline=headline(step), details=details(step)), moved.places)


def _counted(before: Stack, after: Stack, moved: numbers.Numbers, studies: Sequence[StudyMove]) -> Compared:
    def common(kind: str) -> int:
        return sum(looked_at(kind, old) and looked_at(kind, new) for _, old, new in both(before, after, kind))

    return Compared(
        tensors=moved.compared,
        of_tensors=moved.union,
        facts=sum(map(common, FACTS)),
        signatures=common(SIGNATURES),
        curves=common(CURVES) + len(trained_in_one(before, after)),
        studies=len({each.study for each in studies}),
    )


def _unlike(before: Stack, after: Stack) -> list[Missing]:
    """Returns what only one of the stacks has, or neither."""
    found = [
        Missing(what="implementation", why=f"{one.name}: nothing was measured of {name}", keys=[name])
        for one, other in ((before, after), (after, before))
        for name in other.measured
        if name not in one.measured
    ]
    absent = {each.keys[0] for each in found}
    nowhere: dict[str, list[str]] = {}
    known = {kind for each in (*before.missing, *after.missing) for kind in each.what.split(", ")}
    for kind, by in NEEDED.items():
        mine, theirs = before.answers(kind), after.answers(kind)
        if not mine and not theirs and kind not in known:
            nowhere.setdefault(by, []).append(kind)
        for stack, there, elsewhere in ((before, mine, theirs), (after, theirs, mine)):
            lacking = [key for key, of in elsewhere.items() if key not in there and _whose(of) not in absent]
            if lacking:
                why = f"{stack.name}: they are in the other alone (`{by}`)"
                found.append(Missing(what=kind, why=why, keys=lacking))
    return found + [
        Missing(what=", ".join(kinds), why=f"neither stack has any: run `{by}` on both")
        for by, kinds in nowhere.items()
    ]


def _whose(record: Mapping[str, object]) -> object:
    """The framework or implementation that a record is of; None where it is of several."""
    return record.get("framework", record.get("implementation"))


def _notes(before: Stack, after: Stack, packages: Sequence[Versions]) -> list[str]:
    """Sentences on what differs beside the packages, and on what a change can be attributed to."""
    notes = []
    if len(packages) > 1:
        names = ", ".join(each.name for each in packages)
        notes.append(f"several packages changed at once ({names}): a row with several of them is due to none for sure")
    if told := machines(before, after, TOLD):
        notes.append(f"the machines are not the same: {in_words(told)}")
    # Another Python makes another digest of the same code.
    by = "commit" if any(each.name == PYTHON for each in packages) else "code"
    if before.codes(by) != after.codes(by):
        notes.append("the records were made by different versions of parity's code")
    return notes
