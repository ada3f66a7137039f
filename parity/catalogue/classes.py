"""Differences of the losses of classes and of labels."""

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
from parity.catalogue.difference import Claim, Demonstration, claim, difference, exactly, together
from parity.frameworks.lazy import keras, tf, torch
from parity.mapping.pair import pair_of

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn."
KERAS = "https://keras.io/api/losses/"

rng = np.random.default_rng(0)
x, y = (rng.standard_normal((4, 3)).astype(np.float32) for _ in range(2))
CLASSES = np.array([0, 2, 2, 1])
OF_CLASSES = (0.5, 1.0, 4.0)
WEIGHTS = np.array(OF_CLASSES, np.float32)


def everywhere(criterion: Any, input: Array, target: Array) -> dict[str, Array]:
    """The loss by a numpynet criterion, and by what its pair makes of it in the frameworks."""
    pair = pair_of(criterion)
    of_torch, of_tensorflow = pair.torch_loss(criterion), pair.tensorflow_loss(criterion)  # type: ignore[attr-defined]
    return {
        "numpynet": criterion(input, target),
        "torch": np.asarray(of_torch(torch.from_numpy(input), torch.from_numpy(target))),
        "tensorflow": of_tensorflow(tf.constant(input), tf.constant(target)).numpy(),
    }


def weighted(divisor: float, weights: Array = WEIGHTS) -> Any:
    """The formula for the sum of weights times losses, divided by `divisor`."""
    return lambda x: -np.sum(log_softmax(x)[np.arange(len(CLASSES)), CLASSES] * weights[CLASSES]) / divisor


TOTAL = float(WEIGHTS[CLASSES].sum())
EQUAL = (1.0, 1.0, 1.0)


@difference(
    "class-weights",
    torch="the mean of weighted losses divides by the weights of the targets",
    keras="by the number of rows, whatever they weigh (class_weight and sample_weight)",
    tensorflow="has none",
    mapping="numpynet's reductions 'mean' (torch) and 'batchmean' (Keras)",
    sources=(f"{TORCH}CrossEntropyLoss.html", "https://keras.io/api/models/model_training_apis/"),
)
def class_weights() -> Demonstration:
    """What the mean of weighted losses divides by: the same where all weights are 1."""

    def shown(weights: tuple[float, ...]) -> dict[str, Claim]:
        of_classes = np.array(weights, np.float32)
        loss, own = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(of_classes)), of_classes[CLASSES]
        divided = {
            "torch": (np.asarray(loss(torch.from_numpy(x), torch.from_numpy(CLASSES))), own.sum()),
            "numpynet, mean": (CrossEntropyCriterion("mean", class_weights=weights)(x, CLASSES), own.sum()),
            "keras": (keras.losses.SparseCategoricalCrossentropy(from_logits=True)(CLASSES, x, own).numpy(), len(x)),
            "numpynet, batchmean": (CrossEntropyCriterion("batchmean", class_weights=weights)(x, CLASSES), len(x)),
        }
        return {who: claim(value, weighted(float(by), of_classes), x) for who, (value, by) in divided.items()}

    naive = shown(OF_CLASSES)
    mapped = everywhere(CrossEntropyCriterion("batchmean", class_weights=OF_CLASSES), x, CLASSES)
    same = {who: claim(value, weighted(len(x)), x) for who, value in mapped.items()} | {"keras": naive["keras"]}
    return Demonstration(naive, same, shown(EQUAL))


@difference(
    "class-weights-rows",
    torch="the mean divides by the weights of the targets for classes, by the number of rows for one-hot rows",
    keras="by the number of rows",
    tensorflow="has none",
    mapping="class indices (parity.mapping.losses); numpynet gives both the same",
    sources=(f"{TORCH}CrossEntropyLoss.html",),
)
def class_weights_rows() -> Demonstration:
    """torch's weighted mean of one-hot rows is not that of the same classes, unless all weigh 1."""
    rows = np.eye(3, dtype=np.float32)[CLASSES]

    def shown(weights: tuple[float, ...]) -> dict[str, Claim]:
        of_classes = np.array(weights, np.float32)
        loss = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(of_classes))
        of_torch = np.asarray(loss(torch.from_numpy(x), torch.from_numpy(rows)))
        total = float(of_classes[CLASSES].sum())
        return {
            "torch": claim(of_torch, weighted(len(x), of_classes), x),
            "numpynet": claim(CrossEntropyCriterion(class_weights=weights)(x, rows), weighted(total, of_classes), x),
        }

    mapped = everywhere(CrossEntropyCriterion(class_weights=OF_CLASSES), x, rows)
    same = {who: claim(value, weighted(TOTAL), x) for who, value in mapped.items()}
    return Demonstration(shown(OF_CLASSES), same, shown(EQUAL))


