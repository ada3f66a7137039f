"""Features: one axis of an input, by default the second, as in NCHW, and arrays that hold a value for each of them."""

from __future__ import annotations

import numpy as np

from numpynet.module import Array, Module


def feature_axes(x: Array, axis: int = 1) -> tuple[int, ...]:
    """The axes of `x` except `axis`, which holds the features."""
    return tuple(other for other in range(x.ndim) if other != axis % x.ndim)


def along(values: Array, x: Array, axis: int = 1) -> Array:
    """`values` of shape (features,) or (1,), shaped to broadcast along `axis` of `x`."""
    return values.reshape(-1, *[1] * (x.ndim - 1 - axis % x.ndim))


def sum_features(x: Array, out: Array, axis: int = 1) -> None:
    """Sum `x` over every axis but `axis` into `out` of shape (features,), or over all into `out` of shape (1,)."""
    if len(out) == x.shape[axis]:
        x.sum(axis=feature_axes(x, axis), out=out)
    else:
        x.sum(out=out.reshape(()))


def check_features(
    module: Module,
    input: Array,
    num_features: int,
    dtype: np.dtype[np.floating],
    shared: bool = False,
    axis: int = 1,
) -> Array:
    """`input` as an array; raises ValueError, naming `module`, unless it is `dtype` and has these features.

    Its shape is to be (N, num_features, ...), or to have the features on another `axis` than the first. Where values
    may be `shared`, num_features=1 means that one value serves any number of features.
    """
    input = np.asanyarray(input)
    fits = input.ndim >= 2 and -input.ndim < axis < input.ndim
    if not fits or not (input.shape[axis] == num_features or (shared and num_features == 1)) or input.dtype != dtype:
        features = "features" if shared and num_features == 1 else num_features
        wanted = f"(N, {features}) or (N, {features}, ...)" if axis == 1 else f"(N, ...) with {features} on axis {axis}"
        raise ValueError(f"{module!r} takes {dtype} of shape {wanted}, got {input.dtype} of shape {input.shape}")
    return input
