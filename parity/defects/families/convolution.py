"""Defects of convolution."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from numpynet import Array, Conv2d, Parameter
from numpynet.convolution import by_group, correlate, unfold
from numpynet.windows import Axis
from parity.defects.defect import caught_on
from parity.defects.mistakes import FourAtATime
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
        cotangents = by_group(grad_output, groups)
        for some, parts in unfold(input, groups, rows, columns):
            by_row = [cotangents[some][-1] @ part[-1].swapaxes(1, 2) for part in parts]
            stacked = np.stack(by_row).reshape(height, groups, outputs, inputs, width)
            gradient = np.moveaxis(stacked, 0, 3).reshape(self.weight.value.shape)
        self.weight.accumulate(lambda out: np.copyto(out, gradient))
        if self.bias is not None:
            self.bias.accumulate(lambda out: np.sum(grad_output, axis=(0, 2, 3), out=out))


@caught_on(OUTPUT)
class ConvKernelCutAtThree(Conv2d):
    """Knows kernels of three rows, and takes the weights of further ones for zero."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.kernel_size[0] <= 3:
            return output
        rest = Conv2d.__new__(Conv2d)
        vars(rest).update(copy.copy(vars(self)))
        cut = self.weight.value.copy()
        cut[:, :, 3:] = 0
        rest.weight = Parameter(cut)
        return Conv2d.forward(rest, input)


@caught_on(GRADIENT)
class ConvWeightGradientCutAtThree(Conv2d):
    """Has no gradient for the weights beyond the third row of a kernel."""

    def accumulate(self, grad_output: Array) -> None:
        super().accumulate(grad_output)
        gradient = self.weight.grad.copy()
        gradient[:, :, 3:] = 0
        self.weight.grad = gradient


@caught_on(OUTPUT)
class ConvOfTwelveColumns(Conv2d):
    """Reads the first twelve columns of an image."""

    def forward(self, input: Array) -> Array:
        return super().forward(np.where(np.arange(input.shape[3]) < 12, input, 0 * input))


@caught_on(OUTPUT)
class ConvFifthImage(FourAtATime, Conv2d):
    """Convolves four images at a time, and takes the fourth for every image that comes after."""


@caught_on(OUTPUT)
class ConvWideDilationBias(Conv2d):
    """Has a path of its own for dilations beyond 2, which forgets the bias."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if max(self.dilation) <= 2 or self.bias is None:
            return output
        return output - self.bias.value[:, None, None]


@caught_on(OUTPUT)
class ConvLargeStrideShifted(Conv2d):
    """Has a path of its own for strides beyond 3, whose columns begin with the last."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return np.concatenate([output[..., -1:], output[..., :-1]], axis=-1) if max(self.stride) > 3 else output
