"""Hypothesis strategies: numbers that every framework represents alike, arrays and shapes.

Arrays come from a seed and a scale, not element by element: drawing stays cheap, and shrinks to small shapes and
seed 0.
Scales stay within 2^-20 .. 2^20, so that few products leave the normal range of float32 (TensorFlow flushes subnormals;
see `parity.catalogue`). What is drawn now and then alone is in `parity.drawing.tails`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array
from parity.case import Shape
from parity.drawing.examples import normal
from parity.drawing.tails import integers, rarely

seeds = st.integers(0, 2**32 - 1)
sizes = integers("size", 1, 8, 40)
batches = integers("batch", 1, 8, 16)
several = integers("batch", 2, 8, 16)  # which a batch normalisation needs
short_sides = integers("side", 1, 4, 12)  # of the axes after the second
scales = rarely(
    "scale",
    st.sampled_from([2.0**exponent for exponent in sorted(range(-10, 11), key=abs)]),
    st.sampled_from([2.0**exponent for exponent in (*range(11, 21), *range(-20, -10))]),
)

kinds = st.sampled_from(["plain", "offset", "grid"])
centred_kinds = st.sampled_from(["plain", "grid"])
offsets = st.integers(-10, 10)
step_counts = integers("steps", 1, 4, 8)
call_counts = integers("steps", 1, 1, 3)  # of what does not change from call to call
lr_exponents = integers("rate", -10, -3, 0)


@functools.cache
def dyadic(low: float, high: float, denominator: int = 16) -> SearchStrategy[float]:
    """A strategy of multiples of 1/denominator in [low, high].

    They are exact in float32, so that no framework rounds a hyper-parameter.
    """
    first, last = math.ceil(low * denominator), math.floor(high * denominator)
    return st.integers(first, last).map(lambda numerator: numerator / denominator)


@functools.cache
def shapes(max_dims: int = 4) -> SearchStrategy[tuple[int, ...]]:
    """A strategy of shapes (N, features, ...) of up to `max_dims` axes, and now and then of one more."""
    return st.builds(lambda n, features, rest: (n, features, *rest), batches, sizes, more_sides(max_dims - 2))


@functools.cache
def any_shapes() -> SearchStrategy[tuple[int, ...]]:
    """A strategy of shapes as `shapes` draws them, and now and then of one axis alone."""
    found: SearchStrategy[tuple[int, ...]] = rarely("rank", shapes(), st.tuples(sizes))
    return found


@functools.cache
def more_sides(number: int) -> SearchStrategy[list[int]]:
    """A strategy of the axes after the second: up to `number` of them, and now and then one more."""
    rare = st.lists(st.integers(1, 4), min_size=number + 1, max_size=number + 1)
    found: SearchStrategy[list[int]] = rarely("rank", st.lists(short_sides, max_size=number), rare)
    return found


@functools.lru_cache(1024)
def images(
    channels: SearchStrategy[int],
    kernel: tuple[int, ...] = (1, 1),
    padding: tuple[int, ...] = (0, 0),
    dilation: tuple[int, ...] = (1, 1),
) -> SearchStrategy[tuple[int, ...]]:
    """A strategy of shapes (N, channels, rows, columns) that hold from one such window up to a few."""
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(kernel, padding, dilation, strict=True)]
    sides = (integers("image", side, side + 4, side + 12) for side in least)
    return st.tuples(integers("batch", 1, 4, 9), channels, *sides)


def of_each_shape(strategy: Callable[[Shape], SearchStrategy[Any]], shape: Any) -> SearchStrategy[Any]:
    """A strategy of what `strategy` draws for a shape; of a tuple of shapes, of the tuple of what it draws for each."""
    return st.tuples(*map(strategy, shape)) if isinstance(shape[0], tuple) else strategy(shape)


def each_shape(function: Callable[[Shape], Any], shape: Any) -> Any:
    """`function` of a shape; for a tuple of shapes, the tuple of its results."""
    return tuple(map(function, shape)) if isinstance(shape[0], tuple) else function(shape)


@functools.lru_cache(1024)  # a strategy is made and validated once for each shape, which costs as much as drawing
@st.composite
def arrays(
    draw: st.DrawFn,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    largest: float = 2.0**20,
    offset: bool = True,
) -> Array:
    """A strategy of arrays of normal numbers of one drawn scale up to `largest`.

    They may be moved by up to ten times the scale, or rounded to multiples of a quarter of it, which brings exact zeros
    and ties. Without `offset` none is moved.
    """
    values = normal(draw(seeds), shape)
    kind = draw(kinds if offset else centred_kinds)
    if kind == "offset":
        values += draw(offsets)
    elif kind == "grid":
        values = np.round(values * 4) / 4
    scale = min(draw(scales), largest)
    return np.asarray(values * scale, dtype)
