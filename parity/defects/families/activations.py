"""Defects of activations and softmaxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import (
    ELU,
    GELU,
    SELU,
    Array,
    HardSigmoid,
    HardSwish,
    LeakyReLU,
    LogSoftMax,
    Maxout,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    SoftMax,
    Softplus,
    Tanh,
)
from numpynet.activations import hard_slope, sigmoid, softmax
from numpynet.features import along, sum_features
from parity.defects.defect import caught_on
from parity.defects.mistakes import ReadsMemory, ReadsPacked
from parity.ladder.trace import GRADIENT, OUTPUT


@caught_on(OUTPUT)
class ReLUInPlace(ReLU):
    """Overwrites its input to save memory."""

    def forward(self, input: Array) -> Array:
        return self.remember(np.maximum(input, 0, out=input), input)


@caught_on(GRADIENT)
class ReLUGradientInPlace(ReLU):
    """Overwrites the gradient that it is given, which others may still need."""

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        grad_output[output <= 0] = 0
        return grad_output


@caught_on(GRADIENT)
class ReLUGradientAtZero(ReLU):
    """Lets the gradient through at exactly zero."""

    def forward(self, input: Array) -> Array:
        return self.remember(super().forward(input), input)

    def backward(self, grad_output: Array) -> Array:
        (input,) = self.recall(grad_output)
        return np.where(input >= 0, grad_output, 0)


@caught_on(GRADIENT)
class ReLUGuided(ReLU):
    """Guided backpropagation, left in after a visualisation: negative gradients are dropped."""

    def backward(self, grad_output: Array) -> Array:
        return np.maximum(super().backward(grad_output), 0)


@caught_on(OUTPUT)
class LeakyReLUOfKeras(LeakyReLU):
    """Has Keras' default slope, 0.3, whatever it was asked for."""

    def forward(self, input: Array) -> Array:
        positive = input > 0
        return self.remember(np.where(positive, input, input.dtype.type(0.3) * input), positive)


@caught_on(GRADIENT)
class LeakyReLUGradientOfReLU(LeakyReLU):
    """Lets no gradient through below zero."""

    def backward(self, grad_output: Array) -> Array:
        (positive,) = self.recall(grad_output)
        return np.where(positive, grad_output, 0)


@caught_on(GRADIENT)
class ELUGradientWithoutAlpha(ELU):
    """Forgets alpha in the gradient: right for alpha = 1."""

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return np.where(positive, grad_output, np.exp(below) * grad_output)


@caught_on(OUTPUT)
class ELUByMask(ELU):
    """Multiplies by masks instead of selecting: zero times infinity above 88."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        return (input > 0) * input + (input <= 0) * (self.alpha * np.expm1(input))


@caught_on(OUTPUT)
class SoftplusOverflows(Softplus):
    """log(1 + exp(x)) as written: infinite above 88."""

    def forward(self, input: Array) -> Array:
        return self.remember(np.log(1 + np.exp(input)), input)


@caught_on(OUTPUT, dtype="float64")
class SoftplusLinearAboveTwenty(Softplus):
    """torch's default threshold: linear above 20, where double precision still sees the difference."""

    def forward(self, input: Array) -> Array:
        return np.where(input > 20, input, super().forward(input))


@caught_on(OUTPUT)
class SigmoidOverflows(Sigmoid):
    """exp(x) / (1 + exp(x)): infinity over infinity above 88."""

    def forward(self, input: Array) -> Array:
        exponential = np.exp(input)
        output = exponential / (1 + exponential)
        return self.remember(output, output)


@caught_on(GRADIENT)
class SigmoidGradientOfOutput(Sigmoid):
    """Puts the output into a derivative that is written for the input."""

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * sigmoid(output) * (1 - sigmoid(output))


@caught_on(OUTPUT)
class TanhByExponentials(Tanh):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)): infinity over infinity beyond 88."""

    def forward(self, input: Array) -> Array:
        up, down = np.exp(input), np.exp(-input)
        output = (up - down) / (up + down)
        return self.remember(output, output)


@caught_on(GRADIENT)
class TanhGradientUnsquared(Tanh):
    """1 - tanh where 1 - tanh^2 is meant."""

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * (1 - output)


@caught_on(OUTPUT)
class SoftMaxOverflows(SoftMax):
    """Exponentials of the logits as they are: infinity over infinity above 88."""

    def forward(self, input: Array) -> Array:
        exponentials = np.exp(input)
        output = exponentials / np.sum(exponentials, axis=-1, keepdims=True)
        return self.remember(output, output)


@caught_on(OUTPUT)
class SoftMaxShiftedByBatch(SoftMax):
    """Shifts by the largest logit of the whole batch: rows far below it become zero over zero."""

    def forward(self, input: Array) -> Array:
        exponentials = np.exp(input - np.max(input))
        output = exponentials / np.sum(exponentials, axis=-1, keepdims=True)
        return self.remember(output, output)


@caught_on(OUTPUT)
class SoftMaxOverBatch(SoftMax):
    """Normalises over the batch."""

    def forward(self, input: Array) -> Array:
        output = softmax(input.T).T
        return self.remember(output, output)


@caught_on(OUTPUT)
class SoftMaxOverSecondAxis(SoftMax):
    """Normalises over the second axis: for matrices that is the last."""

    def forward(self, input: Array) -> Array:
        output = np.moveaxis(softmax(np.moveaxis(input, 1, -1)), -1, 1)
        return self.remember(output, output)


@caught_on(GRADIENT)
class SoftMaxWithoutCrossTerm(SoftMax):
    """Differentiates each probability by its own logit alone: the sigmoid's derivative."""

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output * output * (1 - output)


