"""Why mutants survive: survivors.toml, written by hand, which knows a mutant by its lines, wherever they move."""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True)
class Reason:
    """Why the change of `module` that takes out and puts in the lines of `diff` survives.

    equivalent: whether no program could tell it from what it was made of
    """

    module: str
    diff: tuple[str, ...]
    equivalent: bool
    reason: str


@functools.cache
def reasons() -> list[Reason]:
    """All that are known."""
    found = tomllib.loads(FILE.read_text("utf-8")).get("survivor", [])
    return [Reason(**{**each, "diff": tuple(map(bare, each["diff"]))}) for each in found]


def reason_of(module: str, diff: Sequence[str]) -> Reason | None:
    """The reason why this change survives; None where it is not known."""
    lines = tuple(map(bare, diff))
    return next((each for each in reasons() if (each.module, each.diff) == (module, lines)), None)


def bare(line: str) -> str:
    """A line of a diff without its indentation."""
    return line[0] + line[1:].strip()
