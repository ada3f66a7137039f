"""Where windows slide over images: the geometry that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet.module import Array, Module

Integers = tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """Windows along one axis, as in PyTorch: of `kernel` elements that are `dilation` apart, each window `stride`
    further than the one before, among `size` elements of which `length` are an image's.

    The image begins at `offset`, and its elements are `spacing` apart.
    """

    length: int
    size: int
    offset: int
    kernel: int
    stride: int
    dilation: int = 1
    spacing: int = 1

    @property
    def span(self) -> int:
        """Elements from a window's first to its last."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def count(self) -> int:
        """How many windows there are."""
        return (self.size - self.span) // self.stride + 1

    def at(self, position: int) -> slice:
        """The elements that the windows have at `position`, 0 to `kernel` - 1, one of each window."""
        first = position * self.dilation
        return slice(first, first + (self.count - 1) * self.stride + 1, self.stride)

    def placement(self) -> tuple[slice, slice]:
        """Which elements of an image lie among the `size`, and where."""
        return _overlap(self.length, self.size, self.offset, self.spacing)

    def seen(self, position: int) -> tuple[slice, slice]:
        """Which elements of an image windows have at `position`, and which windows; stride or spacing must be 1."""
        shift = self.offset - position * self.dilation
        if self.spacing > 1:
            return _overlap(self.length, self.count, shift, self.spacing)
        windows, elements = _overlap(self.count, self.length, -shift, self.stride)
        return elements, windows

    def transposed(self) -> Axis:
        """Windows over the output that see, for every element of the image, the windows it is in, last one first."""
        reach = self.span - 1
        return Axis(self.count, self.length + reach, reach - self.offset, self.kernel, 1, self.dilation, self.stride)


def _overlap(length: int, size: int, offset: int, spacing: int) -> tuple[slice, slice]:
    """Which of `length` elements, placed `spacing` apart from `offset` on, are among `size` places, and in which."""
    first = max(0, -(offset // spacing))
    last = max(first, min(length, (size - 1 - offset) // spacing + 1))
    start = first * spacing + offset
    return slice(first, last), slice(start, start + (last - first) * spacing, spacing)


def axes(
    module: Module, images: Array, kernel: Integers, stride: Integers, padding: Integers, dilation: Integers = (1, 1)
) -> tuple[Axis, Axis]:
    """The windows along rows and columns of images (N, C, H, W), padded on both sides.

    Raises ValueError, naming the module, where not one window fits in.
    """
    both = [
        Axis(length, length + 2 * p, p, k, s, d)
        for length, k, s, p, d in zip(images.shape[2:], kernel, stride, padding, dilation, strict=True)
    ]
    if min(axis.count for axis in both) < 1 or 0 in images.shape[2:]:
        raise ValueError(f"{module!r}: no window fits into images of shape {images.shape}")
    return both[0], both[1]


def positions(rows: Axis, columns: Axis) -> list[tuple[Any, ...]]:
    """For every position in a window, row by row: the index of what all windows have there, in padded images."""
    return [(..., rows.at(u), columns.at(v)) for u in range(rows.kernel) for v in range(columns.kernel)]


def integers(layer: str, name: str, value: int | Sequence[int], least: int, each: str = "rows, columns") -> Integers:
    """`value` for `each`; raises ValueError unless it is one integer of at least `least`, or one for each."""
    number = each.count(",") + 1
    values = tuple(value) if isinstance(value, Sequence) else (value,) * number
    if len(values) != number or not all(isinstance(one, int | np.integer) and one >= least for one in values):
        raise ValueError(f"{layer}: {name} is an integer of at least {least}, or ({each}) of them, got {value!r}")
    return tuple(map(int, values))


def shortened(arguments: dict[str, Any]) -> dict[str, Any]:
    """`arguments` with one integer in place of several that are equal."""
    equal = {name: value[0] for name, value in arguments.items() if isinstance(value, tuple) and len(set(value)) == 1}
    return arguments | equal
