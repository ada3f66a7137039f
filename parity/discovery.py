"""The one way in which packages find what they hold: a file or a folder more is an entry more."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

# What there is in numpynet, in the order in which it is told: a family has one file name everywhere. The last two hold
# what belongs to no layer.
FAMILIES = (
    "linear",
    "activations",
    "normalization",
    "convolution",
    "pooling",
    "dropout",
    "reshape",
    "containers",
    "losses",
    "optimizers",
    "adaptive",
    "clipping",
    "schedules",
    "initializers",
    "numerics",
    "modes",
)


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


def families(package: str) -> list[ModuleType]:
    """The modules of a package that has one for each family, imported, in the order of FAMILIES; others come last."""
    places = {f"{package}.{name}": place for place, name in enumerate(FAMILIES)}
    return sorted(modules(package), key=lambda module: places.get(module.__name__, len(places)))
