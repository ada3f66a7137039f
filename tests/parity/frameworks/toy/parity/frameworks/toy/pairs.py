"""What numpynet's classes are called in the toy framework: a method of each kind of pair says it for all of them."""

from __future__ import annotations

import copy
from typing import Any

from numpynet import Criterion, Module, Optimizer
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.mapping.loss import Loss
from parity.mapping.pair import LayerPair, LossPair, OptimizerPair

from .framework import Box


def layer(self: Any, module: Module) -> Counterpart:
    box = Box(copy.deepcopy(module))
    built = Counterpart(box)
    built.own = {name: TensorView(values) for name, values in box.module.state_dict().items()}
    return built


def loss(self: Any, criterion: Criterion) -> Any:
    return lambda input, target: Loss(copy.deepcopy(criterion), target)


def optimizer(self: Any, rule: Optimizer) -> Any:
    return copy.deepcopy(rule)


for kind, method in ((LayerPair, layer), (LossPair, loss), (OptimizerPair, optimizer)):
    setattr(kind, "toy", method)  # noqa: B010
