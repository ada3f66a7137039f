"""Features: the second axis of (N, features, ...), as in NCHW, and arrays that hold one value for each of them."""

from __future__ import annotations

import numpy as np

from numpynet.module import Array, Module


def feature_axes(x: Array) -> tuple[int, ...]:
    """The axes of `x` except the second, which holds the features."""
    return (0, *range(2, x.ndim))


def along(values: Array, x: Array) -> Array:
    """`values` of shape (features,) or (1,), shaped to broadcast along the second axis of `x`."""
    return values.reshape(1, -1, *[1] * (x.ndim - 2))


def sum_features(x: Array, out: Array) -> None:
    """Sum `x` over every axis but the second into `out` of shape (features,), or over all into `out` of shape (1,)."""
    if len(out) == x.shape[1]:
        x.sum(axis=feature_axes(x), out=out)
    else:
        x.sum(out=out.reshape(()))


def check_features(
    module: Module, input: Array, num_features: int, dtype: np.dtype[np.floating], shared: bool = False
) -> Array:
    """`input` as an array; raises ValueError, naming `module`, unless it is `dtype` of shape (N, num_features, ...).

    Where values may be `shared`, num_features=1 means that one value serves any number of features.
    """
    input = np.asanyarray(input)
    fits = input.ndim >= 2 and (input.shape[1] == num_features or (shared and num_features == 1))
    if not fits or input.dtype != dtype:
        features = "features" if shared and num_features == 1 else num_features
        raise ValueError(
            f"{module!r} takes {dtype} of shape (N, {features}) or (N, {features}, ...), "
            f"got {input.dtype} of shape {input.shape}"
        )
    return input
