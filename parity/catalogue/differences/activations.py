"""Differences of activations."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from numpynet import ELU, GELU, SELU, Array, HardSigmoid, HardSwish, LeakyReLU, Maxout, PReLU, ReLU, SoftMax, Softplus
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
from parity.catalogue.kernels import onednn
from parity.catalogue.running import numpynet_gradient, tensorflow_gradient, torch_gradient
from parity.frameworks.lazy import keras, keras_activations, tf, torch, torch_activations
from parity.results.boundaries import before

NAN = np.nan

x = np.linspace(-6, 6, 49, dtype=np.float32)
small = (-np.linspace(0.5, 1, 33) * 2.0**-13).astype(np.float32)
middle = np.linspace(-1, 3, 33, dtype=np.float32)  # where GELU and its approximation differ
tail = np.linspace(-12, -7, 33, dtype=np.float32)


@difference(
    "relu-gradient-nan",
    does={
        "torch": "passes the gradient where the input is NaN",
        "keras": "as TensorFlow",
        "tensorflow": "stops it: NaN is not above 0, and so does numpynet",
    },
    mapping="finite inputs",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/relu",),
)
def relu_gradient_nan() -> Demonstration:
    """The gradient of ReLU at NaN."""

    def on(x: Array) -> dict[str, Array]:
        return {
            "numpynet": numpynet_gradient(ReLU(), x),
            "torch": torch_gradient(torch.relu, x),
            "tensorflow": tensorflow_gradient(tf.nn.relu, x),
        }

    return avoided(
        {who: exactly(v, 1.0 if who == "torch" else 0.0) for who, v in on(np.array([NAN], np.float32)).items()},
        {who: exactly(v, 1.0) for who, v in on(np.array([2.0], np.float32)).items()},
    )


@difference(
    "relu-gradient-infinite",
    does={
        "torch": "selects: 0 where the input is negative",
        "keras": "as TensorFlow",
        "tensorflow": "multiplies by 0: NaN",
    },
    mapping="finite gradients; numpynet multiplies, which is faster",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/relu",),
)
def relu_gradient_infinite() -> Demonstration:
    """An infinite gradient that ReLU stops."""

    def sent(value: float) -> dict[str, Array]:
        x, cotangent = np.array([-1.0], np.float32), np.array([value], np.float32)
        return {
            "torch": torch_gradient(torch.relu, x, cotangent),
            "tensorflow": tensorflow_gradient(tf.nn.relu, x, cotangent),
        }

    return avoided(
        {who: exactly(values, 0 if who == "torch" else NAN) for who, values in sent(np.inf).items()},
        {who: exactly(values, 0) for who, values in sent(1.0).items()},
    )


def leaky(slope: float) -> Formula:
    return LeakyReLU(slope).forward


@difference(
    "leaky-relu-slope",
    does={
        "torch": "0.01",
        "keras": "0.3 in layers.LeakyReLU, 0.2 in activations.leaky_relu",
        "tensorflow": "0.2 in tf.nn.leaky_relu",
    },
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
    return Demonstration(naive, claims(mapped, leaky(0.25), x))


@difference(
    "leaky-relu-float32-slope",
    does={
        "torch": "the slope in double precision",
        "keras": "the slope through tf.nn.leaky_relu: rounded to float32",
        "tensorflow": "the op's attribute is a float32, also in its float64 kernel",
    },
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
    return Demonstration(naive, claims(values(0.25), leaky(0.25), wide))


@difference(
    "prelu-slopes",
    does={
        "torch": "one slope for all, 0.25",
        "keras": "one for each element of an example, 0",
        "tensorflow": "has none",
    },
    mapping="as many as torch has, by parity.frameworks.tensorflow.activations.PReLU; the values are copied",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html",
        "https://keras.io/api/layers/activation_layers/prelu/",
        "https://github.com/keras-team/keras/issues/13543",
    ),
)
def prelu_slopes() -> Demonstration:
    """How many slopes PReLU has, and what they start at; above 0 that makes no difference."""
    below = -np.ones((2, 3), np.float32)

    def values(x: Array) -> dict[str, Array]:
        return {
            "numpynet": PReLU()(x),
            "torch": torch.nn.PReLU()(torch.from_numpy(x)).detach().numpy(),
            "keras": theirs(x).numpy(),
        }

    theirs, mapped = keras.layers.PReLU(), keras_activations.PReLU(1)
    mapped.alpha.assign([0.25])
    counts = {"numpynet": sum(p.value.size for p in PReLU().parameters()), "torch": torch.nn.PReLU().weight.numel()}
    same = {who: together(exactly(values(below)[who], -0.25), exactly(count, 1)) for who, count in counts.items()}
    return Demonstration(
        same | {"keras": together(exactly(values(below)["keras"], 0), exactly(int(theirs.alpha.shape[-1]), 3))},
        same | {"keras": together(exactly(mapped(below).numpy(), -0.25), exactly(int(mapped.alpha.shape[-1]), 1))},
        {who: exactly(each, 1) for who, each in values(-below).items()},
    )


@difference(
    "prelu-kink",
    does={
        "torch": "the slope",
        "keras": "0: relu(x) - slope * relu(-x), neither of which has a gradient there",
        "tensorflow": "has none; tf.nn.leaky_relu gives the slope",
    },
    mapping="parity.frameworks.tensorflow.activations.PReLU gives the slope at exactly 0",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html",
        "https://keras.io/api/layers/activation_layers/prelu/",
    ),
)
def prelu_kink() -> Demonstration:
    """The gradient of PReLU at exactly 0; on both sides of it all agree."""
    around = np.array([[-1], [0], [1]], np.float32)
    slope_at_zero, nothing_at_zero = [[0.25], [0.25], [1]], [[0.25], [0], [1]]
    quarter = keras.initializers.Constant(0.25)
    mapped = keras_activations.PReLU(1)
    mapped.alpha.assign([0.25])
    same = {
        "numpynet": exactly(numpynet_gradient(PReLU(), around), slope_at_zero),
        "torch": exactly(torch_gradient(torch.nn.PReLU(), around), slope_at_zero),
    }
    naive = keras.layers.PReLU(alpha_initializer=quarter)
    return Demonstration(
        same | {"keras": exactly(tensorflow_gradient(naive, around), nothing_at_zero)},
        same | {"keras": exactly(tensorflow_gradient(mapped, around), slope_at_zero)},
    )


@difference(
    "maximum-ties",
    does={
        "torch": "max over one axis: to the first; amax, and max over all axes: shared equally",
        "keras": "as TensorFlow",
        "tensorflow": "tf.reduce_max: shared equally; tf.nn.max_pool: to the first",
    },
    mapping="to the first, by torch.max over one axis and by tf.argmax",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.amax.html",
        "https://www.tensorflow.org/api_docs/python/tf/math/reduce_max",
    ),
)
def maximum_ties() -> Demonstration:
    """The gradient of a maximum that is reached twice; of one that is reached once all agree."""
    tied, single = np.array([[2, 2, 1]], np.float32), np.array([[2, 3, 1]], np.float32)

    def as_they_come(x: Array) -> dict[str, Array]:
        return {
            "numpynet": numpynet_gradient(Maxout(3), x),
            "torch": torch_gradient(lambda x: torch.amax(x, 1), x),
            "torch's max over all axes": torch_gradient(torch.max, x),
            "torch's max over one axis": torch_gradient(lambda x: torch.max(x, 1).values, x),
            "tensorflow": tensorflow_gradient(lambda x: tf.reduce_max(x, 1), x),
            "tensorflow's max_pool": tensorflow_gradient(lambda x: tf.nn.max_pool1d(x[..., None], 3, 3, "VALID"), x),
        }

    first = ("numpynet", "torch's max over one axis", "tensorflow's max_pool")
    mapped = {
        "numpynet": numpynet_gradient(Maxout(3), tied),
        "torch": torch_gradient(torch_activations.Maxout(3), tied),
        "tensorflow": tensorflow_gradient(keras_activations.Maxout(3), tied),
    }
    return Demonstration(
        {
            who: exactly(values, [[1, 0, 0]] if who in first else [[0.5, 0.5, 0]])
            for who, values in as_they_come(tied).items()
        },
        {who: exactly(values, [[1, 0, 0]]) for who, values in mapped.items()},
        {who: exactly(values, [[0, 1, 0]]) for who, values in as_they_come(single).items()},
    )


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
    does={
        "torch": "expm1(x) since 2.8 (before it: elu-cancellation-torch)",
        "keras": "as tf.nn.elu",
        "tensorflow": "exp(x) - 1, in float32 a multiple of 2^-24 however small x is",
    },
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
    does={
        "torch": "exp(x), from the input",
        "keras": "as tf.nn.elu",
        "tensorflow": "the output plus 1, which leaves 0 of exp(x) below -17.3 in float32",
    },
    mapping="judge with TensorFlow's formula, or write tf.math.expm1, whose gradient is exp(x)",
    sources=("https://github.com/tensorflow/tensorflow/issues/116943",),
)
def elu_gradient_cancellation() -> Demonstration:
    """TensorFlow takes ELU's gradient from its output: of very negative inputs nothing is left."""
    far, near = np.linspace(-30, -18, 13, dtype=np.float32), np.array([0.25, 0.5, 3], np.float32)
    same = {
        "numpynet": functools.partial(numpynet_gradient, ELU()),
        "torch": functools.partial(torch_gradient, torch.nn.ELU()),
    }
    elu = {"tensorflow": functools.partial(tensorflow_gradient, tf.nn.elu)}
    written = functools.partial(tensorflow_gradient, lambda x: tf.where(x > 0, x, tf.math.expm1(x)))
    return Demonstration(
        {who: claim(run(far), np.exp, far) for who, run in same.items()}
        | {"tensorflow": exactly(elu["tensorflow"](far), 0)},
        {who: claim(run(far), np.exp, far) for who, run in (same | {"tensorflow": written}).items()},
        {who: exactly(run(near), 1) for who, run in (same | elu).items()},
    )


