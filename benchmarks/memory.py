"""The peak memory of a process that trains 784-128-128-10 on Fashion-MNIST for one epoch.

python -m benchmarks.memory numpynet|torch|tensorflow
"""

from __future__ import annotations

import json
import resource
import sys

import numpy as np

from numpynet import SGD, Linear, LogSoftMax, NLLCriterion, ReLU, Sequential
from numpynet.datasets import Dataset, Split, fashion_mnist
from numpynet.training import Steps, Trainer, fit


def dataset() -> Dataset:
    """The Fashion-MNIST dataset, or noise of its shape and size where it cannot be had."""
    try:
        return fashion_mnist()
    except (ImportError, OSError) as error:
        print(f"noise in place of Fashion-MNIST: {error}", file=sys.stderr)
    rng = np.random.default_rng(0)

    def noise(rows: int) -> Split:
        return Split(rng.random((rows, 784), np.float32), rng.integers(0, 10, rows))

    return Dataset("noise", noise(55_000), noise(5_000), noise(10_000), tuple("0123456789"))


def trainer(implementation: str) -> Steps:
    model = Sequential(Linear(784, 128), ReLU(), Linear(128, 128), ReLU(), Linear(128, 10), LogSoftMax())
    criterion, optimizer = NLLCriterion(), SGD(model.parameters(), lr=0.01, momentum=0.9)
    if implementation == "numpynet":
        return Trainer(model, criterion, optimizer)
    from parity.mapping import convert

    built: Steps = convert.trainer(model, criterion, optimizer, implementation)
    return built


def peak_megabytes(implementation: str) -> float:
    fit(trainer(implementation), dataset(), epochs=1, batch_size=128, seed=0)
    return resident_megabytes()


def resident_megabytes() -> float:
    """The most memory, in megabytes, that this process has had so far."""
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss is in bytes there, in kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    print(json.dumps(peak_megabytes(sys.argv[1])))
