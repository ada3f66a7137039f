"""Scores: how well outputs match their targets."""

from __future__ import annotations

import numpy as np

from numpynet.module import Array


def correct(outputs: Array, targets: Array) -> Array:
    """The rows that are classified correctly, as (N,) bool: those whose largest of the outputs (N, C) is the target's.

    Targets are classes (N,) or one-hot (N, C). A row with a NaN is wrong; of equal outputs the first counts. Raises
    ValueError for other shapes.
    """
    if not classify(outputs, targets):
        raise ValueError(f"takes outputs (N, C) and targets (N,) or (N, C), got {outputs.shape} and {targets.shape}")
    classes = targets if targets.ndim == 1 else targets.argmax(axis=1)
    hits: Array = (outputs.argmax(axis=1) == classes) & ~np.isnan(outputs).any(axis=1)
    return hits


def classify(outputs: Array, targets: Array) -> bool:
    """Tells whether outputs and targets have the shapes of a classification: (N, C), and (N,) or (N, C)."""
    return outputs.ndim == 2 and targets.shape in (outputs.shape, outputs.shape[:1])


def accuracy(outputs: Array, targets: Array) -> float:
    """The fraction of rows that are `correct`; raises ValueError where there are none, and as `correct` does."""
    if len(outputs) == 0:
        raise ValueError("there is no accuracy over no rows")
    return float(np.mean(correct(outputs, targets)))


class Tally:
    """The running loss and accuracy of the rows seen so far."""

    def __init__(self) -> None:
        self.rows = 0
        self.classified = 0
        self.hits = 0
        self.loss = 0.0

    def add(self, targets: Array, outputs: Array | None, loss: float | None) -> dict[str, float]:
        """Count in a batch, whose `loss` is a mean over its rows; returns the "loss" and "accuracy" of all rows so far.

        There is no accuracy without outputs that classify the rows, and no loss where `loss` is None.
        """
        means = {}
        self.rows += len(targets)
        if loss is not None:
            self.loss += loss * len(targets)
            means["loss"] = self.loss / self.rows
        if outputs is not None and classify(outputs, targets):
            self.classified += len(targets)
            self.hits += int(np.count_nonzero(correct(outputs, targets)))
            means["accuracy"] = self.hits / self.classified
        return means
