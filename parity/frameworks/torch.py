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
from parity.lazy import torch
from parity.pairing import Case, Counterpart, Tensor, counterpart, dtype_of, pair_of
from parity.rungs.record import Places


@contextlib.contextmanager
def precision(dtype: np.dtype[Any]) -> Iterator[None]:
    """A context in which torch builds layers of this dtype."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype.name))
    try:
        yield
    finally:
        torch.set_default_dtype(previous)


def convert(module: Module, dtype: np.dtype[Any]) -> Counterpart:
    """The torch counterpart of `module`, with its weights, running statistics, mode and a copy of its random state."""
    module = copy.deepcopy(module)
    with precision(dtype):
        built = counterpart(module, "torch")
    tensors = built.tensors()
    with torch.no_grad():
        for name, values in module.state_dict().items():
            place = tensors[name]
            place.tensor.copy_(torch.from_numpy(np.ascontiguousarray(place.to_framework(values))))
    for name, parameter in module.named_parameters().items():
        tensors[name].tensor.requires_grad_(parameter.trainable)
    built.layer.train(module.training)
    return built


class Subject:
    """The torch counterpart of a case's module, observed while it runs."""

    name = "torch"

    def __init__(self, case: Case) -> None:
        module = case.fresh()
        self.counterpart = convert(module, case.dtype)
        self.layer = self.counterpart.layer
        tensors = self.counterpart.tensors()
        self.tensors = {name: tensors[name] for name in module.state_dict()}
        self.trained = {name: tensors[name] for name in module.named_parameters()}
        self.moved = {name: place.tensor for name, place in self.trained.items() if name not in case.frozen}
        for place in self.trained.values():
            place.tensor.requires_grad_(True)  # a frozen one has a gradient too; the optimizer is not given it
        self.optimizer = None
        if (rule := case.rule()) and self.moved:
            self.optimizer = pair_of(rule).torch_optimizer(rule, self.moved.values())  # type: ignore[attr-defined]
            self.names_of_slots = pair_of(rule).torch_slots  # type: ignore[attr-defined]
        self.outputs: dict[str, Any] = {}
        self.places = Places(module)
        for name, leaf in self.counterpart.leaves().items():
            if name:
                leaf.register_forward_hook(self._observer(name))

    def _observer(self, name: str) -> Any:
        def observe(layer: Any, inputs: Any, output: Any) -> Any:
            output = output.view_as(output)  # a tensor of its own, also where a layer hands on its input
            output.retain_grad()
            self.outputs[self.places.of_call(name)] = output
            return output

        return observe

    @property
    def observed(self) -> dict[str, list[Array]]:
        return {
            name: [to_array(output)] + ([] if output.grad is None else [to_array(output.grad)])
            for name, output in self.outputs.items()
        }

    def zero_grad(self) -> None:
        self.layer.zero_grad()

    def forward(self, input: Any) -> Any:
        self.places.calls.clear()
        self.input = each(lambda array: torch.from_numpy(np.array(array)).requires_grad_(True), input)
        self.output = self.layer(self.input)
        return each(to_array, self.output)

    def backward(self, cotangent: Any) -> Any:
        torch.autograd.backward(self.output, each(lambda array: torch.from_numpy(np.array(array)), cotangent))
        return each(lambda tensor: to_array(tensor.grad), self.input)

    def gradients(self) -> dict[str, Array]:
        return {name: place.to_numpynet(to_array(place.tensor.grad)) for name, place in self.trained.items()}

    def state(self) -> dict[str, Array]:
        return arrays(self.tensors)

    def step(self, lr: float) -> None:
        if self.optimizer is not None:
            self.optimizer.param_groups[0]["lr"] = lr
            self.optimizer.step()

    def slots(self) -> dict[str, dict[str, Array]]:
        if self.optimizer is None:
            return {}
        return {
            name: {
                slot: self.trained[name].to_numpynet(to_array(self.optimizer.state[tensor][of_torch]))
                for slot, of_torch in self.names_of_slots.items()
                if self.optimizer.state[tensor].get(of_torch) is not None
            }
            for name, tensor in self.moved.items()
        }


class Trainer:
    """The model, criterion and optimizer of a numpynet `Trainer` in PyTorch, for `numpynet.training.fit`."""

    name = "torch"

    def __init__(self, model: Module, criterion: Criterion, optimizer: Optimizer) -> None:
        self.dtype = dtype_of(model)
        self.criterion, self.source = criterion, optimizer
        self.counterpart = convert(model, self.dtype)
        self.layer = self.counterpart.layer
        self.loss_function = pair_of(criterion).torch_loss(criterion)  # type: ignore[attr-defined]
        tensors = self.counterpart.tensors()
        trained = [tensors[name].tensor for name, p in model.named_parameters().items() if p.trainable]
        self.optimizer = pair_of(optimizer).torch_optimizer(optimizer, trained)  # type: ignore[attr-defined]

    def step(self, inputs: Any, targets: Array) -> float:
        self.layer.train()
        self.optimizer.param_groups[0]["lr"] = self.source.lr
        self.optimizer.zero_grad()
        outputs = self.layer(each(self._tensor, inputs))
        loss = self.loss_function(outputs, torch.from_numpy(targets))
        loss.backward()
        self.optimizer.step()
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


def arrays(places: Mapping[str, Tensor]) -> dict[str, Array]:
    """The values of the tensors by name, in numpynet's layout."""
    return {name: place.to_numpynet(to_array(place.tensor)) for name, place in places.items()}


def to_array(tensor: Any) -> Array:
    """A copy of the tensor's values as a NumPy array."""
    values: Array = tensor.detach().numpy().copy()
    return values
