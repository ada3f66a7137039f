"""Random inputs of two models, of declared shapes and ranges: floating numbers, integers and truth values.

`parity.compare(first, second, draws=[...])` takes them. What cannot be drawn raises ValueError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from numpynet import Array

SMALL = 2.0**-10  # of the range: numbers near 0


@dataclass(frozen=True, eq=False)
class Size:
    """The size of an axis, drawn from `low` to `high`, both included.

    The same one is the same size wherever it stands: `n = Size(1, 8); draws = [Floats(n, 6), Integers(n, high=9)]`.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high:
            raise ValueError(f"draws: {self!r} has to be of sizes from 1 on, the smallest first")


Dimension = int | Size
Sizes = Mapping[Size, int]


class Inputs(ABC):
    """An input that is drawn at random, of a shape of integers and of `Size`s.

    kinds: in how many ways it is filled, as often as each is named; the first is the one that is shrunk to
    """

    kinds: ClassVar[tuple[str, ...]]
    dtype: ClassVar[type]

    def __init__(self, *shape: Dimension) -> None:
        self.shape = shape

    @property
    def sizes(self) -> list[Size]:
        """The sizes that are to be drawn."""
        return [size for size in self.shape if isinstance(size, Size)]

    def sized(self, sizes: Sizes) -> tuple[int, ...]:
        return tuple(_sized(size, sizes) for size in self.shape)

    @abstractmethod
    def with_sizes(self, sizes: Sizes) -> Inputs:
        """The same with integers for sizes."""

    def of(self, kind: str, seed: int) -> Array:
        """The array of this kind and seed; all sizes have to be integers."""
        return self.ways(np.random.default_rng(seed), self.sized({}))[kind]().astype(self.dtype)

    @abstractmethod
    def ways(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Mapping[str, Callable[[], Array]]:
        """What makes an array of each kind."""


class Floats(Inputs):
    """Floating numbers from `low` to `high`: anywhere between, at the ends, near 0, mostly zeros, or in equal rows."""

    kinds = ("uniform",) * 6 + ("small", "ends", "sparse", "equal rows")
    dtype = np.float32

    def __init__(self, *shape: Dimension, low: float = -4.0, high: float = 4.0) -> None:
        super().__init__(*shape)
        self.low, self.high = float(low), float(high)
        if not self.low <= self.high < np.inf or self.low == -np.inf:
            raise ValueError(f"draws: {self!r} has to be of finite numbers, the smallest first")

    def with_sizes(self, sizes: Sizes) -> Inputs:
        return Floats(*self.sized(sizes), low=self.low, high=self.high)

    def ways(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Mapping[str, Callable[[], Array]]:
        def uniform(shape: tuple[int, ...] = shape) -> Array:
            return self.low + (self.high - self.low) * rng.random(shape)

        def within(values: Array) -> Array:
            return np.clip(values, self.low, self.high)

        return {
            "uniform": uniform,
            "small": lambda: within(SMALL * uniform()),
            "ends": lambda: np.where(rng.random(shape) < 0.5, self.low, self.high),
            "sparse": lambda: within(uniform() * (rng.random(shape) < 0.25)),
            "equal rows": lambda: np.broadcast_to(uniform(shape[1:]), shape),
        }

    def __repr__(self) -> str:
        return f"Floats({_listed(self.shape)}low={self.low!r}, high={self.high!r})"


class Integers(Inputs):
    """Integers from `low` to `high`, both included: token ids, labels, lengths.

    `high` may be a `Size`, as that of sequences of which these are the lengths.
    """

    kinds = ("uniform",) * 6 + ("lowest", "highest")
    dtype = np.int64

    def __init__(self, *shape: Dimension, low: int = 0, high: Dimension) -> None:
        super().__init__(*shape)
        self.low, self.high = low, high
        if low > (high.low if isinstance(high, Size) else high):
            raise ValueError(f"draws: {self!r} has to be of integers, the smallest first")

    @property
    def sizes(self) -> list[Size]:
        return [*super().sizes, *([self.high] if isinstance(self.high, Size) else [])]

    def with_sizes(self, sizes: Sizes) -> Inputs:
        return Integers(*self.sized(sizes), low=self.low, high=_sized(self.high, sizes))

    def ways(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Mapping[str, Callable[[], Array]]:
        high = _sized(self.high, {})
        return {
            "uniform": lambda: rng.integers(self.low, high, shape, endpoint=True),
            "lowest": lambda: np.full(shape, self.low),
            "highest": lambda: np.full(shape, high),
        }

    def __repr__(self) -> str:
        return f"Integers({_listed(self.shape)}low={self.low!r}, high={self.high!r})"


class Truths(Inputs):
    """Truth values: masks."""

    kinds = ("uniform",) * 6 + ("true", "false")
    dtype = bool

    def with_sizes(self, sizes: Sizes) -> Inputs:
        return Truths(*self.sized(sizes))

    def ways(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Mapping[str, Callable[[], Array]]:
        return {
            "uniform": lambda: rng.random(shape) < 0.5,
            "true": lambda: np.ones(shape),
            "false": lambda: np.zeros(shape),
        }

    def __repr__(self) -> str:
        return f"Truths({_listed(self.shape).removesuffix(', ')})"


@dataclass(frozen=True)
class Drawn:
    """The inputs of one example: what each is of, with its kind and seed."""

    parts: tuple[tuple[Inputs, str, int], ...]

    @property
    def arrays(self) -> list[Array]:
        return [of.of(kind, seed) for of, kind, seed in self.parts]

    def __str__(self) -> str:
        """Code that makes the arrays."""
        return f"[{', '.join(f'{of!r}.of({kind!r}, {seed})' for of, kind, seed in self.parts)}]"


def largest(draws: Sequence[Inputs]) -> Drawn:
    """The inputs of the largest sizes: those that tell most of what goes with what."""
    sizes = {size: size.high for each in draws for size in each.sizes}
    return Drawn(tuple((each.with_sizes(sizes), each.kinds[0], place) for place, each in enumerate(draws)))


def _sized(size: Dimension, sizes: Sizes) -> int:
    return sizes[size] if isinstance(size, Size) else size


def _listed(shape: Sequence[Dimension]) -> str:
    return "".join(f"{size!r}, " for size in shape)
