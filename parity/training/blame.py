"""Who is at fault where a curve leaves its allowance, and where in the step at which it does.

numpynet is its own reference on rung 4. So it is a witness there, not the judge: where the frameworks agree with each
other and not with it, it is the odd one out. The step itself is gone back through: the weights before it, its batch
and its masks make an example for rungs 1 to 3, which name the first tensor and layer that part.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array, Module
from numpynet.module import each
from parity.case import Case, Step
from parity.frameworks import NUMPYNET
from parity.ladder.failure import describe
from parity.ladder.judge import Judgement, judge
from parity.mapping.loss import Loss
from parity.training.curves import Curve, Series
from parity.training.experiment import Experiment, train, trainer


def odd_ones(series: Series) -> list[str]:
    """The implementations outside their allowance, or numpynet alone where the others agree among themselves."""
    off = [name for name, used in series.used.items() if not used <= 1]
    others = [name for name in series.losses if name != NUMPYNET]
    if len(others) < 2 or not set(others) <= set(off):
        return off
    first = min(first_off(series, name) for name in others)
    losses = [series.losses[name][first] if first < len(series.losses[name]) else np.nan for name in others]
    together = np.ptp(losses) <= series.allowed[first]
    return [NUMPYNET] if together else off


def first_off(series: Series, name: str) -> int:
    """The first step at which the losses of an implementation are outside their allowance."""
    reference = series.losses[NUMPYNET]
    for step, allowed in enumerate(series.allowed[: series.compared]):
        found = series.losses[name]
        if step >= len(found) or not abs(found[step] - reference[step]) <= allowed:
            return step
    return series.compared


@dataclass(frozen=True)
class Part:
    """The words of rungs 1 to 3 on one step of a training, with the weights that numpynet has before it.

    step: counted from 0
    judgement: of the model, or of its criterion where the model agrees; None where both do
    """

    step: int
    judgement: Judgement | None

    def __str__(self) -> str:
        if self.judgement is None:
            return (
                f"rungs 1 to 3 agree on step {self.step} itself, with the weights before it: what parts is between "
                "the steps, as the optimizer's state, the order of batches or the loop are"
            )
        return f"in step {self.step}, {describe(self.judgement).splitlines()[0]}"


def part_at(experiment: Experiment, step: int, frameworks: Sequence[str], seed: int = 0) -> Part:
    """Returns what rungs 1 to 3 say of one step of the experiment, with the weights that numpynet has before it."""
    caught = _Until(trainer(experiment, NUMPYNET, seed), step)
    with contextlib.suppress(_Reached):
        train(experiment, caught, seed)
    for case in _cases(caught):
        judgement = judge(case, list(frameworks))
        if not judgement.passed:
            return Part(step, judgement)
    return Part(step, None)


def blamed(curve: Curve, experiment: Experiment, frameworks: Sequence[str], seed: int = 0) -> str:
    """Sentences on who is at fault in a curve that is off, and where in the step."""
    series = curve.training
    if series is None or not any(not used <= 1 for used in series.used.values()):
        return ""
    odd = odd_ones(series)
    step = min(first_off(series, name) for name in series.losses)
    said = f"odd one out: {', '.join(odd)}"
    if odd == [NUMPYNET]:
        said += ", while the others agree with each other"
    return f"{said}; {part_at(experiment, step, frameworks, seed)}"


class _Reached(Exception):
    """Raised before the step that was asked for."""


class _Until:
    """A trainer that stops before one step, and keeps what it would have trained on."""

    def __init__(self, made: Any, step: int) -> None:
        self._made, self._left = made, step

    def step(self, inputs: Any, targets: Array) -> float:
        if self._left == 0:
            self.inputs, self.targets = inputs, targets
            raise _Reached
        self._left -= 1
        return float(self._made.step(inputs, targets))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


def _cases(caught: _Until) -> list[Case]:
    """The examples that the step is: the model with its optimizer, and the criterion of what the model returns."""
    model: Module = copy.deepcopy(caught.model).train()
    dtype = next(iter(model.state_dict().values())).dtype
    inputs = each(lambda values: values.astype(dtype) if values.dtype.kind == "f" else values, caught.inputs)
    targets = getattr(caught._made, "_rows", None)
    targets = caught.targets if targets is None else targets[caught.targets]
    with np.errstate(all="ignore"):
        output = copy.deepcopy(model)(inputs)
        caught.criterion(output, targets)
        cotangent = caught.criterion.backward()
    rule = caught.optimizer
    names = [name for name in inspect.signature(type(rule)).parameters if name not in ("parameters", "lr")]
    arguments = {name: getattr(rule, name) for name in names}
    criterion = Loss(caught.criterion, np.asarray(targets))
    return [
        Case(model, [Step(inputs, cotangent, lr=rule.lr)], arguments=arguments, optimizer=type(rule)),
        Case(criterion, [Step(output, np.ones((), dtype))]),
    ]
