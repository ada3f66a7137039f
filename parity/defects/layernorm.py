"""Defects of layer and group normalisation."""

from __future__ import annotations

import numpy as np

from numpynet import Array, GroupNormalization, LayerNormalization
from numpynet.normalization import PerExample, standardize, standardize_gradient
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, OUTPUT


def normalized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    return standardize(x, axes, eps)[0]


class _OtherScale(PerExample):
    """Base of the defects that multiply by something else than 1 / sqrt(variance + eps)."""

    def scale(self, variance: Array, count: int) -> Array:
        raise NotImplementedError

    def forward(self, input: Array) -> Array:
        rows = self.rows(input)
        centred = rows - np.mean(rows, axis=1, keepdims=True)
        scale = self.scale(np.mean(centred * centred, axis=1, keepdims=True), rows.shape[1])
        return self.remember((centred * scale).reshape(input.shape), centred * scale, scale)


@caught_on(OUTPUT)
class LayerNormOverBatch(LayerNormalization):
    """Normalises each feature over the batch: batch normalisation."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        return normalized(input, (0,), self.eps)


@caught_on(OUTPUT)
class LayerNormLastAxisAlone(LayerNormalization):
    """Takes the last axis alone, however many are asked for."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        return normalized(input, (-1,), self.eps)


@caught_on(OUTPUT)
class LayerNormSecondAxis(LayerNormalization):
    """Takes the second axis, as the source course's "repaired" batch normalisation: for matrices that is the last."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        return normalized(input, (min(1, input.ndim - 1),), self.eps)


@caught_on(OUTPUT)
class LayerNormUnbiased(_OtherScale, LayerNormalization):
    """Divides each row by its unbiased deviation, n - 1 in the denominator."""

    def scale(self, variance: Array, count: int) -> Array:
        return 1 / np.sqrt(variance * (count / max(count - 1, 1)) + self.eps)


@caught_on(GRADIENT)  # where eps is small the output may be within its allowance, and the gradient not
class LayerNormEpsOutsideRoot(_OtherScale, LayerNormalization):
    """Adds eps to the standard deviation, not to the variance, as The Annotated Transformer does."""

    def scale(self, variance: Array, count: int) -> Array:
        return 1 / (np.sqrt(variance) + self.eps)


@caught_on(GRADIENT)
class LayerNormStatisticsConstant(LayerNormalization):
    """Differentiates as if a row's mean and variance did not depend on the row."""

    def backward(self, grad_output: Array) -> Array:
        normalized, scale = self.recall(grad_output)
        return (grad_output.reshape(normalized.shape) * scale).reshape(grad_output.shape)


@caught_on(OUTPUT)
class GroupNormInterleaved(GroupNormalization):
    """Deals the features out to the groups one by one, where neighbours belong together."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        dealt = input.reshape(len(input), input.shape[1] // self.groups, self.groups, *input.shape[2:])
        axes = (1, *range(3, dealt.ndim))
        return normalized(dealt, axes, self.eps).reshape(input.shape)


@caught_on(OUTPUT)
class GroupNormPerPixel(GroupNormalization):
    """Takes the statistics over the features alone: each pixel has its own."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        groups = input.reshape(len(input), self.groups, input.shape[1] // self.groups, *input.shape[2:])
        return normalized(groups, (2,), self.eps).reshape(input.shape)


@caught_on(OUTPUT)
class GroupNormGroupSize(GroupNormalization):
    """Takes the number of groups for the number of features in one."""

    def rows(self, input: Array) -> Array:
        super().rows(input)
        return input.reshape(len(input) * (input.shape[1] // self.groups), -1)


@caught_on(GRADIENT)
class GroupNormGradientOverFeatures(GroupNormalization):
    """Takes the gradient's means over all features, as if there were one group."""

    def backward(self, grad_output: Array) -> Array:
        rows, scale = self.recall(grad_output)
        output = rows.reshape(grad_output.shape)
        scale = np.repeat(scale.reshape(len(output), -1), output.shape[1] // self.groups, axis=1)
        scale = scale.reshape(*output.shape[:2], *[1] * (output.ndim - 2))
        return standardize_gradient(grad_output, output, scale, tuple(range(1, output.ndim)))
