"""What parity knows of each framework, one module each; nothing here imports one before it is used."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

FRAMEWORKS = ("torch", "tensorflow")


def available() -> list[str]:
    """The frameworks that are installed, without importing them."""
    return [name for name in FRAMEWORKS if importlib.util.find_spec(name) is not None]


def framework(name: str) -> Any:
    """The module of this package that drives framework `name`."""
    return importlib.import_module(f"parity.frameworks.{name}")


class Lazy:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if "_module" not in vars(self):
            # TensorFlow's start-up notices go to stderr before any Python code could silence them.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
            self._module = importlib.import_module(self._name)
        return getattr(self._module, attribute)


torch: Any = Lazy("torch")
tf: Any = Lazy("tensorflow")
keras: Any = Lazy("keras")
torch_layers: Any = Lazy("parity.frameworks.torch_layers")
keras_layers: Any = Lazy("parity.frameworks.keras_layers")
