"""What parity knows of each framework, one module each; nothing here imports one before it is used."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

FRAMEWORKS = ("torch", "tensorflow")


def available() -> list[str]:
    """The frameworks that are installed, without importing them."""
    return [name for name in FRAMEWORKS if importlib.util.find_spec(name) is not None]


def framework(name: str) -> Any:
    """The module of this package that drives framework `name`."""
    return importlib.import_module(f"parity.frameworks.{name}")
