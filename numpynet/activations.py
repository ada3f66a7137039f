"""Activations: elementwise functions, maxima of features, and softmax over the last axis.

Each takes a floating array, returns one of the same dtype, and raises ValueError for any other input.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from numpynet.choosing import select
from numpynet.features import along, check_features, sum_features
from numpynet.module import Array, Module, Parameter, integer
from numpynet.normal import PI, normal_cdf


class ReLU(Module):
    """max(x, 0), elementwise, for floating x of any shape.

    The gradient at exactly 0 is 0, as in PyTorch and TensorFlow. Raises ValueError unless x is floating.
    Nair & Hinton 2010.
    """

    def forward(self, input: Array) -> Array:
        output = np.maximum(self.floating(input), 0)
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * (output > 0)  # a sixth of the time of np.where, which stumbles over random masks


class LeakyReLU(Module):
    """max(x, 0) + slope * min(x, 0), elementwise, for floating x of any shape.

    The gradient at exactly 0 is `slope`, as in PyTorch and TensorFlow. Raises ValueError unless x is floating.
    Maas, Hannun & Ng 2013.
    """

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        positive = input > 0
        return self.remember(select(positive, input, self.slope * input), positive)

    def backward(self, grad_output: Array) -> Array:
        (positive,) = self.recall(grad_output)
        return select(positive, grad_output, self.slope * grad_output)


class PReLU(Module):
    """max(x, 0) + slope * min(x, 0) for x of shape (N, num_features, ...), with one trained slope for each feature.

    The slopes have shape (num_features,) and begin at 0.25; PReLU() has a single slope for any number of features. The
    gradient at exactly 0 is the slope, as in PyTorch. Raises ValueError where num_features is no integer of at least 0,
    and unless x has that shape and the slopes' dtype.
    He et al. 2015.
    """

    def __init__(self, num_features: int = 1, *, dtype: DTypeLike = np.float32) -> None:
        self.num_features = integer("PReLU", "num_features", num_features, 0)
        self.slope = Parameter(np.full(num_features, 0.25, dtype))

    @property
    def dtype(self) -> str:
        """The name of the slopes' dtype, such as "float32"."""
        return self.slope.value.dtype.name

    def forward(self, input: Array) -> Array:
        input = check_features(self, input, self.num_features, self.slope.value.dtype, shared=True)
        below = np.minimum(input, 0)
        output = np.maximum(input, 0) + along(self.slope.value, input) * below
        return self.remember(output, input > 0, below)

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        self.slope.accumulate(lambda out: sum_features(grad_output * below, out))
        return select(positive, grad_output, along(self.slope.value, grad_output) * grad_output)


