"""Defects of batch, layer and group normalisation, and of scaling."""

from __future__ import annotations

import numpy as np

from numpynet import Array, BatchNormalization, GroupNormalization, LayerNormalization, Scaling
from numpynet.features import along, feature_axes
from numpynet.normalization import PerExample, standardize, standardize_gradient
from parity.defects.defect import caught_on
from parity.defects.mistakes import ReadsMemory
from parity.ladder.trace import GRADIENT, OUTPUT


class _OtherBatchScale(BatchNormalization):
    """Base of the defects that multiply in training by something else than 1 / sqrt(variance + eps)."""

    def scale(self, variance: Array, count: int) -> Array:
        raise NotImplementedError

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training:
            return output
        axes = feature_axes(input)
        centred = input - np.mean(input, axis=axes, keepdims=True)
        scale = self.scale(np.mean(centred * centred, axis=axes), input.size // self.num_features)
        output = centred * along(scale, input)
        return self.remember(output, output, along(scale, input))


@caught_on(OUTPUT)
class BatchNormFlawed(_OtherBatchScale):
    """The source course's: scalar gamma and beta, divides by the batch's standard deviation, no eps."""

    gamma, beta = 1.0, 0.0

    def scale(self, variance: Array, count: int) -> Array:
        return self.gamma / np.sqrt(variance)

    def forward(self, input: Array) -> Array:
        return super().forward(input) + self.beta


@caught_on(GRADIENT)  # where eps is small the output may be within its allowance, and the gradient not
class BatchNormEpsOutsideRoot(_OtherBatchScale):
    """Adds eps to the standard deviation, not to the variance."""

    def scale(self, variance: Array, count: int) -> Array:
        return 1 / (np.sqrt(variance) + self.eps)


@caught_on(OUTPUT)
class BatchNormEpsForgottenInEvaluation(BatchNormalization):
    """Divides by the root of the running variance alone: infinite for a feature that never varied."""

    def forward(self, input: Array) -> Array:
        if self.training:
            return super().forward(input)
        scale = 1 / np.sqrt(self.running_var)
        output = input * along(scale, input) + along(-self.running_mean * scale, input)
        return self.remember(output, None, along(scale, input))


@caught_on(OUTPUT)
class BatchNormByUnbiasedVariance(_OtherBatchScale):
    """Normalises by the unbiased variance."""

    def scale(self, variance: Array, count: int) -> Array:
        return 1 / np.sqrt(variance * (count / (count - 1)) + self.eps)


@caught_on(OUTPUT)
class BatchNormUnbiasedRunning(BatchNormalization):
    """Keeps the unbiased variance, as torch does: n / (n - 1) times what this layer promises."""

    def forward(self, input: Array) -> Array:
        old = self.running_var
        output = super().forward(input)
        if self.training:
            count = input.size // self.num_features
            variance = np.var(input, axis=feature_axes(input)) * (count / (count - 1))
            self.running_var = self.alpha * old + (1 - self.alpha) * variance
        return output


@caught_on(OUTPUT)
class BatchNormAlphaSwapped(BatchNormalization):
    """Takes alpha for torch's momentum: the weight of the new, not of the old."""

    def forward(self, input: Array) -> Array:
        alpha, self.alpha = self.alpha, 1 - self.alpha
        output = super().forward(input)
        self.alpha = alpha
        return output


@caught_on(OUTPUT)
class BatchNormEvaluationMoves(BatchNormalization):
    """Updates the running statistics in evaluation too."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training:
            axes = feature_axes(input)
            self.running_mean = self.alpha * self.running_mean + (1 - self.alpha) * np.mean(input, axis=axes)
            self.running_var = self.alpha * self.running_var + (1 - self.alpha) * np.var(input, axis=axes)
        return output


@caught_on(OUTPUT)
class BatchNormEvaluationByBatch(BatchNormalization):
    """Normalises by the batch's own statistics in evaluation too."""

    def forward(self, input: Array) -> Array:
        mode, running = self.training, (self.running_mean, self.running_var)
        self.training = True
        output = super().forward(input)
        self.training = mode
        if not mode:
            self.running_mean, self.running_var = running
        return output


@caught_on(OUTPUT)
class BatchNormOverFeatures(BatchNormalization):
    """Normalises each row over its features: layer normalisation."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training:
            return output
        axes = tuple(range(1, input.ndim))
        centred = input - np.mean(input, axis=axes, keepdims=True)
        return centred / np.sqrt(np.mean(centred * centred, axis=axes, keepdims=True) + self.eps)


@caught_on(OUTPUT)
class BatchNormPerPixel(BatchNormalization):
    """Takes the statistics over the batch alone: for images each pixel has its own."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training:
            return output
        centred = input - np.mean(input, axis=0)
        return centred / np.sqrt(np.mean(centred * centred, axis=0) + self.eps)


@caught_on(GRADIENT)
class BatchNormStatisticsConstant(BatchNormalization):
    """Differentiates as if mean and variance did not depend on the input."""

    def backward(self, grad_output: Array) -> Array:
        _, scale = self.recall(grad_output)
        return grad_output * scale


@caught_on(GRADIENT)
class BatchNormVarianceConstant(BatchNormalization):
    """Differentiates through the mean, as if the variance did not depend on the input."""

    def backward(self, grad_output: Array) -> Array:
        normalized, scale = self.recall(grad_output)
        if normalized is None:
            return super().backward(grad_output)
        mean = np.mean(grad_output, axis=feature_axes(grad_output))
        return (grad_output - along(mean, grad_output)) * scale


@caught_on(GRADIENT)
class BatchNormEvaluationGradient(BatchNormalization):
    """Differentiates in evaluation as in training."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        assert self._memory is not None
        return self.remember(output, output, self._memory[1][1])


@caught_on(GRADIENT)
class ScalingLastAxis(Scaling):
    """Broadcasts gamma and beta along the last axis: for matrices that is the second."""

    def forward(self, input: Array) -> Array:
        return self.remember(input * self.gamma.value + self.beta.value, input)


@caught_on(GRADIENT)
class ScalingGammaGradientOfOutput(Scaling):
    """Takes the gradient of gamma from the output: right as long as gamma is one and beta zero."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return self.remember(output, output)


@caught_on(GRADIENT)
class ScalingBetaGradientPerPixel(Scaling):
    """Averages the gradient of beta over the pixels, where they should add up."""

    def backward(self, grad_output: Array) -> Array:
        sums = np.sum(grad_output.reshape(*grad_output.shape[:2], -1), axis=0)
        kept = self.beta.grad.copy()
        grad_input = super().backward(grad_output)
        self.beta.grad = kept + np.mean(sums, axis=-1)
        return grad_input


def normalized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    return standardize(x, axes, eps)[0]


class _OtherScalePerExample(PerExample):
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
class LayerNormUnbiased(_OtherScalePerExample, LayerNormalization):
    """Divides each row by its unbiased deviation, n - 1 in the denominator."""

    def scale(self, variance: Array, count: int) -> Array:
        return 1 / np.sqrt(variance * (count / max(count - 1, 1)) + self.eps)


@caught_on(GRADIENT)  # where eps is small the output may be within its allowance, and the gradient not
class LayerNormEpsOutsideRoot(_OtherScalePerExample, LayerNormalization):
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


@caught_on(OUTPUT)
class BatchNormOfEightRows(BatchNormalization):
    """Takes the statistics of the first eight rows for those of the batch."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training or len(input) <= 8:
            return output
        _, scale, mean, _ = standardize(input[:8], feature_axes(input), self.eps)
        return (input - mean) * scale


@caught_on(OUTPUT)
class BatchNormOfFiveAxes(BatchNormalization):
    """Takes volumes for images: the statistics are over three axes, and differ along the last."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return standardize(input, (0, 2, 3), self.eps)[0] if self.training and input.ndim == 5 else output


@caught_on(OUTPUT)
class BatchNormEpsFloor(BatchNormalization):
    """Raises eps to 1e-5, the least that cuDNN takes."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training or self.eps >= 1e-5:
            return output
        return standardize(input, feature_axes(input), 1e-5)[0]


@caught_on(OUTPUT)
class BatchNormStaysInTraining(BatchNormalization):
    """Once it has trained, it evaluates by the statistics of the batch."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.training:
            self._trained = True
        elif vars(self).get("_trained"):
            return standardize(input, feature_axes(input), self.eps)[0]
        return output


@caught_on(OUTPUT)
class LayerNormEpsFloor(LayerNormalization):
    """Raises an eps of rows to 1e-5."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.eps >= 1e-5:
            return output
        return standardize(self.rows(input), (1,), 1e-5)[0].reshape(input.shape)


@caught_on(OUTPUT)
class LayerNormOfSixteenFeatures(LayerNormalization):
    """Takes the statistics of the first sixteen elements for those of the row."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        rows = self.rows(input)
        if rows.shape[1] <= 16:
            return output
        _, scale, mean, _ = standardize(rows[:, :16], (1,), self.eps)
        return ((rows - mean) * scale).reshape(input.shape)


@caught_on(OUTPUT)
class GroupNormManyGroupsAsOne(GroupNormalization):
    """Knows up to four groups, and takes more for one."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.groups <= 4:
            return output
        return standardize(input.reshape(len(input), -1), (1,), self.eps)[0].reshape(input.shape)


@caught_on(OUTPUT)
class ScalingShiftsOfEightFeatures(Scaling):
    """Shifts the first eight features."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.num_features <= 8:
            return output
        shifts = np.where(np.arange(self.num_features) < 8, 0 * self.beta.value, self.beta.value)
        return output - along(shifts, input)


@caught_on(GRADIENT)
class ScalingGradientOfFiveAxes(Scaling):
    """Sums the gradients of five axes over the first four."""

    def backward(self, grad_output: Array) -> Array:
        gradient = super().backward(grad_output)
        if grad_output.ndim == 5:
            self.beta.grad = self.beta.grad / grad_output.shape[4]
        return gradient


@caught_on(OUTPUT)
class ScalingReadsMemory(ReadsMemory, Scaling):
    """Reads its input in the order of memory, not of its axes: right where an array is in C's order."""
