"""The loop over epochs and batches, its callbacks, and the record that it returns."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from numpynet.datasets import Dataset, Split, batch_order, order_hash
from numpynet.module import Array
from numpynet.training.scores import Tally
from numpynet.training.trainer import Divergence


class Steps(Protocol):
    """The interface that `fit` drives: a model of any framework.

    Where it also has `loss(outputs, targets) -> float`, the history gets validation losses; where it keeps the
    `outputs` (N, C) of the batch last trained on, the history gets training accuracies.
    """

    def step(self, inputs: Array, targets: Array) -> float:
        """Train on one batch, in training mode; returns the loss before the update."""

    def predict(self, inputs: Array, batch_size: int) -> Array:
        """The outputs (N, C) for inputs (N, ...), in evaluation mode."""


@dataclass
class History:
    """The record that `fit` returns: lists with one entry a step (`step_losses`) or one an epoch (all others).

    losses: mean of the epoch's step losses, weighted by the rows of each batch
    accuracies: fraction of the epoch's rows that were classified correctly when they were trained on, where the trainer
        keeps its outputs
    validation_losses: loss of the validation split, where the trainer has a `loss`
    validation_accuracies: fraction of validation rows classified correctly
    seconds: wall time of the epoch's steps with their callbacks, without validation
    order_hashes: `order_hash` of the epoch's batches
    """

    step_losses: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    validation_accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    order_hashes: list[str] = field(default_factory=list)


Logs = Mapping[str, Any]


class Callback:
    """Base of the callbacks of `fit`, `evaluate` and `predict`, whose hooks do nothing until a subclass overrides them.

    The hooks are Keras' own, called in its order and with its values. Epochs count from 0, batches from 0 in each
    epoch. `logs` is empty where something begins. Where a batch ends it holds the "loss" and "accuracy" of the rows so
    far, where an epoch or a test ends those of all rows. At the end of an epoch and of the training it also has
    "val_loss" and "val_accuracy", where there are validation rows. Where a batch of predictions ends it holds their
    "outputs". What a trainer cannot tell is left out.

    trainer, history: those of the `fit` under way, which sets them; the history holds all that has ended
    """

    trainer: Steps
    history: History

    def on_train_begin(self, logs: Logs) -> None: ...

    def on_train_end(self, logs: Logs) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Logs) -> None: ...

    def on_test_begin(self, logs: Logs) -> None: ...

    def on_test_end(self, logs: Logs) -> None: ...

    def on_test_batch_begin(self, batch: int, logs: Logs) -> None: ...

    def on_test_batch_end(self, batch: int, logs: Logs) -> None: ...

    def on_predict_begin(self, logs: Logs) -> None: ...

    def on_predict_end(self, logs: Logs) -> None: ...

    def on_predict_batch_begin(self, batch: int, logs: Logs) -> None: ...

    def on_predict_batch_end(self, batch: int, logs: Logs) -> None: ...


class ProgressBar(Callback):
    """Draws one line an epoch on the standard error stream, renewed at most ten times a second."""

    def __init__(self, epochs: int, batches: int) -> None:
        self.epochs = epochs
        self.batches = batches
        self._epoch = 0
        self._drawn_at = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if time.monotonic() - self._drawn_at > 0.1:
            self._drawn_at = time.monotonic()
            bar = "=" * (20 * (batch + 1) // self.batches)
            # A carriage return last: whatever is printed next, a traceback say, begins at the left margin.
            self._draw(f"[{bar:.<20}] {batch + 1}/{self.batches}, loss {logs['loss']:.4g}", end="\r")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        text = f"{self.history.seconds[-1]:.1f} s, loss {logs['loss']:.4g}"
        if "val_loss" in logs:
            text += f", validation loss {logs['val_loss']:.4g}"
        if "val_accuracy" in logs:
            text += f", accuracy {logs['val_accuracy']:.4f}"
        self._draw(text, end="\n")

    def _draw(self, text: str, end: str) -> None:
        print(f"epoch {self._epoch + 1}/{self.epochs}: {text:<60}", end=end, file=sys.stderr, flush=True)


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

    Each batch holds float32 inputs (batch, ...) and int64 targets (batch,). The validation rows, where there are any,
    are scored after each epoch; the test rows are never looked at. `progress` shows a bar where the standard error
    stream is a terminal. Raises Divergence at the first step with a loss that is not finite (a `Trainer` looks at
    gradients and parameters too), and ValueError where there is nothing to train on.
    """
    train, history = dataset.train, History()
    if len(train) == 0:
        raise ValueError(f"{dataset.name} has no training rows")
    steps_per_epoch = math.ceil(len(train) / batch_size)
    if progress and sys.stderr.isatty():
        callbacks = [*callbacks, ProgressBar(epochs, steps_per_epoch)]
    for callback in callbacks:
        callback.trainer, callback.history = trainer, history
    logs: dict[str, float] = {}
    notify(callbacks, "on_train_begin", {})
    for epoch in range(epochs):
        notify(callbacks, "on_epoch_begin", epoch, {})
        started = time.perf_counter()
        batches = batch_order(len(train), batch_size, seed, epoch)
        tally = Tally()
        for batch, rows in enumerate(batches):
            notify(callbacks, "on_train_batch_begin", batch, {})
            targets = train.targets[rows]
            loss = _finite_step(trainer, train.inputs[rows], targets, history, steps_per_epoch)
            history.step_losses.append(loss)
            logs = tally.add(targets, getattr(trainer, "outputs", None), loss)
            notify(callbacks, "on_train_batch_end", batch, logs)
        history.seconds.append(time.perf_counter() - started)
        history.order_hashes.append(order_hash(batches))
        if len(dataset.validation):
            found = _test(trainer, dataset.validation, batch_size, callbacks)
            logs = logs | {f"val_{name}": value for name, value in found.items()}
        for name, values in (
            ("loss", history.losses),
            ("accuracy", history.accuracies),
            ("val_loss", history.validation_losses),
            ("val_accuracy", history.validation_accuracies),
        ):
            values += [logs[name]] if name in logs else []
        notify(callbacks, "on_epoch_end", epoch, logs)
    notify(callbacks, "on_train_end", logs)
    return history


