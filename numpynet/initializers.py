"""Starting values for weights: functions (shape, rng, dtype) that return an array of that shape and dtype.

A weight of shape (out, in, ...) has fan_in = in * (the rest) and fan_out = out * (the rest), as in PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from numpynet.module import Array

Initializer = Callable[[tuple[int, ...], np.random.Generator, DTypeLike], Array]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of this shape; raises ValueError for fewer than two dimensions."""
    if len(shape) < 2:
        raise ValueError(f"fan-in and fan-out need a weight of at least two dimensions, got shape {shape}")
    rest = math.prod(shape[2:])
    return shape[1] * rest, shape[0] * rest


def zeros(shape: tuple[int, ...], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
    """An array of zeros, of this shape and dtype; `rng` is not used."""
    return np.zeros(shape, dtype)


def standard_normal(shape: tuple[int, ...], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
    """Weights of this shape and dtype, drawn from N(0, 1) in float64."""
    return rng.standard_normal(shape).astype(dtype)


def he_normal(shape: tuple[int, ...], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
    """Weights of this shape and dtype, drawn from N(0, 2 / fan_in) in float64.

    They are not truncated, as in PyTorch (Keras truncates at two deviations). Raises ValueError for a shape of fewer
    than two dimensions. He et al. 2015.
    """
    fan_in, _ = fans(shape)
    return (math.sqrt(2 / fan_in) * rng.standard_normal(shape)).astype(dtype)


def glorot_uniform(shape: tuple[int, ...], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
    """Weights of this shape and dtype, drawn from U(-b, b) in float64, with b = sqrt(6 / (fan_in + fan_out)).

    Raises ValueError for a shape of fewer than two dimensions. Glorot & Bengio 2010.
    """
    bound = math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-bound, bound, shape).astype(dtype)


def uniform_fan_in(shape: tuple[int, ...], rng: np.random.Generator, dtype: DTypeLike = np.float32) -> Array:
    """Weights of this shape and dtype, drawn from U(-b, b) in float64, with b = 1 / sqrt(fan_in).

    This is what torch.nn.Linear and torch.nn.Conv2d draw for their weight. Raises ValueError for a shape of fewer than
    two dimensions.
    """
    bound = 1 / math.sqrt(fans(shape)[0])
    return rng.uniform(-bound, bound, shape).astype(dtype)


def initial_bias(
    shape: tuple[int, ...], init: Initializer, rng: np.random.Generator, dtype: DTypeLike = np.float32
) -> Array:
    """The bias, of shape (out,), beside a weight of `shape` (out, in, ...) that `init` draws.

    It is U(-b, b) with b = 1 / sqrt(fan_in) beside `uniform_fan_in`, as in PyTorch, and zeros beside any other, as in
    Keras.
    """
    bound = 1 / math.sqrt(fans(shape)[0]) if init is uniform_fan_in else 0
    return rng.uniform(-bound, bound, shape[0]).astype(dtype)


def smart(activation: str) -> Initializer:
    """The initializer that the source notebooks choose by the activation that follows the layer.

    It is `glorot_uniform` for "sigmoid", `he_normal` for "relu", in whatever case, and `standard_normal` for any other.
    """
    return {"sigmoid": glorot_uniform, "relu": he_normal}.get(activation.lower(), standard_normal)