@difference(
    "elu-cancellation-torch",
    does={
        "torch": "exp(x) - 1 before 2.8, expm1(x) since",
        "keras": "as tf.nn.elu",
        "tensorflow": "exp(x) - 1",
    },
    mapping="judge with the formula of elu-cancellation, or write torch.expm1",
    sources=("https://github.com/pytorch/pytorch/pull/149673",),
    when="torch<2.8",
)
def elu_cancellation_torch() -> Demonstration:
    """torch's ELU lost the digits of small negative inputs, as TensorFlow's does."""
    return cancelling(
        {"torch": lambda x: torch.nn.ELU()(torch.from_numpy(x)).numpy()},
        {"torch": lambda x: torch.expm1(torch.from_numpy(x)).numpy()},
    )


@difference(
    "selu-kink",
    does={
        "torch": "scale * alpha = 1.7581, the slope from below",
        "keras": "as tf.nn.selu",
        "tensorflow": "scale = 1.0507, the slope from above",
    },
    mapping="parity.frameworks.tensorflow.activations.selu takes the slope from below at exactly 0",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.SELU.html",
        "https://github.com/tensorflow/tensorflow/pull/10818",
    ),
)
def selu_kink() -> Demonstration:
    """The gradient of SELU at exactly 0; on both sides of it all agree."""
    around = np.array([-1, 0, 1], np.float32)

    def slopes(from_above: Callable[[Array], Any]) -> Callable[[Array], Any]:
        return lambda x: SELU.scale * np.where(from_above(x), 1, SELU.alpha * np.exp(np.minimum(x, 0)))

    def zero_is_below(values: Array) -> Claim:
        return claim(values, slopes(lambda x: x > 0), around)

    same = {
        "numpynet": zero_is_below(numpynet_gradient(SELU(), around)),
        "torch": zero_is_below(torch_gradient(torch.nn.SELU(), around)),
    }
    naive = tensorflow_gradient(tf.nn.selu, around)
    return Demonstration(
        same | {"tensorflow": claim(naive, slopes(lambda x: x >= 0), around)},
        same | {"keras": zero_is_below(tensorflow_gradient(keras_activations.selu, around))},
    )


