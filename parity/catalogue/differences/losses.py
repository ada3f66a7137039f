"""Differences of losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import (
    Array,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    CrossEntropyCriterion,
    HuberCriterion,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
)
from numpynet.activations import log_softmax
from numpynet.losses import Reduction
from parity.catalogue.difference import (
    Claim,
    Demonstration,
    Formula,
    avoided,
    claim,
    claims,
    difference,
    exactly,
    together,
)
from parity.catalogue.running import losses, tensorflow_gradient, torch_gradient
from parity.frameworks import framework
from parity.frameworks.lazy import keras, tf, torch
from parity.mapping.pair import pairs_of

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn."
KERAS = "https://keras.io/api/losses/"

rng = np.random.default_rng(0)
x, y = (rng.standard_normal((4, 3)).astype(np.float32) for _ in range(2))


def in_torch(loss: Any, input: Array, target: Array) -> Array:
    return np.asarray(loss(torch.from_numpy(input), torch.from_numpy(target)))


def squares(x: Array, y: Array) -> Any:
    return np.sum((x - y) ** 2)


@difference(
    "mse-reduction",
    does={
        "torch": "sum and mean run over all elements",
        "keras": "the squares are averaged over the last axis first: its sum is torch's divided by the last side",
        "tensorflow": "tf.reduce_sum of the squares: torch's",
    },
    mapping="tf.reduce_sum(tf.math.squared_difference(input, target))",
    sources=(f"{TORCH}MSELoss.html", f"{KERAS}regression_losses/"),
)
def mse_reduction() -> Demonstration:
    """The sum of squared errors of (N, C) is C times Keras', and so the same for C = 1."""
    of_keras = keras.losses.MeanSquaredError(reduction="sum")
    mapped = pairs_of("tensorflow").loss(MSECriterion("sum"))

    def shown(x: Array, y: Array, formula: Formula, of_keras: Any) -> dict[str, Claim]:
        return {
            "numpynet": claim(MSECriterion("sum")(x, y), squares, x, y),
            "torch": claim(in_torch(torch.nn.MSELoss(reduction="sum"), x, y), squares, x, y),
            "keras": claim(of_keras(y, x).numpy(), formula, x, y),
        }

    return Demonstration(
        shown(x, y, lambda x, y: squares(x, y) / x.shape[-1], of_keras),
        shown(x, y, squares, lambda y, x: mapped(x, y)),
        shown(x[:, :1], y[:, :1], squares, of_keras),
    )


@difference(
    "mse-broadcasting",
    does={
        "torch": "(N, 1) and (N,) broadcast to (N, N), with a warning",
        "keras": "squeezes the longer shape",
        "tensorflow": "tf.math.squared_difference broadcasts as torch does",
    },
    mapping="equal shapes; numpynet refuses others",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html",
        f"{KERAS}regression_losses/",
    ),
)
def mse_broadcasting() -> Demonstration:
    """An input of shape (N, 1) against a target of shape (N,), and the other way round; equal shapes agree."""
    loss = torch.nn.MSELoss()

    def row_by_row(x: Array, y: Array) -> Any:
        return np.mean((x.ravel() - y.ravel()) ** 2)

    def every_pair(x: Array, y: Array) -> Any:
        return np.mean((x - y) ** 2)

    def shown(input: Array, target: Array) -> dict[str, Claim]:
        of_keras = keras.losses.MeanSquaredError()(target, input).numpy()
        return {
            "keras": claim(of_keras, row_by_row, input, target),
            "torch": claim(in_torch(loss, input, target), every_pair, input, target),
            "mapped": claim(in_torch(loss, input, target.reshape(input.shape)), row_by_row, input, target),
        }

    column, row = shown(x[:, :1], y[:, 0]), shown(x[:, 0], y[:, :1])
    both = {who: together(column[who], row[who]) for who in column}
    mapped = both.pop("mapped")
    equal = shown(x, y)
    return Demonstration(both, both | {"torch": mapped}, {"keras": equal["keras"], "torch": equal["mapped"]})


