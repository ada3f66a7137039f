"""Defects of stochastic gradient descent."""

from __future__ import annotations

import numpy as np

from numpynet import SGD, Array, Parameter
from parity.defects.defect import caught_on
from parity.rungs.record import GRADIENT, STEP


@caught_on(STEP)
class SGDMomentumSign(SGD):
    """Subtracts the old velocity."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        if (velocity := self.velocities[index]) is not None:
            velocity *= -1
        return super()._advance(index, gradient, scratch)


@caught_on(STEP)
class SGDMovingAverage(SGD):
    """Weighs the gradient with 1 - momentum: an average, as Adam keeps it."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        return super()._advance(index, (1 - self.momentum) * gradient, scratch)


@caught_on(STEP)
class SGDRateInVelocity(SGD):
    """Keeps the learning rate inside the velocity, as Keras does: another rule as soon as the rate changes."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        return super()._advance(index, self.lr * gradient, scratch) / self.lr


@caught_on(STEP)
class SGDFirstStepDampened(SGD):
    """Dampens the first gradient too."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        if self.velocities[index] is None:
            self.velocities[index] = np.zeros_like(gradient)
        return super()._advance(index, gradient, scratch)


@caught_on(STEP)
class SGDNesterovIgnored(SGD):
    """Computes plain momentum where Nesterov's is asked for."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        direction = super()._advance(index, gradient, scratch)
        velocity = self.velocities[index]
        return direction if velocity is None else velocity


@caught_on(STEP)
class SGDNesterovWithOldVelocity(SGD):
    """Looks ahead along the velocity before its update."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        old = self.velocities[index]
        old = np.zeros_like(gradient) if old is None else old.copy()
        direction = super()._advance(index, gradient, scratch)
        return gradient + self.momentum * old if self.nesterov else direction


@caught_on(STEP)
class SGDDecoupledDecay(SGD):
    """Shrinks the weights beside the step, as AdamW does: the velocity never sees the decay."""

    def _move(self, index: int, parameter: Parameter) -> None:
        decay, self.weight_decay = self.weight_decay, 0.0
        parameter.value *= 1 - self.lr * decay
        super()._move(index, parameter)
        self.weight_decay = decay


@caught_on(STEP)
class SGDDecayOfSquare(SGD):
    """Takes the decay for the factor of w^2, not of w^2 / 2: twice as strong."""

    def _move(self, index: int, parameter: Parameter) -> None:
        self.weight_decay *= 2
        super()._move(index, parameter)
        self.weight_decay /= 2


@caught_on(GRADIENT)
class SGDDecayInGradient(SGD):
    """Adds the decay to the stored gradient itself, where the next backward pass accumulates on top of it."""

    def _move(self, index: int, parameter: Parameter) -> None:
        decay, self.weight_decay = self.weight_decay, 0.0
        parameter.grad += decay * parameter.value
        super()._move(index, parameter)
        self.weight_decay = decay


@caught_on(STEP)
class SGDMovesFrozen(SGD):
    """Moves frozen parameters too."""

    def step(self) -> None:
        for index, parameter in enumerate(self.parameters):
            self._move(index, parameter)


@caught_on(STEP)
class SGDRateStuck(SGD):
    """Goes on with the learning rate of the first step."""

    def step(self) -> None:
        self.lr = vars(self).setdefault("_first_lr", self.lr)
        super().step()


@caught_on(STEP)
class SGDVelocityIsGradient(SGD):
    """Keeps the first gradient as velocity without copying it: the next backward pass writes into it."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        first = self.velocities[index] is None
        direction = super()._advance(index, gradient, scratch)
        if first:
            self.velocities[index] = gradient
        return direction


@caught_on(STEP)
class SGDVelocityByShape(SGD):
    """Finds velocities by their shape: parameters of the same shape share one."""

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        shapes = [parameter.value.shape for parameter in self.parameters]
        return super()._advance(shapes.index(shapes[index]), gradient, scratch)