@caught_on(GRADIENT)
class SoftMaxPlainMean(SoftMax):
    """Subtracts the plain mean of the gradient, not the one that the probabilities weigh."""

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return output * (grad_output - np.mean(grad_output, axis=-1, keepdims=True))


@caught_on(GRADIENT)
class SoftMaxDetached(SoftMax):
    """Sends back zeros: made for predictions, then trained through."""

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return np.zeros_like(grad_output)


@caught_on(OUTPUT)
class LogSoftMaxOverflows(LogSoftMax):
    """The logarithm of the sum of exponentials as written: infinite above 88."""

    def forward(self, input: Array) -> Array:
        output = input - np.log(np.sum(np.exp(input), axis=-1, keepdims=True))
        return self.remember(output, output)


@caught_on(OUTPUT)
class LogSoftMaxOfSoftMax(LogSoftMax):
    """The logarithm of the probabilities: minus infinity where one is too small to be represented."""

    def forward(self, input: Array) -> Array:
        output = np.log(softmax(input))
        return self.remember(output, output)


@caught_on(GRADIENT)
class LogSoftMaxForOneLoss(LogSoftMax):
    """Takes for granted that the gradient it is given sums to -1, as the likelihood's does."""

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        return grad_output + np.exp(output)


@caught_on(GRADIENT)
class PReLUSlopeGradientWithoutInput(PReLU):
    """Adds up the gradients of the negative inputs, and forgets to multiply them by the inputs."""

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        self.slope.accumulate(lambda out: sum_features(grad_output * (below < 0), out))
        return np.where(positive, grad_output, along(self.slope.value, grad_output) * grad_output)


@caught_on(GRADIENT)
class PReLUSlopeGradientAveraged(PReLU):
    """Averages the slopes' gradient over the batch, which the loss has done already."""

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        self.slope.accumulate(lambda out: sum_features(grad_output * below / len(below), out))
        return np.where(positive, grad_output, along(self.slope.value, grad_output) * grad_output)


@caught_on(OUTPUT)
class PReLUOneSlope(PReLU):
    """Takes the first slope for all features: right until training parts them."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        below = np.minimum(input, 0)
        return self.remember(np.maximum(input, 0) + self.slope.value[0] * below, input > 0, below)


@caught_on(GRADIENT)
class PReLUSlopesOfLastAxis(PReLU):
    """Broadcasts the slopes along the last axis: for matrices that is the second."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        below = np.minimum(input, 0)
        return self.remember(np.maximum(input, 0) + self.slope.value * below, input > 0, below)


@caught_on(GRADIENT)
class PReLUGradientAtZero(PReLU):
    """Sends the whole gradient back at exactly zero, where it is the slope's share."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return self.remember(output, input >= 0, np.minimum(input, 0))


@caught_on(GRADIENT)
class MaxoutGradientToAll(Maxout):
    """Sends the gradient to every piece, not to the largest alone."""

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return np.repeat(grad_output, self.pieces, axis=1)


@caught_on(GRADIENT)
class MaxoutTiesShared(Maxout):
    """Shares the gradient among equal pieces, as tf.reduce_max and torch.amax do."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        largest = np.repeat(output, self.pieces, axis=1) == input
        return self.remember(output, largest)

    def backward(self, grad_output: Array) -> Array:
        (largest,) = self.recall(grad_output)
        count = np.add.reduceat(largest.astype(grad_output.dtype), np.arange(0, largest.shape[1], self.pieces), axis=1)
        return largest * np.repeat(grad_output / count, self.pieces, axis=1)


