"""What a mistake of a port is: where it is planted, what names it rightly, and who made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet import Array
from parity.frameworks.lazy import keras, torch


@dataclass(frozen=True)
class Twin:
    """A small architecture in torch, and its right port to Keras.

    torch: makes the module
    keras: makes the port; arguments change a part of it
    inputs: draws what the module takes
    """

    name: str
    torch: Callable[[], Any]
    keras: Callable[..., Any]
    inputs: Callable[[np.random.Generator], Array]

    def both(self, seed: int = 0, **changes: Any) -> tuple[Any, Any]:
        """The module, with weights as training leaves them, and the port, with weights of its own."""
        torch.manual_seed(seed)
        keras.utils.set_random_seed(seed)
        model, port = self.torch(), self.keras(**changes)
        with torch.no_grad():
            for module in model.modules():
                if "Norm" in type(module).__name__:  # gains are 1 and shifts 0 before
                    module.weight.uniform_(0.5, 2)
                    module.bias.normal_()
        move_statistics(model)
        return model, port


def move_statistics(model: Any) -> None:
    """Draw the running statistics of a torch module, which are 0 and 1 before a training."""
    for name, held in model.named_buffers():
        if name.endswith("running_mean"):
            held.normal_()
        elif name.endswith("running_var"):
            held.uniform_(0.5, 2)


@dataclass(frozen=True)
class Mistake:
    """A mistake that somebody made in a port, and what a comparison should say of it.

    twin: the architecture that it is planted in
    told: the mistake in plain words
    source: where somebody made it, or warns of it
    layer: the name of the layer of the port that makes the error; empty where it is made between layers
    cause: the name of the setting; empty where it is none
    changes: what is changed in the port
    convert: makes the mistake in the weights of the port, which are the module's: of the module and the port
    training: what both are trained by, where the mistake is in that
    """

    name: str
    twin: Twin
    told: str
    source: str
    layer: str
    cause: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    convert: Callable[[Any, Any], None] | None = None
    training: Callable[[], Mapping[str, Any]] | None = None


def normal(*shape: int) -> Callable[[np.random.Generator], Array]:
    return lambda rng: rng.standard_normal(shape).astype(np.float32)


def rearranged(layer: str, make: Callable[[list[Array]], Sequence[Array]]) -> Callable[[Any, Any], None]:
    """Gives the weights of a layer of the port another arrangement, in which somebody's script leaves them."""

    def convert(model: Any, port: Any) -> None:
        found = port.get_layer(layer)
        found.set_weights(make(found.get_weights()))

    return convert
