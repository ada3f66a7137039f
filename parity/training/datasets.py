"""The choices of data: parts of the datasets, raw pixels, and pixels in another order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from numpynet import Array
from numpynet.datasets import Dataset, Split, blobs, digits, fashion_mnist, mnist
from numpynet.datasets.splits import permutation

PERMUTATION = permutation(784, 0)
CLUSTER_STDS = (1.0, 2.5)
BLOBS = {std: partial(blobs, cluster_std=std) for std in CLUSTER_STDS}


def first_rows(whole: Dataset, **rows: int | None) -> Dataset:
    """The dataset with only the first of its rows; how many, by the name of the split; None or no number is all."""
    train, validation, test = (
        Split(split.inputs[: rows.get(name)], split.targets[: rows.get(name)]) for name, split in whole.splits.items()
    )
    return Dataset(whole.name, train, validation, test, whole.classes)


def digit_images() -> Dataset:
    return digits(flat=False)


def part_of_fashion_mnist() -> Dataset:
    """14,000 training and 1,000 validation rows: what a curve needs."""
    return first_rows(fashion_mnist(flat=False), train=14_000, validation=1_000)


def raw_fashion_mnist() -> Dataset:
    return fashion_mnist(scale=False)


def raw_mnist() -> Dataset:
    return mnist(scale=False)


def changed_mnist(change: Callable[[Array], Array], rows: int | None = None) -> Dataset:
    """MNIST with its inputs changed, and only the first `rows` of the training rows."""
    whole = mnist()
    train, validation, test = (Split(change(split.inputs), split.targets) for split in whole.splits.values())
    return first_rows(Dataset(whole.name, train, validation, test, whole.classes), train=rows)


def centred(pixels: Array) -> Array:
    return pixels - np.float32(0.5)


def permuted(pixels: Array) -> Array:
    return np.ascontiguousarray(centred(pixels)[:, PERMUTATION])


CENTRED_MNIST = partial(changed_mnist, centred)
FEW_CENTRED_MNIST = partial(changed_mnist, centred, rows=5000)
PERMUTED_MNIST = partial(changed_mnist, permuted)
