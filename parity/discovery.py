"""The one way in which packages find what they hold: a file or a folder more is an entry more."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules(package: str, folders: bool = False) -> list[ModuleType]:
    """The modules that lie in the package of this name, imported, in the order of their names.

    With `folders` only the packages in it, else only the modules.
    """
    home = importlib.import_module(package)
    return [
        importlib.import_module(f"{package}.{found.name}")
        for found in sorted(pkgutil.iter_modules(home.__path__), key=lambda found: found.name)
        if found.ispkg == folders
    ]
