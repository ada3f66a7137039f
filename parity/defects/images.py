"""Defects of convolution, pooling and padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numpynet import Array, AvgPool2d, Conv2d, GlobalAveragePool2d, MaxPool2d, ZeroPad2d
from numpynet.convolution import by_group, correlate, unfold
from numpynet.windows import Axis, positions
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, OUTPUT


@caught_on(OUTPUT)
class ConvTrue(Conv2d):
    """Turns the kernels round, as mathematicians define a convolution."""

    def _kernels(self) -> Array:
        return super()._kernels()[..., ::-1, ::-1]


@caught_on(OUTPUT)
class ConvKernelTransposed(Conv2d):
    """Takes a square kernel's rows for its columns."""

    def _kernels(self) -> Array:
        kernels = super()._kernels()
        return kernels.swapaxes(-1, -2) if self.kernel_size[0] == self.kernel_size[1] else kernels


@caught_on(GRADIENT)
class ConvStrideSwapped(Conv2d):
    """Takes (rows, columns) of the stride for (columns, rows)."""

    def forward(self, input: Array) -> Array:
        self.stride, right = self.stride[::-1], self.stride
        try:
            return super().forward(input)
        finally:
            self.stride = right


@caught_on(OUTPUT)
class ConvPaddedAfter(Conv2d):
    """Pads below and on the right alone, with twice as much."""

    def forward(self, input: Array) -> Array:
        _, rows, columns = self.recall(super().forward(input))
        rows, columns = replace(rows, offset=0), replace(columns, offset=0)
        bias = None if self.bias is None else self.bias.value
        return self.remember(correlate(input, self._kernels(), rows, columns, bias), input, rows, columns)


