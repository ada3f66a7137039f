"""Gradients where a function has none: at kinks, and at maxima that are reached twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import SELU, Array, HardSwish, Maxout, Module, PReLU
from parity.differences.difference import Claim, Demonstration, claim, difference, exactly
from parity.lazy import keras, keras_activations, tf, torch, torch_activations


def in_numpynet(layer: Module, x: Array) -> Array:
    """The gradient of the sum of `layer(x)`."""
    return layer.backward(np.ones_like(layer(x)))


def in_torch(function: Callable[[Any], Any], x: Array) -> Array:
    watched = torch.from_numpy(x).requires_grad_()
    function(watched).sum().backward()
    return np.asarray(watched.grad)


def in_tensorflow(function: Callable[[Any], Any], x: Array) -> Array:
    watched = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        output = function(watched)
    return np.asarray(tape.gradient(output, watched))


@difference(
    "selu-kink",
    torch="scale * alpha = 1.7581, the slope from below",
    keras="as tf.nn.selu",
    tensorflow="scale = 1.0507, the slope from above",
    mapping="parity.frameworks.keras_activations.selu takes the slope from below at exactly 0",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.SELU.html",
        "https://github.com/tensorflow/tensorflow/pull/10818",
    ),
)
def selu_kink() -> Demonstration:
    """The gradient of SELU at exactly 0."""
    zero = np.zeros(1, np.float32)

    def below(values: Array) -> Claim:
        return claim(values, lambda x: x + SELU.scale * SELU.alpha, zero)

    same = {"numpynet": below(in_numpynet(SELU(), zero)), "torch": below(in_torch(torch.nn.SELU(), zero))}
    naive = in_tensorflow(tf.nn.selu, zero)
    return Demonstration(
        same | {"tensorflow": claim(naive, lambda x: x + SELU.scale, zero)},
        same | {"keras": below(in_tensorflow(keras_activations.selu, zero))},
    )


@difference(
    "prelu-kink",
    torch="the slope",
    keras="0: relu(x) - slope * relu(-x), neither of which has a gradient there",
    tensorflow="has none; tf.nn.leaky_relu gives the slope",
    mapping="parity.frameworks.keras_activations.PReLU gives the slope at exactly 0",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.PReLU.html",
        "https://keras.io/api/layers/activation_layers/prelu/",
    ),
)
def prelu_kink() -> Demonstration:
    """The gradient of PReLU at exactly 0."""
    zero = np.zeros((1, 1), np.float32)
    quarter = keras.initializers.Constant(0.25)
    mapped = keras_activations.PReLU(1)
    mapped.alpha.assign([0.25])
    same = {
        "numpynet": exactly(in_numpynet(PReLU(), zero), 0.25),
        "torch": exactly(in_torch(torch.nn.PReLU(), zero), 0.25),
    }
    return Demonstration(
        same | {"keras": exactly(in_tensorflow(keras.layers.PReLU(alpha_initializer=quarter), zero), 0)},
        same | {"keras": exactly(in_tensorflow(mapped, zero), 0.25)},
    )


@difference(
    "hardswish-kinks",
    torch="before 2.7 those of the parabola, -0.5 and 1.5; since then 0 and 1",
    keras="0 and 1",
    tensorflow="has none; composed of tf.nn.relu6 0 and 1",
    mapping="parity.frameworks.torch_activations.Hardswish gives 0 and 1 at exactly -3 and 3",
    sources=(
        "https://github.com/pytorch/pytorch/issues/147801",
        "https://github.com/pytorch/pytorch/pull/143899",
    ),
    when="torch<2.7",
)
def hardswish_kinks() -> Demonstration:
    """The gradients of HardSwish at exactly -3 and 3."""
    x = np.array([-3, 3], np.float32)
    same = {
        "numpynet": exactly(in_numpynet(HardSwish(), x), [0, 1]),
        "keras": exactly(in_tensorflow(keras.layers.Activation("hard_silu"), x), [0, 1]),
    }
    return Demonstration(
        same | {"torch": exactly(in_torch(torch.nn.Hardswish(), x), [-0.5, 1.5])},
        same | {"torch": exactly(in_torch(torch_activations.Hardswish(), x), [0, 1])},
    )


@difference(
    "maximum-ties",
    torch="max over one axis: to the first; amax, and max over all axes: shared equally",
    keras="as TensorFlow",
    tensorflow="tf.reduce_max: shared equally; tf.nn.max_pool: to the first",
    mapping="to the first, by torch.max over one axis and by tf.argmax",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.amax.html",
        "https://www.tensorflow.org/api_docs/python/tf/math/reduce_max",
    ),
)
def maximum_ties() -> Demonstration:
    """The gradient of a maximum that is reached twice."""
    x = np.array([[2, 2, 1]], np.float32)
    ours = {"numpynet": exactly(in_numpynet(Maxout(3), x), [[1, 0, 0]])}
    return Demonstration(
        ours
        | {
            "torch": exactly(in_torch(lambda x: torch.amax(x, 1), x), [[0.5, 0.5, 0]]),
            "tensorflow": exactly(in_tensorflow(lambda x: tf.reduce_max(x, 1), x), [[0.5, 0.5, 0]]),
        },
        ours
        | {
            "torch": exactly(in_torch(torch_activations.Maxout(3), x), [[1, 0, 0]]),
            "tensorflow": exactly(in_tensorflow(keras_activations.Maxout(3), x), [[1, 0, 0]]),
        },
    )
