"""Differences of learning-rate schedules."""

from __future__ import annotations

import numpy as np

from numpynet import Array, CosineDecay
from parity.catalogue.difference import Demonstration, claim, difference
from parity.frameworks.lazy import keras, torch

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch."
KERAS = "https://keras.io/api/optimizers/"


@difference(
    "cosine-after-its-end",
    does={
        "torch": "CosineAnnealingLR goes on along the cosine: after T_max steps the rate grows again",
        "keras": "CosineDecay stays at its last rate",
        "tensorflow": "as Keras",
    },
    mapping="no more steps of torch's scheduler after T_max",
    sources=(f"{TORCH}optim.lr_scheduler.CosineAnnealingLR.html", f"{KERAS}learning_rate_schedules/cosine_decay/"),
)
def cosine_after_its_end() -> Demonstration:
    """torch's cosine schedule goes up again after its end."""
    schedule = CosineDecay(0.5, 4, 0.125)
    steps = np.arange(9.0)

    def of_torch(count: int) -> Array:
        optimizer = torch.optim.SGD([torch.zeros(1)], schedule.lr)
        scheduler, rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, schedule.over, schedule.final), []
        for step in range(len(steps)):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step < count:
                scheduler.step()
        return np.array(rates)

    theirs = keras.optimizers.schedules.CosineDecay(schedule.lr, schedule.over, schedule.final / schedule.lr)
    of_keras = np.array([theirs(int(step)).numpy() for step in steps])
    single = steps.astype(np.float32)

    def forever(steps: Array) -> Array:
        return schedule.final + (schedule.lr - schedule.final) * (1 + np.cos(np.pi * steps / schedule.over)) / 2

    same = {"keras": claim(of_keras, schedule.rates, single)}
    return Demonstration(
        same | {"torch": claim(of_torch(len(steps)), forever, steps)},
        same
        | {
            "torch": claim(of_torch(schedule.over), schedule.rates, steps),
            "numpynet": claim(np.array([schedule(int(step)) for step in steps]), schedule.rates, steps),
        },
    )
