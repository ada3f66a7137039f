"""Special values: what each implementation makes of one NaN, infinity, negative zero, or number at the format's end.

One element of an otherwise ordinary input is special or, of an optimizer, one of the gradient. Compared is what kind of
number each element of every output, gradient and parameter is: NaN, an infinity of which sign, zero, or another number;
of what a negative zero becomes, the zero's sign too. Which numbers they are is not compared: the ladder does that by
allowances, and beside an infinity none can be derived. Nor is the sign of any other zero: of a gradient it is the
cotangent's, where a layer multiplies by 0, and tells nothing of the special value.

What a framework makes of one otherwise than numpynet is a finding. It stands, with its reason, in its family's file in
`parity.catalogue.specials`; one that is not listed there fails, and so does one that is no longer there.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from numpynet import Array, Graph, Sequential
from parity.case import parts
from parity.catalogue.attempt import right
from parity.catalogue.deviation import Deviation, Uncompared
from parity.catalogue.example import Example
from parity.catalogue.kernels import kernels
from parity.catalogue.policy import Words, about, spoiled, told
from parity.catalogue.specials import EXAMPLES, KNOWN
from parity.catalogue.variation import KINDS, PLACES, VALUES, kinds, quantity, traces, variations
from parity.frameworks import NUMPYNET, available
from parity.ladder.trace import Trace
from parity.mapping.pair import maps
from parity.results.boundaries import not_verified
from parity.results.conditions import holds_here
from parity.results.records.facts import SpecialRecord


class Cell(NamedTuple):
    """One quantity of one variation, computed by one framework."""

    who: str
    quantity: str
    words: Words


@dataclass(frozen=True)
class Special:
    """One special value in the examples of one class, what came of it, and what is known of it.

    policy: what it spoils in numpynet
    compared: the number of arrays that were compared with numpynet's
    found, expected: what of numpynet's is what in a framework, where they part: as measured, and by the table
    tried: the words of every variation
    known: the entries of the table that speak of it
    """

    pair: str
    value: str
    policy: str
    compared: int
    found: dict[Cell, str]
    expected: dict[Cell, str]
    tried: list[Words]
    known: list[Deviation]
    boundary: str = ""

    @property
    def stated(self) -> bool:
        return self.found == self.expected

    @property
    def passed(self) -> bool | None:
        """Tells whether frameworks and numpynet part as stated; None where nothing was compared.

        It is None too where they do not, and `boundary` says why that may be.
        """
        return None if not self.compared or (self.boundary and not self.stated) else self.stated

    @property
    def key(self) -> str:
        return f"{self.pair}/{self.value}"

    def wrong(self) -> list[str]:
        """A line on everything that is not as the table says."""
        apart: dict[Cell, str] = {}
        for cell in {**self.expected, **self.found}:
            now, listed = self.found.get(cell), self.expected.get(cell)
            if now != listed:
                apart[cell] = f"{now or 'as numpynet'}, the table says {listed or 'nothing'}"
        return [f"{who}, {line}" for who, lines in self._lines(apart).items() for line in lines]

    def _lines(self, cells: dict[Cell, str]) -> dict[str, list[str]]:
        """A line on each quantity, by framework, with the words that tell its variations from the others."""
        alike: dict[tuple[str, str, str], list[Words]] = {}
        for cell, said in cells.items():
            alike.setdefault((cell.who, cell.quantity, said), []).append(cell.words)
        lines: dict[str, list[str]] = {}
        for (who, what, said), some in alike.items():
            limits = "" if len(some) == len(self.tried) else about(some, self.tried) or f"{len(some)} variations"
            lines.setdefault(who, []).append(f"{what}{f' ({limits})' if limits else ''}: {said}")
        return lines

    def does(self) -> dict[str, str]:
        """Returns what each framework makes of it otherwise, and what is not compared, in words."""
        lines = self._lines(self.found)
        for entry in self.known:
            if isinstance(entry, Uncompared):
                limits = f" ({', '.join(entry.only)})" if entry.only else ""
                lines.setdefault(entry.who, []).extend(f"{what}{limits}: not compared" for what in entry.turns)
        return {who: "; ".join(said) for who, said in lines.items()}

    def as_record(self) -> SpecialRecord:
        """The special value as a record of the results store."""
        return SpecialRecord(
            key=self.key,
            passed=self.passed,
            pair=self.pair,
            value=self.value,
            policy=self.policy,
            compared=self.compared,
            does=self.does(),
            reasons=list(dict.fromkeys(known.reason for known in self.known)),
            sources=list(dict.fromkeys(known.source for known in self.known if known.source)),
            boundary=self.boundary,
            message="\n".join(self.wrong()) or ("" if self.compared else "there is no framework to compare with"),
        )


def specials(target: type, frameworks: Iterable[str] | None = None) -> list[Special]:
    """Put every special value into the examples of `target`, and compare the frameworks with numpynet.

    Of a container there are none: it does what its layers do.
    """
    return list(map(_judged, tried(target, frameworks)))


class Tried(NamedTuple):
    """One special value in the examples of one class, before the table is asked.

    by: the frameworks, sorted
    policies: what it spoils in numpynet, by variation
    compared: the number of arrays that were compared with numpynet's
    found: what of numpynet's is what in a framework, where they part
    """

    pair: str
    value: str
    by: list[str]
    policies: dict[Words, str]
    compared: int
    found: dict[Cell, str]


def tried(target: type, frameworks: Iterable[str] | None = None) -> list[Tried]:
    """Returns what every special value makes of the examples of `target` in the frameworks, beside numpynet."""
    names = sorted(name for name in (available() if frameworks is None else frameworks) if maps(target, name))
    ours: dict[tuple[str, Words, str], Array] = {}
    policies: dict[str, dict[Words, str]] = {}
    found: dict[str, dict[Cell, str]] = {value: {} for value in VALUES}
    compared = dict.fromkeys(VALUES, 0)
    for example in examples(target):
        for together in variations(example):
            for variation, value, trace in traces(together, NUMPYNET):
                seen = _seen(example, value, trace)
                ours |= {(value, variation.words, what): kinds_there for what, kinds_there in seen.items()}
                policies.setdefault(value, {})[variation.words] = policy(example, variation.place, seen)
            for name in names:
                for variation, value, trace in traces(together, name):
                    for what, theirs in _seen(example, value, trace).items():
                        compared[value] += 1
                        if turned := turns(ours[value, variation.words, what], theirs):
                            found[value][Cell(name, what, variation.words)] = turned
    return [
        Tried(target.__name__, value, names, by_variation, compared[value], found[value])
        for value, by_variation in policies.items()
    ]


def _seen(example: Example, value: str, trace: Trace) -> dict[str, Array]:
    """The kinds of numbers of every quantity."""
    return {
        quantity(key, example): kinds(array, signed=value == "-0" and key.quantity == "output")
        for key, array in trace.items()
    }


def policy(example: Example, place: str, seen: Mapping[str, Array]) -> str:
    """Returns what a special value at this place spoils, in words; of an optimizer, after its last step."""
    of_input = parts(example.input)[0].shape
    alike: dict[str, list[str]] = {}
    for what, kinds_there in seen.items():
        if what.endswith("step 1"):
            continue
        shape = of_input if example.arguments is None else kinds_there.shape
        if words := spoiled(kinds_there, PLACES[place], shape):
            alike.setdefault(words, []).append(what.removesuffix(", step 2"))
    return ", ".join(f"{' and '.join(quantities)}: {words}" for words, quantities in alike.items()) or "nothing"


def examples(target: type) -> list[Example]:
    """The examples of a class: those of its family's file or, of a class that has none, the one that is tried on it."""
    if any(issubclass(target, kind) for kind in (Sequential, Graph)):
        return []
    if own := [example for example in EXAMPLES if example.of is target]:
        return own
    attempt = right(target)
    return [Example(target, attempt.module, attempt.input)]


