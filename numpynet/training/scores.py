"""How well outputs match their targets."""

from __future__ import annotations

import numpy as np

from numpynet.module import Array


def correct(outputs: Array, targets: Array) -> Array:
    """Whether each row is classified correctly, (N,) bool: the largest of its outputs (N, C) is the target's.

    Targets are classes (N,) or one-hot (N, C). A row with a NaN is wrong; of equal outputs the first counts.
    Raises ValueError on other shapes.
    """
    if outputs.ndim != 2 or targets.shape not in (outputs.shape, outputs.shape[:1]):
        raise ValueError(f"takes outputs (N, C) and targets (N,) or (N, C), got {outputs.shape} and {targets.shape}")
    classes = targets if targets.ndim == 1 else targets.argmax(axis=1)
    hits: Array = (outputs.argmax(axis=1) == classes) & ~np.isnan(outputs).any(axis=1)
    return hits


def accuracy(outputs: Array, targets: Array) -> float:
    """The fraction of rows that are `correct`; ValueError where there is none."""
    if len(outputs) == 0:
        raise ValueError("there is no accuracy over no rows")
    return float(np.mean(correct(outputs, targets)))
