"""TensorFlow and Keras: conversion of numpynet modules, and the converted model as an implementation under test."""

from __future__ import annotations

import contextlib
import copy
import importlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer
from numpynet.module import each
from numpynet.training.trainer import batches
from parity.case import Case, dtype_of
from parity.frameworks.counterpart import Counterpart, TensorView, distinct
from parity.frameworks.framework import CallSites, Framework, FrameworkTrainer, Look, LossFunction, Subject, Translation
from parity.frameworks.lazy import keras, keras_layers, keras_optimizers, tf

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


def convert(module: Module, dtype: np.dtype[Any], translation: Translation) -> Counterpart:
    """The Keras counterpart of `module`, with its weights, running statistics and a copy of its random state."""
    module = copy.deepcopy(module)
    with precision(dtype):
        built = translation.counterpart(module)
    views = built.tensors()
    for name, values in module.state_dict().items():
        view = views[name]
        view.tensor.assign(view.written(values, to_array))
    for name, parameter in module.named_parameters().items():
        views[name].tensor.trainable = parameter.trainable
    return built


class KerasSubject:
    """The Keras counterpart of a case's module, observed while it runs eagerly."""

    name = "tensorflow"

    def __init__(self, case: Case, translation: Translation) -> None:
        module = case.fresh()
        self.dtype, self.training = case.dtype, case.training
        self.counterpart = convert(module, case.dtype, translation)
        self.layer = self.counterpart.layer
        views = self.counterpart.tensors()
        self.views = {name: views[name] for name in module.state_dict()}
        self.trained = {name: views[name] for name in module.named_parameters()}
        self.moved = {name: view for name, view in self.trained.items() if name not in case.frozen}
        self.rules = []
        if (rule := case.rule()) is not None:
            for names, share in case.groups(self.moved):
                group = {name: self.moved[name] for name in names}
                with precision(case.dtype):
                    self.rules.append((keras_optimizers.Rule(rule, translation.optimizer(rule), group), share))
        self.again = any(step.backwards > 1 for step in case.steps)
        self.outputs: dict[str, Any] = {}
        self.sites = CallSites(module)
        for name, leaf in self.counterpart.leaves().items():
            if name:
                leaf.call = self._observer(name, leaf.call)

    def _observer(self, name: str, call: Any) -> Any:
        def observe(*args: Any, **kwargs: Any) -> Any:
            # Tensors of their own, also where a layer hands on its input.
            output = each(tf.identity, call(*args, **kwargs))
            self.outputs[self.sites.of_call(name)] = output
            return output

        return observe

    @property
    def observed(self) -> dict[str, list[Any]]:
        gradients = getattr(self, "output_gradients", {})
        return {
            name: [each(to_array, output)] + ([each(to_array, gradients[name])] if name in gradients else [])
            for name, output in self.outputs.items()
        }

    def mode(self, training: bool) -> None:
        self.training = training

    def zero_grad(self) -> None:
        self.found: dict[int, Any] = {}

    def forward(self, input: Any) -> Any:
        self.sites.calls.clear()
        self.input = each(tf.constant, input)  # in C's order, whatever the array's: no tensor has another, or gaps
        self.output_gradients: dict[str, Any] = {}
        variables = {id(tensor): _variable(tensor) for tensor in distinct(self.trained)}
        with precision(self.dtype), tf.GradientTape(persistent=self.again) as self.tape:
            self.sources = self.input, variables
            self.tape.watch([part for part in tf.nest.flatten(self.sources) if part.dtype.is_floating])
            self.output = self.layer(self.input, training=self.training)
        return each(to_array, self.output)

    def backward(self, cotangent: Any) -> Any:
        of_input, of_variables, self.output_gradients = self.tape.gradient(
            self.output,
            (*self.sources, self.outputs),
            each(tf.constant, cotangent),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        # What looks rows up has a gradient of rows alone.
        of_variables = {tensor: tf.convert_to_tensor(gradient) for tensor, gradient in of_variables.items()}
        self.found = {
            tensor: self.found[tensor] + grad if tensor in self.found else grad for tensor, grad in of_variables.items()
        }
        return _of_inputs(self.input, of_input)

    def gradients(self) -> dict[str, Array]:
        return {name: view.read(to_array(self.found[id(view.tensor)])) for name, view in self.trained.items()}

    def state(self) -> dict[str, Array]:
        return arrays(self.views)

    def step(self, lr: float) -> None:
        for rule, share in self.rules:
            with precision(self.dtype):
                rule.step([self.found[id(tensor)] for tensor in rule.variables], lr * share)

    def slots(self) -> dict[str, dict[str, Array]]:
        held = {
            id(tensor): state
            for rule, _ in self.rules
            for tensor, state in zip(rule.variables, rule.state(), strict=True)
        }
        return {
            name: {slot: view.read(values) for slot, values in held[id(view.tensor)].items()}
            for name, view in self.moved.items()
            if id(view.tensor) in held
        }


class KerasTrainer:
    """The model, criterion and optimizer of a numpynet `Trainer` in Keras, for `numpynet.training.fit`.

    Each step is compiled by tf.function.
    """

    name = "tensorflow"

    def __init__(self, model: Module, criterion: Criterion, optimizer: Optimizer, translation: Translation) -> None:
        self.dtype = dtype_of(model)
        self.criterion, self.optimizer = criterion, optimizer
        self.counterpart = convert(model, self.dtype, translation)
        self.layer = self.counterpart.layer
        self.loss_function = translation.loss(criterion)
        views = self.counterpart.tensors()
        trained = {name: views[name] for name, p in model.named_parameters().items() if p.trainable}
        with precision(self.dtype):
            self.rule = keras_optimizers.Rule(optimizer, translation.optimizer(optimizer), trained)
        self.compiled_step = tf.function(self._step)
        self.compiled_prediction = tf.function(lambda inputs: self.layer(inputs, training=False))

    @property
    def steps(self) -> int:
        return int(self.rule.keras.iterations.numpy())

    def _step(self, inputs: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = self.layer(inputs, training=True)
            loss = self.loss_function(outputs, targets)
        self.rule.apply(tape.gradient(loss, [_variable(v) for v in self.rule.variables]))
        return loss, outputs

    def step(self, inputs: Any, targets: Array) -> float:
        self.rule.set_lr(self.optimizer.lr)
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


def _of_inputs(inputs: Any, gradients: Any) -> Any:
    """The gradients of the inputs as arrays, in the same nested tuples; None for those of integers, which have none."""
    if isinstance(inputs, tuple):
        return tuple(_of_inputs(*both) for both in zip(inputs, gradients, strict=True))
    return to_array(gradients) if inputs.dtype.is_floating else None


def arrays(views: Mapping[str, TensorView]) -> dict[str, Array]:
    """The values of the variables by name, in numpynet's layout."""
    return {name: view.read(to_array(view.tensor)) for name, view in views.items()}


def to_array(variable: Any) -> Array:
    """A copy of the values of a variable or tensor as a NumPy array."""
    return np.asarray(variable.numpy()).copy()


class TensorFlow(Framework):
    """TensorFlow with Keras, on the CPU; cases run eagerly, trainings in a tf.function."""

    name = "tensorflow"
    title = "TensorFlow"
    place = 2
    look = Look("var(--tensorflow)", "dot", "square", 1.8)
    distributions = {  # noqa: RUF012
        "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
        "keras": ("keras",),
    }
    short = {"tf": "tensorflow", "keras": "keras"}  # noqa: RUF012

    def precision(self, dtype: np.dtype[Any]) -> contextlib.AbstractContextManager[None]:
        return precision(dtype)

    def convert(self, module: Module, dtype: np.dtype[Any], translation: Translation) -> Counterpart:
        return convert(module, dtype, translation)

    def arrays(self, counterpart: Counterpart) -> dict[str, Array]:
        return arrays(counterpart.tensors())

    def subject(self, case: Case, translation: Translation) -> Subject:
        return KerasSubject(case, translation)

    def trainer(
        self, model: Module, criterion: Criterion, optimizer: Optimizer, translation: Translation
    ) -> FrameworkTrainer:
        return KerasTrainer(model, criterion, optimizer, translation)

    def with_target(self, function: LossFunction, target: Array) -> Any:
        return keras_layers.Loss(function, target)

    def attempt(self, layer: Any, input: Any, gradient: Array | None, dtype: np.dtype[Any]) -> None:
        with precision(dtype), tf.GradientTape() as tape:
            tensors = each(tf.constant, input)
            tape.watch(tensors)
            output = layer(tensors, training=True)
        if gradient is not None:
            tape.gradient(output, tensors, tf.constant(gradient))

    def sample(self, matrix: Array, filters: Array) -> list[Array]:
        image, kernel = matrix[None, :, :, None], filters.transpose(2, 3, 1, 0)
        convolved = tf.nn.conv2d(image, kernel, 1, "VALID")
        parts = (tf.matmul(matrix, matrix), tf.exp(matrix), tf.reduce_sum(matrix, 0), convolved)
        return [to_array(part) for part in parts]

    def switches(self) -> dict[str, str]:
        port = importlib.import_module("tensorflow.python.util._pywrap_util_port")
        return {"TF_ENABLE_ONEDNN_OPTS": str(int(port.IsMklEnabled()))}

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """A context in which Keras and TensorFlow keep their own frames, which they take out of what they raise."""
        keras.config.disable_traceback_filtering()
        tf.debugging.disable_traceback_filtering()
        try:
            yield
        finally:
            keras.config.enable_traceback_filtering()
            tf.debugging.enable_traceback_filtering()


FRAMEWORK = TensorFlow()