class Scores(NamedTuple):
    """The mean loss over a split (None where the trainer has no `loss`) and its accuracy, in [0, 1]."""

    loss: float | None
    accuracy: float


def evaluate(trainer: Steps, split: Split, batch_size: int = 1024, callbacks: Sequence[Callback] = ()) -> Scores:
    """Score all rows of a split in evaluation mode; raises ValueError for an empty one.

    The loss is the mean over the batches, weighted by their rows.
    """
    if len(split) == 0:
        raise ValueError("there is no accuracy over no rows")
    logs = _test(trainer, split, batch_size, callbacks)
    return Scores(logs.get("loss"), logs["accuracy"])


def predict(trainer: Steps, inputs: Array, batch_size: int = 1024, callbacks: Sequence[Callback] = ()) -> Array:
    """The trainer's outputs (N, C) for inputs (N, ...), in evaluation mode, computed `batch_size` rows at a time."""
    outputs = []
    notify(callbacks, "on_predict_begin", {})
    for batch, rows in enumerate(_slices(max(len(inputs), 1), batch_size)):
        notify(callbacks, "on_predict_batch_begin", batch, {})
        outputs.append(trainer.predict(inputs[rows], batch_size))
        notify(callbacks, "on_predict_batch_end", batch, {"outputs": outputs[-1]})
    notify(callbacks, "on_predict_end", {})
    return np.concatenate(outputs)


def notify(callbacks: Sequence[Callback], hook: str, *arguments: Any) -> None:
    """Call the method named `hook` of every callback with these arguments."""
    for callback in callbacks:
        getattr(callback, hook)(*arguments)


def _finite_step(trainer: Steps, inputs: Array, targets: Array, history: History, steps_per_epoch: int) -> float:
    """The loss of one step; raises Divergence, with step and epoch filled in, where it is not finite."""
    try:
        loss = trainer.step(inputs, targets)
        if not math.isfinite(loss):
            raise Divergence(loss)
    except Divergence as divergence:
        divergence.step = max(len(history.step_losses) - divergence.steps_ago, 0)
        divergence.epoch = divergence.step // steps_per_epoch
        divergence.loss = [*history.step_losses, divergence.loss][divergence.step]
        raise
    return loss


def _test(trainer: Steps, split: Split, batch_size: int, callbacks: Sequence[Callback]) -> dict[str, float]:
    criterion = getattr(trainer, "loss", None)
    tally, logs = Tally(), dict[str, float]()
    notify(callbacks, "on_test_begin", {})
    for batch, rows in enumerate(_slices(len(split), batch_size)):
        notify(callbacks, "on_test_batch_begin", batch, {})
        targets = split.targets[rows]
        outputs = trainer.predict(split.inputs[rows], batch_size)
        logs = tally.add(targets, outputs, criterion and criterion(outputs, targets))
        notify(callbacks, "on_test_batch_end", batch, logs)
    notify(callbacks, "on_test_end", logs)
    return logs


def _slices(rows: int, batch_size: int) -> Iterator[slice]:
    return (slice(start, start + batch_size) for start in range(0, rows, batch_size))
