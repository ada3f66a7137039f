"""Who says that something changed, and in which release it was measured to: addresses and boundaries by change."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from parity.drift.document import Change, Move, Versions
from parity.results.boundaries import boundaries
from parity.results.conditions import numbers

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Row = TypeVar("Row", Change, Move)
FILE = Path(__file__).with_name("sources.toml")
BOUNDED = ("refusals", "specials", "differences")  # of which `parity boundaries` has measured the releases


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where it is written that changes came with one release.

    package, release: the first release that has them, as it was measured
    rows: patterns of what the changes are called: kind and key, with its parameter for a signature, such as
        "signatures keras.layers.Dense lora_alpha"; "numbers", implementation and class of a move
    url: of a release note, pull request, issue or commit
    dtype: of the moves that it is told of; empty for those in any
    """

    package: str
    release: str
    rows: list[str]
    url: str
    dtype: str = ""

    def of(self, row: Change | Move) -> bool:
        """Tells whether the source is of such a change, whichever the release."""
        apart = isinstance(row, Move) and self.dtype not in ("", row.dtype)
        return fits(row, self.rows) and not apart


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A change that was known before it was looked for.

    package, before, after: where it is
    text: what was known of it, and measured by hand
    rows: as of a `Source`
    why: why it was not found, where it was not
    """

    package: str
    before: str
    after: str
    text: str
    rows: list[str]
    why: str = ""


@functools.cache
def sources() -> list[Source]:
    """Everything that sources.toml lists as a source."""
    return TypeAdapter(list[Source]).validate_python(_file()["sources"])


@functools.cache
def claims() -> list[Claim]:
    """Everything that sources.toml lists as known before."""
    return TypeAdapter(list[Claim]).validate_python(_file()["claims"])


@functools.cache
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def fits(row: Change | Move, patterns: Iterable[str]) -> bool:
    """Tells whether one of the patterns is that of the change."""
    return any(fnmatchcase(name_of(row), pattern) for pattern in patterns)


def name_of(row: Change | Move) -> str:
    """What a change is called in a pattern."""
    if isinstance(row, Move):
        return f"numbers {row.of} {row.pair}"
    return " ".join([row.kind, row.key, *parameter(row)])


def parameter(change: Change) -> list[str]:
    """The parameter that changed in a signature, in a list; an empty one for any other change."""
    if change.kind != "signatures":
        return []
    return [(change.after or change.before).partition("=")[0].partition(" ")[0]]


def told(row: Row, packages: Iterable[Versions]) -> Row:
    """The row with the releases that are known of it, and with what its sources are."""
    steps = list(packages)
    places: list[Versions] = row.releases or list(_bounded(row, steps))
    urls: list[str] = [
        source.url
        for source in sources()
        if source.of(row) and any(_brought(source, place) for place in places or steps)
    ]
    return replace(row, releases=places, sources=list(dict.fromkeys([*row.sources, *urls])))


def _bounded(row: Change | Move, steps: Iterable[Versions]) -> Iterator[Versions]:
    """Yields the neighbouring releases between which `parity boundaries` has measured that a change lies."""
    if isinstance(row, Change) and row.kind in BOUNDED:
        for known in boundaries(row.key):
            place = Versions(name=known.package, before=known.last, after=known.first)
            if any(within(place, step) for step in steps):
                yield place


def _brought(source: Source, place: Versions) -> bool:
    """Tells whether the release of a source is one of those between two versions, the older one left out."""
    if source.package != place.name or not (place.before and place.after):
        return False
    low, high = sorted(map(numbers, (place.before, place.after)))
    return low < numbers(source.release) <= high


def within(place: Versions, step: Versions) -> bool:
    """Tells whether two versions of a package lie between two others, or are these, in either direction."""
    if place.name != step.name or not all((place.before, place.after, step.before, step.after)):
        return False
    low, high = sorted(map(numbers, (step.before, step.after)))
    return all(low <= numbers(version) <= high for version in (place.before, place.after))
