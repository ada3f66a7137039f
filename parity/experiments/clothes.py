"""Fashion-MNIST, 784-128-128-10: the network of the source course in all its variants, and five of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from numpynet import (
    ELU,
    SGD,
    BatchNormalization,
    Criterion,
    Dropout,
    LeakyReLU,
    Linear,
    LogSoftMax,
    Module,
    NLLCriterion,
    NLLCriterionUnstable,
    ReLU,
    Scaling,
    Sequential,
    SoftMax,
    Softplus,
)
from numpynet.datasets import Dataset, fashion_mnist
from numpynet.initializers import Initializer, he_normal, uniform_fan_in
from parity.experiments.training import Finding, Runs, TrainingEntry
from parity.training.experiment import Experiment, Run
from parity.training.pictures import images_with_probabilities

ENOUGH = 0.85
IMAGES = 5
Between = Callable[[np.random.Generator], Sequence[Module]]


def raw_pixels() -> Dataset:
    return fashion_mnist(scale=False)


def network(between: Between, last: type[Module], init: Initializer, rng: np.random.Generator) -> Module:
    """784-128-128-10; `between` makes what follows each hidden layer."""
    return Sequential(
        Linear(784, 128, init=init, rng=rng),
        *between(rng),
        Linear(128, 128, init=init, rng=rng),
        *between(rng),
        Linear(128, 10, init=init, rng=rng),
        last(),
    )


def training(
    between: Between = lambda rng: [ReLU()],
    last: type[Module] = LogSoftMax,
    criterion: Callable[[], Criterion] = NLLCriterion,
    data: Callable[[], Dataset] = fashion_mnist,
    lr: float = 1e-2,
    init: Initializer = uniform_fan_in,
) -> Experiment:
    return Experiment(
        name="fashion-mnist",
        title="Fashion-MNIST, 784-128-128-10",
        data=data,
        network=partial(network, between, last, init),
        criterion=criterion,
        optimizer=partial(SGD, lr=lr, momentum=0.9),
        epochs=10,
        batch_size=128,
    )


def entry(name: str, title: str, experiment: Experiment, yardstick: str = "") -> TrainingEntry:
    def judge(runs: Runs, reference: Runs) -> Finding:
        (trained,) = runs[name]
        accuracy, history = trained.accuracy or 0.0, trained.history
        return Finding(
            passed=accuracy >= ENOUGH,
            summary=f"test accuracy {accuracy:.4f}",
            figures={"test accuracy": accuracy, "final loss": history.losses[-1]},
            curves={"training loss": history.losses, "validation accuracy": history.validation_accuracies},
        )

    requirement = f"test accuracy {ENOUGH} or higher after 10 epochs"
    return TrainingEntry(name, f"Fashion-MNIST: {title}", requirement, {name: experiment}, judge, yardstick=yardstick)


def first_images(experiment: Experiment, run: Run) -> dict[str, Any]:
    """Probabilities (IMAGES, classes) of the first test rows, whatever they are."""
    return {"probabilities": np.exp(run.trainer.predict(experiment.dataset.test.inputs[:IMAGES]))}


def show_images(runs: Runs, reference: Runs) -> Finding:
    """Shown when every implementation gives the images numpynet's classes."""
    data = PLAIN.dataset
    images, targets = data.test.inputs[:IMAGES], data.test.targets[:IMAGES]
    probabilities, expected = (
        np.array(found.observed["probabilities"]) for (found,) in (runs["plain"], reference["plain"])
    )
    pictures = images_with_probabilities(images.reshape(-1, 28, 28), targets, probabilities, data.classes)
    guesses = probabilities.argmax(axis=1)
    return Finding(
        passed=bool(pictures) and np.array_equal(guesses, expected.argmax(axis=1)),
        summary=", ".join(
            f"{data.classes[guess]} {row[guess]:.3f}" for guess, row in zip(guesses, probabilities, strict=True)
        ),
        figures={
            "right": float(np.sum(guesses == targets)),
            "largest difference of a probability from numpynet": float(np.abs(probabilities - expected).max()),
        },
        pictures=pictures,
    )


PLAIN = training()
CLOTHES = (
    entry("fashion-mnist", "ReLU", PLAIN, yardstick="torch alone: 0.861 and 0.863"),
    entry("fashion-mnist-raw", "raw pixels, learning rate 1e-4", training(data=raw_pixels, lr=1e-4)),
    entry("fashion-mnist-dropout", "dropout of a half", training(lambda rng: [ReLU(), Dropout(rng=rng)])),
    entry(
        "fashion-mnist-batchnorm",
        "BatchNormalization and Scaling",
        training(lambda rng: [BatchNormalization(128), Scaling(128), ReLU()]),
    ),
    entry("fashion-mnist-leaky-relu", "LeakyReLU", training(lambda rng: [LeakyReLU()])),
    entry("fashion-mnist-elu", "ELU", training(lambda rng: [ELU()])),
    entry(
        "fashion-mnist-softplus",
        "Softplus, weights from He's normal distribution",
        # From the default distribution it is too slow for ten epochs: 0.847 and 0.852 from seeds 0 and 1.
        training(lambda rng: [Softplus()], init=he_normal),
    ),
    entry(
        "fashion-mnist-softmax-unstable",
        "SoftMax and NLLCriterionUnstable",
        training(last=SoftMax, criterion=NLLCriterionUnstable),
    ),
    TrainingEntry(
        "fashion-mnist-five-images",
        f"Fashion-MNIST: the first {IMAGES} test images",
        "a picture of five images with their predicted probabilities, of which the largest are numpynet's",
        {"plain": PLAIN},
        show_images,
        observe=first_images,
    ),
)
