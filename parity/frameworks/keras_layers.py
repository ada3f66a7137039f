"""Keras layers for numpynet layers that Keras has only in another form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from numpynet import Array


class Scale(keras.layers.Layer):
    """gamma * x + beta along the second axis."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.gamma = self.add_weight(shape=(num_features,), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(num_features,), initializer="zeros", name="beta")
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        shape = (1, -1, *[1] * (len(inputs.shape) - 2))
        return tf.reshape(self.gamma, shape) * inputs + tf.reshape(self.beta, shape)


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' own over the second axis, for inputs of any rank: Keras fixes the rank when it makes the variables."""

    def __init__(self, num_features: int, momentum: float, epsilon: float) -> None:
        super().__init__(axis=-1, momentum=momentum, epsilon=epsilon, center=False, scale=False)
        self.build((None, num_features))
        self.input_spec = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        if len(inputs.shape) == 2:
            return super().call(inputs, training=training)
        last = tf.transpose(inputs, [0, *range(2, len(inputs.shape)), 1])
        flat = super().call(tf.reshape(last, [-1, inputs.shape[1]]), training=training)
        rank = len(inputs.shape)
        return tf.transpose(tf.reshape(flat, tf.shape(last)), [0, rank - 1, *range(1, rank - 1)])


class SharedDropout(keras.layers.Layer):
    """Dropout whose masks come from a NumPy generator: equal generators, equal masks in every implementation."""

    def __init__(self, p: float, rng: np.random.Generator) -> None:
        super().__init__()
        self.p, self.rng = p, rng
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.p == 0:
            return inputs
        kept = tf.numpy_function(self._mask, [tf.shape(inputs)], tf.bool)
        kept.set_shape(inputs.shape)
        return inputs * (tf.cast(kept, inputs.dtype) * (1 / (1 - self.p)))

    def _mask(self, shape: Array) -> Array:
        return self.rng.random(tuple(shape), np.float32) >= self.p


class Loss(keras.layers.Layer):
    """A loss function with its target."""

    def __init__(self, function: Callable[[Any, Any], Any], target: Array) -> None:
        super().__init__()
        self.function, self.target = function, target
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.function(inputs, tf.constant(self.target))
