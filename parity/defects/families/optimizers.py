"""Defects of stochastic gradient descent and of what all optimizers share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from numpynet import SGD, Array, Parameter
from numpynet.optimizers import State
from parity.defects.defect import caught_on
from parity.defects.mistakes import FullDecayDropped, RateClipped
from parity.ladder.trace import GRADIENT, STEP


@caught_on(STEP)
class SGDMomentumSign(SGD):
    """Subtracts the old velocity."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        if "velocity" in state:
            state["velocity"] *= -1
        return super().advance(gradient, state, scratch)


@caught_on(STEP)
class SGDMovingAverage(SGD):
    """Weighs the gradient with 1 - momentum: an average, as Adam keeps it."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        return super().advance((1 - self.momentum) * gradient, state, scratch)


@caught_on(STEP)
class SGDRateInVelocity(SGD):
    """Keeps the learning rate inside the velocity, as Keras does: another rule as soon as the rate changes."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        return super().advance(self.lr * gradient, state, scratch) / self.lr


@caught_on(STEP)
class SGDFirstStepDampened(SGD):
    """Dampens the first gradient too."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        state.setdefault("velocity", np.zeros_like(gradient))
        return super().advance(gradient, state, scratch)


@caught_on(STEP)
class SGDNesterovIgnored(SGD):
    """Computes plain momentum where Nesterov's is asked for."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        super().advance(gradient, state, scratch)
        return state["velocity"]


@caught_on(STEP)
class SGDNesterovWithOldVelocity(SGD):
    """Looks ahead along the velocity before its update."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        old = state["velocity"].copy() if "velocity" in state else np.zeros_like(gradient)
        direction = super().advance(gradient, state, scratch)
        return gradient + self.momentum * old if self.nesterov else direction


@caught_on(STEP)
class SGDDecoupledDecay(SGD):
    """Shrinks the weights beside the step, as AdamW does: the velocity never sees the decay."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        parameter.value *= 1 - self.lr * self.weight_decay
        return gradient


@caught_on(STEP)
class SGDDecayOfSquare(SGD):
    """Takes the decay for the factor of w^2, not of w^2 / 2: twice as strong."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        return gradient + 2 * self.weight_decay * parameter.value


@caught_on(GRADIENT)
class SGDDecayInGradient(SGD):
    """Adds the decay to the stored gradient itself, where the next backward pass accumulates on top of it."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        decay = self.weight_decay * parameter.value
        parameter.grad += decay
        return parameter.grad if self.clip is None else gradient + decay


@caught_on(STEP)
class SGDMovesFrozen(SGD):
    """Moves frozen parameters too."""

    def step(self) -> None:
        for parameter in self.parameters:
            parameter.trainable = True
        super().step()


@caught_on(STEP)
class SGDRateStuck(SGD):
    """Goes on with the learning rate of the first step."""

    def step(self) -> None:
        self.lr = vars(self).setdefault("_first_lr", self.lr)
        super().step()


@caught_on(STEP)
class SGDVelocityIsGradient(SGD):
    """Keeps the first gradient as velocity without copying it: the next backward pass writes into it."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        first = "velocity" not in state
        direction = super().advance(gradient, state, scratch)
        if first:
            state["velocity"] = gradient
        return direction


@caught_on(STEP)
class SGDVelocityByShape(SGD):
    """Finds velocities by their shape: parameters of the same shape share one."""

    def step(self) -> None:
        shapes = [parameter.value.shape for parameter in self.parameters]
        self.state = [self.state[shapes.index(shape)] for shape in shapes]
        super().step()


@caught_on(STEP)
class SGDLargeRateClipped(RateClipped, SGD):
    """A guard that was left in: no learning rate above 1/4."""


@caught_on(STEP)
class SGDForgetsEveryFifth(SGD):
    """Forgets its velocity at every fifth step."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        if self.steps % 5 == 0:
            state.pop("velocity", None)
        return super().advance(gradient, state, scratch)


@caught_on(STEP)
class SGDMomentumOfVectors(SGD):
    """Has no momentum for matrices."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        direction = super().advance(gradient, state, scratch)
        return gradient if gradient.ndim > 1 else direction


@caught_on(STEP)
class SGDFullDecayDropped(FullDecayDropped, SGD):
    """Takes a weight decay of 1 for a switch that is off."""


@caught_on(STEP)
class SGDWholeMomentumDropped(SGD):
    """Takes a momentum of 1, which never forgets, for none."""

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        direction = super().advance(gradient, state, scratch)
        return gradient if self.momentum >= 1 else direction


@caught_on(STEP)
class SGDVelocitiesOfLast(SGD):
    """Keeps its velocities in the class: of two optimizers, both take those of the one that was made last."""

    shared: ClassVar[list[State]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        type(self).shared = self.state

    def step(self) -> None:
        self.state = type(self).shared
        super().step()