@caught_on(OUTPUT)
class MaxoutInterleaved(Maxout):
    """Takes the pieces of a unit that many features apart, where they are neighbours."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        groups = input.reshape(len(input), self.pieces, input.shape[1] // self.pieces, *input.shape[2:])
        return np.max(groups, axis=1)


@caught_on(OUTPUT)
class SELUConstantsRounded(SELU):
    """Has the constants as blackboards have them: 1.05 and 1.67."""

    scale, alpha = 1.05, 1.67


@caught_on(OUTPUT)
class SELUConstantsSwapped(SELU):
    """Takes alpha for the scale and the scale for alpha: right below zero, where they are multiplied."""

    scale, alpha = SELU.alpha, SELU.scale


@caught_on(GRADIENT)
class SELUGradientOfELU(SELU):
    """Has the gradient of ELU, without the scale."""

    def backward(self, grad_output: Array) -> Array:
        positive, below = self.recall(grad_output)
        return grad_output * np.where(positive, 1, self.alpha * np.exp(below))


@caught_on(GRADIENT)
class SELUGradientAtZero(SELU):
    """Takes the slope from above at exactly zero, as TensorFlow does."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return self.remember(output, input >= 0, np.minimum(input, 0))


def by_tanh(x: Array) -> Array:
    """P(Z <= x) by the formula with tanh that GELU's own approximation uses."""
    return (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * (x * x * x)))) / 2


@caught_on(OUTPUT)
class GELUAlwaysTanh(GELU):
    """Approximates by tanh, whatever it was asked for."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        gate = by_tanh(input)
        return self.remember(input * gate, input, gate)


@caught_on(OUTPUT)
class GELUBySigmoid(GELU):
    """x * sigmoid(1.702 x), the paper's other approximation, for the one by tanh."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.approximate == "none":
            return output
        gate = sigmoid(1.702 * input)
        return self.remember(input * gate, input, gate)


@caught_on(GRADIENT)
class GELUGradientWithoutDensity(GELU):
    """Differentiates as if the gate did not depend on the input."""

    def backward(self, grad_output: Array) -> Array:
        _, gate = self.recall(grad_output)
        return grad_output * gate


@caught_on(GRADIENT)
class GELUGradientOfTheOther(GELU):
    """Is exact forward, and sends back the gradient of the approximation."""

    def backward(self, grad_output: Array) -> Array:
        input, _ = self.recall(grad_output)
        gate = by_tanh(input)
        slope = 2 * gate * (1 - gate) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * input * input)
        return grad_output * (gate + input * slope)


@caught_on(GRADIENT)
class GELUCubeNotDifferentiated(GELU):
    """Forgets the cube inside tanh when it differentiates."""

    def backward(self, grad_output: Array) -> Array:
        if self.approximate == "none":
            return super().backward(grad_output)
        input, gate = self.recall(grad_output)
        return grad_output * (gate + input * 2 * gate * (1 - gate) * np.sqrt(2 / np.pi))


@caught_on(GRADIENT)
class SiLUWithoutProductRule(SiLU):
    """Multiplies the derivatives of the factors: that of a sigmoid is left."""

    def backward(self, grad_output: Array) -> Array:
        _, gate = self.recall(grad_output)
        return grad_output * gate * (1 - gate)


@caught_on(GRADIENT)
class SiLUGateConstant(SiLU):
    """Multiplies the gradient by the gate, and takes the gate for a constant."""

    def backward(self, grad_output: Array) -> Array:
        _, gate = self.recall(grad_output)
        return grad_output * gate


@caught_on(OUTPUT)
class HardSigmoidOfKeras2(HardSigmoid):
    """Has the slope of Keras 2, 0.2, and ends at -2.5 and 2.5."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        return np.clip(0.2 * input + 0.5, 0, 1)


@caught_on(GRADIENT)
class HardSigmoidGradientOutside(HardSigmoid):
    """Sends a sixth of the gradient back beyond the ends, too."""

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return grad_output / 6


@caught_on(GRADIENT)
class HardSigmoidGradientAtEnds(HardSigmoid):
    """Counts the ends themselves to the slope."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        inside = (input >= -3) & (input <= 3)
        return self.remember(output, 3 * inside.astype(output.dtype))


@caught_on(GRADIENT)
class HardSwishGradientAtEnds(HardSwish):
    """Has the parabola's gradients at the ends, as torch before 2.8: -0.5 and 1.5."""

    def backward(self, grad_output: Array) -> Array:
        input, clipped = self.recall(grad_output)
        return grad_output * (clipped + input * (np.abs(input) <= 3)) / 6


@caught_on(GRADIENT)
class HardSwishWithoutProductRule(HardSwish):
    """Differentiates the gate alone."""

    def backward(self, grad_output: Array) -> Array:
        input, clipped = self.recall(grad_output)
        return grad_output * input * hard_slope(clipped) / 6


@caught_on(OUTPUT)
class ReLUCapped(ReLU):
    """A guard that was left in: nothing beyond 10,000 passes."""

    def forward(self, input: Array) -> Array:
        return super().forward(np.minimum(input, 1e4))