@difference(
    "softplus-threshold",
    does={
        "torch": "x itself above a threshold, by default 20",
        "keras": "log(1 + exp(x)) everywhere",
        "tensorflow": "log(1 + exp(x)) everywhere",
    },
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


@difference(
    "gelu-default",
    does={
        "torch": 'approximate="none": x P(Z <= x)',
        "keras": "keras.ops.gelu: the approximation by tanh; activations.gelu and the layer: exact",
        "tensorflow": "tf.nn.gelu: exact",
    },
    mapping="pass approximate",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.GELU.html",
        "https://keras.io/api/ops/nn/",
        "https://keras.io/api/layers/activations/",
    ),
)
def gelu_default() -> Demonstration:
    """GELU or its approximation by tanh, when nothing is said; of large inputs both are the input."""
    exact = GELU().forward

    def shown(x: Array, of_keras: Claim) -> dict[str, Claim]:
        return {
            "numpynet": claim(GELU()(x), exact, x),
            "torch": claim(torch.nn.GELU()(torch.from_numpy(x)).numpy(), exact, x),
            "tensorflow": claim(tf.nn.gelu(x).numpy(), exact, x),
            "keras": of_keras,
        }

    large = np.array([10, 20], np.float32)
    return Demonstration(
        shown(middle, claim(keras.ops.gelu(middle).numpy(), GELU("tanh").forward, middle)),
        shown(middle, claim(keras.ops.gelu(middle, approximate=False).numpy(), exact, middle)),
        shown(large, exactly(keras.ops.gelu(large).numpy(), large)),
    )


