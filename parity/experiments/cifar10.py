"""CIFAR-10: the source course's networks, one epoch each, and a small residual network of our own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from numpynet import SGD
from parity.experiments.entry import Finding, Runs, TrainingEntry
from parity.training import networks, notebooks
from parity.training.experiment import Experiment

STEPS = 766  # an epoch's


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


CIFAR10 = (
    entry(
        "cifar-10-linear",
        "4000 hidden units, no biases, SGD 1e-2",
        0.40,
        notebooks.cifar10(networks.cifar10_linear, partial(SGD, lr=1e-2)),
        "torch alone: 0.430 and 0.471",
    ),
    entry(
        "cifar-10-conv",
        "convolutions 32 5x5 and 16 3x3, SGD 3e-3",
        0.43,
        notebooks.cifar10(partial(networks.cifar10_convolutional, 32, 16), partial(SGD, lr=3e-3)),
        "torch alone: 0.474 and 0.473",
    ),
    entry(
        "cifar-10-conv-nesterov",
        "convolutions 32 5x5 and 16 3x3, SGD 3e-3 with Nesterov 0.9",
        0.50,
        notebooks.cifar10(
            partial(networks.cifar10_convolutional, 32, 16), partial(SGD, lr=3e-3, momentum=0.9, nesterov=True)
        ),
        "torch alone: 0.526 and 0.578",
    ),
    entry(
        "cifar-10-conv-slow",
        "convolutions 16 5x5 and 32 3x3, SGD 5e-4 with Nesterov 0.9",
        0.45,
        notebooks.cifar10(
            partial(networks.cifar10_convolutional, 16, 32), partial(SGD, lr=5e-4, momentum=0.9, nesterov=True)
        ),
        "torch alone: 0.522 and 0.509",
    ),
    entry(
        "cifar-10-residual",
        "convolutions, batch normalisation, pooling and a residual block, SGD 5e-2 falling to 2e-3, Nesterov 0.9",
        0.70,
        replace(
            notebooks.cifar10(networks.cifar10_residual, partial(SGD, lr=5e-2, momentum=0.9, nesterov=True)),
            epochs=4,
            schedule={2 * STEPS: 1e-2, 3 * STEPS: 2e-3},
        ),
        "the course asks for 0.70 within ten epochs",
    ),
)
