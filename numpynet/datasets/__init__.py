"""Data for classification, split into training, validation and test rows that share nothing.

`digits` ships with numpynet; `blobs` and `circles` are generated; `mnist`, `fashion_mnist` and `cifar10` come from the
published files. A seed and an epoch fix the order of the batches (`batch_order`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpynet.datasets.images import cifar10, fashion_mnist, mnist
from numpynet.datasets.small import blobs, circles, digits
from numpynet.datasets.splits import Dataset, Split, batch_order, order_hash

__all__ = [
    "DATASETS",
    "Dataset",
    "Split",
    "batch_order",
    "blobs",
    "cifar10",
    "circles",
    "digits",
    "fashion_mnist",
    "load",
    "mnist",
    "order_hash",
]

DATASETS: dict[str, Callable[..., Dataset]] = {
    "digits": digits,
    "blobs": blobs,
    "circles": circles,
    "fashion-mnist": fashion_mnist,
    "mnist": mnist,
    "cifar-10": cifar10,
}


def load(name: str, **options: Any) -> Dataset:
    """The dataset called `name` in DATASETS, made with that function's `options`; ValueError for any other name."""
    if name not in DATASETS:
        raise ValueError(f"no dataset is called {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name](**options)
