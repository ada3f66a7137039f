"""Classes that have a pair, by the names under which a call takes them to another process."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import NamedTuple

from parity.ladder.proving import load, targets


class ClassName(NamedTuple):
    """The name of one of numpynet's classes that have a pair or, with a `file`, of a class whose pair that defines."""

    name: str
    file: str | None = None

    def load(self) -> type:
        modules = None if self.file is None else [_module(self.file)]
        return next(target for target in targets(modules) if target.__name__ == self.name)


def names() -> list[str]:
    """The names of numpynet's classes that have a pair."""
    return [target.__name__ for target in targets()]


def names_in(file: str) -> list[str]:
    """The names of the classes whose pairs the Python file defines."""
    return [target.__name__ for target in targets([_module(file)])]


@cache
def _module(file: str) -> ModuleType:
    """The module of a Python file, imported once in each process."""
    return load(file)
