"""The record of one training of a model, in numpynet or in any mode of a framework, under the ladder's own keys."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from numpynet import Array
from parity.formats import format_of
from parity.ladder.trace import GRADIENT, OUTPUT, STEP, Key, Trace
from parity.modes.models import Model
from parity.rounding.allowance import Perturb, deviations


class NotHere(Exception):
    """Raised for a mode that this installation cannot run; the message says what it lacks."""


@dataclass
class Seen:
    """The arrays that one step of training shows, by their numpynet names.

    arrays: parameters and running statistics, after the update
    output, gradients: None in a mode that keeps them to itself
    """

    loss: Any
    arrays: dict[str, Array]
    output: Any = None
    gradients: dict[str, Array] | None = None


class Mode(Protocol):
    """The interface of a mode: a model written in one way, and run in one way."""

    def step(self, inputs: Array) -> Seen:
        """Train on one batch; returns what the step shows."""


def trained(model: Model, mode: Mode) -> Trace:
    """The record of a training: every array by its key, in the order of computation."""
    record: Trace = {}
    buffers = model.network.named_buffers()
    for index, batch in enumerate(model.batches):
        seen = mode.step(batch)
        if seen.output is not None:
            record[Key(index, OUTPUT, "", "output")] = np.asarray(seen.output)
        record[Key(index, OUTPUT, "", "loss")] = np.asarray(seen.loss)
        for name, values in (seen.gradients or {}).items():
            record[Key.of(index, GRADIENT, name, "parameter gradient")] = values
        for name, values in seen.arrays.items():
            record[Key.of(index, STEP, name, "state" if name in buffers else "parameter")] = values
    return record


class InNumpynet:
    """The mode that is numpynet itself; its arrays are what `perturb` makes of the model's."""

    def __init__(self, model: Model, perturb: Perturb = np.asarray) -> None:
        self.perturb = perturb
        self.network, self.criterion, self.target = copy.deepcopy(model.network).train(), model.criterion, model.target
        self.network.map_state(lambda _, values: perturb(values))
        self.parameters = self.network.named_parameters()
        self.optimizer = model.rule(self.parameters.values())

    def step(self, inputs: Array) -> Seen:
        self.optimizer.zero_grad()
        output = self.network(self.perturb(inputs))
        loss = self.criterion(output, self.target)
        self.network.backward(self.criterion.backward())
        gradients = {name: parameter.grad.copy() for name, parameter in self.parameters.items()}
        self.optimizer.step()
        return Seen(loss, self.network.state_dict(), output, gradients)


def reference(model: Model, framework: str) -> tuple[Trace, Trace]:
    """The record that numpynet computes in a wider format, and what rounding allows the framework in the model's own.

    Where the framework has formulas of its own, what these allow counts too.
    """
    wide = model.astype(format_of(model.dtype).wider)
    expected, allowed = _judged(wide, model)
    if formula := wide.computed_by(framework):
        _, own = _judged(formula, model)
        allowed = {key: np.maximum(bound, own[key]) for key, bound in allowed.items()}
    return expected, allowed


def _judged(wide: Model, model: Model) -> tuple[Trace, Trace]:
    expected = trained(wide, InNumpynet(wide))
    return expected, deviations(expected, lambda perturb: trained(wide, InNumpynet(wide, perturb)), model.dtype)
