"""Differences of gradients where a function has none: at kinks, and at maxima that are reached twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import SELU, Array, HardSwish, Maxout, Module, PReLU
from parity.catalogue.difference import Claim, Demonstration, claim, difference, exactly
from parity.frameworks.lazy import keras, keras_activations, tf, torch, torch_activations


def in_numpynet(layer: Module, x: Array) -> Array:
    """The gradient of the sum of `layer(x)` for x."""
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
        "numpynet": zero_is_below(in_numpynet(SELU(), around)),
        "torch": zero_is_below(in_torch(torch.nn.SELU(), around)),
    }
    naive = in_tensorflow(tf.nn.selu, around)
    return Demonstration(
        same | {"tensorflow": claim(naive, slopes(lambda x: x >= 0), around)},
        same | {"keras": zero_is_below(in_tensorflow(keras_activations.selu, around))},
    )


@difference(
    "prelu-kink",
    torch="the slope",
    keras="0: relu(x) - slope * relu(-x), neither of which has a gradient there",
    tensorflow="has none; tf.nn.leaky_relu gives the slope",
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
        "numpynet": exactly(in_numpynet(PReLU(), around), slope_at_zero),
        "torch": exactly(in_torch(torch.nn.PReLU(), around), slope_at_zero),
    }
    naive = keras.layers.PReLU(alpha_initializer=quarter)
    return Demonstration(
        same | {"keras": exactly(in_tensorflow(naive, around), nothing_at_zero)},
        same | {"keras": exactly(in_tensorflow(mapped, around), slope_at_zero)},
    )


@difference(
    "hardswish-kinks",
    torch="before 2.8 those of the parabola, -0.5 and 1.5; since then 0 and 1",
    keras="0 and 1",
    tensorflow="has none; composed of tf.nn.relu6 0 and 1",
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
        "numpynet": exactly(in_numpynet(HardSwish(), x), [0, 0, 1, 1]),
        "keras": exactly(in_tensorflow(keras.layers.Activation("hard_silu"), x), [0, 0, 1, 1]),
    }
    return Demonstration(
        same | {"torch": exactly(in_torch(torch.nn.Hardswish(), x), [0, -0.5, 1.5, 1])},
        same | {"torch": exactly(in_torch(torch_activations.Hardswish(), x), [0, 0, 1, 1])},
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
    """The gradient of a maximum that is reached twice; of one that is reached once all agree."""
    tied, single = np.array([[2, 2, 1]], np.float32), np.array([[2, 3, 1]], np.float32)

    def as_they_come(x: Array) -> dict[str, Array]:
        return {
            "numpynet": in_numpynet(Maxout(3), x),
            "torch": in_torch(lambda x: torch.amax(x, 1), x),
            "torch's max over all axes": in_torch(torch.max, x),
            "torch's max over one axis": in_torch(lambda x: torch.max(x, 1).values, x),
            "tensorflow": in_tensorflow(lambda x: tf.reduce_max(x, 1), x),
            "tensorflow's max_pool": in_tensorflow(lambda x: tf.nn.max_pool1d(x[..., None], 3, 3, "VALID"), x),
        }

    first = ("numpynet", "torch's max over one axis", "tensorflow's max_pool")
    mapped = {
        "numpynet": in_numpynet(Maxout(3), tied),
        "torch": in_torch(torch_activations.Maxout(3), tied),
        "tensorflow": in_tensorflow(keras_activations.Maxout(3), tied),
    }
    return Demonstration(
        {
            who: exactly(values, [[1, 0, 0]] if who in first else [[0.5, 0.5, 0]])
            for who, values in as_they_come(tied).items()
        },
        {who: exactly(values, [[1, 0, 0]]) for who, values in mapped.items()},
        {who: exactly(values, [[0, 1, 0]]) for who, values in as_they_come(single).items()},
    )
