"""CIFAR-10: the source course's networks, one epoch each, and a small residual network of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from numpynet import (
    SGD,
    BatchNormalization,
    Conv2d,
    CrossEntropyCriterion,
    Flatten,
    GlobalAveragePool2d,
    Graph,
    Linear,
    MaxPool2d,
    Module,
    Optimizer,
    Parameter,
    ReLU,
    Scaling,
    Sequential,
    Sum,
)
from numpynet.datasets import cifar10
from numpynet.initializers import he_normal
from parity.experiments.training import Finding, Runs, TrainingEntry
from parity.training.experiment import Experiment

STEPS = 766  # an epoch's


def fully_connected(rng: np.random.Generator) -> Module:
    return Sequential(
        Flatten(),
        Linear(3072, 4000, bias=False, init=he_normal, rng=rng),
        ReLU(),
        Linear(4000, 10, bias=False, init=he_normal, rng=rng),
    )


def convolutional(first: int, second: int, rng: np.random.Generator) -> Module:
    return Sequential(
        Conv2d(3, first, 5, padding=2, init=he_normal, rng=rng),
        ReLU(),
        Conv2d(first, second, 3, padding=1, init=he_normal, rng=rng),
        ReLU(),
        Flatten(),
        Linear(second * 32 * 32, 10, init=he_normal, rng=rng),
    )


def residual(rng: np.random.Generator) -> Module:
    def block(inputs: int, outputs: int) -> list[Module]:
        return [
            Conv2d(inputs, outputs, 3, padding=1, bias=False, init=he_normal, rng=rng),
            BatchNormalization(outputs),
            Scaling(outputs),
            ReLU(),
        ]

    return Sequential(
        *block(3, 32),
        MaxPool2d(2),
        *block(32, 64),
        MaxPool2d(2),
        Graph(
            {"x": (64, 8, 8)},
            {"branch": (Sequential(*block(64, 64)), "x"), "sum": (Sum(), "x", "branch")},
            ["sum"],
        ),
        *block(64, 128),
        GlobalAveragePool2d(),
        Linear(128, 10, init=he_normal, rng=rng),
    )


def training(
    network: Callable[[np.random.Generator], Module],
    optimizer: Callable[[Iterable[Parameter]], Optimizer],
) -> Experiment:
    return Experiment(
        name="cifar-10",
        title="CIFAR-10",
        data=cifar10,
        network=network,
        criterion=CrossEntropyCriterion,
        optimizer=optimizer,
        epochs=1,
        batch_size=64,
    )


def entry(name: str, title: str, enough: float, experiment: Experiment, yardstick: str) -> TrainingEntry:
    def judge(runs: Runs, reference: Runs) -> Finding:
        (trained,) = runs[name]
        history = trained.history
        accuracy = history.validation_accuracies[-1]
        return Finding(
            passed=accuracy >= enough,
            summary=f"validation accuracy {accuracy:.3f}",
            figures={
                "validation accuracy": accuracy,
                "test accuracy": trained.accuracy or 0.0,
                "final loss": history.losses[-1],
            },
            curves={"training loss": history.losses, "validation accuracy": history.validation_accuracies},
        )

    epochs = "one epoch" if experiment.epochs == 1 else f"{experiment.epochs} epochs"
    requirement = f"validation accuracy {enough} or higher after {epochs}"
    return TrainingEntry(name, f"CIFAR-10: {title}", requirement, {name: experiment}, judge, yardstick=yardstick)


PHOTOGRAPHS = (
    entry(
        "cifar-10-linear",
        "4000 hidden units, no biases, SGD 1e-2",
        0.40,
        training(fully_connected, partial(SGD, lr=1e-2)),
        "torch alone: 0.430 and 0.471",
    ),
    entry(
        "cifar-10-conv",
        "convolutions 32 5x5 and 16 3x3, SGD 3e-3",
        0.43,
        training(partial(convolutional, 32, 16), partial(SGD, lr=3e-3)),
        "torch alone: 0.474 and 0.473",
    ),
    entry(
        "cifar-10-conv-nesterov",
        "convolutions 32 5x5 and 16 3x3, SGD 3e-3 with Nesterov 0.9",
        0.50,
        training(partial(convolutional, 32, 16), partial(SGD, lr=3e-3, momentum=0.9, nesterov=True)),
        "torch alone: 0.526 and 0.578",
    ),
    entry(
        "cifar-10-conv-slow",
        "convolutions 16 5x5 and 32 3x3, SGD 5e-4 with Nesterov 0.9",
        0.45,
        training(partial(convolutional, 16, 32), partial(SGD, lr=5e-4, momentum=0.9, nesterov=True)),
        "torch alone: 0.522 and 0.509",
    ),
    entry(
        "cifar-10-residual",
        "convolutions, batch normalisation, pooling and a residual block, SGD 5e-2 falling to 2e-3, Nesterov 0.9",
        0.70,
        replace(
            training(residual, partial(SGD, lr=5e-2, momentum=0.9, nesterov=True)),
            epochs=4,
            schedule={2 * STEPS: 1e-2, 3 * STEPS: 2e-3},
        ),
        "the course asks for 0.70 within ten epochs",
    ),
)