@caught_on(OUTPUT)
class ConvGroupsDealt(Conv2d):
    """Deals the input's channels out to the groups in turn, like cards."""

    def forward(self, input: Array) -> Array:
        number, channels, *size = input.shape
        dealt = input.reshape(number, channels // self.groups, self.groups, *size).swapaxes(1, 2)
        return super().forward(dealt.reshape(input.shape))


@caught_on(OUTPUT)
class ConvOutputChannelsDealt(Conv2d):
    """Collects the groups' output channels in turn, the first of each before the second of any."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        number, channels, *size = output.shape
        dealt = output.reshape(number, self.groups, channels // self.groups, *size).swapaxes(1, 2)
        return np.asanyarray(dealt.reshape(output.shape))


class _OtherInputGradient(Conv2d):
    """Base of the defects that send back an input gradient of their own, `of_input`."""

    def backward(self, grad_output: Array) -> Array:
        self.accumulate(grad_output)
        _, rows, columns = self.recall(grad_output)
        return self.of_input(grad_output, rows.transposed(), columns.transposed())

    def of_input(self, grad_output: Array, rows: Axis, columns: Axis) -> Array:
        raise NotImplementedError

    @property
    def turned(self) -> Array:
        return self._kernels().swapaxes(1, 2)[..., ::-1, ::-1]


@caught_on(GRADIENT)
class ConvDilationForgottenBackward(_OtherInputGradient):
    """Sends the gradient back through the kernel as if its elements were adjacent."""

    def of_input(self, grad_output: Array, rows: Axis, columns: Axis) -> Array:
        return correlate(grad_output, self.turned, replace(rows, dilation=1), replace(columns, dilation=1))[
            ..., : rows.count, : columns.count
        ]


@caught_on(GRADIENT)
class ConvGradientNotTurned(_OtherInputGradient):
    """Sends the gradient back through the kernels without turning them round."""

    def of_input(self, grad_output: Array, rows: Axis, columns: Axis) -> Array:
        return correlate(grad_output, self._kernels().swapaxes(1, 2), rows, columns)


@caught_on(GRADIENT)
class ConvGradientCroppedAtTheEnd(_OtherInputGradient):
    """Takes all of the padding off the gradient's end."""

    def of_input(self, grad_output: Array, rows: Axis, columns: Axis) -> Array:
        rows, columns = (replace(axis, offset=axis.span - 1) for axis in (rows, columns))
        return correlate(grad_output, self.turned, rows, columns)


@caught_on(GRADIENT)
class ConvGroupsSharedBackward(_OtherInputGradient):
    """Sends every group's gradient back through the first group's kernels."""

    def of_input(self, grad_output: Array, rows: Axis, columns: Axis) -> Array:
        return correlate(grad_output, np.repeat(self.turned[:1], self.groups, axis=0), rows, columns)


@caught_on(GRADIENT)
class ConvBiasGradientAveraged(Conv2d):
    """Averages the bias gradient over the pixels, where it is their sum."""

    def accumulate(self, grad_output: Array) -> None:
        super().accumulate(grad_output)
        if self.bias is not None:
            self.bias.grad /= grad_output.shape[2] * grad_output.shape[3]


@caught_on(GRADIENT)
class ConvGradientOfLastImage(Conv2d):
    """Writes each image's weight gradient over that of the image before."""

    def accumulate(self, grad_output: Array) -> None:
        input, rows, columns = self.recall(grad_output)
        groups, outputs, inputs, height, width = self._kernels().shape
        gradient = np.zeros_like(self.weight.value)
        images = unfold(input, groups, rows, columns)
        for cotangent, parts in zip(by_group(grad_output, groups), images, strict=True):
            by_row = [cotangent @ part.swapaxes(1, 2) for part in parts]
            stacked = np.stack(by_row).reshape(height, groups, outputs, inputs, width)
            gradient = np.moveaxis(stacked, 0, 3).reshape(self.weight.value.shape)
        self.weight.accumulate(lambda out: np.copyto(out, gradient))
        if self.bias is not None:
            self.bias.accumulate(lambda out: np.sum(grad_output, axis=(0, 2, 3), out=out))


@caught_on(OUTPUT)
class MaxPoolPaddedWithZeros(MaxPool2d):
    """Pads with zeros, which are larger than what is negative."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        rows, columns, winner = self.recall(output)
        outside = np.pad(np.ones(input.shape[2:], bool), [(p, p) for p in self.padding])
        whole = np.all([outside[where] for where in positions(rows, columns)], axis=0)
        return self.remember(np.where(whole, output, np.maximum(output, 0)), rows, columns, winner)


@caught_on(GRADIENT)
class MaxPoolGradientToAllTies(MaxPool2d):
    """Sends the gradient to every element that is as large as the largest."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        rows, columns, _ = self.recall(output)
        padded = np.pad(input, [(0, 0), (0, 0), *((p, p) for p in self.padding)], constant_values=-np.inf)
        return self.remember(output, rows, columns, [padded[where] == output for where in positions(rows, columns)])

    def backward(self, grad_output: Array) -> Array:
        rows, columns, largest = self.recall(grad_output)
        return scattered(grad_output, [grad_output * mask for mask in largest], rows, columns)


@caught_on(GRADIENT)
class MaxPoolGradientToLastTie(MaxPool2d):
    """Sends the gradient to the last of several that are equally large."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        rows, columns, winner = self.recall(output)
        padded = np.pad(input, [(0, 0), (0, 0), *((p, p) for p in self.padding)], constant_values=-np.inf)
        for position, where in enumerate(positions(rows, columns)):
            np.putmask(winner, padded[where] == output, position)
        return output


@caught_on(GRADIENT)
class MaxPoolGradientOverwritten(MaxPool2d):
    """Where windows overlap, writes one's gradient over the other's instead of adding it."""

    def backward(self, grad_output: Array) -> Array:
        rows, columns, winner = self.recall(grad_output)
        gradient = np.zeros_like(grad_output, shape=(*grad_output.shape[:2], rows.size, columns.size))
        for position, where in enumerate(positions(rows, columns)):
            np.copyto(gradient[where], grad_output, where=winner == position)
        return cropped(gradient, rows, columns)


@caught_on(GRADIENT)
class MaxPoolStrideOfOne(MaxPool2d):
    """Moves by one where no stride is given, not by the window's size."""

    def forward(self, input: Array) -> Array:
        if self.stride != self.kernel_size:
            return super().forward(input)
        self.stride = (1, 1)
        try:
            return super().forward(input)
        finally:
            self.stride = self.kernel_size


@caught_on(OUTPUT)
class AvgPoolCountFlipped(AvgPool2d):
    """Counts the padding where it should not, and the other way round."""

    def forward(self, input: Array) -> Array:
        self.count_include_pad = not self.count_include_pad
        try:
            return super().forward(input)
        finally:
            self.count_include_pad = not self.count_include_pad


@caught_on(GRADIENT)
class AvgPoolGradientOfFullWindows(AvgPool2d):
    """Shares the gradient among all of the window, where only what it sees of the image was counted."""

    def backward(self, grad_output: Array) -> Array:
        rows, columns, _ = self.recall(grad_output)
        share = grad_output / (rows.kernel * columns.kernel)
        return scattered(grad_output, [share] * (rows.kernel * columns.kernel), rows, columns)


@caught_on(GRADIENT)
class AvgPoolGradientOverwritten(AvgPool2d):
    """Spreads each gradient over its window, over those of windows that overlap it."""

    def backward(self, grad_output: Array) -> Array:
        rows, columns, count = self.recall(grad_output)
        gradient = np.zeros_like(grad_output, shape=(*grad_output.shape[:2], rows.size, columns.size))
        for where in positions(rows, columns):
            gradient[where] = grad_output / count
        return cropped(gradient, rows, columns)


@caught_on(GRADIENT)
class GlobalAverageGradientSummed(GlobalAveragePool2d):
    """Hands the gradient to every pixel undivided."""

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.recall(grad_output)
        return super().backward(grad_output) * (shape[2] * shape[3])


@caught_on(GRADIENT)
class ZeroPadTopFirst(ZeroPad2d):
    """Takes (left, right, top, bottom) for (top, bottom, left, right), the order of NumPy and Keras."""

    def forward(self, input: Array) -> Array:
        right, self.padding = self.padding, (*self.padding[2:], *self.padding[:2])
        try:
            return super().forward(input)
        finally:
            self.padding = right


def scattered(grad_output: Array, shares: list[Array], rows: Axis, columns: Axis) -> Array:
    """The sum of what every window gives to each of its positions, without the padding."""
    gradient = np.zeros_like(grad_output, shape=(*grad_output.shape[:2], rows.size, columns.size))
    for where, share in zip(positions(rows, columns), shares, strict=True):
        gradient[where] += share
    return cropped(gradient, rows, columns)


def cropped(gradient: Array, rows: Axis, columns: Axis) -> Array:
    """The gradient without the padding."""
    return gradient[..., rows.placement()[1], columns.placement()[1]]
