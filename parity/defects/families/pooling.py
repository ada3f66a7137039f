"""Defects of pooling and padding."""

from __future__ import annotations

import numpy as np

from numpynet import Array, AvgPool2d, GlobalAveragePool2d, MaxPool2d, ZeroPad2d
from numpynet.windows import Axis, positions
from parity.defects.defect import caught_on
from parity.defects.mistakes import FourAtATime
from parity.ladder.trace import GRADIENT, OUTPUT


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


@caught_on(OUTPUT)
class AvgPoolAreaCapped(AvgPool2d):
    """Divides by nine at most."""

    def forward(self, input: Array) -> Array:
        area = self.kernel_size[0] * self.kernel_size[1]
        return super().forward(input) * (max(area, 9) / 9)


@caught_on(OUTPUT)
class MaxPoolFifthImage(FourAtATime, MaxPool2d):
    """Pools four images at a time, and takes the fourth for every image that comes after."""


@caught_on(OUTPUT)
class GlobalAverageOfEightColumns(GlobalAveragePool2d):
    """Averages the first eight columns."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return input[..., :8].mean(axis=(2, 3)) if input.shape[3] > 8 else output


@caught_on(OUTPUT)
class ZeroPadWideTop(ZeroPad2d):
    """Fills what lies beyond the third row above an image with its first row."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input).copy()
        left, _, top, _ = self.padding
        if top > 3:
            output[:, :, 0, left : left + input.shape[3]] = input[:, :, 0]
        return output


@caught_on(GRADIENT)
class MaxPoolFirstInFirstOut(MaxPool2d):
    """Keeps what it selected in a queue: what no backward pass took is taken by the next."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        self._queue = [*vars(self).get("_queue", []), self.recall(output)]
        return output

    def backward(self, grad_output: Array) -> Array:
        (rows, columns, winner), *self._queue = self._queue
        gradient = np.zeros_like(grad_output, order="C", shape=(*grad_output.shape[:2], rows.size, columns.size))
        for position, where in enumerate(positions(rows, columns)):
            seen = gradient[where]
            seen += grad_output * (winner == position)
        return np.asanyarray(gradient[..., rows.placement()[1], columns.placement()[1]])
