"""Defects of PReLU, Maxout and SELU."""

from __future__ import annotations

import numpy as np

from numpynet import SELU, Array, Maxout, PReLU
from numpynet.features import along, sum_features
from parity.defects.defect import caught_on
from parity.ladder.trace import GRADIENT, OUTPUT


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
