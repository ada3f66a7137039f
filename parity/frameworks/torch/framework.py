"""PyTorch: conversion of numpynet modules, and the converted module as an implementation under test."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer
from numpynet.module import each
from numpynet.training.trainer import batches
from parity.case import Case, dtype_of, parts
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.framework import CallSites, Framework, FrameworkTrainer, Look, LossFunction, Subject, Translation
from parity.frameworks.lazy import torch, torch_layers, torch_optimizers
from parity.layout import as_in, step_of


@contextlib.contextmanager
def precision(dtype: np.dtype[Any]) -> Iterator[None]:
    """A context in which torch builds layers of this dtype."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype.name))
    try:
        yield
    finally:
        torch.set_default_dtype(previous)


def convert(module: Module, dtype: np.dtype[Any], translation: Translation) -> Counterpart:
    """The torch counterpart of `module`, with its weights, running statistics, mode and a copy of its random state."""
    module = copy.deepcopy(module)
    with precision(dtype):
        built = translation.counterpart(module)
    views = built.tensors()
    with torch.no_grad():
        for name, values in module.state_dict().items():
            view = views[name]
            view.tensor.copy_(torch.from_numpy(view.written(values, to_array)))
    for name, parameter in module.named_parameters().items():
        views[name].tensor.requires_grad_(parameter.trainable)
    built.layer.train(module.training)
    return built


class TorchSubject:
    """The torch counterpart of a case's module, observed while it runs."""

    name = "torch"

    def __init__(self, case: Case, translation: Translation) -> None:
        module = case.fresh()
        self.counterpart = convert(module, case.dtype, translation)
        self.layer = self.counterpart.layer
        views = self.counterpart.tensors()
        self.views = {name: views[name] for name in module.state_dict()}
        self.trained = {name: views[name] for name in module.named_parameters()}
        self.moved = {name: view for name, view in self.trained.items() if name not in case.frozen}
        for view in self.trained.values():
            view.tensor.requires_grad_(True)  # a frozen one has a gradient too; the optimizer is not given it
        self.rules = []
        if (rule := case.rule()) is not None:
            for names, share in case.groups(self.moved):
                group = {name: self.moved[name] for name in names}
                self.rules.append((torch_optimizers.Rule(rule, translation.optimizer(rule), group), share))
        self.again = any(step.backwards > 1 for step in case.steps)
        self.outputs: dict[str, Any] = {}
        self.sites = CallSites(module)
        for name, leaf in self.counterpart.leaves().items():
            if name:
                leaf.register_forward_hook(self._observer(name))

    def _observer(self, name: str) -> Any:
        def of_its_own(output: Any) -> Any:
            output = output.view_as(output)  # also where a layer hands on its input
            if output.requires_grad:
                output.retain_grad()
            return output

        def observe(layer: Any, inputs: Any, output: Any) -> Any:
            output = each(of_its_own, output)
            self.outputs[self.sites.of_call(name)] = output
            return output

        return observe

    @property
    def observed(self) -> dict[str, list[Any]]:
        return {name: [each(to_array, output), *_came_back(output)] for name, output in self.outputs.items()}

    def mode(self, training: bool) -> None:
        self.layer.train(training)

    def zero_grad(self) -> None:
        self.layer.zero_grad()

    def forward(self, input: Any) -> Any:
        self.sites.calls.clear()
        self.input = each(_tensor, input)
        self.output = self.layer(self.input)
        return each(to_array, self.output)

    def backward(self, cotangent: Any) -> Any:
        for tensor in parts((self.input, *self.outputs.values())):
            tensor.grad = None  # of the pass before
        gradients = parts(each(_constant, cotangent))
        torch.autograd.backward(parts(self.output), gradients, retain_graph=self.again)
        return each(_of_input, self.input)

    def gradients(self) -> dict[str, Array]:
        return {name: view.read(to_array(view.tensor.grad)) for name, view in self.trained.items()}

    def state(self) -> dict[str, Array]:
        return arrays(self.views)

    def step(self, lr: float) -> None:
        for rule, share in self.rules:
            rule.step(lr * share)

    def slots(self) -> dict[str, dict[str, Array]]:
        return {name: slots for rule, _ in self.rules for name, slots in rule.slots().items()}


