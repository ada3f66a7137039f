"""The convolutional layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from numpynet import windows
from numpynet.initializers import Initializer, initial_bias, uniform_fan_in
from numpynet.module import Array, Module, Parameter, is_integer
from numpynet.windows import Axis, integers

CACHED = 2**19  # bytes: half of a usual second level cache


class Conv2d(Module):
    """The correlation of images (N, in_channels, H, W) with kernels, as PyTorch and TensorFlow define a convolution:

        y[n, o, r, c] = b[o] + sum over i, u, v of w[o, i, u, v] x[n, i, r s + u d - p, c s + v d - p]

    with zeros beyond the edges of x, stride s, dilation d and padding p. y has floor((H + 2p - d (k - 1) - 1) / s) + 1
    rows for a kernel of k rows, and likewise columns; w has the shape (out_channels, in_channels / groups,
    *kernel_size), b (out_channels,). Each of `groups` equal parts of the output's channels sees one part of the
    input's. Sizes are one integer, or two for rows and columns. `init` draws the weight with `rng`; the bias is as in
    `Linear`.

    Raises ValueError where groups do not divide the channels, where a size is too small or no integer, where no window
    fits in, and unless x is (N, in_channels, H, W) in the weight's dtype.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        init: Initializer = uniform_fan_in,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        counts = (in_channels, out_channels, groups)
        if not all(is_integer(count, 1) for count in counts) or in_channels % groups or out_channels % groups:
            raise ValueError(
                "Conv2d takes integers: at least one channel, and groups that divide the channels, "
                f"got {in_channels!r} and {out_channels!r} channels in {groups!r} groups"
            )
        self.kernel_size = integers("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = integers("Conv2d", "stride", stride, 1)
        self.padding = integers("Conv2d", "padding", padding, 0)
        self.dilation = integers("Conv2d", "dilation", dilation, 1)
        self.groups = int(groups)
        rng = rng or np.random.default_rng()
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(init(shape, rng, dtype))
        self.bias = Parameter(initial_bias(shape, init, rng, dtype)) if bias else None

    @property
    def in_channels(self) -> int:
        """The number of channels of the input."""
        return self.weight.value.shape[1] * self.groups

    @property
    def out_channels(self) -> int:
        """The number of channels of the output."""
        return self.weight.value.shape[0]

    @property
    def dtype(self) -> str:
        """The name of the weight's dtype, such as "float32"."""
        return self.weight.value.dtype.name

    def arguments(self) -> dict[str, Any]:
        return windows.shortened(super().arguments() | {"bias": self.bias is not None})

    def forward(self, input: Array) -> Array:
        input, weight = np.asanyarray(input), self.weight.value
        if input.ndim != 4 or input.shape[1] != self.in_channels or input.dtype != weight.dtype:
            raise ValueError(
                f"{self!r} takes {weight.dtype} of shape (N, {self.in_channels}, H, W), "
                f"got {input.dtype} of shape {input.shape}"
            )
        rows, columns = windows.axes(self, input, self.kernel_size, self.stride, self.padding, self.dilation)
        output = correlate(input, self._kernels(), rows, columns, None if self.bias is None else self.bias.value)
        return self.remember(output, input, rows, columns)

    def accumulate(self, grad_output: Array) -> None:
        input, rows, columns = self.recall(grad_output)
        kernels = self._kernels()
        groups, outputs, inputs, height, width = kernels.shape
        by_row = np.zeros_like(kernels, order="C", shape=(height, groups, inputs * width, outputs))
        cotangents = by_group(grad_output, groups).swapaxes(2, 3)
        for some, parts in unfold(input, groups, rows, columns):
            for total, part in zip(by_row, parts, strict=True):
                for product in np.matmul(part, cotangents[some]):  # (in, out): faster than (out, in)
                    total += product
        gradient = by_row.reshape(height, groups, inputs, width, outputs).transpose(1, 4, 2, 0, 3)
        self.weight.accumulate(lambda out: np.copyto(out, gradient.reshape(out.shape)))
        if self.bias is not None:
            self.bias.accumulate(lambda out: grad_output.sum(axis=(0, 2, 3), out=out))

    def backward(self, grad_output: Array) -> Array:
        self.accumulate(grad_output)
        _, rows, columns = self.recall(grad_output)
        turned = self._kernels().swapaxes(1, 2)[..., ::-1, ::-1]
        return correlate(grad_output, turned, rows.transposed(), columns.transposed())

    def _kernels(self) -> Array:
        """The weight as (groups, out / groups, in / groups, rows, columns)."""
        weight = self.weight.value
        return weight.reshape(self.groups, -1, *weight.shape[1:])


def correlate(images: Array, kernels: Array, rows: Axis, columns: Axis, bias: Array | None = None) -> Array:
    """The correlation of images (N, in, H, W) with kernels (groups, out / groups, in / groups, rows, columns).

    It is a product of matrices for each image and kernel row, written to where the output is. im2col along both axes
    would copy each image once more for every further kernel row, and copying is what takes the time.
    """
    groups, outputs, _, height, _ = kernels.shape
    by_row = np.moveaxis(kernels, 3, 0).reshape(height, groups, outputs, -1)
    shape = (len(images), groups * outputs, rows.count, columns.count)
    output = np.empty_like(images, kernels.dtype, order="C", shape=shape)
    scratch = None
    for some, parts in unfold(images, groups, rows, columns):
        result = by_group(output[some], groups)
        np.matmul(by_row[0], parts[0], out=result)
        if scratch is None:
            scratch = np.empty_like(result)  # the first images are as many as any that follow
        for kernel, part in zip(by_row[1:], parts[1:], strict=True):
            result += np.matmul(kernel, part, out=scratch[: len(result)])
        if bias is not None:
            result += bias.reshape(groups, outputs, 1)
    return output


def unfold(images: Array, groups: int, rows: Axis, columns: Axis) -> Iterator[tuple[slice, list[Array]]]:
    """Yields which images, and what their windows see: for each kernel row (n, groups, in / groups * columns, windows).

    So many images share a buffer as stay in the processor's cache with it, at least one: the next ones overwrite it.
    """
    channels = images.shape[1]
    size = channels * columns.kernel * rows.size * columns.count * images.itemsize
    together = max(1, min(len(images), CACHED // size))
    unfolded = np.zeros_like(images, order="C", shape=(together, channels, columns.kernel, rows.size, columns.count))
    grouped = unfolded.reshape(together, groups, channels // groups * columns.kernel, rows.size, columns.count)
    matrices = [grouped[:, :, :, rows.at(u)] for u in range(rows.kernel)]
    shape = (*grouped.shape[1:3], rows.count * columns.count)
    top, inside = rows.placement()
    seen = [columns.seen(v) for v in range(columns.kernel)]
    targets = [unfolded[:, :, v, inside, where] for v, (_, where) in enumerate(seen)]
    for start in range(0, len(images), together):
        some = slice(start, min(start + together, len(images)))
        number = some.stop - start
        for target, (elements, _) in zip(targets, seen, strict=True):
            target[:number] = images[some, :, top, elements]  # the zeros around it stay
        # without a stride no copies: one matrix, further on
        yield some, [matrix[:number].reshape(number, *shape) for matrix in matrices]


def by_group(images: Array, groups: int) -> Array:
    """Images (N, channels, H, W) as matrices (N, groups, channels / groups, H * W)."""
    return images.reshape(len(images), groups, images.shape[1] // groups, images.shape[2] * images.shape[3])
