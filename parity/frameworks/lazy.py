"""The frameworks, imported when something of them is first used: a pair may name them though they are not installed."""

from __future__ import annotations

import importlib
import os
from typing import Any


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
torch_layers: Any = Lazy("parity.frameworks.torch.layers")
keras_layers: Any = Lazy("parity.frameworks.tensorflow.layers")
torch_optimizers: Any = Lazy("parity.frameworks.torch.optimizers")
keras_optimizers: Any = Lazy("parity.frameworks.tensorflow.optimizers")
torch_activations: Any = Lazy("parity.frameworks.torch.activations")
keras_activations: Any = Lazy("parity.frameworks.tensorflow.activations")