class Maxout(Module):
    """The largest of each `pieces` consecutive features: (N, features, ...) -> (N, features / pieces, ...).

    After `Linear(inputs, outputs * pieces)` it is a maximum over linear pieces (Goodfellow et al. 2013). The gradient
    goes to the first of equal pieces, as in max pooling. Raises ValueError for pieces < 1, where it is no integer, and
    unless x is floating and `pieces` divides its features.
    """

    def __init__(self, pieces: int) -> None:
        self.pieces = integer("Maxout", "pieces", pieces)

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        if input.ndim < 2 or input.shape[1] % self.pieces:
            raise ValueError(
                f"{self!r} takes shape (N, features, ...) with a multiple of {self.pieces} features, "
                f"got shape {input.shape}"
            )
        examples, features, *rest = input.shape
        groups = input.reshape(examples, features // self.pieces, self.pieces, *rest)
        first = np.expand_dims(groups.argmax(axis=2), 2)
        return self.remember(np.take_along_axis(groups, first, axis=2)[:, :, 0], groups.shape, first)

    def backward(self, grad_output: Array) -> Array:
        shape, first = self.recall(grad_output)
        grad = np.zeros_like(grad_output, shape=shape)
        np.put_along_axis(grad, first, grad_output[:, :, None], axis=2)
        return grad.reshape(shape[0], shape[1] * shape[2], *shape[3:])


class ELU(Module):
    """x for x > 0, else alpha * (exp(x) - 1), elementwise, for floating x of any shape.

    The gradient at exactly 0 is alpha. Raises ValueError unless x is floating. Clevert et al. 2016.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        positive, below = input > 0, np.minimum(input, 0)
        return self.remember(select(positive, input, self.alpha * np.expm1(below)), positive, below)

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return select(positive, grad_output, self.alpha * np.exp(below) * grad_output)


class SELU(Module):
    """scale * x for x > 0, else scale * alpha * (exp(x) - 1), elementwise, for floating x of any shape.

    The two constants are those that keep activations at mean 0 and variance 1. The gradient at exactly 0 is scale *
    alpha, as in PyTorch.
    Raises ValueError unless x is floating. Klambauer et al. 2017.
    """

    scale, alpha = 1.0507009873554804934, 1.6732632423543772848

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        positive, below = input > 0, np.minimum(input, 0)
        output = select(positive, self.scale * input, self.scale * self.alpha * np.expm1(below))
        return self.remember(output, positive, below)

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return grad_output * select(positive, self.scale, self.scale * self.alpha * np.exp(below))


class Softplus(Module):
    """log(1 + exp(x)), elementwise, for floating x of any shape.

    It is computed as max(x, 0) + log1p(exp(-|x|)), which does not overflow. Raises ValueError unless x is floating.
    Dugas et al. 2001.
    """

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        output = np.maximum(input, 0) + np.log1p(np.exp(-np.abs(input)))
        return self.remember(output, input)

    def backward(self, grad_output: Array) -> Array:
        (input,) = self.recall(grad_output)
        return grad_output * sigmoid(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), elementwise and without overflow, for floating x of any shape.

    Raises ValueError unless x is floating.
    """

    def forward(self, input: Array) -> Array:
        output = sigmoid(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * output * (1 - output)


class SiLU(Module):
    """x / (1 + exp(-x)), elementwise, for floating x of any shape; also called swish.

    Raises ValueError unless x is floating. Elfwing et al. 2018, Ramachandran et al. 2017.
    """

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        gate = sigmoid(input)
        return self.remember(input * gate, input, gate)

    def backward(self, grad_output: Array) -> Array:
        input, gate = self.recall(grad_output)
        return grad_output * gate * (1 + input * (1 - gate))


class GELU(Module):
    """x P(Z <= x) for a standard normal Z; with approximate="tanh", x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).

    x is floating, of any shape. Names and default are PyTorch's. Raises ValueError for any other `approximate`, and
    unless x is floating. Hendrycks & Gimpel 2016.
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        if approximate not in ("none", "tanh"):
            raise ValueError(f'GELU takes approximate="none" or "tanh", got {approximate!r}')
        self.approximate = approximate

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        root = input.dtype.type(np.sqrt(2 / PI))
        if self.approximate == "none":
            gate = normal_cdf(input)
        else:
            gate = (1 + np.tanh(root * (input + 0.044715 * (input * input * input)))) / 2
        return self.remember(input * gate, input, gate)

    def backward(self, grad_output: Array) -> Array:
        input, gate = self.recall(grad_output)
        root, square = input.dtype.type(np.sqrt(2 / PI)), input * input
        if self.approximate == "none":
            gate_slope = root / 2 * np.exp(-square / 2)
        else:
            gate_slope = 2 * gate * (1 - gate) * (root * (1 + 3 * (0.044715 * square)))
        return grad_output * (gate + input * gate_slope)


class HardSigmoid(Module):
    """min(max(x + 3, 0), 6) / 6, elementwise, for floating x of any shape, as in PyTorch and Keras 3.

    The gradient at exactly -3 and 3 is 0. Raises ValueError unless x is floating. Howard et al. 2019.
    """

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        clipped = hard_clip(input)
        return self.remember(clipped / 6, clipped)

    def backward(self, grad_output: Array) -> Array:
        (clipped,) = self.recall(grad_output)
        return grad_output * hard_slope(clipped) / 6


class HardSwish(Module):
    """x * min(max(x + 3, 0), 6) / 6, elementwise, for floating x of any shape.

    The gradient at exactly -3 is 0, at 3 it is 1. Raises ValueError unless x is floating. Howard et al. 2019.
    """

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        clipped = hard_clip(input)
        return self.remember(input * clipped / 6, input, clipped)

    def backward(self, grad_output: Array) -> Array:
        input, clipped = self.recall(grad_output)
        return grad_output * (clipped + input * hard_slope(clipped)) / 6


class Tanh(Module):
    """The hyperbolic tangent, elementwise, for floating x of any shape. Raises ValueError unless x is floating."""

    def forward(self, input: Array) -> Array:
        output = np.tanh(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * (1 - output * output)


class SoftMax(Module):
    """exp(x) / sum(exp(x)) over the last axis, without overflow, for floating x of shape (..., C).

    Raises ValueError unless x is floating.
    """

    def forward(self, input: Array) -> Array:
        output = softmax(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return output * (grad_output - (grad_output * output).sum(axis=-1, keepdims=True))


class LogSoftMax(Module):
    """x - log(sum(exp(x))) over the last axis, without overflow, for floating x of shape (..., C).

    Raises ValueError unless x is floating.
    """

    def forward(self, input: Array) -> Array:
        output = log_softmax(self.floating(input))
        return self.remember(output, output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output - np.exp(output) * grad_output.sum(axis=-1, keepdims=True)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), accurate in both tails and without overflow."""
    decay = np.exp(-np.abs(x))
    return select(x < 0, decay, 1.0) / (1 + decay)


def hard_clip(x: Array) -> Array:
    """min(max(x + 3, 0), 6), elementwise: six times the hard sigmoid."""
    return np.minimum(np.maximum(x + 3, 0), 6)


def hard_slope(clipped: Array) -> Array:
    """The derivative of `hard_clip`, given its output `clipped`: true where that is strictly between 0 and 6."""
    return (clipped > 0) & (clipped < 6)


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, computed from x minus its maximum, so that nothing overflows."""
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_softmax(x: Array) -> Array:
    """x - log(sum(exp(x))) over the last axis, computed from x minus its maximum, so that nothing overflows."""
    shifted = x - x.max(axis=-1, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
