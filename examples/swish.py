"""A layer of one's own, proven by `pytest examples/swish.py` or `parity check examples/swish.py`."""

import keras
import numpy as np
import torch
from hypothesis import strategies as st

import parity
from numpynet import Module


class Swish(Module):
    """x * sigmoid(slope * x)."""

    def __init__(self, slope=1.0):
        self.slope = slope

    def forward(self, x):
        gate = 1 / (1 + np.exp(-self.slope * x))
        return self.remember(x * gate, x, gate)

    def backward(self, grad_output):
        x, gate = self.recall(grad_output)
        return grad_output * gate * (1 + self.slope * x * (1 - gate))


@parity.pair(Swish)
class SwishPair(parity.Pair):
    modules = st.builds(Swish)

    def torch(self, module):
        return torch.nn.SiLU()

    def tensorflow(self, module):
        return keras.layers.Activation("silu")


def test_swish():
    parity.check(Swish)
