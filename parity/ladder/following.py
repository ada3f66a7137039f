"""The reference, layer by layer: each is given what an implementation computed before it, not what the reference did.

A branch that rounding decides (a ReLU of a difference of equal numbers, the largest of a window that is all rounding)
makes two right networks part for good, by as much as anything, and no number of perturbed runs shows every way that an
implementation may go. So before anybody is accused, the reference goes the implementation's own way: what each layer
returned, what came back to it, every gradient, parameter, running statistic and slot is handed on as the implementation
has it, after it was compared. Then only the error of one operation's own is left in each tensor, and is judged by the
allowance of that operation alone. Whatever a network computes is one of these tensors, so that nothing is left out: an
error is found where it is made, or nowhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.case import Case
from parity.frameworks.numpynet.framework import NumPySubject
from parity.ladder.trace import GRADIENT, OUTPUT, STEP, Key, Trace
from parity.rounding.allowance import Perturb


class Following(NumPySubject):
    """A module that hands on what `trace` has in place of what it computed, once that was observed."""

    def __init__(self, case: Case, trace: Trace, perturb: Perturb = np.asarray) -> None:
        super().__init__(case, perturb)
        self.trace, self.steps = trace, iter(enumerate(case.steps))
        self.index, self.coming = -1, next(self.steps)  # the step that it is in, and the next one
        self.rehearsing = self.taken_over = True

    def forward(self, input: Any) -> Any:
        if not self.taken_over:
            self._take_over()
        index, step = self.coming
        self.rehearsing = self.taken_over = input is not step.input
        if not self.rehearsing:
            self.index, self.coming = index, next(self.steps, self.coming)
        return super().forward(input)

    def handed_on(self, site: str, output: Any) -> Any:
        return output if self.rehearsing else self._followed(Key(self.index, OUTPUT, site, "output"), output)

    def handed_back(self, site: str, gradient: Any) -> Any:
        return self._followed(Key(self.index, GRADIENT, site, "output gradient"), gradient)

    def step(self, lr: float) -> None:
        for name, parameter in self.parameters.items():
            key = Key.of(self.index, GRADIENT, name, "parameter gradient")
            parameter.grad = self._followed(key, parameter.grad)
        super().step(lr)

    def _take_over(self) -> None:
        """Begin a step with the parameters, statistics and slots that the implementation ended the last one with."""
        for name, parameter in self.parameters.items():
            parameter.value = self._followed(Key.of(self.index, STEP, name, "parameter"), parameter.value)
        for module, buffer, name in self.holders:
            held = self._followed(Key.of(self.index, OUTPUT, name, "state"), getattr(module, buffer))
            setattr(module, buffer, held)
        for names, optimizer, _ in self.optimizers:
            for name, slots in zip(names, optimizer.state, strict=True):
                for slot, values in slots.items():
                    slots[slot] = self._followed(Key.of(self.index, STEP, name, slot), values)

    def _followed(self, key: Key, computed: Any) -> Any:
        """Returns what the implementation has under this key; what was computed where it has nothing of the kind."""
        if isinstance(computed, tuple):
            return tuple(
                self._followed(key._replace(tensor=f"{key.tensor}[{place}]"), part)
                for place, part in enumerate(computed)
            )
        found = self.trace.get(key)
        return computed if computed is None or found is None else self.perturb(found.copy())
