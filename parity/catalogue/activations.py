"""Differences of activations."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from numpynet import ELU, Array, LeakyReLU, Softplus
from parity.catalogue.difference import Demonstration, Formula, claim, difference, exactly
from parity.catalogue.kinks import in_numpynet, in_tensorflow, in_torch
from parity.frameworks.lazy import keras, tf, torch

x = np.linspace(-6, 6, 49, dtype=np.float32)


def leaky(slope: float) -> Formula:
    return LeakyReLU(slope).forward


@difference(
    "leaky-relu-slope",
    torch="0.01",
    keras="0.3 in layers.LeakyReLU, 0.2 in activations.leaky_relu",
    tensorflow="0.2 in tf.nn.leaky_relu",
    mapping="pass the slope, a dyadic one in float64 (leaky-relu-float32-slope)",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.LeakyReLU.html",
        "https://keras.io/api/layers/activation_layers/leaky_relu/",
        "https://www.tensorflow.org/api_docs/python/tf/nn/leaky_relu",
    ),
)
def leaky_relu_slope() -> Demonstration:
    """The default slope of LeakyReLU."""
    t = torch.from_numpy(x)
    naive = {
        "numpynet": claim(LeakyReLU()(x), leaky(0.01), x),
        "torch": claim(torch.nn.LeakyReLU()(t).numpy(), leaky(0.01), x),
        "keras": claim(keras.layers.LeakyReLU()(x).numpy(), leaky(0.3), x),
        "tensorflow": claim(tf.nn.leaky_relu(x).numpy(), leaky(0.2), x),
    }
    mapped = {
        "numpynet": LeakyReLU(0.25)(x),
        "torch": torch.nn.LeakyReLU(0.25)(t).numpy(),
        "keras": keras.layers.LeakyReLU(negative_slope=0.25)(x).numpy(),
        "tensorflow": tf.nn.leaky_relu(x, 0.25).numpy(),
    }
    return Demonstration(naive, {who: claim(values, leaky(0.25), x) for who, values in mapped.items()})


@difference(
    "leaky-relu-float32-slope",
    torch="the slope in double precision",
    keras="the slope through tf.nn.leaky_relu: rounded to float32",
    tensorflow="the op's attribute is a float32, also in its float64 kernel",
    mapping="slopes that float32 represents, such as 0.25",
    sources=("https://www.tensorflow.org/api_docs/python/tf/raw_ops/LeakyRelu",),
)
def leaky_relu_float32_slope() -> Demonstration:
    """TensorFlow rounds LeakyReLU's slope to float32 in float64 too."""
    wide = x.astype(np.float64)
    rounded = leaky(float(np.float32(0.3)))

    def values(slope: float) -> dict[str, Array]:
        return {
            "torch": torch.nn.LeakyReLU(slope)(torch.from_numpy(wide)).numpy(),
            "keras": keras.layers.LeakyReLU(negative_slope=slope, dtype="float64")(wide).numpy(),
            "tensorflow": tf.nn.leaky_relu(wide, slope).numpy(),
        }

    naive = {who: claim(v, leaky(0.3) if who == "torch" else rounded, wide) for who, v in values(0.3).items()}
    return Demonstration(naive, {who: claim(v, leaky(0.25), wide) for who, v in values(0.25).items()})


small = (-np.linspace(0.5, 1, 33) * 2.0**-13).astype(np.float32)


def between(values: Array) -> Array:
    """The remainder of values beyond multiples of 2^-24, the distance of float32 numbers just below 1."""
    return values - np.rint(np.asarray(values) * 2.0**24) * 2.0**-24


def cancelling(elu: dict[str, Callable[[Array], Array]], mapped: dict[str, Callable[[Array], Array]]) -> Demonstration:
    """Shows that ELU by exp(x) - 1 leaves small negative inputs no digits below 2^-24, which expm1(x) keeps.

    Inputs beyond 0.25 are right either way.
    """
    large = x[np.abs(x) >= 0.25]
    naive = {who: exactly(between(run(small)), 0) for who, run in elu.items()}
    return Demonstration(
        naive | {"numpynet": claim(between(ELU()(small)), lambda x: between(ELU()(x)), small)},
        {who: claim(run(small), ELU().forward, small) for who, run in (mapped | {"numpynet": ELU()}).items()},
        {who: claim(run(large), ELU().forward, large) for who, run in (elu | {"numpynet": ELU()}).items()},
    )


