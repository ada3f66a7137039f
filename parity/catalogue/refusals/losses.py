"""Refusals of losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import CrossEntropyCriterion, HuberCriterion, MSECriterion
from parity.catalogue.known import EXACT_SHAPE, FLOATING, GRADIENT, Known
from parity.catalogue.settings import Settings, Tries, rows
from parity.frameworks.lazy import keras, torch

BROADCASTS = "the frameworks broadcast target and input; a forgotten axis then averages over all pairs of rows"
EMPTY = "the mean of no losses is NaN in torch and TensorFlow; numpynet refuses it (on its sum, too)"
NO_CHECK = "TensorFlow makes rows of the labels with tf.one_hot, which leaves a row for a label out of range empty"
INTERNAL = "torch wants labels in 64 bits, numpynet and TensorFlow take any integers"
SHARE = "the smoothed target has a negative probability then"
BY_ROWS = "one-hot rows reach torch as class indices: those in range pass, whatever the width of the rows"

ELEMENTWISE = "MSECriterion L1Criterion HuberCriterion BinaryCrossEntropyCriterionUnstable"
LIKELIHOODS = "NLLCriterion NLLCriterionUnstable"
ALL = f"{ELEMENTWISE} BinaryCrossEntropyCriterion {LIKELIHOODS} CrossEntropyCriterion"

KNOWN = [
    Known("integer input", "MSECriterion L1Criterion", "numpynet torch", FLOATING),
    Known(
        "integer input",
        "NLLCriterionUnstable BinaryCrossEntropyCriterionUnstable",
        "numpynet tensorflow",
        FLOATING,
    ),
    Known("boolean input", "NLLCriterionUnstable", "numpynet tensorflow", FLOATING),
    Known("complex input", "L1Criterion", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "L1Criterion", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("complex input", "HuberCriterion", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("complex input", "MSECriterion NLLCriterion", "numpynet torch", FLOATING, "keras>=3.6"),
    Known("gradient of another precision", ALL, "tensorflow", GRADIENT),
    Known("gradient of integers", ALL, "tensorflow", GRADIENT),
    Known("no features", LIKELIHOODS, "numpynet torch", NO_CHECK),
    Known("a single number", ELEMENTWISE, "numpynet", EXACT_SHAPE),
    Known("one dimension too few", ELEMENTWISE, "numpynet", EXACT_SHAPE),
    Known("one dimension too few", LIKELIHOODS, "numpynet tensorflow", EXACT_SHAPE, "torch<2.9"),
    Known("one dimension too many", ELEMENTWISE, "numpynet", EXACT_SHAPE),
    Known("one dimension too many", LIKELIHOODS, "numpynet torch", EXACT_SHAPE),
    Known("empty batch", ALL, "numpynet", EMPTY),
    Known("target with one dimension more", ELEMENTWISE, "numpynet", BROADCASTS),
    Known("target with one dimension more", LIKELIHOODS, "numpynet", BROADCASTS),
    Known("target with one dimension more", "CrossEntropyCriterion", "numpynet torch", BROADCASTS),
    Known("target that broadcasts", ELEMENTWISE, "numpynet", BROADCASTS),
    Known("target that broadcasts", LIKELIHOODS, "numpynet torch", BROADCASTS),
    Known(
        "a complex target",
        f"{ELEMENTWISE} BinaryCrossEntropyCriterion",
        "numpynet",
        "the frameworks square a complex difference, or cast it",
    ),
    Known("a label too large", LIKELIHOODS, "numpynet torch", NO_CHECK),
    Known("a negative label", LIKELIHOODS, "numpynet torch", NO_CHECK),
    Known("labels of another integer type", f"{LIKELIHOODS} CrossEntropyCriterion", "torch", INTERNAL),
    Known("one-hot rows that are too wide", LIKELIHOODS, "numpynet tensorflow", BY_ROWS),
    Known("delta=0.0", "HuberCriterion", "numpynet torch", "Keras' is 0 everywhere then"),
    Known("delta=-1.0", "HuberCriterion", "numpynet torch", "Keras' falls without bound then"),
    Known("a label smoothing above 1", "CrossEntropyCriterion", "numpynet torch", SHARE),
    Known("a negative label smoothing", "CrossEntropyCriterion", "numpynet", SHARE),
    Known("a negative weight", "CrossEntropyCriterion", "numpynet", "the loss falls without bound then"),
]

labels = np.array([0, 1])


def _loss(
    ours: Callable[[], Any], in_torch: Callable[[], Any], in_keras: Callable[[], Any], target: Any = rows
) -> Tries:
    return {
        "numpynet": lambda: ours()(rows, target),
        "torch": lambda: in_torch()(torch.from_numpy(rows), torch.from_numpy(target)),
        "tensorflow": lambda: in_keras()(target, rows),
    }


def _bent_at(delta: float) -> Tries:
    return _loss(
        lambda: HuberCriterion(delta=delta),
        lambda: torch.nn.HuberLoss(delta=delta),
        lambda: keras.losses.Huber(delta),
    )


def _smoothed(share: float) -> Tries:
    return _loss(
        lambda: CrossEntropyCriterion(label_smoothing=share),
        lambda: torch.nn.CrossEntropyLoss(label_smoothing=share),
        lambda: keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=share),
        np.eye(2, dtype=np.float32),
    )


def _weighted(*weights: float) -> Tries:
    """The calls of the loss with class weights; Keras takes weights of rows beside the data."""
    of_rows = np.array(weights)[labels]
    return _loss(
        lambda: CrossEntropyCriterion(class_weights=weights),
        lambda: torch.nn.CrossEntropyLoss(torch.tensor(weights)),
        lambda: lambda target, x: keras.losses.SparseCategoricalCrossentropy(from_logits=True)(target, x, of_rows),
        labels,
    )


SETTINGS: Settings = {
    "MSECriterion": {
        "an unknown reduction": _loss(
            lambda: MSECriterion("average"),  # type: ignore[arg-type]
            lambda: torch.nn.MSELoss(reduction="average"),
            lambda: keras.losses.MeanSquaredError(reduction="average"),
        )
    },
    "HuberCriterion": {
        "delta=0.0": _bent_at(0.0),
        "delta=-1.0": _bent_at(-1.0),
    },
    "CrossEntropyCriterion": {
        "a label smoothing above 1": _smoothed(1.5),
        "a negative label smoothing": _smoothed(-0.5),
        "a negative weight": _weighted(1.0, -1.0),
    },
}
