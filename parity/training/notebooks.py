"""What the source notebooks trained, each training with the settings that its experiments change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from numpynet import (
    SGD,
    Adam,
    Criterion,
    CrossEntropyCriterion,
    LogSoftMax,
    Module,
    NLLCriterion,
    NLLCriterionUnstable,
    Optimizer,
    Parameter,
    ReLU,
)
from numpynet import datasets as numpynets
from numpynet.datasets import Dataset
from numpynet.initializers import Initializer, standard_normal, uniform_fan_in
from parity.training import datasets, networks
from parity.training.experiment import Experiment

Network = Callable[[np.random.Generator], Module]


def toy2d(data: Callable[[], Dataset], network: Network, lr: float) -> Experiment:
    return Experiment(
        name="points",
        title="Points in the plane",
        data=data,
        network=network,
        criterion=NLLCriterion,
        optimizer=partial(SGD, lr=lr, momentum=0.9),
        epochs=30,
        batch_size=128,
    )


def fashion_mnist(
    between: networks.Layers = networks.relu,
    last: type[Module] = LogSoftMax,
    criterion: Callable[[], Criterion] = NLLCriterion,
    data: Callable[[], Dataset] = numpynets.fashion_mnist,
    lr: float = 1e-2,
    init: Initializer = uniform_fan_in,
) -> Experiment:
    return Experiment(
        name="fashion-mnist",
        title="Fashion-MNIST, 784-128-128-10",
        data=data,
        network=partial(networks.fashion_mnist, between=between, last=last, init=init),
        criterion=criterion,
        optimizer=partial(SGD, lr=lr, momentum=0.9),
        epochs=10,
        batch_size=128,
    )


def cifar10(network: Network, optimizer: Callable[[Iterable[Parameter]], Optimizer]) -> Experiment:
    return Experiment(
        name="cifar-10",
        title="CIFAR-10",
        data=numpynets.cifar10,
        network=network,
        criterion=CrossEntropyCriterion,
        optimizer=optimizer,
        epochs=1,
        batch_size=64,
    )


def mnist_initialisation(
    choice: Callable[[type[Module]], Initializer] = lambda activation: standard_normal,
    after_first: Callable[[], Sequence[Module]] = lambda: [],
    data: Callable[[], Dataset] = numpynets.mnist,
) -> Experiment:
    return Experiment(
        name="mnist-initialisation",
        title="MNIST, 784-100-100-10",
        data=data,
        network=partial(networks.mnist_initialisation, choice, after_first),
        criterion=NLLCriterionUnstable,
        optimizer=partial(Adam, lr=1e-3),
        epochs=10,
        batch_size=128,
        dtype="float64",
    )


def mnist_factors(
    layers: int = 2,
    units: int = 64,
    activation: type[Module] = ReLU,
    epochs: int = 5,
    batch_size: int = 32,
    data: Callable[[], Dataset] = datasets.CENTRED_MNIST,
) -> Experiment:
    return Experiment(
        name="mnist-settings",
        title="MNIST in five epochs",
        data=data,
        network=partial(networks.mnist_factors, layers, units, activation),
        criterion=CrossEntropyCriterion,
        optimizer=partial(Adam, lr=1e-3, eps=1e-7, eps_hat=True),  # Keras' defaults
        epochs=epochs,
        batch_size=batch_size,
    )
