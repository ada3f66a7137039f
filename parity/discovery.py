"""The one way in which packages find what they hold, and modules that are imported when they are first used."""

from __future__ import annotations

import importlib
import os
import pkgutil
from types import ModuleType
from typing import Any

from parity.starting import left_alone

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


class Lazy:
    """A module that is imported when something of it is first asked for.

    From then on its attributes are the module's own, found as fast as in it: some are asked for a million times.
    """

    __slots__ = ("__dict__", "_module", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: ModuleType | None = None

    def __getattr__(self, attribute: str) -> Any:
        if self._module is None:
            # TensorFlow's start-up notices go to stderr before any Python code could silence them.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
            with left_alone():
                self._module = importlib.import_module(self._name)
            self.__dict__ = vars(self._module)
        return getattr(self._module, attribute)  # what it has not yet: a module may make its attributes when asked