def turns(ours: Array, theirs: Array) -> str:
    """Returns what of numpynet's kinds of numbers is what there, in words; empty where all are alike."""
    if ours.shape != theirs.shape:
        return f"{ours.shape} to {theirs.shape}"
    apart = ours != theirs
    pairs = sorted(set(zip(ours[apart].tolist(), theirs[apart].tolist(), strict=True)))
    return ", ".join(f"{KINDS[one]} to {KINDS[other]}" for one, other in pairs)


def _judged(each: Tried) -> Special:
    pair, value, names, policies, compared, found = each
    known, variations_tried = of(pair, value), list(policies)
    here = [entry for entry in known if _holds(entry) and set(entry.who.split()) & set(names)]
    expected, uncompared = stated(here, variations_tried, names)
    found = {cell: turned for cell, turned in found.items() if cell not in uncompared}
    boundary = not_verified(f"{pair}/{value}", [entry.when for entry in known])
    return Special(pair, value, told(policies), compared, found, expected, variations_tried, here, boundary)


def stated(
    entries: Iterable[Deviation], variations_tried: Iterable[Words], names: Iterable[str]
) -> tuple[dict[Cell, str], set[Cell]]:
    """Returns what these entries say of these variations: where frameworks part from numpynet; what is not compared."""
    expected: dict[Cell, str] = {}
    uncompared: set[Cell] = set()
    for entry, words in itertools.product(entries, variations_tried):
        if set(entry.only) <= set(words):
            cells = {
                Cell(who, what, words): turned
                for who in entry.who.split()
                if who in names
                for what, turned in entry.turns.items()
            }
            if isinstance(entry, Uncompared):
                uncompared |= cells.keys()
            else:
                expected |= cells
    return expected, uncompared


