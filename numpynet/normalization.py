"""Batch normalisation in two halves: the normalisation, and the scaling that usually follows it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from numpynet.module import Array, Module, Parameter


class BatchNormalization(Module):
    """(x - mean) / sqrt(var + eps) for each feature of x, of shape (N, num_features) or (N, num_features, ...).

    In training, mean and (biased) variance are the batch's, over all axes but the second, and the running statistics
    become alpha * old + (1 - alpha) * batch. In evaluation the running statistics are used. A training batch with a
    single value per feature is refused, as PyTorch does: its output would be 0 whatever the input.
    Ioffe & Szegedy 2015. The affine half is `Scaling`.
    """

    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var")

    def __init__(
        self, num_features: int, alpha: float = 0.9, eps: float = 1e-3, *, dtype: DTypeLike = np.float32
    ) -> None:
        self.num_features = num_features
        self.alpha = alpha
        self.eps = eps
        self.running_mean: Array = np.zeros(num_features, dtype)
        self.running_var: Array = np.ones(num_features, dtype)

    @property
    def dtype(self) -> str:
        return self.running_mean.dtype.name

    def forward(self, input: Array) -> Array:
        input = check_features(self, input, self.num_features, self.running_mean.dtype)
        axes = feature_axes(input)
        if not self.training:
            # Folded into one product and one sum, as PyTorch and Keras do: the same rounding, and faster.
            scale = 1 / np.sqrt(self.running_var + self.eps)
            shift = -self.running_mean * scale
            output = input * along(scale, input) + along(shift, input)
            return self.remember(output, scale, None)
        if input.size <= self.num_features:
            raise ValueError(f"{self!r} needs more than one value per feature to train, got shape {input.shape}")
        mean = input.mean(axis=axes)
        centred = input - along(mean, input)
        variance = (centred * centred).mean(axis=axes)
        self.running_mean = self.alpha * self.running_mean + (1 - self.alpha) * mean
        self.running_var = self.alpha * self.running_var + (1 - self.alpha) * variance
        scale = 1 / np.sqrt(variance + self.eps)
        output = centred * along(scale, input)
        return self.remember(output, scale, output)

    def backward(self, grad_output: Array) -> Array:
        scale, normalized = self.recall(grad_output)
        if normalized is None:
            return grad_output * along(scale, grad_output)
        axes = feature_axes(grad_output)
        mean_grad = grad_output.mean(axis=axes)
        projection = (grad_output * normalized).mean(axis=axes)
        centred = grad_output - along(mean_grad, grad_output) - normalized * along(projection, grad_output)
        return centred * along(scale, grad_output)


class Scaling(Module):
    """gamma * x + beta, with gamma and beta of shape (num_features,), for x of shape (N, num_features, ...)."""

    def __init__(self, num_features: int, *, dtype: DTypeLike = np.float32) -> None:
        self.num_features = num_features
        self.gamma = Parameter(np.ones(num_features, dtype))
        self.beta = Parameter(np.zeros(num_features, dtype))

    @property
    def dtype(self) -> str:
        return self.gamma.value.dtype.name

    def forward(self, input: Array) -> Array:
        input = check_features(self, input, self.num_features, self.gamma.value.dtype)
        output = input * along(self.gamma.value, input) + along(self.beta.value, input)
        return self.remember(output, input)

    def backward(self, grad_output: Array) -> Array:
        (input,) = self.recall(grad_output)
        axes = feature_axes(input)
        self.gamma.accumulate(lambda out: (grad_output * input).sum(axis=axes, out=out))
        self.beta.accumulate(lambda out: grad_output.sum(axis=axes, out=out))
        return grad_output * along(self.gamma.value, input)


def feature_axes(x: Array) -> tuple[int, ...]:
    """Every axis but the second, which holds the features (NCHW)."""
    return (0, *range(2, x.ndim))


def along(values: Array, x: Array) -> Array:
    """`values` of shape (features,), shaped to broadcast along the second axis of `x`."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def check_features(module: Module, input: Array, num_features: int, dtype: np.dtype[np.floating]) -> Array:
    """`input` as an array; ValueError unless it is `dtype` of shape (N, num_features, ...)."""
    input = np.asanyarray(input)
    if input.ndim < 2 or input.shape[1] != num_features or input.dtype != dtype:
        raise ValueError(
            f"{module!r} takes {dtype} of shape (N, {num_features}) or (N, {num_features}, ...), "
            f"got {input.dtype} of shape {input.shape}"
        )
    return input
