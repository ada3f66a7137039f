"""Normalisations without gamma and beta, and `Scaling`, which is gamma and beta alone."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from numpynet.features import along, check_features, feature_axes, sum_features
from numpynet.module import Array, Module, Parameter, integer


class BatchNormalization(Module):
    """(x - mean) / sqrt(var + eps) for each feature of x, of shape (N, num_features) or (N, num_features, ...).

    In training, mean and (biased) variance are the batch's, over all axes but the second, and the running statistics
    become alpha * old + (1 - alpha) * batch; in evaluation the running statistics are used. The output has the shape
    and dtype of x. `Scaling` is the affine half. With eps=0 a constant feature becomes NaN.

    Raises ValueError where num_features is no integer of at least 0, unless eps >= 0, unless x has that shape and the
    running statistics' dtype, and for a training batch with a single value per feature, as PyTorch does: its output
    would be 0 whatever the input.
    Ioffe & Szegedy 2015.
    """

    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var")

    def __init__(
        self, num_features: int, alpha: float = 0.9, eps: float = 1e-3, *, dtype: DTypeLike = np.float32
    ) -> None:
        self.num_features = integer("BatchNormalization", "num_features", num_features, 0)
        self.alpha = alpha
        self.eps = check_eps(self, eps)
        self.running_mean: Array = np.zeros(num_features, dtype)
        self.running_var: Array = np.ones(num_features, dtype)

    @property
    def dtype(self) -> str:
        """The name of the running statistics' dtype, such as "float32"."""
        return self.running_mean.dtype.name

    def forward(self, input: Array) -> Array:
        input = check_features(self, input, self.num_features, self.running_mean.dtype)
        if not self.training:
            # Folded into one product and one sum, as PyTorch and Keras do: the same rounding, and faster.
            scale = 1 / np.sqrt(self.running_var + self.eps)
            shift = -self.running_mean * scale
            output = input * along(scale, input) + along(shift, input)
            return self.remember(output, None, along(scale, input))
        if input.size <= self.num_features:
            raise ValueError(f"{self!r} needs more than one value per feature to train, got shape {input.shape}")
        output, scale, mean, variance = standardize(input, feature_axes(input), self.eps)
        self.running_mean = self.alpha * self.running_mean + (1 - self.alpha) * mean.reshape(-1)
        self.running_var = self.alpha * self.running_var + (1 - self.alpha) * variance.reshape(-1)
        return self.remember(output, output, scale)

    def backward(self, grad_output: Array) -> Array:
        normalized, scale = self.recall(grad_output)
        if normalized is None:
            return grad_output * scale
        return standardize_gradient(grad_output, normalized, scale, feature_axes(grad_output))


class PerExample(Module):
    """Base of the normalisations that treat each example alone: (x - mean) / sqrt(var + eps) of each row of `rows`.

    Training and evaluation are the same, and there are no running statistics.
    """

    eps: float

    def rows(self, input: Array) -> Array:
        """The input as a matrix, one row for each mean and variance; raises ValueError where it has no such shape."""
        raise NotImplementedError(f"{type(self).__name__} defines no rows")

    def forward(self, input: Array) -> Array:
        input = self.floating(input)
        output, scale, _, _ = standardize(self.rows(input), (1,), self.eps)
        return self.remember(output.reshape(input.shape), output, scale)

    def backward(self, grad_output: Array) -> Array:
        normalized, scale = self.recall(grad_output)
        rows = grad_output.reshape(normalized.shape)
        return standardize_gradient(rows, normalized, scale, (1,)).reshape(grad_output.shape)


