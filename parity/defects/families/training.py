"""Defects of the training loop: of the trainer, and of the order of batches."""

from __future__ import annotations

import numpy as np

from numpynet import SGD, Array
from numpynet.datasets.splits import Rows, batch_order
from numpynet.training import Trainer
from parity.defects.defect import caught_on
from parity.ladder.trace import CURVE


class _SGDTrainer(Trainer):
    optimizer: SGD


@caught_on(CURVE)
class GradientsNotZeroed(Trainer):
    """Forgets to zero the gradients between steps."""

    def step(self, inputs: Array, targets: Array) -> float:
        self.model.train()
        loss = float(self.criterion(self.model(self._cast(inputs)), targets))
        self.model.accumulate(self.criterion.backward())
        self.optimizer.step()
        return loss


@caught_on(CURVE)
class StepBeforeBackward(Trainer):
    """Calls the optimizer before backward: each step uses the gradient of the batch before."""

    def step(self, inputs: Array, targets: Array) -> float:
        self.model.train()
        loss = float(self.criterion(self.model(self._cast(inputs)), targets))
        self.optimizer.step()
        self.model.zero_grad()
        self.model.accumulate(self.criterion.backward())
        return loss


@caught_on(CURVE)
class NeverBackInTraining(Trainer):
    """Stays in evaluation mode after the first validation."""

    def step(self, inputs: Array, targets: Array) -> float:
        self.model.zero_grad()
        loss = float(self.criterion(self.model(self._cast(inputs)), targets))
        self.model.accumulate(self.criterion.backward())
        self.optimizer.step()
        return loss


@caught_on(CURVE)
class ValidationInTraining(Trainer):
    """Validates in training mode: dropout drops, and the running statistics move."""

    def predict(self, inputs: Array, batch_size: int = 1024) -> Array:
        self.model.train()
        inputs = self._cast(inputs)
        return np.concatenate([self.model(inputs[i : i + batch_size]) for i in range(0, len(inputs), batch_size)])


@caught_on(CURVE)
class LastBatchPadded(Trainer):
    """Fills a short last batch by repeating its rows, which then count twice."""

    full = 0

    def step(self, inputs: Array, targets: Array) -> float:
        self.full = max(self.full, len(inputs))
        rows = np.resize(np.arange(len(inputs)), self.full)
        return super().step(inputs[rows], targets[rows])


@caught_on(CURVE)
class LastBatchWeighted(Trainer):
    """Divides by the usual batch size whatever the batch holds: a short last one counts too little."""

    full = 0

    def step(self, inputs: Array, targets: Array) -> float:
        self.full = max(self.full, len(inputs))
        share = len(inputs) / self.full
        self.model.train().zero_grad()
        loss = float(self.criterion(self.model(self._cast(inputs)), targets)) * share
        self.model.accumulate(self.criterion.backward() * share)
        self.optimizer.step()
        return loss


@caught_on(CURVE)
class ScheduleOneStepLate(_SGDTrainer):
    """Asks the schedule after the step: every learning rate comes one step late."""

    previous: float | None = None

    def step(self, inputs: Array, targets: Array) -> float:
        asked = self.optimizer.lr
        self.optimizer.lr = asked if self.previous is None else self.previous
        loss = super().step(inputs, targets)
        self.optimizer.lr = self.previous = asked
        return loss


@caught_on(CURVE)
class ScheduleUnheard(_SGDTrainer):
    """Keeps the learning rate that it began with: the schedule talks to another optimizer."""

    first: float | None = None

    def step(self, inputs: Array, targets: Array) -> float:
        asked = self.optimizer.lr
        self.first = self.optimizer.lr = asked if self.first is None else self.first
        loss = super().step(inputs, targets)
        self.optimizer.lr = asked
        return loss


@caught_on(CURVE)
class OptimizerMadeAnew(_SGDTrainer):
    """Makes a new optimizer in every epoch: the velocities are lost."""

    def predict(self, inputs: Array, batch_size: int = 1024) -> Array:
        self.optimizer.state = [{} for _ in self._parameters]
        return super().predict(inputs, batch_size)


@caught_on(CURVE)
class LabelsNotShuffled(Trainer):
    """Shuffles the rows of the batch, but not their labels."""

    def step(self, inputs: Array, targets: Array) -> float:
        return super().step(np.random.default_rng(0).permutation(inputs), targets)


@caught_on(CURVE)
def SameOrderEveryEpoch(n: int, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """Seeds the shuffling anew in every epoch: the batches are always the same."""
    return batch_order(n, batch_size, seed, 0)


@caught_on(CURVE)
def LastBatchDropped(n: int, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """Drops a last batch that is short."""
    return [rows for rows in batch_order(n, batch_size, seed, epoch) if len(rows) == batch_size]


@caught_on(CURVE)
def DrawnWithReplacement(n: int, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """Draws rows with replacement: in an epoch some come twice, a third never."""
    drawn = np.random.default_rng((seed, epoch)).integers(0, n, n)
    return [drawn[start : start + batch_size] for start in range(0, n, batch_size)]
