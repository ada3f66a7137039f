"""The rates of schedules, step after step, beside those of the schedulers that their docstrings name.

What rounding may make of a rate is measured on the schedule itself: in float64, in which torch computes, and in
float32, in which Keras does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import numpynet as nn
from parity.catalogue.difference import claim
from parity.catalogue.promises.promise import Promise, judged
from parity.frameworks.lazy import keras, torch

TOPIC = "schedules"
STEPS = 24
FIRST = 0.5  # the rate that every schedule begins with, or is warmed up to
FORMATS = {"torch": np.float64, "tensorflow": np.float32}


@dataclass(frozen=True)
class Scheduled:
    """A schedule, as `made` makes it, and what computes the same in each framework.

    last: the last step for which torch has the same
    """

    made: Callable[[], Any]
    torch: Callable[[Any], Any] | None = None
    keras: Callable[[], Any] | None = None
    last: int = STEPS

    def theirs(self, name: str) -> list[float] | None:
        """The rates of the first steps in a framework; None where it has no such schedule."""
        if name == "torch" and self.torch is not None:
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], FIRST)
            scheduler, found = self.torch(optimizer), []
            for _ in range(self.last + 1):
                found.append(float(optimizer.param_groups[0]["lr"]))
                optimizer.step()
                scheduler.step()
            return found
        if name == "tensorflow" and self.keras is not None:
            schedule = self.keras()
            return [float(schedule(step)) for step in range(STEPS + 1)]
        return None

    def lines(self, name: str) -> Iterator[str]:
        """Yields a line for each step: empty where the rates are the same."""
        if (theirs := self.theirs(name)) is None:
            return
        values = np.array(theirs, FORMATS[name])
        said = claim(values, self.made().rates, np.arange(len(values), dtype=values.dtype))
        apart = np.abs(said.values - said.predicted) > said.allowed
        for step, (own, other, off) in enumerate(zip(said.predicted, values, apart, strict=True)):
            yield f"is {own:.9g} at step {step}, {other:.9g} in {name}" if off else ""


def _line(over: int, start: float, then: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """torch's scheduler of a line that begins at the share `start` of the rate, before another one."""

    def made(optimizer: Any) -> Any:
        schedulers = torch.optim.lr_scheduler
        line = schedulers.LinearLR(optimizer, start, 1.0, over)
        return schedulers.SequentialLR(optimizer, [line, then(optimizer)], [over])

    return made


SCHEDULED = [
    Scheduled(
        lambda: nn.StepDecay(FIRST, 3, 0.25),
        lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.25),
        lambda: keras.optimizers.schedules.ExponentialDecay(FIRST, 3, 0.25, staircase=True),
    ),
    Scheduled(
        lambda: nn.ExponentialDecay(FIRST, 0.75),
        lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.75),
        lambda: keras.optimizers.schedules.ExponentialDecay(FIRST, 1, 0.75),
    ),
    Scheduled(
        lambda: nn.ExponentialDecay(FIRST, 0.75, 5),
        keras=lambda: keras.optimizers.schedules.ExponentialDecay(FIRST, 5, 0.75),
    ),
    Scheduled(lambda: nn.CosineDecay(FIRST, 7), keras=lambda: keras.optimizers.schedules.CosineDecay(FIRST, 7)),
    Scheduled(
        lambda: nn.CosineDecay(FIRST, 7, 0.125),
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7, 0.125),
        lambda: keras.optimizers.schedules.CosineDecay(FIRST, 7, 0.25),
        last=7,  # torch's goes up again (differences, cosine-after-its-end)
    ),
    Scheduled(
        lambda: nn.WarmUp(4, nn.StepDecay(FIRST, 3, 0.25), 0.125),
        _line(4, 0.25, lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.25)),
    ),
    Scheduled(
        lambda: nn.WarmUp(4, nn.CosineDecay(FIRST, 7)),
        keras=lambda: keras.optimizers.schedules.CosineDecay(0.0, 7, warmup_target=FIRST, warmup_steps=4),
    ),
    Scheduled(
        lambda: nn.WarmUp(4, nn.CosineDecay(FIRST, 7, 0.125), 0.25),
        keras=lambda: keras.optimizers.schedules.CosineDecay(0.25, 7, 0.25, warmup_target=FIRST, warmup_steps=4),
    ),
]


def promises(frameworks: list[str]) -> Iterator[Promise]:
    """Yields a promise for each schedule that a framework here has too."""
    for scheduled in SCHEDULED:
        lines = [line for name in frameworks for line in scheduled.lines(name)]
        if lines:
            schedule = scheduled.made()
            said = (inspect.getdoc(type(schedule)) or "").partition("\n")[0]
            yield judged(TOPIC, str(schedule), said, lines)
