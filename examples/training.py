"""A training of one's own, for a study: `parity register examples/training.py:WIDE`, then `parity study wide.toml`."""

from collections.abc import Iterable

import numpy as np

from numpynet import SGD, Linear, LogSoftMax, Module, NLLCriterion, Parameter, ReLU, Sequential
from numpynet.datasets import digits
from parity.training.experiment import Experiment


# Functions with names, at the top of the file: processes that perform runs find them there.
def network(rng: np.random.Generator) -> Module:
    return Sequential(Linear(64, 256, rng=rng), ReLU(), Linear(256, 10, rng=rng), LogSoftMax())


def optimizer(parameters: Iterable[Parameter]) -> SGD:
    return SGD(parameters, lr=0.125, momentum=0.875)


WIDE = Experiment(
    name="wide",
    title="Digits, 64-256-10",
    data=digits,
    network=network,
    criterion=NLLCriterion,
    optimizer=optimizer,
    epochs=5,
    batch_size=32,
)
