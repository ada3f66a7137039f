"""An implementation that is wrong by a factor of 1 + e: in its outputs, its input gradients or its updates alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array
from numpynet.module import each, join
from parity.case import Case
from parity.formats import format_of
from parity.frameworks.framework import Subject
from parity.ladder.trace import Trace

OUTPUT, INPUT_GRADIENT, PARAMETER = "output", "input gradient", "parameter"


class Scaling:
    """The error that is planted: e is so many units in the last place of 1, and the result is rounded once.

    Of parameters, what has not moved from where the case began is left alone: of that nothing is computed.
    """

    def __init__(self, case: Case, quantity: str, ulps: float) -> None:
        self.quantity, self.dtype = quantity, case.dtype
        self.factor = 1 + ulps * 2 * format_of(case.dtype).unit
        self.began = {name: parameter.value for name, parameter in case.module.named_parameters().items()}

    def __call__(self, values: Array) -> Array:
        """The values times 1 + e; of another dtype, as indices are, as they are."""
        if values.dtype != self.dtype:
            return values
        with np.errstate(all="ignore"):
            return np.asarray((values.astype(format_of(self.dtype).wider) * self.factor).astype(self.dtype))

    def parameter(self, name: str, values: Array) -> Array:
        return np.where(values == self.began[name], values, self(values))

    def trace(self, right: Trace) -> Trace:
        """Returns what the planted error makes of its quantity's tensors in a trace; of outputs, the whole module's."""
        of_parameters = self.quantity == PARAMETER
        return {
            key: self.parameter(join(key.layer, key.tensor), values) if of_parameters else self(values)
            for key, values in right.items()
            if key.quantity == self.quantity and (of_parameters or not key.layer)
        }


class Scaled:
    """A subject with the error planted in what is read of it: it computes on with what is right."""

    def __init__(self, of: Subject, error: Scaling) -> None:
        self.of, self.name, self.error = of, of.name, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)

    def forward(self, input: Any) -> Any:
        return self._read(OUTPUT, self.of.forward(input))

    def backward(self, cotangent: Any) -> Any:
        return self._read(INPUT_GRADIENT, self.of.backward(cotangent))

    def state(self) -> dict[str, Array]:
        state = self.of.state()
        if self.error.quantity == PARAMETER:
            state |= {name: self.error.parameter(name, state[name]) for name in self.error.began}
        return state

    def _read(self, quantity: str, values: Any) -> Any:
        return (
            each(lambda one: None if one is None else self.error(one), values)
            if quantity == self.error.quantity
            else values
        )