@difference(
    "gelu-tail",
    does={
        "torch": "(1 + erf(x / sqrt(2))) / 2, of which nothing is left below -6 (in float64 below -9)",
        "keras": "as tf.nn.gelu",
        "tensorflow": "erfc(-x / sqrt(2)) / 2, right in relative terms, since 2.19 (before: gelu-tail-tensorflow)",
    },
    mapping="judge with torch's formula (parity.mapping.activations.GELUByErf), or write torch.erfc",
    sources=(
        "https://github.com/pytorch/pytorch/issues/187806",
        "https://github.com/pytorch/pytorch/pull/189234",
    ),
)
def gelu_tail() -> Demonstration:
    """torch's GELU is 0 in the lower tail, where it should be small; in the upper one it is right."""
    exact = GELU().forward
    found: dict[str, list[Claim]] = {"numpynet": [], "torch": [], "mapped": []}
    for lower in (tail, np.linspace(-12, -9, 33)):  # in float32, and in float64
        for x in (lower, -lower):
            t = torch.from_numpy(x)
            of_torch = torch.nn.GELU()(t).numpy()
            found["numpynet"].append(claim(GELU()(x), exact, x))
            found["torch"].append(exactly(of_torch, 0) if x is lower else claim(of_torch, exact, x))
            found["mapped"].append(claim((0.5 * t * torch.erfc(-t * math.sqrt(0.5))).numpy(), exact, x))
    ours, naive, mapped = (together(*claims) for claims in found.values())
    return Demonstration({"numpynet": ours, "torch": naive}, {"numpynet": ours, "torch": mapped})


@difference(
    "gelu-tail-tensorflow",
    does={
        "torch": "as TensorFlow: gelu-tail",
        "keras": "as tf.nn.gelu",
        "tensorflow": "(1 + erf(x / sqrt(2))) / 2 before 2.19, erfc(-x / sqrt(2)) / 2 since",
    },
    mapping="judge with the formula of gelu-tail, or write tf.math.erfc",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/gelu",),
    when="tensorflow<2.19",
)
def gelu_tail_tensorflow() -> Demonstration:
    """TensorFlow's GELU was 0 in the lower tail, as torch's is; in the upper one it was right."""
    ours = {"numpynet": claim(GELU()(tail), GELU().forward, tail)}
    mapped = 0.5 * tail * tf.math.erfc(-tail * np.float32(math.sqrt(0.5)))
    above = {"numpynet": GELU()(-tail), "tensorflow": tf.nn.gelu(-tail).numpy()}
    return Demonstration(
        ours | {"tensorflow": exactly(tf.nn.gelu(tail).numpy(), 0)},
        ours | {"tensorflow": claim(mapped.numpy(), GELU().forward, tail)},
        claims(above, GELU().forward, -tail),
    )


@difference(
    "gelu-float32-constants",
    does={
        "torch": "constants in double precision",
        "keras": "as tf.nn.gelu",
        "tensorflow": "0.044715 and sqrt(1/2) (before 2.19 sqrt(2)) are made float32 tensors and cast, in float64 too",
    },
    mapping="in float64 the same formula written out: parity.frameworks.tensorflow.activations.gelu",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/gelu",),
)
def gelu_float32_constants() -> Demonstration:
    """TensorFlow rounds GELU's constants to float32 in float64 too, the exact one's and the approximation's.

    In float32 there is nothing to round.
    """
    wide = middle.astype(np.float64)
    root = 1 / float(np.float32(math.sqrt(2))) if before("gelu-tail-tensorflow") else float(np.float32(math.sqrt(0.5)))

    def rounded(x: Array) -> Array:
        inner = np.sqrt(2 / np.pi) * (x + float(np.float32(0.044715)) * (x * x * x))
        return x * (1 + np.tanh(inner)) / 2

    def rounded_root(x: Array) -> Array:
        stretched = root * math.sqrt(2)
        return GELU().forward(x * stretched) / stretched

    def shown(approximate: Literal["none", "tanh"], x: Array, of_tensorflow: Formula) -> dict[str, Claim]:
        tanh, exact = approximate == "tanh", GELU(approximate).forward
        return {
            "numpynet": claim(GELU(approximate)(x), exact, x),
            "torch": claim(torch.nn.GELU(approximate)(torch.from_numpy(x)).numpy(), exact, x),
            "tensorflow": claim(tf.nn.gelu(x, approximate=tanh).numpy(), of_tensorflow, x),
            "mapped": claim(keras_activations.gelu(tf.constant(x), approximate).numpy(), exact, x),
        }

    of_tanh = shown("tanh", wide, rounded)
    both = {who: together(of_tanh[who], each) for who, each in shown("none", wide, rounded_root).items()}
    in_float32 = shown("tanh", middle, GELU("tanh").forward)
    mapped, _ = both.pop("mapped"), in_float32.pop("mapped")
    return Demonstration(both, both | {"tensorflow": mapped}, in_float32)


