"""What the curves of rung 4 are of: networks, criteria and optimizers that between them are everything there is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import (
    ELU,
    GELU,
    SELU,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    AvgPool2d,
    BatchNormalization,
    BinaryCrossEntropyCriterion,
    BinaryCrossEntropyCriterionUnstable,
    ClipByGlobalNorm,
    Concatenate,
    Conv2d,
    Criterion,
    CrossEntropyCriterion,
    Dropout,
    Flatten,
    GlobalAveragePool2d,
    Graph,
    GroupNormalization,
    HardSigmoid,
    HardSwish,
    HuberCriterion,
    L1Criterion,
    LayerNormalization,
    LeakyReLU,
    Linear,
    LogSoftMax,
    Maxout,
    MaxPool2d,
    Module,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
    PReLU,
    ReLU,
    RMSprop,
    Scaling,
    Sequential,
    Sigmoid,
    SiLU,
    SoftMax,
    Softplus,
    StepDecay,
    Sum,
    Tanh,
    ZeroPad2d,
)
from numpynet.datasets import Dataset, Split, digits, fashion_mnist
from parity.training.experiment import Experiment


def plain(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(Flatten(), Linear(pixels, 32, rng=rng), ReLU(), Linear(32, 10, rng=rng), LogSoftMax())


def normalized(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(
        Flatten(),
        Linear(pixels, 32, bias=False, rng=rng),
        BatchNormalization(32, alpha=0.875, eps=2**-10),
        Scaling(32),
        LeakyReLU(0.125),
        Dropout(0.25, rng=rng.spawn(1)[0]),
        Linear(32, 16, rng=rng),
        ELU(),
        Linear(16, 10, rng=rng),
    )


def smooth(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(
        Flatten(), Linear(pixels, 32, rng=rng), Softplus(), Linear(32, 16, rng=rng), Sigmoid(), Linear(16, 10, rng=rng)
    )


def probabilities(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(Flatten(), Linear(pixels, 32, rng=rng), Tanh(), Linear(32, 10, rng=rng), SoftMax())


def regression(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(Flatten(), Linear(pixels, 32, rng=rng), Tanh(), Linear(32, 10, rng=rng))


def residual(rng: np.random.Generator, pixels: int) -> Graph:
    """A residual block that is used twice, and dense connections around it."""
    block = Sequential(
        Linear(16, 16, bias=False, rng=rng), BatchNormalization(16, alpha=0.875, eps=2**-10), Scaling(16), Tanh()
    )
    return Graph(
        {"image": (1, None, None)},
        {
            "start": (Sequential(Flatten(), Linear(pixels, 16, rng=rng), Tanh()), "image"),
            "block": (block, "start"),
            "once": (Sum(), "start", "block"),
            "again": ("block", "once"),
            "twice": ("once", "once", "again"),
            "all": (Concatenate(), "start", "once", "twice"),
            "logits": (Linear(48, 10, rng=rng), "all"),
        },
        ["logits"],
    )


def chances(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(regression(rng, pixels), Sigmoid())


def images(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(
        ZeroPad2d((0, 1, 0, 1)),
        Conv2d(1, 16, 3, rng=rng),
        GroupNormalization(2, eps=2**-10),
        PReLU(16),
        MaxPool2d(2),
        Conv2d(16, 16, 3, padding=1, groups=2, rng=rng),
        HardSwish(),
        AvgPool2d(2, stride=1, padding=1),
        GlobalAveragePool2d(),
        Linear(16, 10, rng=rng),
    )


def gates(rng: np.random.Generator, pixels: int) -> Sequential:
    return Sequential(
        Flatten(),
        Linear(pixels, 32, rng=rng),
        LayerNormalization(eps=2**-10),
        GELU(),
        Linear(32, 32, rng=rng),
        Maxout(2),
        SELU(),
        Linear(16, 16, rng=rng),
        SiLU(),
        Linear(16, 16, rng=rng),
        HardSigmoid(),
        Linear(16, 10, rng=rng),
    )


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
    Recipe("ReLU and negative log-likelihood", plain, NLLCriterion, functools.partial(SGD, lr=1 / 8, momentum=0.875)),
    Recipe(
        "dropout, batch normalisation and cross-entropy",
        normalized,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 16, momentum=0.875, nesterov=True),
    ),
    Recipe(
        "softplus, sigmoid and cross-entropy with weight decay",
        smooth,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 8, momentum=0.875, weight_decay=2**-10),
    ),
    Recipe(
        "tanh, softmax and the unstable likelihood, dampened",
        probabilities,
        NLLCriterionUnstable,
        functools.partial(SGD, lr=1 / 8, momentum=0.75, dampening=0.25),
    ),
    Recipe(
        "tanh and mean squared error", regression, MSECriterion, functools.partial(SGD, lr=1 / 4, momentum=0.5), True
    ),
    Recipe(
        "a residual block used twice, dense connections and cross-entropy",
        residual,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 16, momentum=0.875),
    ),
    Recipe(
        "convolutions, group normalisation, pooling and cross-entropy",
        images,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 16, momentum=0.875),
        data=("digits",),
    ),
    Recipe(
        "layer normalisation, gates and cross-entropy",
        gates,
        CrossEntropyCriterion,
        functools.partial(SGD, lr=1 / 8, momentum=0.875),
        data=("digits",),
    ),
    Recipe(
        "tanh and Huber's loss by Adam",
        regression,
        HuberCriterion,
        functools.partial(Adam, lr=2**-8, eps=2**-20, clip=ClipByGlobalNorm(2.0**-4), **BETAS),
        one_hot=True,
        data=("digits",),
    ),
    Recipe(
        "tanh and binary cross-entropy by AdamW, AMSGrad and Keras' eps",
        regression,
        BinaryCrossEntropyCriterion,
        functools.partial(AdamW, lr=2**-8, eps=2**-20, weight_decay=2**-7, amsgrad=True, eps_hat=True, **BETAS),
        one_hot=True,
        data=("digits",),
    ),
    Recipe(
        "tanh and absolute differences by centred RMSprop",
        regression,
        L1Criterion,
        functools.partial(RMSprop, lr=2**-10, alpha=1 - 2**-5, eps=2**-10, momentum=0.5, centered=True),
        one_hot=True,
        data=("digits",),
    ),
    Recipe(
        "tanh, sigmoid and the unstable binary cross-entropy by Adagrad",
        chances,
        BinaryCrossEntropyCriterionUnstable,
        functools.partial(Adagrad, lr=2**-5, eps=2**-10, initial_accumulator=2**-4, eps_inside=True),
        one_hot=True,
        data=("digits",),
    ),
)
HALVED_EVERY = 100  # steps: the learning rate changes in mid-course, where Keras' velocity and torch's part


def part_of_fashion_mnist() -> Dataset:
    """14,000 training and 1,000 validation rows: what a curve needs."""
    whole = fashion_mnist(flat=False)
    train, validation = (
        Split(s.inputs[:n], s.targets[:n]) for s, n in ((whole.train, 14_000), (whole.validation, 1_000))
    )
    return Dataset(whole.name, train, validation, whole.test, whole.classes)


DATA: dict[str, tuple[Callable[[], Dataset], int, int, int]] = {
    # name: data, pixels, batch size, epochs; 228 and 219 steps, the last one of an epoch on a smaller batch
    "digits": (functools.partial(digits, flat=False), 64, 32, 6),
    "fashion-mnist": (part_of_fashion_mnist, 784, 64, 1),
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


EXPERIMENTS = tuple(_experiment(name, recipe) for name in DATA for recipe in RECIPES if name in recipe.data)
