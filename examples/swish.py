"""A layer of one's own, proven by `pytest examples/swish.py` or `parity check examples/swish.py`."""

import keras
import numpy as np
import torch
from hypothesis import strategies as st

import parity
from numpynet import Array, Module


class Swish(Module):
    """x * sigmoid(x)."""

    def forward(self, x: Array) -> Array:
        gate = 1 / (1 + np.exp(-x))
        return self.remember(x * gate, x, gate)

    def backward(self, grad_output: Array) -> Array:
        x, gate = self.recall(grad_output)
        return grad_output * gate * (1 + x * (1 - gate))


@parity.pair(Swish)
class SwishPair(parity.LayerPair):
    modules = st.builds(Swish)

    def torch(self, module: Swish) -> torch.nn.Module:
        return torch.nn.SiLU()

    def tensorflow(self, module: Swish) -> keras.Layer:
        return keras.layers.Activation("silu")


def test_swish() -> None:
    parity.check(Swish)
