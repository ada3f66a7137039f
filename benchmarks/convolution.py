"""One training step on CIFAR-10's images: two convolutions with ReLUs, then a linear layer.

The convolutions are 3 -> 32 of 5x5 and 32 -> 16 of 3x3; batch 64, float32, SGD. All have the same weights and batches,
as in `benchmarks.step`.

    python -m benchmarks.convolution time THREADS ROUNDS
    python -m benchmarks.convolution memory numpynet|torch|tensorflow
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.memory import resident_megabytes
from benchmarks.sheets import PRODUCTS
from benchmarks.step import CONTENDERS, Batches, agreeing, compared, contenders
from benchmarks.timing import interleaved
from numpynet import Array, Conv2d, Flatten, Linear, LogSoftMax, ReLU, Sequential

BATCH, SIDE, MOMENTUM = 64, 32, 0.0


def network() -> Sequential:
    rng = np.random.default_rng(0)
    return Sequential(
        Conv2d(3, 32, 5, padding=2, rng=rng),
        ReLU(),
        Conv2d(32, 16, 3, padding=1, rng=rng),
        ReLU(),
        Flatten(),
        Linear(16 * SIDE * SIDE, 10, rng=rng),
        LogSoftMax(),
    )


def batches() -> Batches:
    """Four batches of noise, of the shape and scale of standardised images, with random classes."""
    rng = np.random.default_rng(1)
    shape = (BATCH, 3, SIDE, SIDE)
    return [(rng.standard_normal(shape, np.float32), rng.integers(0, 10, BATCH)) for _ in range(4)]


def products() -> Callable[[], object]:
    """A call that does the step's products of matrices alone, image by image and one for each kernel row.

    Their operands are made before.
    """
    rng = np.random.default_rng(2)

    def matrix(*shape: int) -> Array:
        return rng.standard_normal(shape, np.float32)

    def correlations(inputs: int, outputs: int, size: int, backward: bool) -> list[tuple[Array, Array]]:
        """The operands of one image's products: forward, the weight's gradient and, if `backward`, the input's."""
        pixels, rows = SIDE * SIDE, matrix(inputs * size, (SIDE + size - 1) * SIDE)
        unfolded = [rows[:, u * SIDE : u * SIDE + pixels] for u in range(size)]
        cotangent = matrix(outputs, pixels)
        found = [(matrix(outputs, inputs * size), each) for each in unfolded]
        found += [(each, cotangent.T) for each in unfolded]
        if backward:
            found += correlations(outputs, inputs, size, False)[:size]
        return found

    image = correlations(3, 32, 5, False) + correlations(32, 16, 3, True)
    features, weight, scores = matrix(BATCH, 16 * SIDE * SIDE), matrix(10, 16 * SIDE * SIDE), matrix(BATCH, 10)
    whole = [(features, weight.T), (scores.T, features), (scores, weight)]
    pairs = [(a, b, np.empty((len(a), b.shape[1]), np.float32)) for a, b in image * BATCH + whole]
    return lambda: [np.matmul(a, b, out=out) for a, b, out in pairs]


def measure(threads: int, rounds: int) -> dict[str, Any]:
    steps = agreeing({name: make(network(), batches(), MOMENTUM) for name, make in contenders(threads).items()})
    seconds = interleaved({**steps, PRODUCTS: products()}, rounds, calls=3)
    return {"threads": threads, **compared(seconds)}


def peak_megabytes(implementation: str) -> float:
    step = CONTENDERS[implementation](network(), batches(), MOMENTUM)
    for _ in range(20):
        step()
    return resident_megabytes()


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    print(json.dumps(measure(*map(int, arguments)) if what == "time" else peak_megabytes(*arguments)))