@caught_on(OUTPUT)
class LeakyReLUByMaximum(LeakyReLU):
    """The larger of x and slope * x: another function where the slope is above 1."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return np.maximum(input, self.slope * input) if self.slope > 1 else output


@caught_on(OUTPUT)
class LeakyReLUSmallSlopeDropped(LeakyReLU):
    """Takes a slope below 1/32 for none."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return np.maximum(input, 0) if self.slope < 1 / 32 else output


@caught_on(OUTPUT)
class ELUAlphaOfAtLeastASixteenth(ELU):
    """Takes a smaller alpha for 1/16."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return output if self.alpha >= 1 / 16 else np.where(input > 0, input, np.expm1(np.minimum(input, 0)) / 16)


@caught_on(OUTPUT)
class TanhTinyFlushed(Tanh):
    """Flushes what is smaller than 1e-5 to zero."""

    def forward(self, input: Array) -> Array:
        return super().forward(np.where(np.abs(input) < 1e-5, 0 * input, input))


@caught_on(OUTPUT)
class SoftMaxFirstSixteen(SoftMax):
    """Sums the first sixteen classes."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return output / output[..., :16].sum(axis=-1, keepdims=True) if input.shape[-1] > 16 else output


@caught_on(OUTPUT)
class SoftMaxOfFiveAxes(SoftMax):
    """Normalises five axes along the second, as if they were volumes with channels."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return np.exp(input) / np.exp(input).sum(axis=1, keepdims=True) if input.ndim == 5 else output


@caught_on(OUTPUT)
class LogSoftMaxOfLastRows(LogSoftMax):
    """Leaves the ninth row of a batch and those after it as they are."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return np.concatenate([output[:8], input[8:]])


@caught_on(OUTPUT)
class PReLUSlopesRepeated(PReLU):
    """Has room for eight slopes, and begins anew with the ninth feature."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.num_features <= 8:
            return output
        slopes = self.slope.value[np.arange(self.num_features) % 8]
        return np.maximum(input, 0) + along(slopes, input) * np.minimum(input, 0)


@caught_on(OUTPUT)
class MaxoutFourPieces(Maxout):
    """Compares no more than four pieces."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.pieces <= 4:
            return output
        pieces = input.reshape(len(input), -1, self.pieces, *input.shape[2:])
        return pieces[:, :, :4].max(axis=2)


@caught_on(GRADIENT)
class SigmoidMemoryShared(Sigmoid):
    """Remembers its output in the class: another sigmoid that is applied in between takes its place."""

    output: Any = None

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        type(self).output = output
        return output

    def backward(self, grad_output: Array) -> Array:
        output = type(self).output
        return grad_output * output * (1 - output)


@caught_on(GRADIENT)
class SiLUFirstInFirstOut(SiLU):
    """Takes the oldest input that no backward pass has taken for the last one."""

    def forward(self, input: Array) -> Array:
        self._queue = [*vars(self).get("_queue", []), input]
        return super().forward(input)

    def backward(self, grad_output: Array) -> Array:
        input, *self._queue = self._queue
        gate = sigmoid(input)
        return grad_output * gate * (1 + input * (1 - gate))


@caught_on(OUTPUT)
class TanhOfMatrices(Tanh):
    """Makes a matrix of one row of a vector, and returns that."""

    def forward(self, input: Array) -> Array:
        return np.atleast_2d(super().forward(input))


@caught_on(OUTPUT)
class LogSoftMaxOfOneAxis(LogSoftMax):
    """Takes the only axis of a vector for the batch's: each row has one class, and is sure of it."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return 0 * output if input.ndim == 1 else output


@caught_on(GRADIENT)
class TanhSlopeInPlace(Tanh):
    """Writes its slope over the output that it remembers, of which a second backward pass takes the slope again."""

    def forward(self, input: Array) -> Array:
        super().forward(input)
        (output,) = self.recall(input)
        return self.remember(output.copy(), output)

    def backward(self, grad_output: Array) -> Array:
        (output,) = self.recall(grad_output)
        output[...] = 1 - output * output
        return grad_output * output


@caught_on(OUTPUT)
class SELUReadsMemory(ReadsMemory, SELU):
    """Reads its input as it lies in memory, whatever the order of its axes."""


@caught_on(OUTPUT)
class SiLUReadsPacked(ReadsPacked, SiLU):
    """Takes a view of every other element for the first half of the array that it is a view of."""


@caught_on(OUTPUT)
class GELUOfLargeCut(GELU):
    """Lets nothing beyond a thousand through, where the gate has long been open."""

    def forward(self, input: Array) -> Array:
        return np.minimum(super().forward(input), 1e3)


@caught_on(OUTPUT)
class SoftplusOfFiveAxes(Softplus):
    """Has no loop for a fifth axis: what lies behind its first index is left as it is."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return np.where(np.arange(input.shape[-1]) > 0, input, output) if input.ndim == 5 else output
