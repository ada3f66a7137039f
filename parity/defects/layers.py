"""Defects of the fully connected layer, dropout and flattening."""

from __future__ import annotations

import copy

import numpy as np

from numpynet import Array, Dropout, Flatten, Linear
from parity.defects.defect import caught_on
from parity.ladder.trace import CURVE, GRADIENT, OUTPUT


@caught_on(OUTPUT)
class LinearLayoutGuessed(Linear):
    """Tells a weight (in, out) from (out, in) by its shape, and so takes a square one for its transpose."""

    @property
    def _matrix(self) -> Array:
        weight = self.weight.value
        return weight.T if weight.shape[0] == weight.shape[1] else weight

    def forward(self, input: Array) -> Array:
        super().forward(input)
        output = input @ self._matrix.T
        return output if self.bias is None else output + self.bias.value

    def backward(self, grad_output: Array) -> Array:
        self.accumulate(grad_output)
        return grad_output @ self._matrix


@caught_on(OUTPUT)
class LinearBatchOfOneSqueezed(Linear):
    """A batch of one row loses its batch axis."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        return output[0] if len(output) == 1 else output


@caught_on(GRADIENT)
class LinearBiasGradientAveraged(Linear):
    """Averages the bias gradient over the batch, which the loss has done already."""

    def accumulate(self, grad_output: Array) -> None:
        (input,) = self.recall(grad_output)
        self.weight.accumulate(lambda out: np.matmul(grad_output.T, input, out=out))
        if self.bias is not None:
            self.bias.accumulate(lambda out: np.mean(grad_output, axis=0, out=out))


@caught_on(GRADIENT)
class LinearGradientOverwritten(Linear):
    """Writes its gradients over those of the backward pass before, where they should add up."""

    def accumulate(self, grad_output: Array) -> None:
        (input,) = self.recall(grad_output)
        self.weight.grad = grad_output.T @ input
        if self.bias is not None:
            self.bias.grad = np.sum(grad_output, axis=0)


@caught_on(GRADIENT)
class LinearInputGradientOfSquareTransposed(Linear):
    """Sends the gradient back through the weight, not its transpose: shapes fit where it is square."""

    def backward(self, grad_output: Array) -> Array:
        self.accumulate(grad_output)
        weight = self.weight.value
        return grad_output @ (weight.T if weight.shape[0] == weight.shape[1] else weight)


@caught_on(CURVE)
class LinearFirstLayerWithoutBias(Linear):
    """The short cut for a network's first layer, which needs no input gradient, forgets the bias."""

    def accumulate(self, grad_output: Array) -> None:
        (input,) = self.recall(grad_output)
        self.weight.accumulate(lambda out: np.matmul(grad_output.T, input, out=out))

    def backward(self, grad_output: Array) -> Array:
        super().accumulate(grad_output)
        return grad_output @ self.weight.value


@caught_on(OUTPUT)
class DropoutUnscaled(Dropout):
    """The form of 2014: nothing is scaled in training, everything by 1 - p in evaluation."""

    def forward(self, input: Array) -> Array:
        if self.training:
            factor = self.rng.random(input.shape, np.float32) >= self.p
        else:
            factor = np.asarray(1 - self.p, input.dtype)
        return self.remember(input * factor, factor)


@caught_on(OUTPUT)
class DropoutOfKept(Dropout):
    """Takes p for the probability to keep an element."""

    def forward(self, input: Array) -> Array:
        if not self.training:
            return super().forward(input)
        factor = (self.rng.random(input.shape, np.float32) < self.p) * input.dtype.type(1 / (self.p or 1))
        return self.remember(input * factor, factor)


@caught_on(OUTPUT)
class DropoutInEvaluation(Dropout):
    """Goes on dropping in evaluation mode."""

    def forward(self, input: Array) -> Array:
        mode, self.training = self.training, True
        output = super().forward(input)
        self.training = mode
        return output


@caught_on(OUTPUT)
class DropoutPromotes(Dropout):
    """Divides the mask by 1 - p in double precision, to which the activations are promoted."""

    def forward(self, input: Array) -> Array:
        if not self.training:
            return super().forward(input)
        factor = (self.rng.random(input.shape, np.float32) >= self.p) / (1 - self.p)
        return self.remember(input * factor, factor)


@caught_on(OUTPUT, dtype="float64")
class DropoutInSinglePrecision(Dropout):
    """Keeps 1/(1-p) in single precision, whatever the network computes in."""

    def forward(self, input: Array) -> Array:
        if not self.training:
            return super().forward(input)
        factor = (self.rng.random(input.shape, np.float32) >= self.p) * np.float32(1 / (1 - self.p))
        return self.remember(input * factor, factor)


@caught_on(GRADIENT)
class DropoutNewMaskBackward(Dropout):
    """Draws a new mask for the gradient."""

    def backward(self, grad_output: Array) -> Array:
        (factor,) = self.recall(grad_output)
        if factor is None:
            return grad_output
        return grad_output * (self.rng.random(grad_output.shape, np.float32) >= self.p) * np.max(factor)


@caught_on(CURVE)
class DropoutMaskRepeated(Dropout):
    """Starts its generator anew in every call: one mask for the whole training."""

    def forward(self, input: Array) -> Array:
        generator = self.rng
        self.rng = copy.deepcopy(generator)
        output = super().forward(input)
        self.rng = generator
        return output


@caught_on(OUTPUT)
class FlattenColumnMajor(Flatten):
    """Flattens in Fortran's order."""

    def forward(self, input: Array) -> Array:
        return self.remember(input.reshape(len(input), -1, order="F"), input.shape)

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.recall(grad_output)
        return grad_output.reshape(shape, order="F")


@caught_on(OUTPUT)
class FlattenChannelsLast(Flatten):
    """Flattens images as rows, columns, channels: the order of TensorFlow."""

    def forward(self, input: Array) -> Array:
        return super().forward(np.moveaxis(input, 1, -1))

    def backward(self, grad_output: Array) -> Array:
        return np.moveaxis(super().backward(grad_output), -1, 1)


@caught_on(GRADIENT)
class FlattenGradientColumnMajor(Flatten):
    """Flattens row by row, and folds the gradient column by column."""

    def backward(self, grad_output: Array) -> Array:
        (shape,) = self.recall(grad_output)
        return grad_output.reshape(shape, order="F")
