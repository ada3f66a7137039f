"""The geometry of windows that slide over images, which convolution and pooling share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpynet.module import Array, Module, is_integer

Integers = tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """The windows that slide along one axis of padded images, as in PyTorch.

    The axis has `size` positions. The `length` elements of an image lie on them from `offset` on, `spacing` apart. Each
    window has `kernel` positions that are `dilation` apart, and begins `stride` after the one before.
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
        """The number of positions from a window's first to its last, both counted."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def count(self) -> int:
        """The number of windows."""
        return (self.size - self.span) // self.stride + 1

    def at(self, position: int) -> slice:
        """The slice of the axis with what each window has at `position` (0 to `kernel` - 1), one element a window."""
        first = position * self.dilation
        return slice(first, first + (self.count - 1) * self.stride + 1, self.stride)

    def placement(self) -> tuple[slice, slice]:
        """Two slices: which elements of an image lie on the axis, and at which of its positions."""
        return _overlap(self.length, self.size, self.offset, self.spacing)

    def seen(self, position: int) -> tuple[slice, slice]:
        """Two slices: which elements of an image windows have at `position`, and which windows have them.

        Stride or spacing must be 1.
        """
        shift = self.offset - position * self.dilation
        if self.spacing > 1:
            return _overlap(self.length, self.count, shift, self.spacing)
        windows, elements = _overlap(self.count, self.length, -shift, self.stride)
        return elements, windows

    def transposed(self) -> Axis:
        """The axis of the backward pass: windows over the outputs, one for each element of the image.

        Each sees the outputs of the windows that its element is in, the last one first.
        """
        reach = self.span - 1
        return Axis(self.count, self.length + reach, reach - self.offset, self.kernel, 1, self.dilation, self.stride)


def _overlap(length: int, size: int, offset: int, spacing: int) -> tuple[slice, slice]:
    """Two slices: which of `length` elements are among `size` places, and in which of them.

    The elements are placed `spacing` apart from `offset` on.
    """
    first = max(0, -(offset // spacing))
    last = max(first, min(length, (size - 1 - offset) // spacing + 1))
    start = first * spacing + offset
    return slice(first, last), slice(start, start + (last - first) * spacing, spacing)


def axes(
    module: Module, images: Array, kernel: Integers, stride: Integers, padding: Integers, dilation: Integers = (1, 1)
) -> tuple[Axis, Axis]:
    """The windows along rows and along columns of images (N, C, H, W), padded on both sides.

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
    """The index into padded images of what all windows have at a position, for every position, row by row."""
    return [(..., rows.at(u), columns.at(v)) for u in range(rows.kernel) for v in range(columns.kernel)]


def integers(layer: str, name: str, value: int | Sequence[int], least: int, each: str = "rows, columns") -> Integers:
    """`value` as a tuple of one integer for each name in `each`, for all of which a single integer stands.

    Raises ValueError, naming layer and argument, for another length, and unless all are integers of at least `least`.
    """
    number = each.count(",") + 1
    values = tuple(value) if isinstance(value, Sequence) else (value,) * number
    if len(values) != number or not all(is_integer(one, least) for one in values):
        raise ValueError(f"{layer}: {name} is an integer of at least {least}, or ({each}) of them, got {value!r}")
    return tuple(map(int, values))


def shortened(arguments: dict[str, Any]) -> dict[str, Any]:
    """`arguments`, with a single integer in place of every tuple whose integers are equal."""
    equal = {name: value[0] for name, value in arguments.items() if isinstance(value, tuple) and len(set(value)) == 1}
    return arguments | equal
