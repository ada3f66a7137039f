"""What demonstrations run: outputs, gradients and losses of each implementation, and optimizers that follow a rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer
from parity.frameworks.counterpart import TensorView
from parity.frameworks.lazy import keras_optimizers, tf, torch, torch_optimizers
from parity.mapping.convert import to_tensorflow, to_torch
from parity.mapping.pair import pairs_of


def outputs(net: Module, x: Array) -> dict[str, Array]:
    """The outputs of the three implementations for x, all built from numpynet's network."""
    return {
        "numpynet": net(x),
        "torch": to_torch(net)(torch.from_numpy(x)).detach().numpy(),
        "tensorflow": to_tensorflow(net)(x).numpy(),
    }


def on_image(net: Module, x: Array) -> dict[str, Array]:
    """The outputs of the three implementations for one image of one channel, without these axes."""
    return {who: found[0, 0] for who, found in outputs(net, x[None, None]).items()}


def numpynet_gradient(layer: Module, x: Array, cotangent: Array | None = None) -> Array:
    """The gradient of `layer(x)` for x, under a cotangent; without one that of its sum."""
    output = layer(x)
    return layer.backward(np.ones_like(output) if cotangent is None else cotangent)


def torch_gradient(function: Callable[[Any], Any], x: Array, cotangent: Array | None = None) -> Array:
    """The same of torch's `function`."""
    watched = torch.from_numpy(x.copy()).requires_grad_()
    output = function(watched)
    output.backward(torch.ones_like(output) if cotangent is None else torch.from_numpy(cotangent))
    return np.asarray(watched.grad)


def tensorflow_gradient(function: Callable[[Any], Any], x: Array, cotangent: Array | None = None) -> Array:
    """The same of TensorFlow's `function`."""
    watched = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        output = function(watched)
    return np.asarray(tape.gradient(output, watched, None if cotangent is None else tf.constant(cotangent)))


def losses(criterion: Criterion, input: Array, target: Array) -> dict[str, Array]:
    """The loss by a numpynet criterion, and by what its pair makes of it in the frameworks."""
    of_torch, of_tensorflow = pairs_of("torch").loss(criterion), pairs_of("tensorflow").loss(criterion)
    return {
        "numpynet": np.asarray(criterion(input, target)),
        "torch": np.asarray(of_torch(torch.from_numpy(input), torch.from_numpy(target))),
        "tensorflow": np.asarray(of_tensorflow(tf.constant(input), tf.constant(target))),
    }


def torch_following(rule: Optimizer, parameters: list[Any]) -> Any:
    """torch's optimizer of these parameters that follows numpynet's rule, as its pair says."""
    views = {str(place): TensorView(parameter) for place, parameter in enumerate(parameters)}
    return torch_optimizers.Rule(rule, pairs_of("torch").optimizer(rule), views).optimizer


def keras_following(rule: Optimizer, variables: list[Any]) -> Any:
    """Keras' optimizer of these variables that follows numpynet's rule, as its pair says."""
    views = {str(index): TensorView(variable) for index, variable in enumerate(variables)}
    return keras_optimizers.Rule(rule, pairs_of("tensorflow").optimizer(rule), views)
