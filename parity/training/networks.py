"""Every network that is trained: those of the curves, the planted defects, the studies and the source notebooks.

Each draws its random numbers from the generator that it is given. Their functions have names of their own: processes
find them by these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from numpynet import (
    ELU,
    GELU,
    SELU,
    AvgPool2d,
    BatchNormalization,
    Concatenate,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAveragePool2d,
    Graph,
    GroupNormalization,
    HardSigmoid,
    HardSwish,
    LayerNormalization,
    LeakyReLU,
    Linear,
    LogSoftMax,
    Maxout,
    MaxPool2d,
    Module,
    PReLU,
    ReLU,
    Scaling,
    Sequential,
    Sigmoid,
    SiLU,
    SoftMax,
    Softplus,
    Sum,
    Tanh,
    ZeroPad2d,
)
from numpynet.initializers import Initializer, glorot_uniform, he_normal, uniform_fan_in
from parity.training.datasets import PERMUTATION

Layers = Callable[[np.random.Generator], Sequence[Module]]


# Of the curves, which are named by them: between them they have every layer there is


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


# Of the planted defects, the modes and the studies


def planted(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Linear(64, 16, rng=rng),
        ReLU(),
        BatchNormalization(16, alpha=0.875, eps=2**-10),
        Scaling(16),
        Dropout(0.25, rng=rng.spawn(1)[0]),
        Linear(16, 10, rng=rng),
        LogSoftMax(),
    )


def normalized_once(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Linear(64, 32, bias=False, rng=rng),
        BatchNormalization(32, alpha=0.875, eps=2**-10),
        Scaling(32),
        ReLU(),
        Linear(32, 10, rng=rng),
    )


def digits(rng: np.random.Generator) -> Sequential:
    return Sequential(Linear(64, 64, rng=rng), ReLU(), Linear(64, 10, rng=rng), LogSoftMax())


def digits_convolutional(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Conv2d(1, 8, 3, padding=1, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Conv2d(8, 16, 3, padding=1, rng=rng),
        ReLU(),
        MaxPool2d(2),
        Flatten(),
        Linear(64, 10, rng=rng),
        LogSoftMax(),
    )


# Of the source notebooks


def relu(rng: np.random.Generator) -> Sequence[Module]:
    return [ReLU()]


def fashion_mnist(
    rng: np.random.Generator,
    between: Layers = relu,
    last: type[Module] = LogSoftMax,
    init: Initializer = uniform_fan_in,
) -> Sequential:
    """The network 784-128-128-10; `between` makes what follows each hidden layer."""
    return Sequential(
        Linear(784, 128, init=init, rng=rng),
        *between(rng),
        Linear(128, 128, init=init, rng=rng),
        *between(rng),
        Linear(128, 10, init=init, rng=rng),
        last(),
    )


def line(rng: np.random.Generator) -> Sequential:
    return Sequential(Linear(2, 2, rng=rng), LogSoftMax())


def hidden(units: int, rng: np.random.Generator) -> Sequential:
    return Sequential(Linear(2, units, rng=rng), ReLU(), Linear(units, 2, rng=rng), LogSoftMax())


def cifar10_linear(rng: np.random.Generator) -> Sequential:
    return Sequential(
        Flatten(),
        Linear(3072, 4000, bias=False, init=he_normal, rng=rng),
        ReLU(),
        Linear(4000, 10, bias=False, init=he_normal, rng=rng),
    )


def cifar10_convolutional(
    first: int, second: int, rng: np.random.Generator, side: int = 32, init: Initializer = he_normal
) -> Sequential:
    """Two convolutions, to `first` and to `second` channels, and a linear layer, for images of side x side pixels."""
    return Sequential(
        Conv2d(3, first, 5, padding=2, init=init, rng=rng),
        ReLU(),
        Conv2d(first, second, 3, padding=1, init=init, rng=rng),
        ReLU(),
        Flatten(),
        Linear(second * side * side, 10, init=init, rng=rng),
    )


def cifar10_residual(rng: np.random.Generator) -> Sequential:
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


def mnist_initialisation(
    choice: Callable[[type[Module]], Initializer],
    after_first: Callable[[], Sequence[Module]],
    rng: np.random.Generator,
) -> Sequential:
    """The network 784-100-100-10; `choice` names the distribution of weights by the activation that follows them."""
    return Sequential(
        Linear(784, 100, init=choice(ReLU), rng=rng),
        ReLU(),
        *after_first(),
        Linear(100, 100, init=choice(ReLU), rng=rng),
        ReLU(),
        Linear(100, 10, init=choice(SoftMax), rng=rng),
        SoftMax(),
    )


def mnist_factors(layers: int, units: int, activation: type[Module], rng: np.random.Generator) -> Sequential:
    sizes = [784, *[units] * layers]
    inside = [
        part
        for fan_in, fan_out in pairwise(sizes)
        for part in (Linear(fan_in, fan_out, init=glorot_uniform, rng=rng), activation())
    ]
    return Sequential(*inside, Linear(units, 10, init=glorot_uniform, rng=rng))


def mnist_permuted(rng: np.random.Generator) -> Sequential:
    """The network that does to permuted pixels what `mnist_factors` does to pixels in order."""
    model = mnist_factors(2, 64, ReLU, rng)
    model.parameters()[0].map(lambda weight: weight[:, PERMUTATION])
    return model
