"""Datasets that need no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from numpynet.datasets.splits import Dataset, Split, permutation
from numpynet.module import Array


def digits(*, flat: bool = True, seed: int = 0) -> Dataset:
    """1,797 handwritten digits of 8 by 8 pixels in 0..1: 1,197 to train, 200 to validate, 400 to test.

    Inputs are float32 of shape (N, 64), or (N, 1, 8, 8) when not `flat`. `seed` draws the split, in which two test rows
    are 0.005 of accuracy. No two of the 1,797 rows are equal.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository,
    1998, https://doi.org/10.24432/C50P49 (CC BY 4.0), as in scikit-learn's `load_digits`.
    """
    with np.load(Path(__file__).parents[1] / "data" / "digits.npz") as file:
        pixels, targets = file["pixels"], file["targets"].astype(np.int64)
    inputs = np.divide(pixels, 16, dtype=np.float32).reshape(-1, *((64,) if flat else (1, 8, 8)))
    train, validation, test = (
        Split(inputs[rows], targets[rows]) for rows in np.split(permutation(1797, seed), (1197, 1397))
    )
    return Dataset("digits", train, validation, test, tuple("0123456789"))


def blobs(n: int = 1024, centers: int = 2, cluster_std: float = 1.0, seed: int = 42) -> Dataset:
    """Points of shape (2,), normally distributed around `centers` random centers, each of which is one class.

    There are n float32 training rows, to the bit those of scikit-learn's `make_blobs(n, centers=centers,
    cluster_std=cluster_std, random_state=seed)` in float32; validation and test are n further points each, of the same
    random stream.
    """
    rng = _sklearn_stream(seed)
    means = rng.uniform(-10, 10, (centers, 2))
    sizes = [n // centers + (i < n % centers) for i in range(centers)]

    def draw() -> Split:
        points = [rng.normal(mean, cluster_std, (size, 2)) for mean, size in zip(means, sizes, strict=True)]
        rows = _shuffled(n, rng)
        return _split(np.concatenate(points)[rows], np.repeat(range(centers), sizes)[rows])

    return Dataset("blobs", draw(), draw(), draw(), tuple(map(str, range(centers))))


def circles(n: int = 1024, factor: float = 0.5, noise: float = 0.05, seed: int = 42) -> Dataset:
    """Points of shape (2,) around a circle of radius 1 (class 0) and around one of radius `factor` (class 1).

    There are n float32 training rows, to the bit those of scikit-learn's `make_circles(n, factor=factor, noise=noise,
    random_state=seed)` in float32; validation and test are n further points each, of the same random stream. Raises
    ValueError without noise, when all three would be the same points.
    """
    rng = _sklearn_stream(seed)
    sizes = [n // 2, n - n // 2]
    angles = [np.linspace(0, 2 * np.pi, size, endpoint=False) for size in sizes]
    rings = [
        np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius
        for angle, radius in zip(angles, (1, factor), strict=True)
    ]

    def draw() -> Split:
        rows = _shuffled(n, rng)
        points = np.concatenate(rings)[rows]
        return _split(points + rng.normal(scale=noise, size=points.shape), np.repeat((0, 1), sizes)[rows])

    return Dataset("circles", draw(), draw(), draw(), ("outer", "inner"))


def _sklearn_stream(seed: int) -> np.random.RandomState:
    # Not a Generator: scikit-learn draws from this one, and NumPy keeps its stream frozen.
    return np.random.RandomState(seed)


def _shuffled(n: int, rng: np.random.RandomState) -> Array:
    rows = np.arange(n)
    rng.shuffle(rows)
    return rows


def _split(points: Array, targets: Array) -> Split:
    return Split(points.astype(np.float32), targets.astype(np.int64))
