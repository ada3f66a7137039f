"""Keras layers for numpynet layers that Keras has only in another form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from numpynet import Array


class Scale(keras.layers.Layer):
    """gamma * x + beta along `axis`."""

    def __init__(self, num_features: int, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis
        self.gamma = self.add_weight(shape=(num_features,), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(num_features,), initializer="zeros", name="beta")
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        after = len(inputs.shape) - 1 - self.axis if self.axis >= 0 else -1 - self.axis
        shape = (-1, *[1] * after)
        return tf.reshape(self.gamma, shape) * inputs + tf.reshape(self.beta, shape)

    def compute_output_shape(self, input_shape: Any) -> Any:  # which spares Keras tracing `call` in a network
        return input_shape


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' BatchNormalization over the second axis, without gamma and beta, for inputs of any rank.

    Keras fixes the rank when it makes the variables.
    """

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


class GroupNormalization(keras.layers.GroupNormalization):
    """Keras' GroupNormalization over the second axis, without gamma and beta.

    The length of that axis may be open, as where Flatten made it of open sides: there is no weight of its length.
    """

    def __init__(self, groups: int, epsilon: float) -> None:
        super().__init__(groups, 1, epsilon, center=False, scale=False)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) > 1 and input_shape[1] is None:
            self.built = True
        else:
            super().build(input_shape)


class OnImages(keras.layers.Layer):
    """A Keras layer for channels last, on images (N, C, H, W) that are padded with `fill` on both sides.

    Channels last is what TensorFlow has kernels for on every processor.
    """

    def __init__(self, layer: Any, padding: tuple[int, ...] = (0, 0), fill: float = 0.0) -> None:
        super().__init__()
        self.layer, self.fill = layer, fill
        self.widths = [(0, 0), *((width, width) for width in padding), (0, 0)]
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        padded = tf.pad(tf.transpose(inputs, [0, 2, 3, 1]), self.widths, constant_values=self.fill)
        return tf.transpose(self.layer(padded), [0, 3, 1, 2])


class OnImagesAlone(OnImages):
    """The mean of the image's own elements in each window.

    It is the mean with the zeros around the image, divided by the share of the window that is image.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        return super().call(inputs) / super().call(tf.ones_like(inputs[:1, :1]))


class Convolution(keras.layers.Conv2D):
    """Keras' Conv2D, computed in another order where TensorFlow has no kernel for the CPU, or a wrong one.

    Each group is a convolution of its own: Keras leaves groups to XLA, which compiles for every shape (differences,
    conv-groups). Beside a dilation, which Keras refuses, and where one column of windows fits in (differences,
    conv-single-column), all windows are computed, and the stride takes some of the outputs.
    """

    def __init__(self, filters: int, kernel_size: Any, strides: Any, **more: Any) -> None:
        super().__init__(filters, kernel_size, **more)
        self.strides = strides

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        span = self.dilation_rate[1] * (self.kernel_size[1] - 1) + 1
        single_column = inputs.shape[2] is not None and inputs.shape[2] - span < self.strides[1]
        step, strides = (1, 1), self.strides
        if max(self.dilation_rate) > 1 or single_column:
            step, strides = strides, step
        parts = zip(tf.split(inputs, self.groups, -1), tf.split(kernel, self.groups, -1), strict=True)
        outputs = [tf.nn.convolution(*part, strides=strides, dilations=self.dilation_rate) for part in parts]
        return tf.concat(outputs, -1)[:, :: step[0], :: step[1]]


class SharedDropout(keras.layers.Layer):
    """Dropout whose masks come from a NumPy generator: equal generators draw equal masks in every implementation."""

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


class Concatenate(keras.layers.Concatenate):
    """Keras' Concatenate without its check of the shapes, which in Keras 3.3 fails where two axes are of length 1."""

    def build(self, input_shape: Any) -> None:
        self.built = True


class After(keras.layers.Layer):
    """Returns the first of two tensors once the second has been computed.

    Keras calls the layers of a functional model in an order of its own. Where one draws random numbers or moves running
    statistics at several places, the order matters.
    """

    def call(self, inputs: Any) -> Any:
        return inputs[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]


class Loss(keras.layers.Layer):
    """A loss function of (input, target) with its target, as a layer."""

    def __init__(self, function: Callable[[Any, Any], Any], target: Array) -> None:
        super().__init__()
        self.function, self.target = function, target
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.function(inputs, tf.constant(self.target))
