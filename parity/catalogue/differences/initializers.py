"""Differences of initial weights and biases."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import Array, Linear, Scaling
from numpynet.initializers import he_normal
from parity.catalogue.difference import Demonstration, difference, exactly
from parity.frameworks.lazy import keras, torch
from parity.mapping.convert import to_tensorflow, to_torch

IN, OUT = 400, 200
LOGARITHM = 20  # what is random here is off by more than allowed once in e^20 seeds, and the seeds are fixed
SIGMAS = 6  # likewise, of a share

# Keras cuts normal weights at two deviations, and stretches what is left to the deviation asked for.
STRETCH = 0.87962566103423978
BEYOND = math.erfc(2 / STRETCH / math.sqrt(2))  # the share of a normal distribution beyond Keras' cut


def largest(weights: Any, bound: float) -> Any:
    """The claim that weights are uniform within +-bound: the largest of n lies below it by about bound/n."""
    values = np.asarray(weights)
    return exactly(np.max(np.abs(values)), bound, bound * (LOGARITHM / values.size + np.finfo(values.dtype).eps))


def share_beyond(weights: Any, deviation: float, share: float) -> Any:
    """The claim that this share of the weights lies beyond Keras' cut."""
    values = np.asarray(weights)
    found = np.mean(np.abs(values) > 2 / STRETCH * deviation * (1 + np.finfo(values.dtype).eps))
    return exactly(found, share, SIGMAS * math.sqrt(share * (1 - share) / values.size))


def copied(layer: Linear) -> dict[str, Array]:
    """The weights of a numpynet layer, in each framework."""
    dense = to_tensorflow(layer)
    return {
        "numpynet": layer.weight.value,
        "torch": np.asarray(to_torch(layer).weight.detach()),
        "keras": np.asarray(dense.kernel).T,
    }


def same(layer: Linear, measured: Callable[[Array], Any]) -> dict[str, Any]:
    """The claims that one figure of the copied weights, `measured`, is that of numpynet's."""
    return {who: exactly(measured(values), measured(layer.weight.value)) for who, values in copied(layer).items()}


@difference(
    "dense-initial-weights",
    does={
        "torch": "weight and bias: U(+-1/sqrt(fan_in))",
        "keras": "kernel: Glorot uniform, U(+-sqrt(6/(fan_in+fan_out))); bias: 0",
        "tensorflow": "left to the caller",
    },
    mapping="copy the weights; numpynet draws torch's",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
)
def dense_initial_weights() -> Demonstration:
    """The weights that a dense layer starts from: within the same bounds where 5 are made of each input alone."""

    def starting(outputs: int) -> dict[str, Any]:
        torch.manual_seed(0)
        dense = keras.layers.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(seed=0))
        default = keras.layers.Dense(outputs)
        for each in (dense, default):
            each.build((None, IN))
        assert type(default.kernel_initializer) is type(dense.kernel_initializer)
        bound = 1 / math.sqrt(IN)
        return {
            "numpynet": largest(Linear(IN, outputs, rng=np.random.default_rng(0)).weight.value, bound),
            "torch": largest(torch.nn.Linear(IN, outputs).weight.detach(), bound),
            "keras": largest(dense.kernel, math.sqrt(6 / (IN + outputs))),
        }

    layer = Linear(IN, OUT, rng=np.random.default_rng(0))
    return Demonstration(starting(OUT), same(layer, lambda weights: np.max(np.abs(weights))), starting(5 * IN))


@difference(
    "dense-initial-bias",
    does={
        "torch": "U(+-1/sqrt(fan_in))",
        "keras": "0",
        "tensorflow": "left to the caller",
    },
    mapping="copy the bias; numpynet draws torch's",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
)
def dense_initial_bias() -> Demonstration:
    """The bias that a dense layer starts from; normalisation starts from 0 in both."""
    torch.manual_seed(0)
    layer, dense = Linear(IN, OUT, rng=np.random.default_rng(0)), keras.layers.Dense(OUT)
    dense.build((None, IN))
    bound, bias = 1 / math.sqrt(IN), layer.state_dict()["bias"]
    normalization = keras.layers.LayerNormalization()
    normalization.build((None, OUT))
    return Demonstration(
        {
            "numpynet": largest(bias, bound),
            "torch": largest(torch.nn.Linear(IN, OUT).bias.detach(), bound),
            "keras": exactly(np.max(np.abs(np.asarray(dense.bias))), 0),
        },
        {
            "torch": exactly(np.asarray(to_torch(layer).bias.detach()), bias),
            "keras": exactly(np.asarray(to_tensorflow(layer).bias), bias),
        },
        {
            "numpynet": exactly(np.max(np.abs(Scaling(OUT).beta.value)), 0),
            "torch": exactly(np.max(np.abs(np.asarray(torch.nn.LayerNorm(OUT).bias.detach()))), 0),
            "keras": exactly(np.max(np.abs(np.asarray(normalization.beta))), 0),
        },
    )


def as_spread(weights: Any, deviation: float) -> Any:
    """The claim that the weights have this standard deviation.

    The allowance is that of normal weights; of weights that are cut it is known better still.
    """
    values = np.asarray(weights)
    return exactly(np.std(values), deviation, SIGMAS * deviation / math.sqrt(2 * values.size))


def normal_weights(in_torch: Callable[[Any], Any], in_keras: Any, deviation: float) -> Demonstration:
    """Shows that the share of normal weights beyond Keras' cut differs, and their standard deviation does not."""
    torch.manual_seed(0)
    weight = torch.empty(OUT, IN)
    in_torch(weight)
    layer = Linear(IN, OUT, init=he_normal, rng=np.random.default_rng(0))
    cut = in_keras((IN, OUT))
    return Demonstration(
        {"torch": share_beyond(weight, deviation, BEYOND), "keras": share_beyond(cut, deviation, 0.0)},
        same(layer, lambda weights: np.mean(np.abs(weights))),
        {"torch": as_spread(weight, deviation), "keras": as_spread(cut, deviation)},
    )


@difference(
    "he-normal-truncated",
    does={
        "torch": "N(0, 2/fan_in)",
        "keras": "cut at two deviations and stretched to the same deviation: nothing beyond 2.27",
        "tensorflow": "as Keras",
    },
    mapping="draw with numpynet.initializers.he_normal, not cut as in torch, and copy",
    sources=(
        "https://www.tensorflow.org/api_docs/python/tf/keras/initializers/HeNormal",
        "https://docs.pytorch.org/docs/stable/nn.init.html",
    ),
)
def he_normal_truncated() -> Demonstration:
    """He normal weights: the share beyond 2.27 deviations."""
    return normal_weights(
        lambda weight: torch.nn.init.kaiming_normal_(weight, nonlinearity="relu"),
        keras.initializers.HeNormal(seed=0),
        math.sqrt(2 / IN),
    )


@difference(
    "glorot-normal-truncated",
    does={
        "torch": "N(0, 2/(fan_in+fan_out))",
        "keras": "cut at two deviations and stretched to the same deviation: nothing beyond 2.27",
        "tensorflow": "as Keras",
    },
    mapping="draw with a numpynet initialiser, and copy",
    sources=(
        "https://keras.io/api/layers/initializers/",
        "https://docs.pytorch.org/docs/stable/nn.init.html",
    ),
)
def glorot_normal_truncated() -> Demonstration:
    """Glorot normal weights: the share beyond 2.27 deviations."""
    return normal_weights(
        torch.nn.init.xavier_normal_, keras.initializers.GlorotNormal(seed=0), math.sqrt(2 / (IN + OUT))
    )