class LayerNormalization(PerExample):
    """(x - mean) / sqrt(var + eps), with mean and (biased) variance over the last `axes` axes of each example.

    x is floating and has more than `axes` axes; the output has its shape and dtype. For a matrix, axes=1 normalises
    each row; for images, axes=3 takes channels, rows and columns together. The affine half of a matrix is `Scaling`.
    Raises ValueError for axes < 1, where it is no integer, unless eps >= 0, and for any other x or one with an empty
    axis.
    Ba, Kiros & Hinton 2016.
    """

    def __init__(self, axes: int = 1, eps: float = 1e-3) -> None:
        self.axes = integer("LayerNormalization", "axes", axes)
        self.eps = check_eps(self, eps)

    def rows(self, input: Array) -> Array:
        if input.ndim <= self.axes or 0 in input.shape[1:]:
            raise ValueError(f"{self!r} takes more than {self.axes} axes, none empty, got shape {input.shape}")
        last = math.prod(input.shape[-self.axes :])
        return input.reshape(input.size // last, last)


class GroupNormalization(PerExample):
    """(x - mean) / sqrt(var + eps), with mean and (biased) variance over one example's elements in a group of features.

    x is floating, of shape (N, features, ...), and so is the output; each of the `groups` has features / groups
    consecutive features. One group is layer normalisation, as many as features instance normalisation. The affine half
    is `Scaling`. Raises ValueError for groups < 1, where it is no integer, unless eps >= 0, where groups do not divide
    the features, and for any other x or one with an empty axis.
    Wu & He 2018.
    """

    def __init__(self, groups: int, eps: float = 1e-3) -> None:
        self.groups = integer("GroupNormalization", "groups", groups)
        self.eps = check_eps(self, eps)

    def rows(self, input: Array) -> Array:
        if input.ndim < 2 or input.shape[1] % self.groups or 0 in input.shape[1:]:
            raise ValueError(
                f"{self!r} takes shape (N, features, ...), none empty, with a multiple of {self.groups} features, "
                f"got shape {input.shape}"
            )
        rows = len(input) * self.groups
        return input.reshape(rows, math.prod(input.shape[1:]) // self.groups)


class Scaling(Module):
    """gamma * x + beta for x of shape (N, num_features, ...), with gamma and beta of shape (num_features,).

    The features may be on another `axis`, as on the last one, -1, of (N, T, features). gamma and beta begin at 1 and 0;
    Scaling(1) has one gamma and one beta for any number of features. The output has the shape of x. Raises ValueError
    where num_features is no integer of at least 0, for the first axis, which is the batch's, and unless x has that
    shape and the dtype of gamma.
    """

    def __init__(self, num_features: int, axis: int = 1, *, dtype: DTypeLike = np.float32) -> None:
        if axis == 0:
            raise ValueError(f"Scaling takes an axis of features, got Scaling({num_features}, axis=0), the batch's")
        self.num_features = integer("Scaling", "num_features", num_features, 0)
        self.axis = axis
        self.gamma = Parameter(np.ones(num_features, dtype))
        self.beta = Parameter(np.zeros(num_features, dtype))

    @property
    def dtype(self) -> str:
        """The name of gamma's dtype, such as "float32"."""
        return self.gamma.value.dtype.name

    def forward(self, input: Array) -> Array:
        dtype = self.gamma.value.dtype
        input = check_features(self, input, self.num_features, dtype, shared=True, axis=self.axis)
        output = input * along(self.gamma.value, input, self.axis) + along(self.beta.value, input, self.axis)
        return self.remember(output, input)

    def backward(self, grad_output: Array) -> Array:
        (input,) = self.recall(grad_output)
        self.gamma.accumulate(lambda out: sum_features(grad_output * input, out, self.axis))
        self.beta.accumulate(lambda out: sum_features(grad_output, out, self.axis))
        return grad_output * along(self.gamma.value, input, self.axis)


def standardize(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array, Array, Array]:
    """(x - mean) * scale with scale = 1 / sqrt(variance + eps), then scale, mean and (biased) variance over `axes`.

    The last three keep `axes` with length 1.
    """
    mean = x.mean(axis=axes, keepdims=True)
    output = x - mean
    variance = (output * output).mean(axis=axes, keepdims=True)
    scale = 1 / np.sqrt(variance + eps)
    output *= scale
    return output, scale, mean, variance


def standardize_gradient(grad_output: Array, output: Array, scale: Array, axes: tuple[int, ...]) -> Array:
    """The gradient for the x of `standardize`, given its `output`, its `scale` and the gradient for its output."""
    grad = grad_output - grad_output.mean(axis=axes, keepdims=True)
    grad -= output * (grad_output * output).mean(axis=axes, keepdims=True)
    grad *= scale
    return grad


def check_eps(module: Module, eps: float) -> float:
    """`eps` itself; raises ValueError unless eps >= 0, since a small variance plus eps would have no root."""
    if not eps >= 0:
        raise ValueError(f"{type(module).__name__} takes eps >= 0, got eps={eps}")
    return eps
