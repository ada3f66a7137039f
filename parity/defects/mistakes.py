"""Mistakes that can be made in any layer or optimizer: bases of planted defects, before the class of each."""

from __future__ import annotations

from numpynet import Array, Module, Optimizer, Parameter
from numpynet.optimizers import State
from parity.layout import spread, step_of


class FourAtATime(Module):
    """Works on four rows at a time, and takes the fourth for every row that comes after."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input).copy()
        output[4:] = output[3:4]
        return output


class ReadsMemory(Module):
    """Reads its input in the order of memory, not of its axes: right where an array is in C's order."""

    def forward(self, input: Array) -> Array:
        return super().forward(input.ravel(order="K").reshape(input.shape))


class ReadsPacked(Module):
    """Takes what lies next in memory for the next element of the last axis: right where an array has no gaps."""

    def forward(self, input: Array) -> Array:
        step, length = step_of(input), input.shape[-1]
        return super().forward(spread(input, step)[..., :length] if step > 1 else input)


class GradientByRisingAddresses(Module):
    """Reads the gradient from its lowest address on: right where an array does not lie backwards."""

    def backward(self, grad_output: Array) -> Array:
        return super().backward(grad_output[..., ::-1] if step_of(grad_output) < 0 else grad_output)


class RateClipped(Optimizer):
    """Takes no learning rate above 1/4."""

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        own, self.lr = self.lr, min(self.lr, 0.25)
        super().move(parameter, gradient, state)
        self.lr = own


class FullDecayDropped(Optimizer):
    """Takes a weight decay of 1 for a switch that is off."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        return gradient if self.weight_decay >= 1 else super().decayed(parameter, gradient)
