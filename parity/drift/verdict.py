"""The verdict on a step, and the sentence that says it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from parity.drift.document import EXIT_CODES as EXIT_CODES
from parity.drift.document import Change, Move, Status, Step
from parity.drift.stack import CHECKS, FACTS, SIGNATURES
from parity.frameworks import implementations
from parity.results.store import number_of

GRAVEST: tuple[Status, ...] = ("behaviour", "numbers", "incomplete", "safe")
LISTED = 3  # names in a sentence


def status_of(step: Step) -> Status:
    """The status: what behaves otherwise comes first, and where evidence is missing nothing is called safe."""
    if any(change.kind != CHECKS for change in counted(step)):
        return "behaviour"
    if _beyond(step) or not all(each.shown for each in step.studies):
        return "numbers"
    return "incomplete" if step.missing else "safe"


def counted(step: Step) -> list[Change]:
    """The changes that are not harmless."""
    return [change for change in step.behaviour if not change.harmless]


def _beyond(step: Step) -> bool:
    parted = any(change.kind == CHECKS for change in counted(step))
    return parted or any(move.beyond for move in step.numbers) or any(curve.beyond for curve in step.curves)


def worst(statuses: Iterable[Status]) -> Status:
    return min(statuses, key=GRAVEST.index)


def headline(step: Step) -> str:
    """The sentence that a reader came for."""
    return f"{step.title}: {_verdict(step)}."


def details(step: Step) -> str:
    """The sentence that says what the headline rests on."""
    return f"{_capital('; '.join(_clauses(step)))}."


def _verdict(step: Step) -> str:
    return {
        "safe": "safe",
        "behaviour": "behaviour changed",
        "numbers": "numbers leave their allowance" if _beyond(step) else "accuracies are not shown to be equivalent",
        "incomplete": "not shown to be safe, evidence is missing",
    }[step.status]


def _clauses(step: Step) -> list[str]:
    changed = counted(step)
    behaviour, numbers = _behaviour(step, changed), _numbers(step)
    found = [behaviour, numbers] if changed else [numbers, behaviour]
    if step.curves:
        found.append(_parted(step))
    found += [f"accuracies of {each.of} in {each.study}: {each.outcome}" for each in step.studies if not each.shown]
    if step.missing:
        kinds = dict.fromkeys(kind for each in step.missing for kind in each.what.split(", "))
        found.append(f"missing: {_named(kinds)}")
    return [*found, _compared(step)]


def _behaviour(step: Step, changed: Sequence[Change]) -> str:
    if not changed:
        lacking = {kind for each in step.missing for kind in each.what.split(", ")} & {*FACTS, SIGNATURES}
        compared = step.compared.facts + step.compared.signatures
        return (
            f"no behaviour changed{', of what could be compared' if lacking else ''}"
            if compared
            else "no behaviour was compared"
        )
    first = changed[0]
    key = first.key if first.kind == SIGNATURES else f"{first.of} {first.key}".strip()
    became = f"{first.before} became {first.after}", f"{first.after} is new", f"{first.before} is gone"
    said = f"{key}: {became[('changed', 'appeared', 'vanished').index(first.what)]}"
    more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{said} ({first.kind}){more}"


def _numbers(step: Step) -> str:
    moves = step.numbers
    if not moves:
        return "no tensor moved" if step.compared.tensors else "no tensors were compared"
    beyond = [move for move in moves if move.beyond]
    told = beyond or moves
    classes = list(dict.fromkeys(move.pair for move in told))
    verb = "moves" if len(classes) == 1 else "move"
    said = f"{_named(classes)} {verb} {_by(largest(told))}"
    if beyond:
        return f"{said}, beyond what rounding allows"
    floor = ", no more than another machine moves them" if all(move.below_floor for move in moves) else ""
    return f"{said}, {'all ' if len(classes) > 1 else ''}within rounding{floor}"


def _parted(step: Step) -> str:
    beyond = [curve for curve in step.curves if curve.beyond]
    told = _named(f"{curve.key}, {curve.of}" for curve in beyond or step.curves)
    return f"losses of {told} part{' beyond what rounding allows' if beyond else ', within rounding'}"


def largest(moves: Iterable[Move]) -> float:
    """The largest of these moves, in units in the last place."""
    return max((number_of(move.ulps) for move in moves), default=0.0)


def _by(ulps: float) -> str:
    """How far something moves, in words."""
    if math.isinf(ulps):
        return "to or from infinity"
    if not ulps:
        return "where all is rounding, or a zero's sign"
    told = f"{ulps:.2g}"
    return f"by at most {told} unit{'s' * (told != '1')} in the last place"


def _compared(step: Step) -> str:
    counts = step.compared
    tensors = f"{counts.tensors} of {counts.of_tensors} tensors"
    others = [
        (counts.signatures, "signatures"),
        (counts.facts, "facts"),
        (counts.curves, "curves" if counts.curves != 1 else "curve"),
        (counts.studies, "studies" if counts.studies != 1 else "study"),
    ]
    return ", ".join([tensors, *(f"{count} {what}" for count, what in others if count)]) + " compared"


def _named(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    found = list(names)
    if len(found) > LISTED + 1:
        return f"{', '.join(found[:LISTED])} and {len(found) - LISTED} more"
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def _capital(text: str) -> str:
    """The text with a capital, unless it begins with the name of an implementation or of something in one."""
    word = text.partition(" ")[0]
    return text if "." in word or word in implementations() else text[:1].upper() + text[1:]
