"""numpynet as one of the three implementations under test."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, Module
from numpynet.module import join
from parity.allowance import Noisy, noisy
from parity.pairing import Case


class Subject:
    """The case's module, observed while it runs; `perturbed` makes its arrays `Noisy`."""

    name = "numpynet"

    def __init__(self, case: Case, perturbed: bool = False) -> None:
        self.module = case.fresh()
        self.array_class = Noisy if perturbed else np.ndarray
        if perturbed:
            noisy(self.module)
        self.observed: dict[str, list[Array]] = {}
        self.holders: list[tuple[Module, str, str]] = []  # of running statistics: found once, read after every step
        for name, module in self.module.named_modules():
            self.holders += [(module, buffer, join(name, buffer)) for buffer in module.buffers]
            if name and not module.children():
                self._observe(name, module)
        self.parameters = self.module.named_parameters()
        self.optimizer = case.optimizer(self.parameters.values(), 0, **case.sgd) if case.sgd is not None else None

    def _observe(self, name: str, leaf: Module) -> None:
        """Record each output of the leaf, and the gradient that comes back to it."""
        forward, backward = leaf.forward, leaf.backward

        def observed_forward(input: Array) -> Array:
            output = forward(input)
            self.observed[name] = [output]
            return output

        def observed_backward(grad_output: Array) -> Array:
            self.observed[name].append(grad_output)
            return backward(grad_output)

        leaf.forward = observed_forward  # type: ignore[method-assign]
        leaf.backward = observed_backward  # type: ignore[method-assign]

    def zero_grad(self) -> None:
        for parameter in self.parameters.values():
            parameter.zero_grad()

    def forward(self, input: Array) -> Array:
        return self.module(input.view(self.array_class))

    def backward(self, cotangent: Array) -> Array:
        return self.module.backward(cotangent.view(self.array_class))

    def gradients(self) -> dict[str, Array]:
        return {name: parameter.grad.copy() for name, parameter in self.parameters.items()}

    def state(self) -> dict[str, Array]:
        state = {name: parameter.value.copy() for name, parameter in self.parameters.items()}
        return state | {name: getattr(module, buffer).copy() for module, buffer, name in self.holders}

    def step(self, lr: float) -> None:
        if self.optimizer is not None:
            self.optimizer.lr = lr
            self.optimizer.step()

    def velocities(self) -> dict[str, Array]:
        if self.optimizer is None:
            return {}
        names = list(self.parameters)
        return {names[int(index)]: value for index, value in self.optimizer.state_dict().items()}


def version() -> str:
    return np.__version__


def subject(case: Case) -> Any:
    return Subject(case)
