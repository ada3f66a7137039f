"""Defects of dropout."""

from __future__ import annotations

import copy

import numpy as np

from numpynet import Array, Dropout
from parity.defects.defect import caught_on
from parity.ladder.trace import CURVE, GRADIENT, OUTPUT


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
class DropoutMaskInMemory(Dropout):
    """Draws the mask in the order of memory, not of the axes."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.training and input.flags.f_contiguous and not input.flags.c_contiguous:
            (factor,) = self.recall(output)
            turned = None if factor is None else factor.ravel().reshape(factor.shape[::-1]).T
            return self.remember(output if turned is None else input * turned, turned)
        return output


@caught_on(OUTPUT)
class DropoutStaysInTraining(Dropout):
    """Once it has trained, it drops in evaluation too."""

    def forward(self, input: Array) -> Array:
        if self.training:
            self._trained = True
        elif vars(self).get("_trained"):
            return super().forward(input) * (1 - self.p)
        return super().forward(input)