@difference(
    "hardsigmoid-float32-sixth",
    does={
        "torch": "the sixth in its gradient is a float32 in the float64 kernel",
        "keras": "relu6(x + 3) / 6 in the dtype of x",
        "tensorflow": "has none",
    },
    mapping="in float64 relu6(x + 3) / 6: parity.frameworks.torch.activations.Hardsigmoid",
    sources=("https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/Activation.cpp",),
)
def hardsigmoid_float32_sixth() -> Demonstration:
    """torch rounds the slope of HardSigmoid to float32 in float64 too; outside the slope is 0 everywhere."""
    inside, outside = np.linspace(-2, 2, 9), np.array([-5.0, -4.0, 4.0, 5.0])
    theirs = keras.layers.Activation("hard_sigmoid", dtype="float64")

    def slopes(x: Array) -> dict[str, Array]:
        return {
            "numpynet": numpynet_gradient(HardSigmoid(), x),
            "keras": tensorflow_gradient(theirs, x),
            "torch": torch_gradient(torch.nn.Hardsigmoid(), x),
        }

    def right(values: Array) -> Claim:
        return claim(values, lambda x: (0 * x + 1) / 6, inside)

    naive = slopes(inside)
    same = {who: right(naive[who]) for who in ("numpynet", "keras")}
    return Demonstration(
        same | {"torch": exactly(naive["torch"], np.float32(1) / np.float32(6))},
        same | {"torch": right(torch_gradient(torch_activations.Hardsigmoid(), inside))},
        {who: exactly(values, 0) for who, values in slopes(outside).items()},
    )


@difference(
    "hardswish-kinks",
    does={
        "torch": "before 2.8 those of the parabola, -0.5 and 1.5; since then 0 and 1",
        "keras": "0 and 1",
        "tensorflow": "has none; composed of tf.nn.relu6 0 and 1",
    },
    mapping="parity.frameworks.torch.activations.Hardswish gives 0 and 1 at exactly -3 and 3",
    sources=(
        "https://github.com/pytorch/pytorch/issues/147801",
        "https://github.com/pytorch/pytorch/pull/143899",
    ),
    when="torch<2.8",
)
def hardswish_kinks() -> Demonstration:
    """The gradients of HardSwish at exactly -3 and 3; beyond them all agree."""
    x = np.array([-4, -3, 3, 4], np.float32)
    same = {
        "numpynet": exactly(numpynet_gradient(HardSwish(), x), [0, 0, 1, 1]),
        "keras": exactly(tensorflow_gradient(keras.layers.Activation("hard_silu"), x), [0, 0, 1, 1]),
    }
    return Demonstration(
        same | {"torch": exactly(torch_gradient(torch.nn.Hardswish(), x), [0, -0.5, 1.5, 1])},
        same | {"torch": exactly(torch_gradient(torch_activations.Hardswish(), x), [0, 0, 1, 1])},
    )


@difference(
    "softmax-nan",
    does={
        "torch": "a NaN makes its whole row NaN",
        "keras": "as tf.nn.softmax",
        "tensorflow": "oneDNN's float32 kernel keeps the NaN where it is and gives 0 elsewhere, but of one at the end "
        "NaN to its neighbours, too, as many as the instruction set says; Eigen's, and float64: NaN",
    },
    mapping="finite inputs; the training loop reports where a NaN first appeared",
    sources=("https://github.com/openvinotoolkit/openvino/issues/33456",),
    applies=onednn,
)
def softmax_nan() -> Demonstration:
    """A NaN among the logits, in float32 and in float64."""

    def on(x: Array) -> dict[str, Array]:
        return {
            "numpynet": SoftMax()(x),
            "torch": torch.softmax(torch.from_numpy(x), -1).numpy(),
            "tensorflow": tf.nn.softmax(x).numpy(),
        }

    broken, finite = np.array([[NAN, 0, 1]], np.float32), np.array([[2, 0, 1]], np.float32)
    kept = np.where(np.isnan(broken), broken, 0)
    wide = on(broken.astype(np.float64))
    return avoided(
        {
            who: together(exactly(v, kept if who == "tensorflow" else NAN), exactly(wide[who], NAN))
            for who, v in on(broken).items()
        },
        claims(on(finite), SoftMax().forward, finite),
    )
