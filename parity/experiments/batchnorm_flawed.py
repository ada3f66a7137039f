"""The source course's batch normalisation, with its flaw and repaired, as a layer of one's own in three libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from numpynet import Array, Module, Parameter
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.lazy import keras, tf, torch
from parity.mapping.pair import Pair, pair


class BatchNormFlawed(Module):
    """gamma * (x - mean) / sqrt(variance + eps) + beta over the batch, with gamma and beta one number each.

    x has shape (N, F); mean and variance are the batch's own in evaluation too. As the course had it, eps is 0: a
    feature that does not vary within a batch, a dead unit say, becomes 0/0.
    """

    def __init__(self, eps: float = 0.0) -> None:
        self.eps = eps
        self.gamma = Parameter(np.ones(1, np.float32))
        self.beta = Parameter(np.zeros(1, np.float32))

    def forward(self, x: Array) -> Array:
        deviation = np.sqrt(x.var(axis=0) + self.eps)
        normal = (x - x.mean(axis=0)) / deviation
        return self.remember(self.gamma.value * normal + self.beta.value, normal, deviation)

    def backward(self, grad_output: Array) -> Array:
        normal, deviation = self.recall(grad_output)
        self.gamma.grad += np.sum(grad_output * normal)
        self.beta.grad += np.sum(grad_output)
        grad = self.gamma.value * grad_output
        return (grad - grad.mean(axis=0) - normal * np.mean(grad * normal, axis=0)) / deviation


@pair(BatchNormFlawed)
class BatchNormFlawedPair(Pair):
    """No framework has it: it is written out in each."""

    modules = st.builds(BatchNormFlawed, st.sampled_from([2.0**-10, 2.0**-4]))

    def shapes(self, module: BatchNormFlawed) -> Any:
        return st.tuples(st.integers(2, 8), st.integers(1, 8))

    def torch(self, module: BatchNormFlawed) -> Counterpart:
        class Layer(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.gamma, self.beta = (torch.nn.Parameter(torch.empty(1)) for _ in range(2))

            def forward(self, x: Any) -> Any:
                deviation = torch.sqrt(x.var(0, correction=0) + module.eps)
                return self.gamma * (x - x.mean(0)) / deviation + self.beta

        layer = Layer()
        return Counterpart(layer, gamma=layer.gamma, beta=layer.beta)

    def tensorflow(self, module: BatchNormFlawed) -> Counterpart:
        class Layer(keras.layers.Layer):
            def __init__(self) -> None:
                super().__init__()
                self.gamma, self.beta = (self.add_weight(shape=(1,), name=name) for name in ("gamma", "beta"))
                self.built = True

            def call(self, x: Any, training: bool = False) -> Any:
                mean, variance = tf.nn.moments(x, 0)
                return self.gamma * (x - mean) / tf.sqrt(variance + module.eps) + self.beta

        layer = Layer()
        return Counterpart(layer, gamma=layer.gamma, beta=layer.beta)
