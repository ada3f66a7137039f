"""MNIST, 784-100-100-10 in float64: the source course's two notebooks on how weights begin, and what repairs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from numpynet import LayerNormalization, Module, ReLU
from numpynet.initializers import Initializer, glorot_uniform, he_normal
from parity.experiments.batchnorm_flawed import BatchNormFlawed
from parity.experiments.entry import Finding, Runs, TrainingEntry
from parity.training import datasets, notebooks
from parity.training.experiment import Experiment
from parity.training.pictures import distributions

WELL, BADLY, HARDLY = 0.96, 0.85, 0.5  # between them lie the notebooks' .97, .92 to .94, .55 to .73, and .10 to .45


def by_activation(activation: type[Module]) -> Initializer:
    return he_normal if activation is ReLU else glorot_uniform


def entry(
    name: str, title: str, requirement: str, experiment: Experiment, holds: Callable[[float], bool], yardstick: str
) -> TrainingEntry:
    """One training, judged by its validation accuracy, with pictures of what goes on inside."""

    def judge(runs: Runs, reference: Runs) -> Finding:
        (trained,), (other,) = runs["watched"], reference["watched"]
        seen, accuracy = trained.observed["watch"], trained.history.validation_accuracies[-1]
        zero = seen["scalars"]["gradients/zero"]
        return Finding(
            passed=holds(accuracy),
            summary=f"validation accuracy {accuracy:.4f}, loss {trained.history.losses[-1]:.3g}, "
            f"{np.mean(zero):.0%} of the gradients are zero",
            figures={
                "validation accuracy": accuracy,
                "test accuracy": trained.accuracy or 0.0,
                "loss of the first batch": seen["scalars"]["loss/train"][0],
                "final loss": trained.history.losses[-1],
                "gradients that are zero, mean": float(np.mean(zero)),
                "gradients that are zero, at last": zero[-1],
            },
            curves=dict(seen["scalars"]),
            pictures=distributions(seen, None if runs is reference else other.observed["watch"]),
        )

    return TrainingEntry(
        name, f"MNIST: {title}", requirement, {"watched": experiment}, judge, yardstick=yardstick, watched=True
    )


def judge_flaw(runs: Runs, reference: Runs) -> Finding:
    (trained,) = runs["watched"]
    epochs_done = len(trained.history.losses)
    return Finding(
        passed=trained.status == "diverged" and epochs_done == 0 and "BatchNormFlawed" in trained.message,
        summary=trained.message or "did not diverge",
        figures={"epochs before": epochs_done},
    )


FLAWED = TrainingEntry(
    "mnist-batchnorm-flawed",
    "MNIST: weights from N(0, 1), BatchNormFlawed after the first layer",
    "NaN in the first epoch, first in the output of BatchNormFlawed",
    {"watched": notebooks.mnist_initialisation(after_first=lambda: [BatchNormFlawed()])},
    judge_flaw,
    yardstick="the notebooks: .098 for ever, which is NaN",
    watched=True,
    diverges=True,
)
MNIST_INITIALISATION = (
    entry(
        "mnist-normal",
        "weights from N(0, 1)",
        f"learns badly: validation accuracy below {BADLY}, but above {HARDLY}",
        notebooks.mnist_initialisation(),
        lambda accuracy: HARDLY < accuracy < BADLY,
        "the notebooks: .55 and .73",
    ),
    entry(
        "mnist-by-activation",
        "weights from He's distribution before ReLU, Glorot's before the softmax",
        f"learns well: validation accuracy {WELL} or higher",
        notebooks.mnist_initialisation(by_activation),
        lambda accuracy: accuracy >= WELL,
        "the notebooks: .97",
    ),
    FLAWED,
    entry(
        "mnist-batchnorm-repaired",
        "weights from N(0, 1), BatchNormFlawed repaired by eps = 1e-5",
        f"learns: validation accuracy {BADLY} or higher",
        notebooks.mnist_initialisation(after_first=lambda: [BatchNormFlawed(1e-5)]),
        lambda accuracy: accuracy >= BADLY,
        "the notebooks: .92",
    ),
    entry(
        "mnist-layer-normalisation",
        'weights from N(0, 1), "repaired" by normalising along axis 1: layer normalisation, another function',
        f"learns: validation accuracy {BADLY} or higher",
        notebooks.mnist_initialisation(after_first=lambda: [LayerNormalization()]),
        lambda accuracy: accuracy >= BADLY,
        "the notebooks: .94",
    ),
    entry(
        "mnist-raw",
        "weights from N(0, 1), raw pixels 0..255",
        f"does not learn, or hardly: validation accuracy below {HARDLY}",
        notebooks.mnist_initialisation(data=datasets.raw_mnist),
        lambda accuracy: accuracy < HARDLY,
        "the notebooks: .097 and .45",
    ),
)