@difference(
    "elu-cancellation",
    torch="expm1(x) since 2.8 (before it: elu-cancellation-torch)",
    keras="as tf.nn.elu",
    tensorflow="exp(x) - 1, in float32 a multiple of 2^-24 however small x is",
    mapping="judge with TensorFlow's formula (parity.mapping.activations.ELUByDifference), or write tf.math.expm1",
    sources=(
        "https://github.com/tensorflow/tensorflow/issues/116943",
        "https://github.com/tensorflow/tensorflow/pull/124902",
    ),
)
def elu_cancellation() -> Demonstration:
    """TensorFlow's ELU loses the digits of small negative inputs below 2^-24."""
    return cancelling(
        {"keras": lambda x: keras.layers.ELU()(x).numpy(), "tensorflow": lambda x: tf.nn.elu(x).numpy()},
        {"tensorflow": lambda x: tf.where(x > 0, x, tf.math.expm1(x)).numpy()},
    )


@difference(
    "elu-gradient-cancellation",
    torch="exp(x), from the input",
    keras="as tf.nn.elu",
    tensorflow="the output plus 1, which leaves 0 of exp(x) below -17.3 in float32",
    mapping="judge with TensorFlow's formula, or write tf.math.expm1, whose gradient is exp(x)",
    sources=("https://github.com/tensorflow/tensorflow/issues/116943",),
)
def elu_gradient_cancellation() -> Demonstration:
    """TensorFlow takes ELU's gradient from its output: of very negative inputs nothing is left."""
    far, near = np.linspace(-30, -18, 13, dtype=np.float32), np.array([0.25, 0.5, 3], np.float32)
    same = {
        "numpynet": functools.partial(in_numpynet, ELU()),
        "torch": functools.partial(in_torch, torch.nn.ELU()),
    }
    elu = {"tensorflow": functools.partial(in_tensorflow, tf.nn.elu)}
    written = functools.partial(in_tensorflow, lambda x: tf.where(x > 0, x, tf.math.expm1(x)))
    return Demonstration(
        {who: claim(run(far), np.exp, far) for who, run in same.items()}
        | {"tensorflow": exactly(elu["tensorflow"](far), 0)},
        {who: claim(run(far), np.exp, far) for who, run in (same | {"tensorflow": written}).items()},
        {who: exactly(run(near), 1) for who, run in (same | elu).items()},
    )


@difference(
    "elu-cancellation-torch",
    torch="exp(x) - 1 before 2.8, expm1(x) since",
    keras="as tf.nn.elu",
    tensorflow="exp(x) - 1",
    mapping="judge with the formula of elu-cancellation, or write torch.expm1",
    sources=("https://github.com/pytorch/pytorch/pull/173968",),
    when="torch<2.8",
)
def elu_cancellation_torch() -> Demonstration:
    """torch's ELU lost the digits of small negative inputs, as TensorFlow's does."""
    return cancelling(
        {"torch": lambda x: torch.nn.ELU()(torch.from_numpy(x)).numpy()},
        {"torch": lambda x: torch.expm1(torch.from_numpy(x)).numpy()},
    )


@difference(
    "softplus-threshold",
    torch="x itself above a threshold, by default 20",
    keras="log(1 + exp(x)) everywhere",
    tensorflow="log(1 + exp(x)) everywhere",
    mapping="threshold=40, beyond which float64 no longer sees the difference",
    sources=("https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html",),
)
def softplus_threshold() -> Demonstration:
    """torch's Softplus is linear above 20, where float64 still sees the difference, and Softplus up to it."""
    around = np.linspace(0, 60, 121)
    t = torch.from_numpy(around)

    def linear_above(x: Array) -> Array:
        return np.where(x > 20, x, Softplus().forward(x))

    others = {
        "numpynet": claim(Softplus()(around), Softplus().forward, around),
        "keras": claim(
            keras.layers.Activation("softplus", dtype="float64")(around).numpy(), Softplus().forward, around
        ),
        "tensorflow": claim(tf.nn.softplus(around).numpy(), Softplus().forward, around),
    }
    return Demonstration(
        others | {"torch": claim(torch.nn.Softplus()(t).numpy(), linear_above, around)},
        others | {"torch": claim(torch.nn.Softplus(threshold=40)(t).numpy(), Softplus().forward, around)},
    )