class TorchTrainer:
    """The model, criterion and optimizer of a numpynet `Trainer` in PyTorch, for `numpynet.training.fit`."""

    name = "torch"

    def __init__(self, model: Module, criterion: Criterion, optimizer: Optimizer, translation: Translation) -> None:
        self.dtype = dtype_of(model)
        self.criterion, self.optimizer = criterion, optimizer
        self.counterpart = convert(model, self.dtype, translation)
        self.layer = self.counterpart.layer
        self.loss_function = translation.loss(criterion)
        views = self.counterpart.tensors()
        trained = {name: views[name] for name, p in model.named_parameters().items() if p.trainable}
        self.rule = torch_optimizers.Rule(optimizer, translation.optimizer(optimizer), trained)

    @property
    def steps(self) -> int:
        return int(self.rule.steps)

    def step(self, inputs: Any, targets: Array) -> float:
        self.layer.train()
        self.rule.optimizer.zero_grad()
        outputs = self.layer(each(self._tensor, inputs))
        loss = self.loss_function(outputs, torch.from_numpy(targets))
        loss.backward()
        self.rule.step(self.optimizer.lr)
        self.outputs = to_array(outputs)
        return float(loss.detach())

    def predict(self, inputs: Any, batch_size: int = 1024) -> Array:
        self.layer.eval()
        with torch.no_grad():
            return np.concatenate([to_array(self.layer(each(self._tensor, b))) for b in batches(inputs, batch_size)])

    def _tensor(self, values: Array) -> Any:
        return torch.from_numpy(values.astype(self.dtype, copy=False))

    def loss(self, outputs: Array, targets: Array) -> float:
        return float(self.criterion(outputs, targets))

    def state(self) -> dict[str, Array]:
        return arrays(self.counterpart.tensors())


def _tensor(values: Array) -> Any:
    tensor = _constant(values)
    return tensor.requires_grad_(True) if tensor.is_floating_point() else tensor


def _constant(values: Array) -> Any:
    copied = np.array(values)
    # A tensor of torch may have gaps, but none lies backwards.
    return torch.from_numpy(as_in(copied, values) if step_of(values) > 0 else copied)


def _came_back(output: Any) -> list[Any]:
    """The gradients of an output, or of a tuple of them, as the only item of a list; no item where none came back."""
    if all(tensor.grad is None for tensor in parts(output)):
        return []
    return [each(lambda tensor: None if tensor.grad is None else to_array(tensor.grad), output)]


def _of_input(tensor: Any) -> Array | None:
    """The gradient of an input as an array: None where it is of integers, which have none."""
    if not tensor.requires_grad:
        return None
    return np.zeros_like(to_array(tensor)) if tensor.grad is None else to_array(tensor.grad)


def arrays(views: Mapping[str, TensorView]) -> dict[str, Array]:
    """The values of the tensors by name, in numpynet's layout."""
    return {name: view.read(to_array(view.tensor)) for name, view in views.items()}


def to_array(tensor: Any) -> Array:
    """A copy of the tensor's values as a NumPy array."""
    values: Array = tensor.detach().numpy().copy()
    return values


class PyTorch(Framework):
    """PyTorch, on the CPU, eagerly."""

    name = "torch"
    title = "PyTorch"
    place = 1
    look = Look("var(--torch)", "dash", "diamond", 3.0)
    distributions = {"torch": ("torch",)}  # noqa: RUF012
    short = {"torch": "torch"}  # noqa: RUF012
    baseline = True

    def precision(self, dtype: np.dtype[Any]) -> contextlib.AbstractContextManager[None]:
        return precision(dtype)

    def convert(self, module: Module, dtype: np.dtype[Any], translation: Translation) -> Counterpart:
        return convert(module, dtype, translation)

    def arrays(self, counterpart: Counterpart) -> dict[str, Array]:
        return arrays(counterpart.tensors())

    def subject(self, case: Case, translation: Translation) -> Subject:
        return TorchSubject(case, translation)

    def trainer(
        self, model: Module, criterion: Criterion, optimizer: Optimizer, translation: Translation
    ) -> FrameworkTrainer:
        return TorchTrainer(model, criterion, optimizer, translation)

    def with_target(self, function: LossFunction, target: Array) -> Any:
        return torch_layers.Loss(function, target)

    def attempt(self, layer: Any, input: Any, gradient: Array | None, dtype: np.dtype[Any]) -> None:
        tensors = each(_constant, input)
        if gradient is None:
            layer(tensors)
        else:
            layer(each(lambda tensor: tensor.requires_grad_(), tensors)).backward(torch.from_numpy(gradient))

    def sample(self, matrix: Array, filters: Array) -> list[Array]:
        held, kernel = torch.from_numpy(matrix), torch.from_numpy(filters)
        convolved = torch.nn.functional.conv2d(held[None, None], kernel)
        return [to_array(part) for part in (held @ held, held.exp(), held.sum(0), convolved)]

    def switches(self) -> dict[str, str]:
        return {
            "ATEN_CPU_CAPABILITY": torch.backends.cpu.get_cpu_capability(),
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        }

    @contextlib.contextmanager
    def traced(self) -> Iterator[None]:
        """A context in which every function and operator of torch that is called leaves a frame in the traceback.

        They are written in C++, and without it the last frame of what they raise is the caller's.
        """

        class CalledByTorch(torch.overrides.TorchFunctionMode):
            def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
                return function(*args, **(kwargs or {}))

        with CalledByTorch():
            yield

    def assert_close(self, actual: Array, expected: Array) -> None:
        torch.testing.assert_close(torch.from_numpy(np.asarray(actual)), torch.from_numpy(np.asarray(expected)))


FRAMEWORK = PyTorch()
