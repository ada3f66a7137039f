"""Losses of classes and of labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import (
    Array,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    CrossEntropyCriterion,
    HuberCriterion,
)
from numpynet.activations import log_softmax
from parity.differences.difference import Claim, Demonstration, claim, difference, exactly, together
from parity.lazy import keras, tf, torch
from parity.pairing import pair_of

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn."
KERAS = "https://keras.io/api/losses/"

rng = np.random.default_rng(0)
x, y = (rng.standard_normal((4, 3)).astype(np.float32) for _ in range(2))
CLASSES = np.array([0, 2, 2, 1])
OF_CLASSES = (0.5, 1.0, 4.0)
WEIGHTS = np.array(OF_CLASSES, np.float32)


def everywhere(criterion: Any, input: Array, target: Array) -> dict[str, Array]:
    """A numpynet criterion, and what its pair makes of it."""
    pair = pair_of(criterion)
    of_torch, of_tensorflow = pair.torch_loss(criterion), pair.tensorflow_loss(criterion)  # type: ignore[attr-defined]
    return {
        "numpynet": criterion(input, target),
        "torch": np.asarray(of_torch(torch.from_numpy(input), torch.from_numpy(target))),
        "tensorflow": of_tensorflow(tf.constant(input), tf.constant(target)).numpy(),
    }


def weighted(divisor: float) -> Any:
    """The sum of weights times losses, over `divisor`."""
    return lambda x: -np.sum(log_softmax(x)[np.arange(len(CLASSES)), CLASSES] * WEIGHTS[CLASSES]) / divisor


TOTAL = float(WEIGHTS[CLASSES].sum())


@difference(
    "class-weights",
    torch="the mean of weighted losses divides by the weights of the targets",
    keras="by the number of rows, whatever they weigh (class_weight and sample_weight)",
    tensorflow="has none",
    mapping="numpynet's reductions 'mean' (torch) and 'batchmean' (Keras)",
    sources=(f"{TORCH}CrossEntropyLoss.html", "https://keras.io/api/models/model_training_apis/"),
)
def class_weights() -> Demonstration:
    """What the mean of weighted losses divides by."""
    loss = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(WEIGHTS))
    of_torch = np.asarray(loss(torch.from_numpy(x), torch.from_numpy(CLASSES)))
    of_keras = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(CLASSES, x, WEIGHTS[CLASSES]).numpy()
    ours = {name: CrossEntropyCriterion(name, class_weights=OF_CLASSES) for name in ("mean", "batchmean")}
    naive = {
        "torch": claim(of_torch, weighted(TOTAL), x),
        "numpynet, mean": claim(ours["mean"](x, CLASSES), weighted(TOTAL), x),
        "keras": claim(of_keras, weighted(len(x)), x),
        "numpynet, batchmean": claim(ours["batchmean"](x, CLASSES), weighted(len(x)), x),
    }
    mapped = everywhere(ours["batchmean"], x, CLASSES) | {"keras": of_keras}
    return Demonstration(naive, {who: claim(value, weighted(len(x)), x) for who, value in mapped.items()})


@difference(
    "class-weights-rows",
    torch="the mean divides by the weights of the targets for classes, by the number of rows for one-hot rows",
    keras="by the number of rows",
    tensorflow="has none",
    mapping="class indices (parity.pairs.classification); numpynet gives both the same",
    sources=(f"{TORCH}CrossEntropyLoss.html",),
)
def class_weights_rows() -> Demonstration:
    """torch's weighted mean of one-hot rows is not that of the same classes."""
    rows = np.eye(3, dtype=np.float32)[CLASSES]
    loss = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(WEIGHTS))
    criterion = CrossEntropyCriterion(class_weights=OF_CLASSES)
    naive = {
        "torch": claim(np.asarray(loss(torch.from_numpy(x), torch.from_numpy(rows))), weighted(len(x)), x),
        "numpynet": claim(criterion(x, rows), weighted(TOTAL), x),
    }
    mapped = everywhere(criterion, x, rows)
    return Demonstration(naive, {who: claim(value, weighted(TOTAL), x) for who, value in mapped.items()})


