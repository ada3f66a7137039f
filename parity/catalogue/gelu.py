"""Differences of GELU, and of the activations made of straight lines."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from numpynet import GELU, Array, HardSigmoid, PReLU
from parity.catalogue.difference import Claim, Demonstration, Formula, claim, difference, exactly, together
from parity.catalogue.kinks import in_numpynet, in_tensorflow, in_torch
from parity.frameworks.lazy import keras, keras_activations, tf, torch, torch_activations
from parity.results.boundaries import before

x = np.linspace(-1, 3, 33, dtype=np.float32)
tail = np.linspace(-12, -7, 33, dtype=np.float32)


@difference(
    "gelu-default",
    torch='approximate="none": x P(Z <= x)',
    keras="keras.ops.gelu: the approximation by tanh; activations.gelu and the layer: exact",
    tensorflow="tf.nn.gelu: exact",
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
        shown(x, claim(keras.ops.gelu(x).numpy(), GELU("tanh").forward, x)),
        shown(x, claim(keras.ops.gelu(x, approximate=False).numpy(), exact, x)),
        shown(large, exactly(keras.ops.gelu(large).numpy(), large)),
    )


@difference(
    "gelu-tail",
    torch="(1 + erf(x / sqrt(2))) / 2, of which nothing is left below -6 (in float64 below -9)",
    keras="as tf.nn.gelu",
    tensorflow="erfc(-x / sqrt(2)) / 2, right in relative terms, since 2.19 (before: gelu-tail-tensorflow)",
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
    torch="as TensorFlow: gelu-tail",
    keras="as tf.nn.gelu",
    tensorflow="(1 + erf(x / sqrt(2))) / 2 before 2.19, erfc(-x / sqrt(2)) / 2 since",
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
        {who: claim(values, GELU().forward, -tail) for who, values in above.items()},
    )


@difference(
    "gelu-float32-constants",
    torch="constants in double precision",
    keras="as tf.nn.gelu",
    tensorflow="0.044715 and sqrt(1/2) (before 2.19 sqrt(2)) are made float32 tensors and cast, in float64 too",
    mapping="in float64 the same formula written out: parity.frameworks.tensorflow.activations.gelu",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/gelu",),
)
def gelu_float32_constants() -> Demonstration:
    """TensorFlow rounds GELU's constants to float32 in float64 too, the exact one's and the approximation's.

    In float32 there is nothing to round.
    """
    wide = x.astype(np.float64)
    root = 1 / float(np.float32(math.sqrt(2))) if before("gelu-tail-tensorflow") else float(np.float32(math.sqrt(0.5)))

    def rounded(x: Array) -> Array:
        inner = np.sqrt(2 / np.pi) * (x + float(np.float32(0.044715)) * (x * x * x))
        return x * (1 + np.tanh(inner)) / 2

    def rounded_root(x: Array) -> Array:
        stretched = root * math.sqrt(2)
        return GELU().forward(x * stretched) / stretched

    def claims(approximate: Literal["none", "tanh"], x: Array, of_tensorflow: Formula) -> dict[str, Claim]:
        tanh, exact = approximate == "tanh", GELU(approximate).forward
        return {
            "numpynet": claim(GELU(approximate)(x), exact, x),
            "torch": claim(torch.nn.GELU(approximate)(torch.from_numpy(x)).numpy(), exact, x),
            "tensorflow": claim(tf.nn.gelu(x, approximate=tanh).numpy(), of_tensorflow, x),
            "mapped": claim(keras_activations.gelu(tf.constant(x), approximate).numpy(), exact, x),
        }

    of_tanh = claims("tanh", wide, rounded)
    both = {who: together(of_tanh[who], each) for who, each in claims("none", wide, rounded_root).items()}
    in_float32 = claims("tanh", x, GELU("tanh").forward)
    mapped, _ = both.pop("mapped"), in_float32.pop("mapped")
    return Demonstration(both, both | {"tensorflow": mapped}, in_float32)


@difference(
    "hardsigmoid-float32-sixth",
    torch="the sixth in its gradient is a float32 in the float64 kernel",
    keras="relu6(x + 3) / 6 in the dtype of x",
    tensorflow="has none",
    mapping="in float64 relu6(x + 3) / 6: parity.frameworks.torch.activations.Hardsigmoid",
    sources=("https://github.com/pytorch/pytorch/blob/main/aten/src/ATen/native/cpu/Activation.cpp",),
)
def hardsigmoid_float32_sixth() -> Demonstration:
    """torch rounds the slope of HardSigmoid to float32 in float64 too; outside the slope is 0 everywhere."""
    inside, outside = np.linspace(-2, 2, 9), np.array([-5.0, -4.0, 4.0, 5.0])
    theirs = keras.layers.Activation("hard_sigmoid", dtype="float64")

    def slopes(x: Array) -> dict[str, Array]:
        return {
            "numpynet": in_numpynet(HardSigmoid(), x),
            "keras": in_tensorflow(theirs, x),
            "torch": in_torch(torch.nn.Hardsigmoid(), x),
        }

    def right(values: Array) -> Claim:
        return claim(values, lambda x: (0 * x + 1) / 6, inside)

    naive = slopes(inside)
    same = {who: right(naive[who]) for who in ("numpynet", "keras")}
    return Demonstration(
        same | {"torch": exactly(naive["torch"], np.float32(1) / np.float32(6))},
        same | {"torch": right(in_torch(torch_activations.Hardsigmoid(), inside))},
        {who: exactly(values, 0) for who, values in slopes(outside).items()},
    )


@difference(
    "prelu-slopes",
    torch="one slope for all, 0.25",
    keras="one for each element of an example, 0",
    tensorflow="has none",
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
