"""Layers written as TensorFlow's raw operations, on arrays in the layout that their pairs give them."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from numpynet import BatchNormalization, Conv2d, Flatten, Linear, LogSoftMax, Module, ReLU, Scaling, SoftMax
from parity.frameworks.lazy import tf
from parity.modes.record import NotHere


@singledispatch
def operations(module: Module, input: Any, **arrays: Any) -> Any:
    """The output of `module` for `input` in training; `arrays` are its parameters and running statistics by name.

    Raises NotHere for a class that has none registered.
    """
    raise NotHere(f"no raw operations for {type(module).__name__}")


@operations.register
def _(module: Linear, input: Any, weight: Any, bias: Any = None) -> Any:
    product = tf.matmul(input, weight)
    return product if bias is None else product + bias


@operations.register
def _(module: Conv2d, input: Any, weight: Any, bias: Any = None) -> Any:
    rows, columns = module.padding
    images = tf.transpose(input, [0, 2, 3, 1])
    padding = [[0, 0], [rows, rows], [columns, columns], [0, 0]]
    output = tf.nn.conv2d(images, weight, module.stride, padding, dilations=module.dilation)
    return tf.transpose(output if bias is None else output + bias, [0, 3, 1, 2])


@operations.register
def _(module: BatchNormalization, input: Any, running_mean: Any, running_var: Any) -> Any:
    axes = [axis for axis in range(len(input.shape)) if axis != 1]
    mean, variance = tf.nn.moments(input, axes, keepdims=True)
    for running, batch in ((running_mean, mean), (running_var, variance)):
        running.assign(module.alpha * running + (1 - module.alpha) * tf.reshape(batch, [-1]))
    return tf.nn.batch_normalization(input, mean, variance, None, None, module.eps)


@operations.register
def _(module: Scaling, input: Any, gamma: Any, beta: Any) -> Any:
    shape = [1, -1, *[1] * (len(input.shape) - 2)]
    return tf.reshape(gamma, shape) * input + tf.reshape(beta, shape)


@operations.register
def _(module: Flatten, input: Any) -> Any:
    return tf.reshape(input, [input.shape[0], -1])


@operations.register
def _(module: ReLU, input: Any) -> Any:
    return tf.nn.relu(input)


@operations.register
def _(module: SoftMax, input: Any) -> Any:
    return tf.nn.softmax(input)


@operations.register
def _(module: LogSoftMax, input: Any) -> Any:
    return tf.nn.log_softmax(input)
