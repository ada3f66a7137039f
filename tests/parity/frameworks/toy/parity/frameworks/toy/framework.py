"""The toy framework: its layers are boxes around numpynet's, and compute what these compute."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer
from numpynet.training import Trainer
from parity.case import Case
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.framework import Framework, FrameworkTrainer, Look, LossFunction, Subject, Translation
from parity.frameworks.numpynet.framework import NumPySubject


class Box:
    """The toy framework's layer."""

    def __init__(self, module: Module) -> None:
        self.module = module


class ToySubject(NumPySubject):
    name = "toy"


class ToyTrainer(Trainer):
    """numpynet's trainer of copies, whose learning rate follows the optimizer that they were copied from."""

    name = "toy"

    def __init__(self, model: Module, criterion: Criterion, optimizer: Optimizer) -> None:
        super().__init__(*copy.deepcopy((model, criterion, optimizer)))
        self.own, self.optimizer = self.optimizer, optimizer

    @property
    def steps(self) -> int:
        return self.own.steps

    def step(self, inputs: Any, targets: Any) -> float:
        followed, self.own.lr = self.optimizer, self.optimizer.lr
        self.optimizer = self.own
        try:
            return super().step(inputs, targets)
        finally:
            self.optimizer = followed


class Toy(Framework):
    """The toy framework."""

    name = "toy"
    title = "Toy"
    place = 3
    look = Look("#777777", "longdash", "cross", 1.4)
    distributions = {"toy": ("numpy",)}  # noqa: RUF012
    short = {"toy": "toy"}  # noqa: RUF012

    def installed(self) -> bool:
        return True

    def convert(self, module: Module, dtype: np.dtype[Any], translation: Translation) -> Counterpart:
        return translation.counterpart(module.astype(dtype))

    def arrays(self, counterpart: Counterpart) -> dict[str, Array]:
        held: dict[str, Array] = counterpart.layer.module.state_dict()
        return held

    def subject(self, case: Case, translation: Translation) -> Subject:
        return ToySubject(case.with_module(translation.counterpart(case.module).layer.module))

    def trainer(
        self, model: Module, criterion: Criterion, optimizer: Optimizer, translation: Translation
    ) -> FrameworkTrainer:
        translation.loss(criterion)
        translation.optimizer(optimizer)
        return ToyTrainer(model, criterion, optimizer)

    def with_target(self, function: LossFunction, target: Array) -> Any:
        return Box(function(None, target))

    def attempt(self, layer: Any, input: Any, gradient: Array | None, dtype: np.dtype[Any]) -> None:
        layer.module(input)
        if gradient is not None:
            layer.module.backward(gradient)


FRAMEWORK = Toy()
