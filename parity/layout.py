"""How an array lies in memory: in C's order, in Fortran's, with gaps between its elements, or backwards."""

from __future__ import annotations

from numpynet import Array


def spread(values: Array, step: int) -> Array:
    """An array of which `[..., ::step]` is `values`: each element is there |step| times, backwards where step < 0."""
    return values[..., :: 1 if step > 0 else -1].repeat(abs(step), axis=-1)


def step_of(values: Array) -> int:
    """How many elements of memory it is to the next one along the last axis; 1 in C's order and in Fortran's."""
    whole = values.flags.c_contiguous or values.flags.f_contiguous
    return 1 if whole else values.strides[-1] // values.itemsize or 1  # or repeated, without a step at all


def as_in(values: Array, model: Array) -> Array:
    """`values` with the gaps of `model`, and backwards where that is; read-only where `values` are."""
    if (step := step_of(model)) == step_of(values):
        return values
    made = spread(values, step)[..., ::step]
    made.flags.writeable = values.flags.writeable
    return made
