"""The five ways in which the TensorFlow notebook writes a network, each run eagerly, as a graph and through XLA."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from numpynet import Array
from numpynet.module import join
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.lazy import keras, keras_optimizers, tf
from parity.frameworks.tensorflow.framework import arrays, precision
from parity.mapping.convert import convert
from parity.mapping.pair import pairs_of
from parity.modes.models import Model
from parity.modes.raw import operations
from parity.modes.record import Mode, Seen

# Every mode is traced anew on purpose.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())

EXECUTIONS: dict[str, Callable[[Any], Any]] = {
    "eager": lambda step: step,
    "graph": lambda step: tf.function(step, autograph=False),
    "xla": lambda step: tf.function(step, autograph=False, jit_compile=True),
}


class RawOperations:
    """A model written in tf.Variables, tf.nn and assign_sub, with nothing of Keras."""

    def __init__(self, model: Model, counterpart: Counterpart) -> None:
        self.layers: list[tuple[Any, dict[str, Any]]] = []
        self.views: dict[str, TensorView] = {}
        for name, layer in model.network.children().items():
            held = counterpart.parts[name].own.items()
            own = {array: replace(view, tensor=tf.Variable(view.tensor.numpy())) for array, view in held}
            self.layers.append((layer, {array: view.tensor for array, view in own.items()}))
            self.views |= {join(name, array): view for array, view in own.items()}
        self.rule = model.rule()
        self.variables = [self.views[name].tensor for name in model.network.named_parameters()]
        self.velocities = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]

    def __call__(self, inputs: Any) -> Any:
        for layer, own in self.layers:
            inputs = operations(layer, inputs, **own)
        return inputs

    def update(self, gradients: list[Any]) -> None:
        for variable, velocity, gradient in zip(self.variables, self.velocities, gradients, strict=True):
            velocity.assign(self.rule.momentum * velocity + gradient)
            variable.assign_sub(self.rule.lr * (gradient + self.rule.momentum * velocity))


class KerasModel:
    """The pair's layers in a Keras model that `build` makes of them, with the pair's optimizer."""

    def __init__(self, build: Callable[[list[Any], Array], Any], model: Model, counterpart: Counterpart) -> None:
        self.layer = build([part.layer for part in counterpart.parts.values()], model.batches[0])
        self.views = counterpart.tensors()
        trained = {name: self.views[name] for name in model.network.named_parameters()}
        self.variables = [view.tensor for view in trained.values()]
        rule = model.rule()
        self.optimizer = keras_optimizers.Rule(rule, pairs_of("tensorflow").optimizer(rule), trained)

    def __call__(self, inputs: Any) -> Any:
        return self.layer(inputs, training=True)

    def update(self, gradients: list[Any]) -> None:
        self.optimizer.apply(gradients)


def subclass(layers: list[Any], example: Array) -> Any:
    class Network(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.parts = layers

        def call(self, inputs: Any, training: bool = False) -> Any:
            for layer in self.parts:  # they learn of `training` from the model's own call
                inputs = layer(inputs)
            return inputs

    return Network()


def sequential(layers: list[Any], example: Array) -> Any:
    return keras.Sequential(layers)


def functional(layers: list[Any], example: Array) -> Any:
    inputs = outputs = keras.Input(example.shape[1:])
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


class Taped:
    """A mode that trains the model, written in one way, by a GradientTape."""

    def __init__(self, write: Callable[[Model, Counterpart], Any], model: Model, execution: str) -> None:
        self.model = model
        with precision(model.dtype):
            self.way = write(model, convert(model.network, "tensorflow"))
        self.run = EXECUTIONS[execution](self._step)

    def _step(self, inputs: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            output = self.way(inputs)
            loss = self.model.loss("tensorflow")(output, target)
        gradients = tape.gradient(loss, self.way.variables)
        self.way.update(gradients)
        return output, loss, gradients

    def step(self, inputs: Array) -> Seen:
        with precision(self.model.dtype):
            output, loss, gradients = self.run(tf.constant(inputs), tf.constant(self.model.target))
        names = self.model.network.named_parameters()
        found = {
            name: self.way.views[name].read(gradient.numpy()) for name, gradient in zip(names, gradients, strict=True)
        }
        return Seen(loss.numpy(), arrays(self.way.views), output.numpy(), found)


class Fitted:
    """A mode that compiles the Keras model, and fits it one batch at a time.

    `floatx` is whether Keras' floatx is the model's dtype; otherwise it is what Keras starts with, float32.
    """

    def __init__(self, floatx: bool, model: Model, execution: str) -> None:
        self.model = model
        self.precision = partial(precision, model.dtype) if floatx else contextlib.nullcontext
        with precision(model.dtype):
            self.way = KerasModel(sequential, model, convert(model.network, "tensorflow"))
        with self.precision():
            self.way.layer.compile(
                self.way.optimizer.keras,
                loss=lambda target, output: model.loss("tensorflow")(output, target),
                run_eagerly=execution == "eager",
                jit_compile=execution == "xla",
            )

    def step(self, inputs: Array) -> Seen:
        with self.precision():
            history = self.way.layer.fit(
                inputs, self.model.target, batch_size=len(inputs), shuffle=False, verbose=0
            ).history
        return Seen(np.asarray(history["loss"][0], self.model.dtype), arrays(self.way.views))


WAYS: dict[str, Callable[[Model, str], Mode]] = {
    "raw": partial(Taped, RawOperations),
    **{build.__name__: partial(Taped, partial(KerasModel, build)) for build in (subclass, sequential, functional)},
    "fit": partial(Fitted, True),
    "fit at floatx float32": partial(Fitted, False),
}


def modes(model: Model) -> list[tuple[str, str]]:
    """Every (mode, execution) to run the model in.

    "fit at floatx float32" has rows where the model's dtype is another; XLA adds nothing to them.
    """
    found = [(mode, execution) for mode in WAYS for execution in EXECUTIONS]
    if model.dtype == np.float32:
        return [(mode, execution) for mode, execution in found if mode != "fit at floatx float32"]
    return [each for each in found if each != ("fit at floatx float32", "xla")]


def make(mode: str, execution: str, model: Model) -> Mode:
    return WAYS[mode](model, execution)
