"""The frameworks, with what parity knows of each in one module; none is imported before it is used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

FRAMEWORKS = ("torch", "tensorflow")


def available() -> list[str]:
    """The names of the frameworks that are installed; none is imported to find out."""
    return [name for name in FRAMEWORKS if importlib.util.find_spec(name) is not None]


def framework(name: str) -> Any:
    """The module of this package that drives the framework called `name`."""
    return importlib.import_module(f"parity.frameworks.{name}")
