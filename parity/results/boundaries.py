"""The releases between which an entry of the catalogue changes, as measured (`parity boundaries`), and what follows.

A condition such as "keras>=3.7" in an entry is as good as the measurement behind it. `measured.json` holds which
releases were tried, with what beside them, and where each entry changed. A test compares the conditions with it; for a
version that was not tried an entry says that its boundary is not verified.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from parity.results.conditions import Bound, bounds, numbers
from parity.results.packages import versions

MEASURED = Path(__file__).with_name("measured.json")


class Boundary(NamedTuple):
    """The last release of a package that was found on one side of a change, and the first on the other."""

    entry: str
    package: str
    last: str
    first: str

    def agrees(self, bound: Bound) -> bool:
        """Tells whether `bound` cuts between the two releases."""
        return self.package == bound.package and numbers(self.last) < numbers(bound.version) <= numbers(self.first)


@functools.cache
def measured() -> dict[str, Any]:
    """The contents of `measured.json`: "releases" (what was beside each, what was off), "boundaries" and more."""
    found: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return found


def boundaries(entry: str) -> list[Boundary]:
    """The boundaries where `entry` was found to change.

    An entry is the id of a difference, or "pair/wrong thing" of a refusal.
    """
    return [
        Boundary(entry, found["package"], found["last"], found["first"])
        for found in measured()["boundaries"]
        if entry in found["entries"]
    ]


def range_measured(package: str) -> tuple[str, str]:
    """The oldest and the newest release of `package` that were tried."""
    tried = [release["version"] for release in measured()["releases"] if release["package"] == package]
    return min(tried, key=numbers), max(tried, key=numbers)


def unmeasured(entry: str, conditions: Iterable[str]) -> list[Bound]:
    """The bounds in the conditions of `entry` that no measurement supports."""
    found = boundaries(entry)
    return [
        bound for when in conditions for bound in bounds(when) if not any(boundary.agrees(bound) for boundary in found)
    ]


def not_verified(entry: str, conditions: Iterable[str]) -> str:
    """A sentence on why the installed versions lie beyond what was measured for the conditions of `entry`.

    It is empty where they do not.
    """
    conditions, installed = list(conditions), versions()
    if missing := unmeasured(entry, conditions):
        return f"boundary not verified: {', '.join(map(str, missing))} was not measured"
    for package in sorted({bound.package for when in conditions for bound in bounds(when)} & set(installed)):
        here = numbers(installed[package])
        oldest, newest = range_measured(package)
        if not numbers(oldest) <= here <= numbers(newest):
            return f"boundary not verified: {package} {oldest} to {newest} were measured, not {installed[package]}"
        for boundary in boundaries(entry):
            if boundary.package == package and numbers(boundary.last) < here < numbers(boundary.first):
                return (
                    f"boundary not verified: it lies between {package} {boundary.last} and {boundary.first}, "
                    f"and so does {installed[package]}"
                )
    return ""


def before(entry: str) -> bool:
    """Tells whether the installed release is older than the one with which `entry` was found to end.

    It is false where the package is not installed. Raises LookupError where `entry` does not change exactly once.
    """
    found = boundaries(entry)
    if len(found) != 1:
        raise LookupError(f"{entry} changes {len(found)} times in what was measured")
    (boundary,) = found
    installed = versions().get(boundary.package)
    return installed is not None and numbers(installed) < numbers(boundary.first)
