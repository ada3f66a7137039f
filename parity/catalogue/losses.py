"""Differences of losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, CrossEntropyCriterion, MSECriterion, NLLCriterionUnstable
from numpynet.activations import log_softmax
from parity.catalogue.difference import Claim, Demonstration, Formula, avoided, claim, difference, exactly, together
from parity.frameworks import framework
from parity.frameworks.lazy import keras, tf, torch
from parity.mapping.pair import pair_of

KERAS = "https://keras.io/api/losses/"

rng = np.random.default_rng(0)
x, y = (rng.standard_normal((4, 3)).astype(np.float32) for _ in range(2))


def in_torch(loss: Any, input: Array, target: Array) -> Array:
    return np.asarray(loss(torch.from_numpy(input), torch.from_numpy(target)))


def squares(x: Array, y: Array) -> Any:
    return np.sum((x - y) ** 2)


@difference(
    "mse-reduction",
    torch="sum and mean run over all elements",
    keras="the squares are averaged over the last axis first: its sum is torch's divided by the last side",
    tensorflow="tf.reduce_sum of the squares: torch's",
    mapping="tf.reduce_sum(tf.math.squared_difference(input, target))",
    sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html", f"{KERAS}regression_losses/"),
)
def mse_reduction() -> Demonstration:
    """The sum of squared errors of (N, C) is C times Keras', and so the same for C = 1."""
    of_keras = keras.losses.MeanSquaredError(reduction="sum")
    mapped = pair_of(MSECriterion).tensorflow_loss(MSECriterion("sum"))  # type: ignore[attr-defined]

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
    torch="(N, 1) and (N,) broadcast to (N, N), with a warning",
    keras="squeezes the longer shape",
    tensorflow="tf.math.squared_difference broadcasts as torch does",
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

    def claims(input: Array, target: Array) -> dict[str, Claim]:
        of_keras = keras.losses.MeanSquaredError()(target, input).numpy()
        return {
            "keras": claim(of_keras, row_by_row, input, target),
            "torch": claim(in_torch(loss, input, target), every_pair, input, target),
            "mapped": claim(in_torch(loss, input, target.reshape(input.shape)), row_by_row, input, target),
        }

    column, row = claims(x[:, :1], y[:, 0]), claims(x[:, 0], y[:, :1])
    both = {who: together(column[who], row[who]) for who in column}
    mapped = both.pop("mapped")
    equal = claims(x, y)
    return Demonstration(both, both | {"torch": mapped}, {"keras": equal["keras"], "torch": equal["mapped"]})


@difference(
    "probabilities-clipped",
    torch="has no loss on probabilities: NLLLoss of their logarithm",
    keras="rows are divided by their sum, then clipped to 1e-7 .. 1 - 1e-7: the loss ends at 16.1, without gradient",
    tensorflow="has no loss on probabilities",
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
    loss = pair_of(criterion).tensorflow_loss(criterion)  # type: ignore[attr-defined]
    each = [(p[i : i + 1], labels[i : i + 1]) for i in range(len(p))]
    same = {
        "numpynet": claim(np.array([criterion(*row) for row in each]), plain, p),
        "torch": claim(of_torch, plain, p),
    }
    mapped = np.array([loss(tf.constant(row), label).numpy() for row, label in each])
    return Demonstration(same | {"keras": claim(of_keras, clipped, p)}, same | {"keras": claim(mapped, plain, p)})


@difference(
    "probabilities-eager-graph",
    torch="one result",
    keras="eager: clipped probabilities; in tf.function, the logits are found behind a softmax and used instead",
    tensorflow="tf.nn.softmax gives no hint in eager mode; the graph shows it",
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
    "losses-in-floatx",
    torch="in the dtype of the input",
    keras="in floatx, by default float32, whatever the dtype of the model and of the loss's input",
    tensorflow="in the dtype of the input",
    mapping='keras.config.set_floatx("float64") before anything is built (parity.frameworks.tensorflow.precision)',
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
    "soft-targets",
    torch="any rows of class weights have their gradient: softmax * sum(weights) - weights",
    keras="as TensorFlow",
    tensorflow="the gradient is softmax - weights: right for rows that sum to 1 alone",
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
        criterion = CrossEntropyCriterion("sum")
        criterion(logits, weights)
        tensor = torch.from_numpy(logits.copy()).requires_grad_()
        torch.nn.CrossEntropyLoss(reduction="sum")(tensor, torch.from_numpy(weights)).backward()
        with tf.GradientTape() as tape:
            watched = tf.constant(logits)
            tape.watch(watched)
            loss = tf.nn.softmax_cross_entropy_with_logits(weights, watched)
        return {
            "numpynet": criterion.backward(),
            "torch": tensor.grad.numpy(),
            "tensorflow": tape.gradient(loss, watched).numpy(),
        }

    def claims(weights: Array, of_tensorflow: Formula) -> dict[str, Any]:
        return {
            who: claim(values, of_tensorflow if who == "tensorflow" else right, logits, weights)
            for who, values in gradients(weights).items()
        }

    return avoided(claims(loose, normalized), claims(proper, right))
