"""Activations."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st

from numpynet import ELU, Array, LeakyReLU, LogSoftMax, ReLU, Sigmoid, SoftMax, Softplus, Tanh
from parity.installed import holds_here
from parity.lazy import keras, torch
from parity.pairing import Pair, pair
from parity.strategies import dyadic


@pair(ReLU)
class ReLUPair(Pair):
    modules = st.builds(ReLU)

    def torch(self, module: ReLU) -> Any:
        return torch.nn.ReLU()

    def tensorflow(self, module: ReLU) -> Any:
        return keras.layers.ReLU()


@pair(LeakyReLU)
class LeakyReLUPair(Pair):
    """Keras calls it negative_slope; the defaults differ (see differences, leaky-relu-slope)."""

    modules = st.builds(LeakyReLU, dyadic(0, 1))

    def torch(self, module: LeakyReLU) -> Any:
        return torch.nn.LeakyReLU(module.slope)

    def tensorflow(self, module: LeakyReLU) -> Any:
        return keras.layers.LeakyReLU(negative_slope=module.slope)


class ELUByDifference(ELU):
    """TensorFlow's: exp(x) - 1, and the gradient from the output (see differences, elu-cancellation)."""

    def forward(self, input: Array) -> Array:
        positive = input > 0
        below = np.exp(np.minimum(input, 0)) - 1
        return self.remember(np.where(positive, input, self.alpha * below), positive, below)

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return np.where(positive, grad_output, self.alpha * grad_output * (below + 1))


@pair(ELU)
class ELUPair(Pair):
    modules = st.builds(ELU, dyadic(0, 2))
    formulas: ClassVar = {
        "tensorflow": ELUByDifference,
        **({"torch": ELUByDifference} if holds_here("torch<2.11") else {}),  # differences, elu-cancellation-torch
    }

    def torch(self, module: ELU) -> Any:
        return torch.nn.ELU(module.alpha)

    def tensorflow(self, module: ELU) -> Any:
        return keras.layers.ELU(alpha=module.alpha)


@pair(Softplus)
class SoftplusPair(Pair):
    """torch is linear above a threshold, by default 20, where float64 still sees the difference: 40 is beyond it."""

    modules = st.builds(Softplus)

    def torch(self, module: Softplus) -> Any:
        return torch.nn.Softplus(threshold=40)

    def tensorflow(self, module: Softplus) -> Any:
        return keras.layers.Activation("softplus")


@pair(Sigmoid)
class SigmoidPair(Pair):
    modules = st.builds(Sigmoid)

    def torch(self, module: Sigmoid) -> Any:
        return torch.nn.Sigmoid()

    def tensorflow(self, module: Sigmoid) -> Any:
        return keras.layers.Activation("sigmoid")


@pair(Tanh)
class TanhPair(Pair):
    modules = st.builds(Tanh)

    def torch(self, module: Tanh) -> Any:
        return torch.nn.Tanh()

    def tensorflow(self, module: Tanh) -> Any:
        return keras.layers.Activation("tanh")


@pair(SoftMax)
class SoftMaxPair(Pair):
    modules = st.builds(SoftMax)

    def torch(self, module: SoftMax) -> Any:
        return torch.nn.Softmax(dim=-1)

    def tensorflow(self, module: SoftMax) -> Any:
        return keras.layers.Softmax(axis=-1)


@pair(LogSoftMax)
class LogSoftMaxPair(Pair):
    modules = st.builds(LogSoftMax)

    def torch(self, module: LogSoftMax) -> Any:
        return torch.nn.LogSoftmax(dim=-1)

    def tensorflow(self, module: LogSoftMax) -> Any:
        return keras.layers.Activation("log_softmax")