@difference(
    "smooth-l1",
    torch="SmoothL1Loss(beta) is huber_loss(delta=beta) / beta",
    keras="Huber(delta)",
    tensorflow="as Keras",
    mapping="torch.nn.HuberLoss",
    sources=(f"{TORCH}SmoothL1Loss.html", f"{TORCH}HuberLoss.html", f"{KERAS}regression_losses/"),
)
def smooth_l1() -> Demonstration:
    """torch's smooth L1 loss is Huber's over its threshold."""
    criterion = HuberCriterion(delta=0.5)
    smooth = np.asarray(torch.nn.SmoothL1Loss(beta=0.5)(torch.from_numpy(x), torch.from_numpy(y)))
    of_keras = keras.losses.Huber(0.5)(y, x).numpy()
    same = everywhere(criterion, x, y) | {"keras": of_keras}
    return Demonstration(
        {
            "torch": claim(smooth, lambda x, y: 2 * HuberCriterion(delta=0.5)(x, y), x, y),
            "keras": claim(of_keras, HuberCriterion(delta=0.5), x, y),
        },
        {who: claim(value, HuberCriterion(delta=0.5), x, y) for who, value in same.items()},
    )


def negative_log(p: Array) -> Any:
    return -np.log(p)


@difference(
    "bce-clipped",
    torch="BCELoss bounds the logarithms at -100",
    keras="probabilities are clipped to [1e-7, 1 - 1e-7]: the largest loss is -log(1e-7) = 16.118 for the label 1, and "
    "for the label 0 in float32, whose 1 - 1e-7 is 1 - 2^-23, 15.942",
    tensorflow="has none on probabilities",
    mapping="log(max(p, eps)) and log(max(1 - p, eps)) with numpynet's eps = 1e-7 everywhere; better, logits",
    sources=(f"{TORCH}BCELoss.html", "https://github.com/keras-team/keras/issues/15249"),
)
def bce_clipped() -> Demonstration:
    """The binary cross-entropy of a probability that is entirely wrong: 0 for the label 1, 1 for the label 0."""
    criterion = BinaryCrossEntropyCriterionUnstable(eps=1e-7)
    naive: dict[str, list[Claim]] = {"torch": [], "keras": []}
    mapped: dict[str, list[Claim]] = {"numpynet": [], "torch": [], "tensorflow": []}
    for wrong, least in ((0.0, 1e-7), (1.0, float(1 - np.float32(1 - 1e-7)))):
        probability, label = (np.full((1, 1), value, np.float32) for value in (wrong, 1 - wrong))
        of_torch = torch.nn.BCELoss()(torch.from_numpy(probability), torch.from_numpy(label))
        of_keras = keras.losses.BinaryCrossentropy()(label, probability).numpy()
        naive["torch"].append(exactly(np.asarray(of_torch), 100))
        naive["keras"].append(claim(of_keras, negative_log, np.full((), least, np.float32)))
        for who, value in everywhere(criterion, probability, label).items():
            mapped[who].append(claim(value, negative_log, np.full((), 1e-7, np.float32)))
    return Demonstration(
        {who: together(*claims) for who, claims in naive.items()},
        {who: together(*claims) for who, claims in mapped.items()},
    )


@difference(
    "bce-logits-cancellation",
    torch="(1 - y) x - log(sigmoid(x)): for the label 0 a small loss is the difference of two large numbers; "
    "for the label 1 it is right in 2.13, and 0 in 2.2",
    keras="as TensorFlow",
    tensorflow="max(x, 0) - x y + log1p(exp(-|x|)): every digit of a small loss is right",
    mapping="torch.nn.functional.softplus(-x) for the label 1, softplus(x) for 0; the gradients agree as they are",
    sources=(
        "https://github.com/pytorch/pytorch/blob/v2.2.2/aten/src/ATen/native/Loss.cpp",
        "https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits",
    ),
)
def bce_logits_cancellation() -> Demonstration:
    """torch's binary cross-entropy of a sure logit is rounded to 0 for the label 0; for 1 it is that or right."""

    def exact(x: Array) -> Any:
        return np.log1p(np.exp(-np.abs(x)))[0, 0]

    def claims(label: float) -> dict[str, Claim]:
        logit, target = np.array([[60 * label - 30]], np.float32), np.full((1, 1), label, np.float32)
        x, y = torch.from_numpy(logit), torch.from_numpy(target)
        written = torch.nn.functional.softplus(-x if label else x).mean()
        found = everywhere(BinaryCrossEntropyCriterion(), logit, target)
        as_it_comes = np.asarray(torch.nn.BCEWithLogitsLoss()(x, y))
        return {
            "numpynet": claim(found["numpynet"], exact, logit),
            "tensorflow": claim(found["tensorflow"], exact, logit),
            "torch": claim(as_it_comes, exact, logit) if label and as_it_comes else exactly(as_it_comes, 0),
            "mapped": claim(np.asarray(written), exact, logit),
        }

    both = {who: together(each, claims(1.0)[who]) for who, each in claims(0.0).items()}
    mapped = both.pop("mapped")
    return Demonstration(both, both | {"torch": mapped})
