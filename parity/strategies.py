"""Hypothesis strategies: numbers that every framework represents alike, arrays, shapes, and whole cases.

Arrays come from a seed and a scale, not element by element: drawing stays cheap, and shrinks to small shapes and
seed 0.
Scales stay within 2^-10 .. 2^10, so that no product leaves the normal range of float32 (TensorFlow flushes subnormals;
see `parity.differences`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array, Module
from numpynet.module import each
from parity.drawing import for_each_example, normal
from parity.pairing import Case, Shape, Step, pair_of

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 8)
short_sides = st.integers(1, 4)  # of the axes after the second
scales = st.sampled_from([2.0**exponent for exponent in sorted(range(-10, 11), key=abs)])

kinds = st.sampled_from(["plain", "offset", "grid"])
centred_kinds = st.sampled_from(["plain", "grid"])
offsets = st.integers(-10, 10)
step_counts = st.integers(1, 4)
lr_exponents = st.integers(3, 10)


@functools.cache
def dyadic(low: float, high: float, denominator: int = 16) -> SearchStrategy[float]:
    """A strategy of multiples of 1/denominator in [low, high].

    They are exact in float32, so that no framework rounds a hyper-parameter.
    """
    first, last = math.ceil(low * denominator), math.floor(high * denominator)
    return st.integers(first, last).map(lambda numerator: numerator / denominator)


@functools.cache
def shapes(max_dims: int = 4) -> SearchStrategy[tuple[int, ...]]:
    """A strategy of shapes (N, features, ...) of up to `max_dims` axes."""
    return st.builds(
        lambda n, features, rest: (n, features, *rest), sizes, sizes, st.lists(short_sides, max_size=max_dims - 2)
    )


@functools.lru_cache(1024)
def images(
    channels: SearchStrategy[int],
    kernel: tuple[int, ...] = (1, 1),
    padding: tuple[int, ...] = (0, 0),
    dilation: tuple[int, ...] = (1, 1),
) -> SearchStrategy[tuple[int, ...]]:
    """A strategy of shapes (N, channels, rows, columns) that hold from one such window up to a few."""
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(kernel, padding, dilation, strict=True)]
    return st.tuples(short_sides, channels, *(st.integers(side, side + 4) for side in least))


def each_shape(function: Callable[[Shape], Any], shape: Any) -> Any:
    """`function` of a shape; for a tuple of shapes, the tuple of its results."""
    return tuple(map(function, shape)) if isinstance(shape[0], tuple) else function(shape)


@functools.lru_cache(1024)  # a strategy is made and validated once for each shape, which costs as much as drawing
@st.composite
def arrays(
    draw: st.DrawFn,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    largest: float = 2.0**10,
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


@st.composite
def cases(draw: st.DrawFn, target: type, dtype: np.dtype[Any]) -> Case:
    """A strategy of whole examples for the pair of `target`: weights, inputs, cotangents, mode and optimizer."""
    pair = pair_of(target)
    module: Module = draw(pair.modules).astype(dtype)
    for parameter in module.parameters():
        values = draw(arrays(parameter.value.shape, dtype, largest=2.0**3))
        parameter.map(lambda _, values=values: values)  # type: ignore[misc]
    parameters = module.named_parameters()
    trained = bool(parameters)
    shape = draw(pair.shapes(module))
    probe = Case(module, [], training=draw(st.booleans()))
    steps: list[Step] = []
    for _ in range(draw(step_counts) if trained or module.named_buffers() else 1):
        input = each_shape(lambda one: draw(pair.values(module, one, dtype)), shape)
        if not steps:
            with np.errstate(all="ignore"):
                output = probe.fresh()(input)
        # Powers of two: Keras keeps -lr * velocity, and changing lr rescales it exactly.
        lr = 2.0 ** -draw(lr_exponents) if trained else 0.125
        zero_grad = not (trained and steps) or draw(st.sampled_from([True, False]))
        cotangent = each(lambda one: draw(arrays(one.shape, dtype, offset=False)), output)
        steps.append(Step(input, cotangent, lr, zero_grad))
    optimizer = draw(st.sampled_from(pair.optimizers))
    arguments = draw(pair_of(optimizer).arguments) if trained else None  # type: ignore[attr-defined]
    frozen = draw(st.sampled_from([(), *((name,) for name in sorted(parameters))]))
    case = Case(module, steps, probe.training, arguments, frozenset(frozen), optimizer)
    if not _holds(case, target):
        raise TypeError(f"the pair of {target.__name__} draws {module!r}, in which there is no {target.__name__}")
    return case


def _holds(case: Case, target: type) -> bool:
    """Whether the case says anything of `target`: it is the optimizer, a part of the module, or a part's criterion."""
    parts = [part for _, part in case.module.named_modules()]
    held = (value for part in parts for value in (part, *vars(part).values()))
    return case.optimizer is target or any(isinstance(value, target) for value in held)


def for_all(
    property_: Callable[[Case], None],
    target: type,
    dtype: str,
    *,
    examples: int,
    random_seed: int | None = None,
    shrink: bool = True,
) -> None:
    """Call `property_` with random cases of the pair of `target`; what it raises is raised for the shrunk case.

    The cases are the same every time and everywhere; `random_seed` names others (see `parity.drawing`). Raises
    LookupError where `target` has no pair of its own: its base's would draw modules of the base, and prove those.
    """
    drawn = pair_of(target).module_class
    if drawn is not target:
        name = target.__name__
        raise LookupError(
            f"{name} has no pair of its own, and that of {drawn.__name__} draws {drawn.__name__}: register one with "
            f"@parity.pair({name})"
        )
    stream = f"{target.__name__}/{dtype}/{random_seed or 0}"
    for_each_example(property_, cases(target, np.dtype(dtype)), stream, examples, shrink=shrink)
