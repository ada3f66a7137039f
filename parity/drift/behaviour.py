"""What behaves otherwise: refusals, special values, defaults, known differences, modes, signatures and warnings."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from parity.drift.calling import signature
from parity.drift.change import change
from parity.drift.document import Change, Missing
from parity.drift.origins import has
from parity.drift.stack import CHECKS, CURVES, FACTS, SAID, SIGNATURES, TENSORS, Stack, both
from parity.results.records import Json

Facts = Mapping[str, str]


def changes(before: Stack, after: Stack) -> list[Change]:
    """Everything that both stacks have looked at and that is not the same in them."""
    found = [
        each
        for kind in FACTS
        for key, old, new in both(before, after, kind)
        if looked_at(kind, old) and looked_at(kind, new)
        for each in _compared(kind, key, TOLD[kind](old), TOLD[kind](new), _sources(old, new))
        if all(has(stack, each.of) for stack in (before, after))
    ]
    found += [each for _, old, new in both(before, after, "differences") for each in _sizes(old, new)]
    found += [each for _, old, new in both(before, after, SIGNATURES) for each in signature(old, new)]
    found += [each for key, old, new in both(before, after, CHECKS) for each in _checks(key, old, new)]
    return [*found, *_odd(before, after), *_trained(before, after), *_warnings(before, after)]


def unseen(before: Stack, after: Stack) -> list[Missing]:
    """Returns what was looked at in one of the stacks alone, or in neither, though both have a record of it."""
    found = {
        kind: [key for key, old, new in both(before, after, kind) if looked_at(kind, old) != looked_at(kind, new)]
        for kind in FACTS
    }
    one = [
        Missing(what=kind, why="they were looked at in one alone", keys=keys) for kind, keys in found.items() if keys
    ]
    crashed = sorted(before.raised.keys() & after.raised.keys())
    neither = [Missing(what=CURVES, why="they crash in both", keys=crashed)] * bool(crashed)
    return one + neither + _not_run(before, after)


def _not_run(before: Stack, after: Stack) -> list[Missing]:
    """Returns the modes that were run in neither stack, by what kept them.

    A known difference or a special value that nobody looked at is one of other machines or of absent frameworks.
    """
    kept: dict[str, list[str]] = {}
    for key, old, new in both(before, after, "modes"):
        if not (looked_at("modes", old) or looked_at("modes", new)):
            notes = "; ".join(dict.fromkeys(filter(None, (old["note"], new["note"]))))
            why = f"they were run in neither{': ' * bool(notes)}{notes}"
            kept.setdefault(textwrap.shorten(why, SAID, placeholder=" ..."), []).append(key)
    return [Missing(what="modes", why=why, keys=keys) for why, keys in kept.items()]


def looked_at(kind: str, record: Json) -> bool:
    """Tells whether a record says what was seen, and not why nothing was.

    A difference that other releases have is known not to be there.
    """
    if kind == "modes":
        return bool(record["status"] != "not run")
    if kind == "specials":
        return record["passed"] is not None or bool(record["boundary"])
    if kind == "differences" and not record["measured"]:
        return bool(record["when"]) and record["message"].endswith(record["when"])
    return bool(record.get("measured", True))


def _mode(record: Json) -> Facts:
    return {record["framework"]: record["status"]}


def _difference(record: Json) -> Facts:
    if not record["measured"]:
        return {"": record["message"]}
    outcomes = {True: "as stated", False: "not as stated", None: "not as stated, at an unverified boundary"}
    return {"": outcomes[record["passed"]]}


TOLD: dict[str, Callable[[Json], Facts]] = {
    "refusals": lambda record: record["statuses"],
    "specials": lambda record: record["does"],
    "defaults": lambda record: record["theirs"],
    "modes": _mode,
    "differences": _difference,
}


def _sources(old: Json, new: Json) -> list[str]:
    """The addresses that either record gives for what it says."""
    return list(dict.fromkeys(url for record in (old, new) for url in record.get("sources", ())))


def _compared(kind: str, key: str, old: Facts, new: Facts, sources: list[str]) -> Iterator[Change]:
    """Yields what one record says otherwise of anyone, with the addresses that it gives."""
    for of in dict.fromkeys([*old, *new]):
        if kind in ("refusals", "modes") and (of not in old or of not in new):
            continue  # who was not asked in one of the two is missing, and has not changed
        if old.get(of) != new.get(of):
            yield replace(change(kind, key, of, (old.get(of, ""), new.get(of, ""))), sources=sources)


def _sizes(old: Json, new: Json) -> Iterator[Change]:
    """Yields a known difference whose size changed.

    It has where the two sizes are further apart than each is from what was predicted of it, so that the predictions
    differ, too, and where it is told by other digits.
    """
    sizes = [(each["naive"], each["predicted"]) for each in (old, new) if each["measured"]]
    if len(sizes) < 2 or any(None in each for each in sizes):
        return
    (first, expected_first), (then, expected_then) = sizes
    told = f"{first:.3g}", f"{then:.3g}"
    if abs(first - then) > abs(first - expected_first) + abs(then - expected_then) and told[0] != told[1]:
        yield change("differences", old["key"], "", told)


def _checks(key: str, old: Json, new: Json) -> Iterator[Change]:
    """Yields a check that failed in one of the stacks alone, on examples of the same seed.

    Where one refuses what others accept that is behaviour, else it is numbers.
    """
    same = all(old[name] == new[name] for name in ("seed", "guided"))
    if same and old["passed"] != new["passed"]:
        said = _outcome(old), _outcome(new)
        refused = "refusal" in (old["failed_quantity"], new["failed_quantity"])
        yield change("examples" if refused else CHECKS, key, "", said, harmless=bool(new["passed"]))


def _outcome(check: Json) -> str:
    if check["passed"]:
        return "held"
    return f"parts on rung {check['failed_rung']}, {check['failed_quantity']}"


def _odd(before: Stack, after: Stack) -> Iterator[Change]:
    """Yields the examples that one implementation refuses, or answers otherwise each time, in one stack alone."""
    for key, old, new in both(before, after, TENSORS):
        if old["digest"] != new["digest"]:
            continue
        for of in (of for of in old["found"] if of in new["found"]):
            first, then = old["found"][of]["odd"], new["found"][of]["odd"]
            for example in sorted({*first, *then}):
                if first.get(example) != then.get(example):
                    said = first.get(example, ""), then.get(example, "")
                    yield change("examples", f"{key}, example {int(example) + 1}", of, said)


def _trained(before: Stack, after: Stack) -> Iterator[Change]:
    """Yields the curves of which one stack raises an exception in the place of training them."""
    for key in trained_in_one(before, after):
        old, new = (
            f"raises {stack.raised[key]['message'].splitlines()[0]}" if key in stack.raised else "trains"
            for stack in (before, after)
        )
        yield change(CURVES, key, "", (old, new), harmless=key in before.raised)


def trained_in_one(before: Stack, after: Stack) -> list[str]:
    """The keys of the curves that one of the stacks trains, and in which the other raises an exception."""
    looked_at = before.answers(CURVES).keys() & after.answers(CURVES).keys()
    return sorted(looked_at & (before.raised.keys() ^ after.raised.keys()))


def _warnings(before: Stack, after: Stack) -> Iterator[Change]:
    """Yields the deprecations that one stack warns of and the other does not.

    A framework says some of them once in a process, whichever class comes first: they are compared over all classes
    that both have.
    """
    found: list[dict[str, dict[str, list[str]]]] = [{}, {}]
    for _, *records in both(before, after, TENSORS):
        for warned, record in zip(found, records, strict=True):
            for of, trace in record["found"].items():
                for message in trace["warnings"]:
                    warned.setdefault(of, {}).setdefault(message, []).append(record["pair"])
    old, new = found
    for of in dict.fromkeys([*old, *new]):
        first, then = old.get(of, {}), new.get(of, {})
        for message in sorted(first.keys() ^ then.keys()):
            classes = ", ".join(dict.fromkeys((first | then)[message]))
            said = (message, "") if message in first else ("", message)
            yield change("warnings", classes, of, said, harmless=message in first)
