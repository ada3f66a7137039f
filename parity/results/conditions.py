"""Conditions on versions, such as "keras>=3.6", and whether the installed versions meet them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from parity.results.packages import versions


class Bound(NamedTuple):
    """One side of a condition: the versions from one on (sign ">="), or those before it (sign "<")."""

    package: str
    sign: str
    version: str

    def __str__(self) -> str:
        return f"{self.package}{self.sign}{self.version}"

    def admits(self, version: str) -> bool:
        return (numbers(version) >= numbers(self.version)) == (self.sign == ">=")


def bounds(when: str) -> list[Bound]:
    """The bounds of a condition such as "keras>=3.6", "torch<2.8" or "keras>=3.4,<3.6"; the empty one has none.

    Raises ValueError for a condition of another form.
    """
    if not when:
        return []
    parts = re.fullmatch(r"(\w+)((?:,?(?:>=|<)[\d.]+)+)", when)
    if parts is None:
        raise ValueError(f"a condition is a package, >= or <, and a version, got {when!r}")
    return [Bound(parts[1], sign, version) for sign, version in re.findall(r"(>=|<)([\d.]+)", parts[2])]


def holds_here(when: str, missing: bool = False, installed: Mapping[str, str] | None = None) -> bool:
    """Tells whether a condition (see `bounds`) holds for the versions `installed`, by default those found here.

    The empty condition always holds. `missing` is the answer where the package is not installed.
    """
    found = versions() if installed is None else installed
    return all(bound.admits(found[bound.package]) if bound.package in found else missing for bound in bounds(when))


def numbers(version: str) -> tuple[int, ...]:
    """The major, minor and patch version as integers to compare by; one that is left out is 0."""
    found = [*map(int, re.findall(r"\d+", version)[:3]), 0, 0]
    return tuple(found[:3])


def public(version: str) -> str:
    """The version without the label of its build, as in 2.13.0+cpu (PEP 440's public version)."""
    return version.partition("+")[0]


def described() -> str:
    """The installed versions in one line, for a failure message."""
    return ", ".join(f"{package} {version}" for package, version in versions().items())
