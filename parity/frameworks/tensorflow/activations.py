"""Keras' activations where a kink, a constant or a shape differs from numpynet's (see `parity.catalogue`)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from numpynet import SELU


def selu(x: Any) -> Any:
    """Keras' SELU, but for the gradient where the output is exactly 0: scale * alpha, where TensorFlow's is scale.

    TensorFlow tells the sides apart by the output, exp(x) - 1, which is 0 for small negative inputs too.
    """
    output = keras.activations.selu(x)
    below = SELU.scale * SELU.alpha * x
    return tf.where((x <= 0) & (output == 0), tf.stop_gradient(output - below) + below, output)


def gelu(x: Any, approximate: str) -> Any:
    """Keras' GELU; in float64 its formula with constants in double precision, which TensorFlow's are not."""
    if x.dtype != tf.float64:
        return keras.activations.gelu(x, approximate=approximate == "tanh")
    if approximate == "tanh":
        return 0.5 * x * (1 + tf.tanh(0.7978845608028654 * (x + 0.044715 * tf.pow(x, 3))))
    return 0.5 * x * tf.math.erfc(-0.7071067811865476 * x)


class PReLU(keras.layers.PReLU):
    """Keras' PReLU for inputs of any rank, with one slope for all or one for each feature on the second axis.

    The gradient at exactly 0 is the slope, where Keras' is 0.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.build((None, num_features))
        self.input_spec = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        rank = len(inputs.shape)
        last = tf.transpose(inputs, [0, *range(2, rank), 1])
        outputs = tf.where(last == 0, tf.convert_to_tensor(self.alpha) * last, super().call(last))
        return tf.transpose(outputs, [0, rank - 1, *range(1, rank - 1)])


class Maxout(keras.layers.Layer):
    """The largest of each `pieces` consecutive features on the second axis.

    Of equal ones the first has the gradient.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        shape = tf.shape(inputs)
        groups = tf.reshape(inputs, tf.concat([shape[:1], [-1, self.pieces], shape[2:]], 0))
        first = tf.one_hot(tf.argmax(groups, axis=2), self.pieces, axis=2, dtype=inputs.dtype)
        outputs = tf.reduce_sum(groups * first, axis=2)
        features = inputs.shape[1] and inputs.shape[1] // self.pieces  # None where Flatten made them of open sides
        outputs.set_shape([inputs.shape[0], features, *inputs.shape[2:]])
        return outputs
