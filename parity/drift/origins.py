"""What two stacks were measured by: which packages and parts of the machine differ, and what a change may be due to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from parity.drift.document import Versions
from parity.drift.machine import MATTERS, in_parts
from parity.drift.stack import Stack
from parity.frameworks import NUMPYNET, framework, implementations

PYTHON = "Python"


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[Versions]:
    """The names whose versions are not the same, in the order in which they are told."""
    return [
        Versions(name=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in dict.fromkeys([*before, *after])
        if before.get(name, "") != after.get(name, "")
    ]


def machines(before: Stack, after: Stack, parts: Iterable[str] = MATTERS) -> list[Versions]:
    """The parts of the machine that differ, each in words."""
    return differing(in_parts(before.machine, parts), in_parts(after.machine, parts))


def in_words(versions: Iterable[Versions]) -> str:
    """The differences as a title has them: "torch 2.9.1 to 2.13.0, NumPy 2.0.0 is new"."""
    return ", ".join(
        f"{each.name} {each.before} to {each.after}"
        if each.before and each.after
        else f"{each.name} {each.after} is new"
        if each.after
        else f"{each.name} {each.before} is gone"
        for each in versions
    )


def suspects(of: str, packages: Iterable[Versions]) -> list[str]:
    """Those of the packages that differ which a change of this implementation or package may be due to.

    An implementation computes by its own packages and by those that all rest on, NumPy and Python.
    """
    home = _home(of)
    everyones = {PYTHON, *framework(NUMPYNET).distributions}
    return [each.name for each in packages if home is None or each.name in everyones | set(home)]


def _home(of: str) -> Mapping[str, Any] | None:
    """The packages of the implementation that is called so, or that has a package called so; None where none has."""
    for name in implementations():
        if of == name or of in framework(name).distributions:
            return framework(name).distributions
    return None
