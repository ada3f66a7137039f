"""The loop over epochs and batches, and what it records."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from numpynet.datasets import Dataset, Split, batch_order, order_hash
from numpynet.module import Array
from numpynet.training.scores import accuracy
from numpynet.training.trainer import Divergence


class Steps(Protocol):
    """What `fit` drives: a model of any framework.

    Where it also has `loss(outputs, targets) -> float`, the history gets validation losses.
    """

    def step(self, inputs: Array, targets: Array) -> float:
        """Train on one batch, in training mode; returns the loss before the update."""

    def predict(self, inputs: Array, batch_size: int) -> Array:
        """The outputs (N, C) for inputs (N, ...), in evaluation mode."""


@dataclass
class History:
    """What `fit` saw. Lists of one entry a step (`step_losses`) or one an epoch (all others).

    losses: mean of the epoch's step losses, weighted by the rows of each batch
    validation_losses: of the validation split, where the trainer has a `loss`
    validation_accuracies: fraction of validation rows classified correctly
    seconds: wall time of the epoch's steps with their callbacks, without validation
    order_hashes: `order_hash` of the epoch's batches
    """

    step_losses: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    order_hashes: list[str] = field(default_factory=list)


class Callback:
    """Hooks of `fit`; override what you need. Epochs and steps count from 0, steps through all epochs.

    At each hook the history holds all that has ended: in `on_batch_end` its last step loss is the batch's.
    """

    def on_train_begin(self, history: History) -> None: ...

    def on_train_end(self, history: History) -> None: ...

    def on_epoch_begin(self, epoch: int, history: History) -> None: ...

    def on_epoch_end(self, epoch: int, history: History) -> None: ...

    def on_batch_begin(self, step: int, history: History) -> None: ...

    def on_batch_end(self, step: int, history: History) -> None: ...


class ProgressBar(Callback):
    """One line an epoch on the standard error stream, redrawn at most ten times a second."""

    def __init__(self, epochs: int, steps_per_epoch: int) -> None:
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self._drawn_at = 0.0

    def on_batch_end(self, step: int, history: History) -> None:
        if time.monotonic() - self._drawn_at > 0.1:
            self._drawn_at = time.monotonic()
            epoch, batch = divmod(step, self.steps_per_epoch)
            bar = "=" * (20 * (batch + 1) // self.steps_per_epoch)
            text = f"[{bar:.<20}] {batch + 1}/{self.steps_per_epoch}, loss {history.step_losses[-1]:.4g}"
            # A carriage return last: whatever is printed next, a traceback say, begins at the left margin.
            self._draw(epoch, text, end="\r")

    def on_epoch_end(self, epoch: int, history: History) -> None:
        text = f"{history.seconds[-1]:.1f} s, loss {history.losses[-1]:.4g}"
        if history.validation_losses:
            text += f", validation loss {history.validation_losses[-1]:.4g}"
        if history.validation_accuracies:
            text += f", accuracy {history.validation_accuracies[-1]:.4f}"
        self._draw(epoch, text, end="\n")

    def _draw(self, epoch: int, text: str, end: str) -> None:
        print(f"epoch {epoch + 1}/{self.epochs}: {text:<60}", end=end, file=sys.stderr, flush=True)


def fit(
    trainer: Steps,
    dataset: Dataset,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> History:
    """Train for `epochs` passes over the training rows, in the order of `batch_order(..., seed, epoch)`.

    The validation rows, where there are any, are scored after each epoch; the test rows are never looked at.
    `progress` shows a bar where the standard error stream is a terminal.
    Raises Divergence at the first step with a loss that is not finite (a `Trainer` looks at gradients and
    parameters too), and ValueError where there is nothing to train on.
    """
    train, history = dataset.train, History()
    if len(train) == 0:
        raise ValueError(f"{dataset.name} has no training rows")
    steps_per_epoch = math.ceil(len(train) / batch_size)
    if progress and sys.stderr.isatty():
        callbacks = [*callbacks, ProgressBar(epochs, steps_per_epoch)]

    def notify(hook: str, *position: int) -> None:
        for callback in callbacks:
            getattr(callback, hook)(*position, history)

    notify("on_train_begin")
    for epoch in range(epochs):
        notify("on_epoch_begin", epoch)
        started = time.perf_counter()
        batches = batch_order(len(train), batch_size, seed, epoch)
        for step, rows in enumerate(batches, epoch * steps_per_epoch):
            notify("on_batch_begin", step)
            try:
                loss = trainer.step(train.inputs[rows], train.targets[rows])
                if not math.isfinite(loss):
                    raise Divergence(loss)
            except Divergence as divergence:
                divergence.step = max(step - divergence.steps_ago, 0)
                divergence.epoch = divergence.step // steps_per_epoch
                divergence.loss = [*history.step_losses, divergence.loss][divergence.step]
                raise
            history.step_losses.append(loss)
            notify("on_batch_end", step)
        history.seconds.append(time.perf_counter() - started)
        history.order_hashes.append(order_hash(batches))
        sizes = [len(rows) for rows in batches]
        history.losses.append(float(np.average(history.step_losses[-len(batches) :], weights=sizes)))
        if len(dataset.validation):
            scores = evaluate(trainer, dataset.validation, batch_size)
            history.validation_accuracies.append(scores.accuracy)
            if scores.loss is not None:
                history.validation_losses.append(scores.loss)
        notify("on_epoch_end", epoch)
    notify("on_train_end")
    return history


class Scores(NamedTuple):
    """Loss (None where the trainer has none) and accuracy over a split."""

    loss: float | None
    accuracy: float


def evaluate(trainer: Steps, split: Split, batch_size: int = 1024) -> Scores:
    """Score all rows of a split in evaluation mode; ValueError on an empty one."""
    outputs = trainer.predict(split.inputs, batch_size)
    loss = getattr(trainer, "loss", None)
    return Scores(loss and loss(outputs, split.targets), accuracy(outputs, split.targets))
