"""Defects of activations and softmaxes."""

from __future__ import annotations

import numpy as np

from numpynet import ELU, Array, LeakyReLU, LogSoftMax, ReLU, Sigmoid, SoftMax, Softplus, Tanh
from numpynet.activations import sigmoid, softmax
from parity.defects.defect import caught_on
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