@difference(
    "smooth-l1",
    does={
        "torch": "SmoothL1Loss(beta) is huber_loss(delta=beta) / beta",
        "keras": "Huber(delta)",
        "tensorflow": "as Keras",
    },
    mapping="torch.nn.HuberLoss",
    sources=(f"{TORCH}SmoothL1Loss.html", f"{TORCH}HuberLoss.html", f"{KERAS}regression_losses/"),
)
def smooth_l1() -> Demonstration:
    """torch's smooth L1 loss is Huber's over its threshold, and so the same for a threshold of 1."""

    def shown(threshold: float) -> dict[str, Claim]:
        huber, smooth = HuberCriterion(delta=threshold), in_torch(torch.nn.SmoothL1Loss(beta=threshold), x, y)
        return {
            "torch": claim(smooth, lambda x, y: huber(x, y) / threshold, x, y),
            "keras": claim(keras.losses.Huber(threshold)(y, x).numpy(), huber, x, y),
        }

    naive, criterion = shown(0.5), HuberCriterion(delta=0.5)
    mapped = claims(losses(criterion, x, y), criterion, x, y)
    return Demonstration(naive, mapped | {"keras": naive["keras"]}, shown(1.0))


@difference(
    "losses-in-floatx",
    does={
        "torch": "in the dtype of the input",
        "keras": "in floatx, by default float32, whatever the dtype of the model and of the loss's input",
        "tensorflow": "in the dtype of the input",
    },
    mapping='keras.config.set_floatx("float64") before anything is built '
    "(parity.frameworks.tensorflow.framework.precision)",
    sources=("https://keras.io/api/utils/config_utils/",),
)
def losses_in_floatx() -> Demonstration:
    """Keras computes the losses of float64 models in float32, which some numbers fit."""
    near, fitting, one = np.array([[1 + 2.0**-30]]), np.array([[1 + 2.0**-10]]), np.array([[1.0]])

    def of_torch(x: Array) -> dict[str, Claim]:
        return {"torch": claim(in_torch(torch.nn.MSELoss(), x, one), squares, x, one)}

    def of_keras(x: Array) -> Array:
        return np.asarray(keras.losses.MeanSquaredError()(tf.constant(one), tf.constant(x)))

    with framework("tensorflow").precision(near.dtype):
        mapped = of_keras(near)
    return Demonstration(
        of_torch(near) | {"keras": exactly(of_keras(near), 0)},
        of_torch(near) | {"keras": claim(mapped, squares, near, one)},
        of_torch(fitting) | {"keras": exactly(of_keras(fitting), 2.0**-20)},
    )


@difference(
    "probabilities-clipped",
    does={
        "torch": "has no loss on probabilities: NLLLoss of their logarithm",
        "keras": "rows are divided by their sum, then clipped to 1e-7 .. 1 - 1e-7: the loss ends at 16.1, without "
        "gradient",
        "tensorflow": "has no loss on probabilities",
    },
    mapping="-log(max(p, eps)) from tf.math, or logits and from_logits=True",
    sources=(
        "https://github.com/keras-team/keras/issues/17634",
        "https://keras.io/api/losses/probabilistic_losses/",
    ),
)
def probabilities_clipped() -> Demonstration:
    """Cross-entropy of probabilities that do not sum to 1, are small, or 1: there the loss is that of 1 - 2^-23.

    Of others, as in the last row, all make the same.
    """
    p = np.array([[0.2, 0.3], [1.0, 1e-9], [1e-9, 1.0], [0.75, 0.25]], np.float32)
    labels = np.array([1, 1, 1, 1])
    largest = float(np.float32(1 - 1e-7))

    def clipped(p: Array) -> Any:
        return -np.log(np.clip(p / np.sum(p, axis=1, keepdims=True), 1e-7, largest))[:, 1]

    def plain(p: Array) -> Any:
        return -np.log(p)[:, 1]

    of_keras = keras.losses.SparseCategoricalCrossentropy(reduction=None)(labels, p).numpy()
    of_torch = in_torch(torch.nn.NLLLoss(reduction="none"), np.log(p), labels)
    criterion = NLLCriterionUnstable("sum")
    loss = pairs_of("tensorflow").loss(criterion)
    each = [(p[i : i + 1], labels[i : i + 1]) for i in range(len(p))]
    same = {
        "numpynet": claim(np.array([criterion(*row) for row in each]), plain, p),
        "torch": claim(of_torch, plain, p),
    }
    mapped = np.array([loss(tf.constant(row), label).numpy() for row, label in each])
    return Demonstration(same | {"keras": claim(of_keras, clipped, p)}, same | {"keras": claim(mapped, plain, p)})


