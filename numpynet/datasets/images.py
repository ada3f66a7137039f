"""MNIST, Fashion-MNIST and CIFAR-10, from the published files."""

from __future__ import annotations

import numpy as np

from numpynet.datasets.files import content
from numpynet.datasets.splits import Dataset, Split, permutation
from numpynet.module import Array

CLOTHES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def fashion_mnist(*, scale: bool = True, flat: bool = True, validation: int = 5000, seed: int = 0) -> Dataset:
    """28 by 28 pixels of clothing in 10 classes: 55,000 rows to train, 5,000 to validate, 10,000 to test.

    Inputs are float32 of shape (N, 784), or (N, 1, 28, 28) when not `flat`, with values in 0..1, or the raw 0..255 when
    not `scale`. `seed` draws the `validation` rows from the 60,000 published training rows; the test rows are those
    published. No two of the 70,000 rows are equal.

    The files are taken from $NUMPYNET_DATA/fashion-mnist/*-ubyte.gz where they are there; otherwise they are downloaded
    once into the user's cache, which needs pooch (ImportError without it). Raises ValueError for a file whose content
    is not the published one and for more `validation` rows than there are, ConnectionError where a download fails; no
    failed download leaves a file behind.

    Source: Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747 (MIT licence).
    """
    return _dataset("fashion-mnist", CLOTHES, scale, flat, validation, seed)


def mnist(*, scale: bool = True, flat: bool = True, validation: int = 5000, seed: int = 0) -> Dataset:
    """28 by 28 pixels of handwritten digits; sizes, options, files and errors are those of `fashion_mnist`.

    No two of the 70,000 rows are equal. The folder in $NUMPYNET_DATA is mnist.
    Source: LeCun, Cortes and Burges 1998, from NIST's databases 1 and 3.
    """
    return _dataset("mnist", tuple("0123456789"), scale, flat, validation, seed)


def cifar10(*, standardise: bool = True, validation: int = 1000, seed: int = 0) -> Dataset:
    """32 by 32 colour photographs in 10 classes: 49,000 rows to train, 1,000 to validate, 10,000 to test.

    Inputs are float32 of shape (N, 3, 32, 32): red, green, blue. Each channel has mean 0 and variance 1 over the
    training rows, or raw values 0..255 when not `standardise`. `seed` draws the `validation` rows from the 50,000
    published training rows; the test rows are those published. No two of the 60,000 rows are equal, though some are
    crops or shades of one photograph: 3.3% of the test rows have such a twin among the training rows (Barz and Denzler
    2020, Do We Train on Test Data?, https://arxiv.org/abs/1902.00423).

    The files are those of the binary version, in $NUMPYNET_DATA/cifar-10-batches-bin/*.bin or else downloaded; errors
    are those of `fashion_mnist`. Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    records = np.frombuffer(content("cifar-10", "cifar-10-batches-bin"), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    pixels, targets = records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0].astype(np.int64)
    published = len(records) * 5 // 6  # five files to train, one to test
    train, held_out = _held_out("cifar-10", published, validation, seed)
    mean, deviation = _moments(pixels[train]) if standardise else (np.float32(0), np.float32(1))

    def split(rows: Array | slice) -> Split:
        inputs = np.subtract(pixels[rows], mean, dtype=np.float32)
        inputs /= deviation
        return Split(inputs, targets[rows])

    return Dataset("cifar-10", split(train), split(held_out), split(slice(published, None)), OBJECTS)


def _moments(pixels: Array) -> tuple[Array, Array]:
    """The mean and the standard deviation of each channel of (N, C, H, W) uint8, each of shape (C, 1, 1), float32."""
    # Not np.std: that makes an array of doubles, 1.2 GB of them.
    mean, square = (values.mean(axis=(0, 2, 3)) for values in (pixels, np.square(pixels, dtype=np.uint16)))
    deviation = np.sqrt(square - mean**2)
    return mean.astype(np.float32)[:, None, None], deviation.astype(np.float32)[:, None, None]


def _held_out(name: str, published: int, validation: int, seed: int) -> tuple[Array, Array]:
    """The rows to train on and the `validation` rows, drawn from the published training rows."""
    if not 0 <= validation < published:
        raise ValueError(
            f"{name} can spare 0 to {published - 1} of its {published} training rows for validation, got {validation}"
        )
    rows = permutation(published, seed)
    return rows[validation:], rows[:validation]


def _dataset(name: str, classes: tuple[str, ...], scale: bool, flat: bool, validation: int, seed: int) -> Dataset:
    def split(pixels: Array, targets: Array) -> Split:
        inputs = np.divide(pixels, 255 if scale else 1, dtype=np.float32)
        return Split(inputs.reshape(-1, *((784,) if flat else (1, 28, 28))), targets.astype(np.int64))

    pixels, targets = _published(name, "train")
    train, held_out = (split(pixels[rows], targets[rows]) for rows in _held_out(name, len(targets), validation, seed))
    return Dataset(name, train, held_out, split(*_published(name, "t10k")), classes)


def _published(name: str, part: str) -> tuple[Array, Array]:
    """The published pixels (N, 784) and targets (N,) of one part, "train" or "t10k", both uint8."""
    # An idx file is a header, 4 bytes and 4 more for each dimension, then values; the hash vouches for it.
    pixels = np.frombuffer(content(name, f"{part}-images-idx3-ubyte"), np.uint8, offset=16)
    targets = np.frombuffer(content(name, f"{part}-labels-idx1-ubyte"), np.uint8, offset=8)
    return pixels.reshape(-1, 784), targets
