"""numpynet as one of the three implementations under test."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, Module
from numpynet.module import each, join
from parity.allowance import Noisy, forward_pass, noisy
from parity.pairing import Case
from parity.rungs.record import Places


class Subject:
    """The module of a case in numpynet, observed while it runs; `perturbed` makes its arrays `Noisy`."""

    name = "numpynet"

    def __init__(self, case: Case, perturbed: bool = False) -> None:
        self.module = case.fresh()
        self.array_class = Noisy if perturbed else np.ndarray
        if perturbed:
            noisy(self.module)
        self.observed: dict[str, list[Array]] = {}
        self.places = Places(self.module)
        self.holders: list[tuple[Module, str, str]] = []  # of running statistics: found once, read after every step
        for name, module in self.module.named_modules():
            self.holders += [(module, buffer, join(name, buffer)) for buffer in module.buffers]
            if name and not module.children():
                self._observe(name, module)
        self.parameters = self.module.named_parameters()
        self.optimizer = case.rule(self.parameters.values())

    def _observe(self, name: str, leaf: Module) -> None:
        """Record each output of the leaf, and the gradient that comes back to it, at its last place first."""
        forward, backward = leaf.forward, leaf.backward
        called: list[str] = []

        def observed_forward(input: Array) -> Array:
            output = forward(input)
            called.append(self.places.of_call(name))
            self.observed[called[-1]] = [output]
            return output

        def observed_backward(grad_output: Array) -> Array:
            self.observed[called.pop()].append(grad_output)
            return backward(grad_output)

        leaf.forward = observed_forward  # type: ignore[method-assign]
        leaf.backward = observed_backward  # type: ignore[method-assign]

    def zero_grad(self) -> None:
        for parameter in self.parameters.values():
            parameter.zero_grad()

    def forward(self, input: Any) -> Any:
        self.places.calls.clear()
        with forward_pass():
            return self.module(self._viewed(input))

    def backward(self, cotangent: Any) -> Any:
        return self.module.backward(self._viewed(cotangent))

    def _viewed(self, values: Any) -> Any:
        return each(lambda array: array.view(self.array_class), values)

    def gradients(self) -> dict[str, Array]:
        return {name: parameter.grad.copy() for name, parameter in self.parameters.items()}

    def state(self) -> dict[str, Array]:
        state = {name: parameter.value.copy() for name, parameter in self.parameters.items()}
        return state | {name: getattr(module, buffer).copy() for module, buffer, name in self.holders}

    def step(self, lr: float) -> None:
        if self.optimizer is not None:
            self.optimizer.lr = lr
            self.optimizer.step()

    def slots(self) -> dict[str, dict[str, Array]]:
        """The optimizer's state arrays, by parameter and slot."""
        if self.optimizer is None:
            return {}
        return {
            name: {slot: values.copy() for slot, values in state.items()}
            for name, state in zip(self.parameters, self.optimizer.state, strict=True)
        }


def version() -> str:
    return np.__version__


def subject(case: Case) -> Any:
    return Subject(case)
