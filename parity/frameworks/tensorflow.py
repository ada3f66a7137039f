"""TensorFlow and Keras: conversion of numpynet modules, and the converted model as an implementation under test."""

from __future__ import annotations

import contextlib
import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer
from numpynet.module import each
from numpynet.training.trainer import batches
from parity.lazy import keras, tf
from parity.pairing import Case, Counterpart, Tensor, counterpart, dtype_of, pair_of
from parity.rungs.record import Places

# Networks of width 1 are drawn on purpose.
warnings.filterwarnings("ignore", message="You are using a softmax over axis")


@contextlib.contextmanager
def precision(dtype: np.dtype[Any]) -> Iterator[None]:
    """A context in which Keras builds layers and computes losses in this dtype.

    Keras computes losses and casts inputs in `floatx`, whatever the layers' own dtype (keras losses/loss.py).
    """
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(dtype.name)
    keras.config.set_dtype_policy(dtype.name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def convert(module: Module, dtype: np.dtype[Any]) -> Counterpart:
    """The Keras counterpart of `module`, with its weights, running statistics and a copy of its random state."""
    module = copy.deepcopy(module)
    with precision(dtype):
        built = counterpart(module, "tensorflow")
    tensors = built.tensors()
    for name, values in module.state_dict().items():
        tensors[name].tensor.assign(tensors[name].to_framework(values))
    for name, parameter in module.named_parameters().items():
        tensors[name].tensor.trainable = parameter.trainable
    return built


class Subject:
    """The Keras counterpart of a case's module, observed while it runs eagerly."""

    name = "tensorflow"

    def __init__(self, case: Case) -> None:
        module = case.fresh()
        self.dtype, self.training = case.dtype, case.training
        self.counterpart = convert(module, case.dtype)
        self.layer = self.counterpart.layer
        tensors = self.counterpart.tensors()
        self.tensors = {name: tensors[name] for name in module.state_dict()}
        self.trained = {name: tensors[name] for name in module.named_parameters()}
        self.moved = {name: place.tensor for name, place in self.trained.items() if name not in case.frozen}
        self.optimizer = None
        if (rule := case.rule()) and self.moved:
            with precision(case.dtype):
                self.optimizer = pair_of(rule).tensorflow_optimizer(  # type: ignore[attr-defined]
                    rule, list(self.moved.values())
                )
        self.outputs: dict[str, Any] = {}
        self.places = Places(module)
        for name, leaf in self.counterpart.leaves().items():
            if name:
                leaf.call = self._observer(name, leaf.call)

    def _observer(self, name: str, call: Any) -> Any:
        def observe(*args: Any, **kwargs: Any) -> Any:
            output = tf.identity(call(*args, **kwargs))  # a tensor of its own, also where a layer hands on its input
            self.outputs[self.places.of_call(name)] = output
            return output

        return observe

    @property
    def observed(self) -> dict[str, list[Array]]:
        gradients = getattr(self, "output_gradients", {})
        return {
            name: [output.numpy()] + ([gradients[name].numpy()] if name in gradients else [])
            for name, output in self.outputs.items()
        }

    def zero_grad(self) -> None:
        self.found: dict[str, Any] = {}

    def forward(self, input: Any) -> Any:
        self.places.calls.clear()
        self.input = each(tf.constant, input)
        self.output_gradients: dict[str, Any] = {}
        with precision(self.dtype), tf.GradientTape() as self.tape:
            self.sources = self.input, {name: _variable(place.tensor) for name, place in self.trained.items()}
            self.tape.watch(self.sources)
            self.output = self.layer(self.input, training=self.training)
        return each(_numpy, self.output)

    def backward(self, cotangent: Any) -> Any:
        of_input, of_parameters, self.output_gradients = self.tape.gradient(
            self.output,
            (*self.sources, self.outputs),
            each(tf.constant, cotangent),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        self.found = {
            name: self.found[name] + grad if name in self.found else grad for name, grad in of_parameters.items()
        }
        return each(_numpy, of_input)

    def gradients(self) -> dict[str, Array]:
        return {name: self.trained[name].to_numpynet(grad.numpy()) for name, grad in self.found.items()}

    def state(self) -> dict[str, Array]:
        return arrays(self.tensors)

    def step(self, lr: float) -> None:
        if self.optimizer is not None:
            with precision(self.dtype):
                self.optimizer.step([self.found[name] for name in self.moved], lr)

    def slots(self) -> dict[str, dict[str, Array]]:
        if self.optimizer is None:
            return {}
        return {
            name: {slot: self.trained[name].to_numpynet(values) for slot, values in state.items()}
            for name, state in zip(self.moved, self.optimizer.state(), strict=True)
        }


class Trainer:
    """The model, criterion and optimizer of a numpynet `Trainer` in Keras, for `numpynet.training.fit`.

    Each step is compiled by tf.function.
    """

    name = "tensorflow"

    def __init__(self, model: Module, criterion: Criterion, optimizer: Optimizer) -> None:
        self.dtype = dtype_of(model)
        self.criterion, self.source = criterion, optimizer
        self.counterpart = convert(model, self.dtype)
        self.layer = self.counterpart.layer
        self.loss_function = pair_of(criterion).tensorflow_loss(criterion)  # type: ignore[attr-defined]
        tensors = self.counterpart.tensors()
        self.variables = [tensors[name].tensor for name, p in model.named_parameters().items() if p.trainable]
        with precision(self.dtype):
            self.optimizer = pair_of(optimizer).tensorflow_optimizer(  # type: ignore[attr-defined]
                optimizer, self.variables
            )
        self.compiled_step = tf.function(self._step)
        self.compiled_prediction = tf.function(lambda inputs: self.layer(inputs, training=False))

    def _step(self, inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = self.layer(inputs, training=True)
            loss = self.loss_function(outputs, targets)
        self.optimizer.apply(tape.gradient(loss, [_variable(v) for v in self.variables]))
        return loss, outputs

    def step(self, inputs: Any, targets: Array) -> float:
        self.optimizer.set_lr(self.source.lr)
        with precision(self.dtype):
            loss, outputs = self.compiled_step(each(self._tensor, inputs), tf.constant(targets))
        self.outputs = outputs.numpy()
        return float(loss)

    def predict(self, inputs: Any, batch_size: int = 1024) -> Array:
        with precision(self.dtype):
            found = [self.compiled_prediction(each(self._tensor, batch)) for batch in batches(inputs, batch_size)]
        return np.concatenate([outputs.numpy() for outputs in found])

    def _tensor(self, values: Array) -> Any:
        return tf.constant(values.astype(self.dtype, copy=False))

    def loss(self, outputs: Array, targets: Array) -> float:
        return float(self.criterion(outputs, targets))

    def state(self) -> dict[str, Array]:
        return arrays(self.counterpart.tensors())


def _variable(variable: Any) -> Any:
    """The tf.Variable inside a Keras variable."""
    return variable if callable(variable.value) else variable.value


def arrays(places: Mapping[str, Tensor]) -> dict[str, Array]:
    """The values of the variables by name, in numpynet's layout."""
    return {name: place.to_numpynet(_numpy(place.tensor)) for name, place in places.items()}


def _numpy(variable: Any) -> Array:
    return np.asarray(variable.numpy()).copy()
