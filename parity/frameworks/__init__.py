"""The frameworks, with what parity knows of each in one folder. A folder more is a framework more.

A folder of this package is one; so is a folder `parity/frameworks/NAME` anywhere on Python's path. Its module
`framework` has an instance of `Framework` called FRAMEWORK.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

from parity.discovery import modules
from parity.frameworks.framework import Framework

__path__ += [str(folder) for entry in sys.path if (folder := Path(entry, *__name__.split("."))).is_dir()]

NUMPYNET = "numpynet"

__all__ = ["FRAMEWORKS", "NUMPYNET", "Framework", "available", "framework", "implementations"]


def framework(name: str) -> Framework:
    """The framework called `name`; numpynet is one too. Raises LookupError where there is none."""
    try:
        return _found()[name]
    except KeyError:
        raise LookupError(f"no framework called {name!r}; there are: {', '.join(_found())}") from None


def implementations() -> list[str]:
    """The names of numpynet and of every framework that parity knows, in the order in which they are told."""
    return list(_found())


def available() -> list[str]:
    """The names of the frameworks that are installed; none is imported to find out."""
    return [name for name in FRAMEWORKS if framework(name).installed()]


@functools.cache
def _found() -> dict[str, Framework]:
    folders = modules(__name__, folders=True)
    found: list[Framework] = [importlib.import_module(f"{each.__name__}.framework").FRAMEWORK for each in folders]
    return {each.name: each for each in sorted(found, key=lambda each: each.place)}


FRAMEWORKS = tuple(name for name in implementations() if name != NUMPYNET)
