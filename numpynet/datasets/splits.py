"""Datasets in three splits, and the order in which their rows are visited."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows and their classes: inputs (N, ...) float32 and targets (N,) int64, where N may be 0; len(split) is N.

    Raises ValueError for any other shape or dtype.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.inputs.ndim < 2 or self.inputs.dtype != np.float32:
            raise ValueError(
                f"Split takes float32 inputs of shape (N, ...), got {self.inputs.dtype} of shape {self.inputs.shape}"
            )
        if self.targets.shape != self.inputs.shape[:1] or self.targets.dtype != np.int64:
            raise ValueError(
                f"Split takes int64 targets of shape ({len(self)},), one a row of inputs, "
                f"got {self.targets.dtype} of shape {self.targets.shape}"
            )

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        return f"<Split: {len(self)} rows of shape {self.inputs.shape[1:]}>"


@dataclass(frozen=True, eq=False)
class Dataset:
    """One classification task in three splits, disjoint by content; `validation` and `test` may be empty.

    Raises ValueError where two splits share a row (the same input bits, whatever the target), so that no validation row
    can be a training row, and where a target is no index into `classes`.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        for part, split in self.splits.items():
            if len(split) and not 0 <= split.targets.min() <= split.targets.max() < self.num_classes:
                raise ValueError(
                    f"{self.name}: {part} targets are {split.targets.min()} to {split.targets.max()}, "
                    f"the {self.num_classes} classes 0 to {self.num_classes - 1}"
                )
        rows = {part: _contents(split) for part, split in self.splits.items()}
        shared = {(a, b): sum(map(set(rows[a]).__contains__, rows[b])) for a, b in combinations(rows, 2)}
        if any(shared.values()):
            raise ValueError(
                f"{self.name}: the splits must not share rows, but "
                + ", ".join(f"{n} of the {b} rows occur in {a}" for (a, b), n in shared.items() if n)
            )

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name: "train", "validation" and "test"."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def num_classes(self) -> int:
        """The number of classes, whether or not a row has each."""
        return len(self.classes)


def _contents(split: Split) -> list[bytes]:
    return [hashlib.sha256(row.tobytes()).digest() for row in split.inputs]


def batch_order(n: int, batch_size: int, seed: int, epoch: int) -> list[Rows]:
    """The rows 0..n-1 in random order, cut into int64 arrays of `batch_size`; the last may be shorter.

    It depends on its arguments alone: PCG64 is seeded by (seed, epoch). Raises ValueError for a batch size below 1 and
    for a negative seed or epoch.
    """
    if batch_size < 1:
        raise ValueError(f"batch_order takes a batch size of 1 or more, got {batch_size}")
    rows = permutation(n, seed, epoch)
    return [rows[start : start + batch_size] for start in range(0, n, batch_size)]


def permutation(n: int, *seeds: int) -> Rows:
    """The rows 0..n-1 in the random order that `seeds` fix, an int64 array (n,)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seeds))).permutation(n)


def order_hash(batches: Iterable[Rows]) -> str:
    """The SHA-256 (hex) of an order of batches: of each batch's length and rows, as little-endian 64-bit integers."""
    digest = hashlib.sha256()
    for rows in batches:
        digest.update(np.array(len(rows), "<i8").tobytes() + np.asarray(rows, "<i8").tobytes())
    return digest.hexdigest()
