"""The frameworks, imported when something of them is first used: a pair may name them though they are not installed."""

from __future__ import annotations

from typing import Any

from parity.discovery import Lazy

torch: Any = Lazy("torch")
tf: Any = Lazy("tensorflow")
keras: Any = Lazy("keras")
torch_layers: Any = Lazy("parity.frameworks.torch.layers")
keras_layers: Any = Lazy("parity.frameworks.tensorflow.layers")
torch_optimizers: Any = Lazy("parity.frameworks.torch.optimizers")
keras_optimizers: Any = Lazy("parity.frameworks.tensorflow.optimizers")
torch_activations: Any = Lazy("parity.frameworks.torch.activations")
keras_activations: Any = Lazy("parity.frameworks.tensorflow.activations")