@difference(
    "smooth-l1",
    torch="SmoothL1Loss(beta) is huber_loss(delta=beta) / beta",
    keras="Huber(delta)",
    tensorflow="as Keras",
    mapping="torch.nn.HuberLoss",
    sources=(f"{TORCH}SmoothL1Loss.html", f"{TORCH}HuberLoss.html", f"{KERAS}regression_losses/"),
)
def smooth_l1() -> Demonstration:
    """torch's smooth L1 loss is Huber's over its threshold, and so the same for a threshold of 1."""

    def shown(threshold: float) -> dict[str, Claim]:
        huber = HuberCriterion(delta=threshold)
        smooth = torch.nn.SmoothL1Loss(beta=threshold)(torch.from_numpy(x), torch.from_numpy(y))
        return {
            "torch": claim(np.asarray(smooth), lambda x, y: huber(x, y) / threshold, x, y),
            "keras": claim(keras.losses.Huber(threshold)(y, x).numpy(), huber, x, y),
        }

    naive, criterion = shown(0.5), HuberCriterion(delta=0.5)
    mapped = {who: claim(value, criterion, x, y) for who, value in everywhere(criterion, x, y).items()}
    return Demonstration(naive, mapped | {"keras": naive["keras"]}, shown(1.0))


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
    """The binary cross-entropy of a probability that is entirely wrong: 0 for the label 1, 1 for the label 0.

    Within the range, right or wrong, all make the same.
    """
    criterion = BinaryCrossEntropyCriterionUnstable(eps=1e-7)

    def of(wrong: float, label: float) -> tuple[dict[str, Array], dict[str, Array]]:
        """The losses for one wrong probability: the frameworks' own, and those by the pair."""
        probability, target = (np.full((1, 1), value, np.float32) for value in (wrong, label))
        of_torch = torch.nn.BCELoss()(torch.from_numpy(probability), torch.from_numpy(target))
        of_keras = keras.losses.BinaryCrossentropy()(target, probability).numpy()
        return {"torch": np.asarray(of_torch), "keras": of_keras}, everywhere(criterion, probability, target)

    def log_of(value: Any, probability: float) -> Claim:
        return claim(value, negative_log, np.full((), probability, np.float32))

    (wrong_for_1, mapped_for_1), (wrong_for_0, mapped_for_0) = of(0.0, 1.0), of(1.0, 0.0)
    (within_for_1, _), (within_for_0, _) = of(0.25, 1.0), of(0.75, 0.0)
    return Demonstration(
        {
            "torch": together(exactly(wrong_for_1["torch"], 100), exactly(wrong_for_0["torch"], 100)),
            "keras": together(
                log_of(wrong_for_1["keras"], 1e-7), log_of(wrong_for_0["keras"], float(1 - np.float32(1 - 1e-7)))
            ),
        },
        {who: together(log_of(mapped_for_1[who], 1e-7), log_of(mapped_for_0[who], 1e-7)) for who in mapped_for_1},
        {who: together(log_of(within_for_1[who], 0.25), log_of(within_for_0[who], 0.25)) for who in within_for_1},
    )


@difference(
    "bce-logits-cancellation",
    torch="(1 - y) x - log(sigmoid(x)): for the label 0 a small loss is the difference of two large numbers, and 0",
    keras="as TensorFlow",
    tensorflow="max(x, 0) - x y + log1p(exp(-|x|)): every digit of a small loss is right",
    mapping="torch.nn.functional.softplus(x) for the label 0; the gradients agree as they are",
    sources=(
        "https://github.com/pytorch/pytorch/blob/v2.2.2/aten/src/ATen/native/Loss.cpp",
        "https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits",
    ),
)
def bce_logits_cancellation() -> Demonstration:
    """torch's binary cross-entropy of a sure logit is rounded to 0 for the label 0; an unsure one's is right."""
    return of_sure_logits(0.0)


@difference(
    "bce-logits-rounded",
    torch="log(1 + exp(-|x|)) before 2.3, of whose argument float32 rounds small numbers away; log1p since",
    keras="as TensorFlow",
    tensorflow="max(x, 0) - x y + log1p(exp(-|x|)): every digit of a small loss is right",
    mapping="torch.nn.functional.softplus(-x) for the label 1; for the label 0 see bce-logits-cancellation",
    sources=(
        "https://github.com/pytorch/pytorch/blob/v2.2.2/aten/src/ATen/native/Loss.cpp",
        "https://www.tensorflow.org/api_docs/python/tf/nn/sigmoid_cross_entropy_with_logits",
    ),
    when="torch<2.3",
)
def bce_logits_rounded() -> Demonstration:
    """torch's binary cross-entropy of a sure logit was rounded to 0 for the label 1, too; an unsure one's is right."""
    return of_sure_logits(1.0)


def of_sure_logits(label: float) -> Demonstration:
    """Shows that torch's loss is 0 for a logit of 30 on the label's side, and for one of 1 that of the others."""

    def exact(x: Array) -> Any:
        return np.log1p(np.exp(-np.abs(x)))[0, 0]

    def shown(size: float) -> tuple[Array, dict[str, Array]]:
        logit, target = np.array([[size if label else -size]], np.float32), np.full((1, 1), label, np.float32)
        found = everywhere(BinaryCrossEntropyCriterion(), logit, target)
        found["torch"] = np.asarray(torch.nn.BCEWithLogitsLoss()(torch.from_numpy(logit), torch.from_numpy(target)))
        return logit, found

    sure, found = shown(30.0)
    unsure, others = shown(1.0)
    written = torch.nn.functional.softplus(-torch.from_numpy(np.abs(sure))).mean()
    same = {who: claim(found[who], exact, sure) for who in ("numpynet", "tensorflow")}
    return Demonstration(
        same | {"torch": exactly(found["torch"], 0)},
        same | {"torch": claim(np.asarray(written), exact, sure)},
        {who: claim(value, exact, unsure) for who, value in others.items()},
    )
