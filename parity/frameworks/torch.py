"""PyTorch: conversion of numpynet modules, and the converted module as an implementation under test."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from numpynet import SGD, Array, Criterion, Module
from parity.lazy import torch
from parity.pairing import Case, Counterpart, counterpart, dtype_of, pair_of


@contextlib.contextmanager
def precision(dtype: np.dtype[Any]) -> Iterator[None]:
    """Layers built within hold this dtype."""
    previous = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype.name))
    try:
        yield
    finally:
        torch.set_default_dtype(previous)


def convert(module: Module, dtype: np.dtype[Any]) -> Counterpart:
    """The counterpart of `module`, with its weights, running statistics and a copy of its random state."""
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
    """The counterpart of a case's module, observed while it runs."""

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
        if case.sgd is not None and self.moved:
            rule = case.optimizer([], 0, **case.sgd)
            self.optimizer = pair_of(rule).torch_optimizer(rule, self.moved.values())  # type: ignore[attr-defined]
        self.outputs: dict[str, Any] = {}
        for name, leaf in self.counterpart.leaves().items():
            if name:
                leaf.register_forward_hook(self._observer(name))

    def _observer(self, name: str) -> Any:
        def observe(layer: Any, inputs: Any, output: Any) -> None:
            output.retain_grad()
            self.outputs[name] = output

        return observe

    @property
    def observed(self) -> dict[str, list[Array]]:
        return {
            name: [_numpy(output)] + ([] if output.grad is None else [_numpy(output.grad)])
            for name, output in self.outputs.items()
        }

    def zero_grad(self) -> None:
        self.layer.zero_grad()

    def forward(self, input: Array) -> Array:
        self.input = torch.from_numpy(np.array(input)).requires_grad_(True)
        self.output = self.layer(self.input)
        return _numpy(self.output)

    def backward(self, cotangent: Array) -> Array:
        self.output.backward(torch.from_numpy(np.array(cotangent)))
        return _numpy(self.input.grad)

    def gradients(self) -> dict[str, Array]:
        return {name: place.to_numpynet(_numpy(place.tensor.grad)) for name, place in self.trained.items()}

    def state(self) -> dict[str, Array]:
        return {name: place.to_numpynet(_numpy(place.tensor)) for name, place in self.tensors.items()}

    def step(self, lr: float) -> None:
        if self.optimizer is not None:
            self.optimizer.param_groups[0]["lr"] = lr
            self.optimizer.step()

    def velocities(self) -> dict[str, Array]:
        if self.optimizer is None:
            return {}
        return {
            name: self.trained[name].to_numpynet(_numpy(self.optimizer.state[tensor]["momentum_buffer"]))
            for name, tensor in self.moved.items()
            if self.optimizer.state[tensor].get("momentum_buffer") is not None
        }


class Trainer:
    """The same model, criterion and optimizer as a numpynet `Trainer`, in PyTorch; drives `numpynet.training.fit`."""

    name = "torch"

    def __init__(self, model: Module, criterion: Criterion, optimizer: SGD) -> None:
        self.dtype = dtype_of(model)
        self.criterion, self.source = criterion, optimizer
        self.counterpart = convert(model, self.dtype)
        self.layer = self.counterpart.layer
        self.loss_function = pair_of(criterion).torch_loss(criterion)  # type: ignore[attr-defined]
        tensors = self.counterpart.tensors()
        trained = [tensors[name].tensor for name, p in model.named_parameters().items() if p.trainable]
        self.optimizer = pair_of(optimizer).torch_optimizer(optimizer, trained)  # type: ignore[attr-defined]

    def step(self, inputs: Array, targets: Array) -> float:
        self.layer.train()
        self.optimizer.param_groups[0]["lr"] = self.source.lr
        self.optimizer.zero_grad()
        outputs = self.layer(torch.from_numpy(inputs.astype(self.dtype, copy=False)))
        loss = self.loss_function(outputs, torch.from_numpy(targets))
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def predict(self, inputs: Array, batch_size: int = 1024) -> Array:
        self.layer.eval()
        with torch.no_grad():
            batches = torch.from_numpy(inputs.astype(self.dtype, copy=False)).split(batch_size)
            return np.concatenate([_numpy(self.layer(batch)) for batch in batches])

    def loss(self, outputs: Array, targets: Array) -> float:
        return float(self.criterion(outputs, targets))

    def state(self) -> dict[str, Array]:
        return {name: p.to_numpynet(_numpy(p.tensor)) for name, p in self.counterpart.tensors().items()}


def _numpy(tensor: Any) -> Array:
    values: Array = tensor.detach().numpy().copy()
    return values
