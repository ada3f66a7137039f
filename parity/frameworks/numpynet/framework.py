"""numpynet as one of the implementations under test."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer
from numpynet.module import each, join
from numpynet.training import Trainer
from parity.case import Case
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.framework import CallSites, Framework, FrameworkTrainer, Look, LossFunction, Subject, Translation
from parity.layout import as_in
from parity.rounding.allowance import Perturb
from parity.rounding.errors import forward_pass


class NumPySubject:
    """The module of a case in numpynet, observed while it runs; its arrays are what `perturb` makes of the case's."""

    name = "numpynet"

    def __init__(self, case: Case, perturb: Perturb = np.asarray) -> None:
        self.module = case.fresh()
        self.perturb = perturb
        self.module.map_state(lambda _, values: perturb(values))
        self.observed: dict[str, list[Any]] = {}
        self.sites = CallSites(self.module)
        self.holders: list[tuple[Module, str, str]] = []  # of running statistics: found once, read after every step
        for name, module in self.module.named_modules():
            self.holders += [(module, buffer, join(name, buffer)) for buffer in module.buffers]
            if name and not module.children():
                self._observe(name, module)
        self.parameters = self.module.named_parameters()
        self.optimizers = [
            (names, rule, share)
            for names, share in case.groups(self.parameters)
            if (rule := case.rule([self.parameters[name] for name in names])) is not None
        ]

    def _observe(self, name: str, leaf: Module) -> None:
        """Record each output of the leaf, and the gradient that comes back to it, at its last call site first."""
        forward, backward = leaf.forward, leaf.backward
        called: list[str] = []

        def observed_forward(input: Any) -> Any:
            output = forward(input)
            called.append(self.sites.of_call(name))
            self.observed[called[-1]] = [output]
            return self.handed_on(called[-1], output)

        def observed_backward(grad_output: Any) -> Any:
            called.insert(0, called.pop())  # to be the last again in another backward pass
            self.observed[called[0]][1:] = [grad_output]
            return backward(self.handed_back(called[0], grad_output))

        leaf.forward = observed_forward  # type: ignore[method-assign]
        leaf.backward = observed_backward  # type: ignore[method-assign]

    def handed_on(self, site: str, output: Any) -> Any:
        """Returns what the next layers get of the output of a leaf, once it was observed."""
        return output

    def handed_back(self, site: str, gradient: Any) -> Any:
        """Returns what a leaf gets of the gradient of its output, once it was observed."""
        return gradient

    def mode(self, training: bool) -> None:
        self.module.train(training)

    def zero_grad(self) -> None:
        for parameter in self.parameters.values():
            parameter.zero_grad()

    def forward(self, input: Any) -> Any:
        self.sites.calls.clear()
        with forward_pass():
            return self.module(self._perturbed(input))

    def backward(self, cotangent: Any) -> Any:
        return self.module.backward(self._perturbed(cotangent))

    def _perturbed(self, values: Any) -> Any:
        # With gaps where it has gaps: what a layer reads wrong because of them would else be its allowance.
        return each(lambda array: as_in(self.perturb(array), array) if array.dtype.kind == "f" else array, values)

    def gradients(self) -> dict[str, Array]:
        return {name: parameter.grad.copy() for name, parameter in self.parameters.items()}

    def state(self) -> dict[str, Array]:
        state = {name: parameter.value.copy() for name, parameter in self.parameters.items()}
        return state | {name: getattr(module, buffer).copy() for module, buffer, name in self.holders}

    def step(self, lr: float) -> None:
        for _, optimizer, share in self.optimizers:
            optimizer.lr = lr * share
            optimizer.step()

    def slots(self) -> dict[str, dict[str, Array]]:
        """The optimizers' state arrays, by parameter and slot."""
        return {
            name: {slot: values.copy() for slot, values in state.items()}
            for names, optimizer, _ in self.optimizers
            for name, state in zip(names, optimizer.state, strict=True)
        }


class NumPyNet(Framework):
    """numpynet: its counterpart of a module is the module, and there is nothing to translate."""

    name = "numpynet"
    title = "numpynet"
    place = 0
    look = Look("var(--numpynet)", "solid", "circle", 5.0)
    distributions = {"numpy": ("numpy",)}  # noqa: RUF012
    short = {"numpy": "numpy"}  # noqa: RUF012

    def convert(self, module: Module, dtype: np.dtype[Any], translation: Translation) -> Counterpart:
        module = module.astype(dtype)
        built = Counterpart(module)
        built.own = {name: TensorView(values) for name, values in module.state_dict().items()}
        return built

    def arrays(self, counterpart: Counterpart) -> dict[str, Array]:
        held: dict[str, Array] = counterpart.layer.state_dict()
        return held

    def subject(self, case: Case, translation: Translation) -> Subject:
        return NumPySubject(case)

    def trainer(
        self, model: Module, criterion: Criterion, optimizer: Optimizer, translation: Translation
    ) -> FrameworkTrainer:
        return Trainer(model, criterion, optimizer)

    def with_target(self, function: LossFunction, target: Array) -> Any:
        raise NotImplementedError("numpynet's criteria are no layers")

    def attempt(self, layer: Any, input: Any, gradient: Array | None, dtype: np.dtype[Any]) -> None:
        layer(input)
        if gradient is not None:
            layer.backward(gradient)


FRAMEWORK = NumPyNet()
