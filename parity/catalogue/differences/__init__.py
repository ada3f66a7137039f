"""The known differences. A module of this package is a family, and what it differs in are its entries."""

from __future__ import annotations

from types import ModuleType

from parity.catalogue.difference import Difference
from parity.discovery import families


def catalogue() -> list[Difference]:
    """Every entry of the catalogue, family by family."""
    return [entry for module in topics().values() for entry in vars(module).values() if isinstance(entry, Difference)]


def topics() -> dict[str, ModuleType]:
    """The modules of the families by their names, which are the entries' topics."""
    return {module.__name__.rpartition(".")[2]: module for module in families(__name__)}