def _holds(entry: Deviation, installed: Mapping[str, str] | None = None, by: str | None = None) -> bool:
    """Tells whether the entry is about the installed versions and TensorFlow's kernels here; `installed` and `by`
    replace these.
    """
    if not holds_here(entry.when, missing=True, installed=installed):
        return False
    return not entry.by or "tensorflow" not in available() or entry.by == (kernels() if by is None else by)


def as_outcome(each: Tried) -> str:
    """Returns what was tried and found, as JSON that `as_stated` judges by whatever the table says then."""
    found = sorted([*cell[:2], list(cell.words), turned] for cell, turned in each.found.items())
    return json.dumps({"tried": [list(words) for words in each.policies], "by": each.by, "found": found})


def as_stated(pair: str, value: str, outcome: str, installed: Mapping[str, str], by: str | None) -> bool:
    """Tells whether an outcome is as the table says for these versions and TensorFlow's kernels."""
    said = json.loads(outcome)
    found = {Cell(who, what, tuple(words)): turned for who, what, words, turned in said["found"]}
    entries = [entry for entry in of(pair, value) if _holds(entry, installed, by)]
    expected, uncompared = stated(entries, map(tuple, said["tried"]), said["by"])
    return {cell: turned for cell, turned in found.items() if cell not in uncompared} == expected


def of(pair: str, value: str) -> list[Deviation]:
    """Every entry for a pair and a special value, whatever is installed."""
    return [entry for entry in KNOWN if (pair, value) in entry.entries()]


def unmatched(found: Iterable[Special]) -> set[tuple[str, str]]:
    """The pairs and values of the table that were not tried: stale ones, where `found` is everything."""
    return {each for entry in KNOWN for each in entry.entries()} - {(each.pair, each.value) for each in found}


def measure_specials(target: type, frameworks: Iterable[str] | None = None) -> list[SpecialRecord]:
    """The records of what `specials` finds."""
    return [special.as_record() for special in specials(target, frameworks)]
