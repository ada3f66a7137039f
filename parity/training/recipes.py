"""What rung 4 trains: networks, criteria and optimizers that between them are everything there is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpynet import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    ClipByGlobalNorm,
    Criterion,
    CrossEntropyCriterion,
    HuberCriterion,
    L1Criterion,
    Module,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
    RMSprop,
    StepDecay,
)
from numpynet.datasets import Dataset, digits
from parity.training import datasets, networks
from parity.training.experiment import Experiment

BETAS: dict[str, Any] = {"beta1": 0.875, "beta2": 1 - 2.0**-10}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Every hyper-parameter is a float32: Keras rounds them (differences, keras-float32)."""

    title: str
    network: Callable[..., Module]
    criterion: Callable[[], Criterion]
    optimizer: functools.partial[Any]
    one_hot: bool = False
    data: tuple[str, ...] = ("digits", "fashion-mnist")

    @property
    def name(self) -> str:
        """The network's, and the optimizer's unless it is SGD."""
        rule = self.optimizer.func.__name__.lower()
        return self.network.__name__ if rule == "sgd" else f"{self.network.__name__}-{rule}"


RECIPES = (
    Recipe(
        "ReLU and negative log-likelihood",
        networks.plain,
        NLLCriterion,
        functools.partial(SGD, lr=1 / 8, momentum=0.875),
    ),
    Recipe(
        "dropout, batch normalisation and cross-entropy",
        networks.normalized,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 16, momentum=0.875, nesterov=True),
    ),
    Recipe(
        "softplus, sigmoid and cross-entropy with weight decay",
        networks.smooth,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 8, momentum=0.875, weight_decay=2**-10),
    ),
    Recipe(
        "tanh, softmax and the unstable likelihood, dampened",
        networks.probabilities,
        NLLCriterionUnstable,
        functools.partial(SGD, lr=1 / 8, momentum=0.75, dampening=0.25),
    ),
    Recipe(
        "tanh and mean squared error",
        networks.regression,
        MSECriterion,
        functools.partial(SGD, lr=1 / 4, momentum=0.5),
        True,
    ),
    Recipe(
        "a residual block used twice, dense connections and cross-entropy",
        networks.residual,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 16, momentum=0.875),
    ),
    Recipe(
        "convolutions, group normalisation, pooling and cross-entropy",
        networks.images,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 16, momentum=0.875),
        data=("digits",),
    ),
    Recipe(
        "layer normalisation, gates and cross-entropy",
        networks.gates,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 8, momentum=0.875),
        data=("digits",),
    ),
    Recipe(
        "tanh and Huber's loss by Adam",
        networks.regression,
        HuberCriterion,
        functools.partial(Adam, lr=2**-8, eps=2**-20, clip=ClipByGlobalNorm(2.0**-4), **BETAS),
        one_hot=True,
        data=("digits",),
    ),
    Recipe(
        "tanh and binary cross-entropy by AdamW, AMSGrad and Keras' eps",
        networks.regression,
        BinaryCrossEntropyCriterion,
        functools.partial(AdamW, lr=2**-8, eps=2**-20, weight_decay=2**-7, amsgrad=True, eps_hat=True, **BETAS),
        one_hot=True,
        data=("digits",),
    ),
    Recipe(
        "tanh and absolute differences by centred RMSprop",
        networks.regression,
        L1Criterion,
        functools.partial(RMSprop, lr=2**-10, alpha=1 - 2**-5, eps=2**-10, momentum=0.5, centered=True),
        one_hot=True,
        data=("digits",),
    ),
    Recipe(
        "tanh, sigmoid and the unstable binary cross-entropy by Adagrad",
        networks.chances,
        BinaryCrossEntropyCriterionUnstable,
        functools.partial(Adagrad, lr=2**-5, eps=2**-10, initial_accumulator=2**-4, eps_inside=True),
        one_hot=True,
        data=("digits",),
    ),
)
HALVED_EVERY = 100  # steps: the learning rate changes in mid-course, where Keras' velocity and torch's part

DATA: dict[str, tuple[Callable[[], Dataset], int, int, int]] = {
    # name: data, pixels, batch size, epochs; 228 and 219 steps, the last one of an epoch on a smaller batch
    "digits": (datasets.digit_images, 64, 32, 6),
    "fashion-mnist": (datasets.part_of_fashion_mnist, 784, 64, 1),
}


def _experiment(name: str, recipe: Recipe) -> Experiment:
    data, pixels, batch_size, epochs = DATA[name]
    return Experiment(
        name=f"{name}-{recipe.name}",
        title=f"{recipe.title} on {name}",
        data=data,
        network=functools.partial(recipe.network, pixels=pixels),
        criterion=recipe.criterion,
        optimizer=recipe.optimizer,
        epochs=epochs,
        batch_size=batch_size,
        schedule=StepDecay(recipe.optimizer.keywords["lr"], HALVED_EVERY, 0.5),
        one_hot=recipe.one_hot,
    )


CURVES = tuple(_experiment(name, recipe) for name in DATA for recipe in RECIPES if name in recipe.data)

# What defects of training are planted in. Three epochs of 1,197 digits: a last batch of 45, and a learning rate that
# changes within the second epoch. In double precision rounding turns no ReLU on or off, which in single precision can
# part right implementations.
PLANTED = Experiment(
    name="planted",
    title="digits, with dropout and batch normalisation",
    data=digits,
    network=networks.planted,
    criterion=NLLCriterion,
    optimizer=functools.partial(SGD, lr=1 / 8, momentum=0.875),
    epochs=3,
    batch_size=128,
    dtype="float64",
    schedule={15: 1 / 16},
)
