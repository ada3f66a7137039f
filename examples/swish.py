"""A layer of one's own, proven by `pytest examples/swish.py` or `parity check examples/swish.py`."""

from typing import Any

import keras
import numpy as np
import torch
from hypothesis import strategies as st

import parity
from numpynet import Array, Module


class Swish(Module):
    """x * sigmoid(slope * x)."""

    def __init__(self, slope: float = 1.0) -> None:
        self.slope = slope

    def forward(self, x: Array) -> Array:
        gate = 1 / (1 + np.exp(-self.slope * x))
        return self.remember(x * gate, x, gate)

    def backward(self, grad_output: Array) -> Array:
        x, gate = self.recall(grad_output)
        return grad_output * gate * (1 + self.slope * x * (1 - gate))


@parity.pair(Swish)
class SwishPair(parity.LayerPair):
    modules = st.builds(Swish)

    def torch(self, module: Swish) -> Any:
        return torch.nn.SiLU()

    def tensorflow(self, module: Swish) -> Any:
        return keras.layers.Activation("silu")


def test_swish() -> None:
    parity.check(Swish)
