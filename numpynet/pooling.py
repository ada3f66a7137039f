"""Layers that summarise windows of images, or frame them with zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numpynet import windows
from numpynet.module import Array, Module
from numpynet.windows import Axis, integers


class Pool2d(Module):
    """Base of the layers that slide a window over images (N, C, H, W), each channel by itself.

    The output has shape (N, C, rows, columns), with floor((H + 2 padding - kernel_size) / stride) + 1 rows and likewise
    columns, and the input's floating dtype. `stride` is the window's size unless it is given. `padding` is at most half
    of the window, so that each window sees something of the image. Sizes are one integer, or two for rows and columns.
    Raises ValueError for a size that is too small, for more padding, for any other input, and where no window fits in.
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ) -> None:
        name = type(self).__name__
        self.kernel_size = integers(name, "kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else integers(name, "stride", stride, 1)
        self.padding = integers(name, "padding", padding, 0)
        if any(2 * p > k for p, k in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(f"{name} takes a padding of at most half of the window, got {padding} for {kernel_size}")

    def arguments(self) -> dict[str, Any]:
        found = super().arguments()
        return windows.shortened(found | {"stride": None if self.stride == self.kernel_size else self.stride})

    def _axes(self, input: Array) -> tuple[Axis, Axis]:
        return windows.axes(self, input, self.kernel_size, self.stride, self.padding)


class MaxPool2d(Pool2d):
    """The largest element of each window: (N, C, H, W) -> (N, C, rows, columns).

    The gradient goes to that element, and to the first of several equal ones, as in the frameworks. A window with a NaN
    gives NaN, as in PyTorch. The padding counts as -inf. Arguments and errors are those of `Pool2d`.
    """

    def forward(self, input: Array) -> Array:
        input = images(self, input)
        rows, columns = self._axes(input)
        padded = framed(input, rows, columns, -np.inf)
        first, *others = windows.positions(rows, columns)
        output = padded[first].copy()
        winner = np.zeros(output.shape, np.min_scalar_type(len(others)))
        for position, where in enumerate(others, 1):
            seen = padded[where]
            np.putmask(winner, (seen > output) | np.isnan(seen), position)
            np.maximum(output, seen, out=output)
        return self.remember(output, rows, columns, winner)

    def backward(self, grad_output: Array) -> Array:
        rows, columns, winner = self.recall(grad_output)
        gradient = np.zeros_like(grad_output, order="C", shape=(*grad_output.shape[:2], rows.size, columns.size))
        for position, where in enumerate(windows.positions(rows, columns)):
            seen = gradient[where]
            seen += grad_output * (winner == position)
        return gradient[..., rows.placement()[1], columns.placement()[1]]


class AvgPool2d(Pool2d):
    """The mean of each window: (N, C, H, W) -> (N, C, rows, columns).

    The zeros of the padding count, unless `count_include_pad` is False: then the mean is over the window's elements of
    the image. Other arguments and errors are those of `Pool2d`.
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.count_include_pad = count_include_pad

    def forward(self, input: Array) -> Array:
        input = images(self, input)
        rows, columns = self._axes(input)
        counted = np.ones((1, 1, rows.length, columns.length), input.dtype)
        count = total(framed(counted, rows, columns, float(self.count_include_pad)), rows, columns)
        output = total(framed(input, rows, columns), rows, columns) / count
        return self.remember(output, rows, columns, count)

    def backward(self, grad_output: Array) -> Array:
        rows, columns, count = self.recall(grad_output)
        share = grad_output / count
        gradient = np.zeros_like(share, order="C", shape=(*grad_output.shape[:2], rows.size, columns.size))
        for where in windows.positions(rows, columns):
            seen = gradient[where]
            seen += share
        return gradient[..., rows.placement()[1], columns.placement()[1]]


class GlobalAveragePool2d(Module):
    """The mean of each channel of floating images: (N, C, H, W) -> (N, C).

    Raises ValueError for any other input and for images without pixels. Lin et al. 2014.
    """

    def forward(self, input: Array) -> Array:
        input = images(self, input)
        return self.remember(input.mean(axis=(2, 3)), input.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.recall(grad_output)
        share = grad_output / (shape[2] * shape[3])
        gradient = np.empty_like(share, order="C", shape=shape)
        gradient[...] = share[:, :, None, None]
        return gradient


class ZeroPad2d(Module):
    """Zeros around floating images: (N, C, H, W) -> (N, C, top + H + bottom, left + W + right).

    `padding` is one width for all sides, or four (left, right, top, bottom) as in PyTorch. Raises ValueError for a
    negative width, for any other input and for images without pixels.
    """

    def __init__(self, padding: int | Sequence[int]) -> None:
        self.padding = integers("ZeroPad2d", "padding", padding, 0, "left, right, top, bottom")

    def arguments(self) -> dict[str, Any]:
        return windows.shortened(super().arguments())

    def forward(self, input: Array) -> Array:
        input = images(self, input)
        *outer, height, width = input.shape
        left, right, top, bottom = self.padding
        output = np.zeros_like(input, order="C", shape=(*outer, top + height + bottom, left + width + right))
        inside = (..., slice(top, top + height), slice(left, left + width))
        output[inside] = input
        return self.remember(output, inside)

    def backward(self, grad_output: Array) -> Array:
        (inside,) = self.recall(grad_output)
        return np.asanyarray(grad_output[inside])


def images(module: Module, input: Array) -> Array:
    """`input` as an array; raises ValueError unless it is floating, of shape (N, C, H, W) and has pixels."""
    input = module.floating(input)
    if input.ndim != 4 or 0 in input.shape[2:]:
        raise ValueError(f"{module!r} takes images of shape (N, C, H, W), got shape {input.shape}")
    return input


def framed(images: Array, rows: Axis, columns: Axis, fill: float = 0.0) -> Array:
    """The images with `fill` around them, as much as `rows` and `columns` say."""
    padded = np.full_like(images, fill, order="C", shape=(*images.shape[:2], rows.size, columns.size))
    padded[..., rows.placement()[1], columns.placement()[1]] = images
    return padded


def total(padded: Array, rows: Axis, columns: Axis) -> Array:
    """The sum of each window over padded images, as images (N, C, rows.count, columns.count)."""
    first, *others = windows.positions(rows, columns)
    output = padded[first].copy()
    for where in others:
        output += padded[where]
    return output
