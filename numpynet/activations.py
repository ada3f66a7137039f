"""Activations: elementwise functions, and softmax over the last axis. Shapes are kept."""

from __future__ import annotations

import numpy as np

from numpynet.module import Array, Module


class ReLU(Module):
    """max(x, 0). The gradient at exactly 0 is 0, as in PyTorch and TensorFlow."""

    def forward(self, input: Array) -> Array:
        output = np.maximum(self.floating(input), 0)
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * (output > 0)  # a sixth of the time of np.where, which stumbles over random masks


class LeakyReLU(Module):
    """max(x, 0) + slope * min(x, 0). The gradient at exactly 0 is `slope`, as in PyTorch and TensorFlow."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, input: Array) -> Array:
        positive = self.floating(input) > 0
        return self.remember(np.where(positive, input, self.slope * input), positive)

    def backward(self, grad_output: Array) -> Array:
        (positive,) = self.recall(grad_output)
        return np.where(positive, grad_output, self.slope * grad_output)


class ELU(Module):
    """x for x > 0, else alpha * (exp(x) - 1). Clevert et al. 2016."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, input: Array) -> Array:
        positive = self.floating(input) > 0
        below = np.minimum(input, 0)
        return self.remember(np.where(positive, input, self.alpha * np.expm1(below)), positive, below)

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return np.where(positive, grad_output, self.alpha * np.exp(below) * grad_output)


class Softplus(Module):
    """log(1 + exp(x)), without overflow: max(x, 0) + log1p(exp(-|x|))."""

    def forward(self, input: Array) -> Array:
        output = np.maximum(self.floating(input), 0) + np.log1p(np.exp(-np.abs(input)))
        return self.remember(output, input)

    def backward(self, grad_output: Array) -> Array:
        (input,) = self.recall(grad_output)
        return grad_output * sigmoid(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Array) -> Array:
        output = sigmoid(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * output * (1 - output)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: Array) -> Array:
        output = np.tanh(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * (1 - output * output)


class SoftMax(Module):
    """exp(x) / sum(exp(x)) over the last axis."""

    def forward(self, input: Array) -> Array:
        output = softmax(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return output * (grad_output - (grad_output * output).sum(axis=-1, keepdims=True))


class LogSoftMax(Module):
    """x - log(sum(exp(x))) over the last axis."""

    def forward(self, input: Array) -> Array:
        output = log_softmax(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output - np.exp(output) * grad_output.sum(axis=-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), accurate in both tails and without overflow."""
    decay = np.exp(-np.abs(x))
    return np.where(x < 0, decay, 1) / (1 + decay)


def softmax(x: Array) -> Array:
    """Shifted by the row's maximum, so that nothing overflows."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
