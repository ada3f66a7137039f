"""Learning-rate schedules: `optimizer.lr = schedule(step)` before each step, counted from 0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from numpynet.module import Array


class Schedule:
    """Base of every schedule: a subclass gives `rates`, the formula for an array of steps.

    `schedule(step)` is the learning rate of one step, counted from 0, as a float.
    """

    def rates(self, steps: Array) -> Array:
        """The learning rates of `steps`, a floating array of any shape, in an array of that shape."""
        raise NotImplementedError(f"{type(self).__name__} defines no rates")

    def __call__(self, step: int) -> float:
        return float(self.rates(np.array(step, np.float64)))


@dataclass(frozen=True)
class StepDecay(Schedule):
    """lr * factor^floor(step / every), as torch's StepLR and Keras' ExponentialDecay with a staircase."""

    lr: float
    every: int
    factor: float

    def rates(self, steps: Array) -> Array:
        return self.lr * self.factor ** np.floor(steps / self.every)


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """lr * factor^(step / over), as Keras' ExponentialDecay; torch's ExponentialLR has `over` = 1."""

    lr: float
    factor: float
    over: int = 1

    def rates(self, steps: Array) -> Array:
        return self.lr * self.factor ** (steps / self.over)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """Half a cosine from lr at step 0 to `final` at step `over`, where it stays, as Keras' CosineDecay:

        final + (lr - final) * (1 + cos(pi * min(step, over) / over)) / 2

    Loshchilov and Hutter 2017, without their restarts.
    """

    lr: float
    over: int
    final: float = 0.0

    def rates(self, steps: Array) -> Array:
        fraction = np.minimum(steps, self.over) / self.over
        return self.final + (self.lr - self.final) * (1 + np.cos(np.pi * fraction)) / 2


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A straight line from `start` at step 0 to the first rate of `then` at step `over`, where `then` begins.

    torch has it as LinearLR before another schedule in a SequentialLR, Keras as an argument of CosineDecay.
    """

    over: int
    then: Schedule
    start: float = 0.0

    def rates(self, steps: Array) -> Array:
        line = self.start + (self.then(0) - self.start) * (steps / self.over)
        return np.where(steps < self.over, line, self.then.rates(np.maximum(steps - self.over, 0)))
