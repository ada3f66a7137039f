"""What two stacks were measured by: which packages and parts of the machine differ, and what a change may be due to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from parity.drift.document import Versions
from parity.drift.machine import MATTERS, in_parts
from parity.drift.stack import Stack
from parity.frameworks import NUMPYNET, framework, implementations
from parity.results.conditions import public

PYTHON = "Python"


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[Versions]:
    """The names whose versions, or values, are not the same, in the order in which they are told."""
    return [
        Versions(name=name, before=before.get(name, ""), after=after.get(name, ""))
        for name in dict.fromkeys([*before, *after])
        if before.get(name, "") != after.get(name, "")
    ]


def machines(before: Stack, after: Stack, parts: Iterable[str] = MATTERS) -> list[Versions]:
    """The parts of the machine that differ, each in words."""
    return differing(in_parts(before.machine, parts), in_parts(after.machine, parts))


def in_words(versions: Iterable[Versions]) -> str:
    """The differences as a title has them: "torch 2.9.1 to 2.13.0, keras 3.15.1 is new"."""
    return ", ".join(map(_in_words, versions))


def _in_words(found: Versions) -> str:
    if not (found.before and found.after):
        return f"{found.name} {found.after or found.before} is {'new' if found.after else 'gone'}"
    before, after = (public(version) for version in (found.before, found.after))
    if before == after:  # two builds of one version, which their labels tell apart
        before, after = found.before, found.after
    return f"{found.name} {before} to {after}"


def suspects(of: str, packages: Iterable[Versions]) -> list[str]:
    """Those of the packages that differ which a change of this implementation or package may be due to.

    An implementation computes by its own packages and by those that all rest on, NumPy and Python.
    """
    home = _home(of)
    everyones = {PYTHON, *framework(NUMPYNET).distributions}
    return [each.name for each in packages if home is None or each.name in everyones | set(home)]


def has(stack: Stack, of: str) -> bool:
    """Tells whether a stack has an implementation or package; it has what is none, and of an unknown stack all."""
    home = _home(of)
    return home is None or not stack.computing or any(package in stack.computing for package in home)


def _home(of: str) -> Mapping[str, Any] | None:
    """The packages of the implementation that is called so, or that has a package called so; None where none has."""
    for name in implementations():
        if of == name or of in framework(name).distributions:
            return framework(name).distributions
    return None