@difference(
    "probabilities-eager-graph",
    does={
        "torch": "one result",
        "keras": "eager: clipped probabilities; in tf.function, the logits are found behind a softmax and used instead",
        "tensorflow": "tf.nn.softmax gives no hint in eager mode; the graph shows it",
    },
    mapping="logits and from_logits=True",
    sources=(
        "https://github.com/tensorflow/tensorflow/issues/34221",
        "https://github.com/tensorflow/tensorflow/issues/31930",
        "https://github.com/keras-team/keras/issues/17634",
    ),
)
def probabilities_eager_graph() -> Demonstration:
    """Keras' cross-entropy of tf.nn.softmax depends on eager or graph mode, where it is clipped."""
    target = np.array([[1.0, 0.0]], np.float32)

    def of_probabilities(z: Any) -> Any:
        return keras.losses.CategoricalCrossentropy()(target, tf.nn.softmax(z))

    def of_logits(z: Any) -> Any:
        return keras.losses.CategoricalCrossentropy(from_logits=True)(target, z)

    def exact(z: Array) -> Any:
        return -log_softmax(z)[0, 0]

    def clipped(z: Array) -> Any:
        return -np.log(np.maximum(np.exp(log_softmax(z)), 1e-7))[0, 0]

    def shown(loss: Any, logits: Array) -> dict[str, Claim]:
        z, eager = tf.constant(logits), clipped if loss is of_probabilities else exact
        return {
            "eager": claim(loss(z).numpy(), eager, logits),
            "graph": claim(tf.function(loss)(z).numpy(), exact, logits),
        }

    sure, unsure = np.array([[0.0, 50.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    of_torch = {"torch": claim(in_torch(torch.nn.CrossEntropyLoss(), sure, target), exact, sure)}
    return Demonstration(
        shown(of_probabilities, sure), of_torch | shown(of_logits, sure), shown(of_probabilities, unsure)
    )


@difference(
    "soft-targets",
    does={
        "torch": "any rows of class weights have their gradient: softmax * sum(weights) - weights",
        "keras": "as TensorFlow",
        "tensorflow": "the gradient is softmax - weights: right for rows that sum to 1 alone",
    },
    mapping="rows that sum to 1",
    sources=("https://www.tensorflow.org/api_docs/python/tf/raw_ops/SoftmaxCrossEntropyWithLogits",),
)
def soft_targets() -> Demonstration:
    """The gradient of cross-entropy for target rows whose sum is less than 1, or more."""
    loose = np.array([[0.5, 0.125, 0.25], [0.5, 0.75, 0.25]], np.float32)
    proper = np.array([[0.5, 0.25, 0.25], [0.25, 0.75, 0.0]], np.float32)
    logits = x[:2]

    def right(x: Array, weights: Array) -> Any:
        return np.exp(log_softmax(x)) * np.sum(weights, axis=1, keepdims=True) - weights

    def normalized(x: Array, weights: Array) -> Any:
        return np.exp(log_softmax(x)) - weights

    def gradients(weights: Array) -> dict[str, Array]:
        criterion, of_torch = CrossEntropyCriterion("sum"), torch.nn.CrossEntropyLoss(reduction="sum")
        criterion(logits, weights)
        return {
            "numpynet": criterion.backward(),
            "torch": torch_gradient(lambda x: of_torch(x, torch.from_numpy(weights)), logits),
            "tensorflow": tensorflow_gradient(lambda x: tf.nn.softmax_cross_entropy_with_logits(weights, x), logits),
        }

    def shown(weights: Array, of_tensorflow: Formula) -> dict[str, Any]:
        return {
            who: claim(values, of_tensorflow if who == "tensorflow" else right, logits, weights)
            for who, values in gradients(weights).items()
        }

    return avoided(shown(loose, normalized), shown(proper, right))


CLASSES = np.array([0, 2, 2, 1])
OF_CLASSES = (0.5, 1.0, 4.0)
EQUAL = (1.0, 1.0, 1.0)
WEIGHTS = np.array(OF_CLASSES, np.float32)
TOTAL = float(WEIGHTS[CLASSES].sum())


def weighted(divisor: float, weights: Array = WEIGHTS) -> Any:
    """The formula for the sum of weights times losses, divided by `divisor`."""
    return lambda x: -np.sum(log_softmax(x)[np.arange(len(CLASSES)), CLASSES] * weights[CLASSES]) / divisor


@difference(
    "class-weights",
    does={
        "torch": "the mean of weighted losses divides by the weights of the targets",
        "keras": "by the number of rows, whatever they weigh (class_weight and sample_weight)",
        "tensorflow": "has none",
    },
    mapping="numpynet's reductions 'mean' (torch) and 'batchmean' (Keras)",
    sources=(f"{TORCH}CrossEntropyLoss.html", "https://keras.io/api/models/model_training_apis/"),
)
def class_weights() -> Demonstration:
    """The divisor of the mean of weighted losses: the same where all weights are 1."""

    def shown(weights: tuple[float, ...]) -> dict[str, Claim]:
        of_classes = np.array(weights, np.float32)
        loss, own = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(of_classes)), of_classes[CLASSES]
        divided = {
            "torch": (in_torch(loss, x, CLASSES), own.sum()),
            "numpynet, mean": (CrossEntropyCriterion("mean", class_weights=weights)(x, CLASSES), own.sum()),
            "keras": (keras.losses.SparseCategoricalCrossentropy(from_logits=True)(CLASSES, x, own).numpy(), len(x)),
            "numpynet, batchmean": (CrossEntropyCriterion("batchmean", class_weights=weights)(x, CLASSES), len(x)),
        }
        return {who: claim(value, weighted(float(by), of_classes), x) for who, (value, by) in divided.items()}

    naive = shown(OF_CLASSES)
    mapped = losses(CrossEntropyCriterion("batchmean", class_weights=OF_CLASSES), x, CLASSES)
    same = claims(mapped, weighted(len(x)), x) | {"keras": naive["keras"]}
    return Demonstration(naive, same, shown(EQUAL))


@difference(
    "class-weights-rows",
    does={
        "torch": "the mean divides by the weights of the targets for classes, by the number of rows for one-hot rows",
        "keras": "by the number of rows",
        "tensorflow": "has none",
    },
    mapping="class indices (parity.mapping.losses); numpynet gives both the same",
    sources=(f"{TORCH}CrossEntropyLoss.html",),
)
def class_weights_rows() -> Demonstration:
    """torch's weighted mean of one-hot rows is not that of the same classes, unless all weigh 1."""
    rows = np.eye(3, dtype=np.float32)[CLASSES]

    def shown(weights: tuple[float, ...]) -> dict[str, Claim]:
        of_classes = np.array(weights, np.float32)
        loss = torch.nn.CrossEntropyLoss(weight=torch.from_numpy(of_classes))
        of_torch = in_torch(loss, x, rows)
        total = float(of_classes[CLASSES].sum())
        return {
            "torch": claim(of_torch, weighted(len(x), of_classes), x),
            "numpynet": claim(CrossEntropyCriterion(class_weights=weights)(x, rows), weighted(total, of_classes), x),
        }

    mapped = losses(CrossEntropyCriterion(class_weights=OF_CLASSES), x, rows)
    same = claims(mapped, weighted(TOTAL), x)
    return Demonstration(shown(OF_CLASSES), same, shown(EQUAL))


@difference(
    "class-weights-zero",
    does={
        "torch": "where all targets weigh nothing, the mean and the gradient of the targets' classes are NaN, and the "
        "gradient of the other classes is 0",
        "keras": "divides by the number of rows: 0",
        "tensorflow": "has none",
    },
    mapping="the reduction 'batchmean' (Keras'), or 'sum'; numpynet's mean is 0 / 0 everywhere",
    sources=("https://github.com/pytorch/pytorch/blob/v2.2.2/aten/src/ATen/native/LossNLL.cpp",),
)
def class_weights_zero() -> Demonstration:
    """The gradient of a mean over targets that weigh nothing: 0 / 0 in numpynet, and in torch for their class alone."""
    inputs, classes = np.log(np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)), np.zeros(2, int)

    def gradients(reduction: Reduction, weights: tuple[float, ...]) -> dict[str, Array]:
        criterion = NLLCriterion(reduction, class_weights=weights)
        of_torch = pairs_of("torch").loss(criterion)
        with np.errstate(invalid="ignore"):
            criterion(inputs, classes)
            ours = criterion.backward()
        return {"numpynet": ours, "torch": torch_gradient(lambda x: of_torch(x, torch.from_numpy(classes)), inputs)}

    nothing = gradients("mean", (0.0, 1.0))
    half = np.array([[-0.5, 0], [-0.5, 0]])
    return Demonstration(
        {
            "numpynet": exactly(nothing["numpynet"], np.nan),
            "torch": exactly(nothing["torch"], np.array([[np.nan, 0], [np.nan, 0]])),
        },
        {who: exactly(found, 0) for who, found in gradients("sum", (0.0, 1.0)).items()},
        {who: exactly(found, half) for who, found in gradients("mean", (1.0, 0.0)).items()},
    )


def negative_log(p: Array) -> Any:
    return -np.log(p)


@difference(
    "bce-clipped",
    does={
        "torch": "BCELoss bounds the logarithms at -100",
        "keras": "probabilities are clipped to [1e-7, 1 - 1e-7]: the largest loss is -log(1e-7) = 16.118 for the label "
        "1, and for the label 0 in float32, whose 1 - 1e-7 is 1 - 2^-23, 15.942",
        "tensorflow": "has none on probabilities",
    },
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
        of_torch = in_torch(torch.nn.BCELoss(), probability, target)
        of_keras = keras.losses.BinaryCrossentropy()(target, probability).numpy()
        return {"torch": of_torch, "keras": of_keras}, losses(criterion, probability, target)

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
    does={
        "torch": "(1 - y) x - log(sigmoid(x)): for the label 0 a small loss is the difference of two large numbers, "
        "and 0",
        "keras": "as TensorFlow",
        "tensorflow": "max(x, 0) - x y + log1p(exp(-|x|)): every digit of a small loss is right",
    },
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
    does={
        "torch": "log(1 + exp(-|x|)) before 2.3, of whose argument float32 rounds small numbers away; log1p since",
        "keras": "as TensorFlow",
        "tensorflow": "max(x, 0) - x y + log1p(exp(-|x|)): every digit of a small loss is right",
    },
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
        found = losses(BinaryCrossEntropyCriterion(), logit, target)
        found["torch"] = in_torch(torch.nn.BCEWithLogitsLoss(), logit, target)
        return logit, found

    sure, found = shown(30.0)
    unsure, others = shown(1.0)
    written = torch.nn.functional.softplus(-torch.from_numpy(np.abs(sure))).mean()
    same = {who: claim(found[who], exact, sure) for who in ("numpynet", "tensorflow")}
    return Demonstration(
        same | {"torch": exactly(found["torch"], 0)},
        same | {"torch": claim(np.asarray(written), exact, sure)},
        claims(others, exact, unsure),
    )
