"""The kinds of errors that a run makes, and the context in which it makes them."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import random
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from numpynet import Array
from parity.formats import format_of

SLACK = 16.0  # the safety factor, measured: see "Choosing SLACK" in CONTRIBUTING.md
SMOOTH = 10.0  # roundings allowed where nothing jumps: by the soak, right layers used half of SLACK there at most
LOST = 4  # units in the last place: what functions such as tanh may be off


class Errors:
    """The errors that operations make in one run; the base makes none.

    size: of random errors, in roundings; 0 where there are none
    roundings: how many of them a result may be off where nothing takes a branch
    losing: whether what may be lost is lost, so that sums are relative to their larger term
    """

    size = 0.0
    roundings = 1.0
    losing = False

    @property
    def forward(self) -> Errors:
        """The errors that are made in forward passes; behind them these are made."""
        return self

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        """Change `result`, where `where` says so: it may be `weight` roundings of `magnitude` off.

        `larger` is the larger term of a sum of two; nothing else is one, nor is it told where nothing is `losing`.
        """


class RandomErrors(Errors):
    """Random errors of up to `size` roundings of `dtype`; `mirrored` gives those of the same seed the other sign."""

    def __init__(self, dtype: np.dtype[Any], seed: bytes = b"", size: float = SLACK, mirrored: bool = False) -> None:
        self.dtype, self.seed, self.size, self.roundings = dtype, seed, size, size
        self.unit: Any = size * format_of(dtype).unit
        self.smallest_unit = self.unit
        self.tiny = format_of(dtype).smallest
        self.draw = _Uniform(seed, -self.unit if mirrored else self.unit)

    def beside(self, runs: Sequence[RandomErrors]) -> RandomErrors:
        """The errors of these runs at once, along the last axis, the first of which is this one.

        They come in pairs, one behind the other, that make the same errors with opposite signs.
        """
        made = type(self)(self.dtype, b"".join(run.seed for run in runs))
        made.unit = np.array([run.unit for run in runs])
        made.smallest_unit = min(run.unit for run in runs)
        made.draw = _Uniform(made.seed, *(run.draw.scales[0] for run in runs))
        return made

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        """Add an error of `weight` roundings of `magnitude`.

        Near the smallest normal number the error is absolute: what underflows there may be flushed to zero, as
        TensorFlow does, or rounded to a subnormal, as the others do. It may be lost, but has no other sign then.
        """
        if not result.size:
            return
        error = magnitude * (uniform := self.draw(weight, result.shape, result.dtype))
        smallest = magnitude.item(magnitude.argmin())  # a quarter of the time of min()
        if not smallest * self.smallest_unit >= self.tiny:  # NaN counts as small
            small = (magnitude * self.unit < self.tiny) & (magnitude > 0)
            if small.any():
                least = np.minimum(magnitude, self.tiny) / (format_of(self.dtype).unit * weight)
                absolute = np.maximum(magnitude, least) * uniform
                ahead = np.copysign(1, result)
                error = np.where(small, ahead * np.maximum(ahead * absolute, -magnitude), error)
        np.add(result, error, out=result, where=where)


class Nearest(Errors):
    """Results are rounded to the nearest number of `dtype`, or of a format with `dropped` bits fewer."""

    def __init__(self, dtype: np.dtype[Any], dropped: int = 0) -> None:
        self.dtype, self.dropped, self.roundings = dtype, dropped, 2.0**dropped

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        np.copyto(result, self.nearest(result), where=where)

    def nearest(self, values: Array) -> Array:
        """The nearest numbers with `dropped` bits fewer than the format has, by Veltkamp's splitting."""
        if self.dropped:
            bits = format_of(values.dtype).digits - format_of(self.dtype).digits + self.dropped
            scaled = values * (2.0**bits + 1)
            values = np.where(np.isfinite(scaled), scaled - (scaled - values), values)
        return values.astype(self.dtype)


class Losing(Errors):
    """The results that may be lost become 0; what stays is rounded as `then` does."""

    losing = True

    def __init__(self, dtype: np.dtype[Any], then: Errors | None = None) -> None:
        self.lost = LOST * 2 * format_of(dtype).unit
        self.tiny = format_of(dtype).smallest
        self.then = then or Errors()
        self.roundings = self.then.roundings

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        least = self.lost * (magnitude if larger is None else larger)
        np.copyto(result, 0, where=(np.abs(result) < np.maximum(least, self.tiny)) & where)
        self.then.perturb(result, magnitude, weight, where)


class InHalf(Errors):
    """The errors of another kind, made in one half of the elements, drawn anew each time; `mirrored` in the other."""

    def __init__(self, of: Errors, seed: bytes, mirrored: bool = False) -> None:
        self.of, self.losing, self.draw = of, of.losing, _Uniform(seed, -1.0 if mirrored else 1.0)

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        if result.size:
            chosen = (self.draw(1, result.shape, result.dtype) < 0) & where
            self.of.perturb(result, magnitude, weight, chosen, larger)


class InHalves(Errors):
    """The errors of kinds that take turns along the last axis: of all in one half of the elements, then in the other.

    Each draw parts the elements anew, for two runs of every kind.
    """

    def __init__(self, runs: Sequence[InHalf]) -> None:
        number = len({type(one.of) for one in runs})
        self.kinds, self.draws = [one.of for one in runs[:number]], [one.draw for one in runs[:: 2 * number]]
        self.losing = any(one.losing for one in self.kinds)

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        if not result.size:
            return
        *shape, runs = result.shape
        drawn = _Uniform.beside(self.draws, math.prod(shape), result.dtype)
        halves = np.stack([drawn < 0, drawn > 0], axis=-1).reshape(*shape, runs // len(self.kinds))
        for turn, kind in enumerate(self.kinds):
            here = (..., slice(turn, None, len(self.kinds)))
            chosen = halves if where is True else halves & where[here]
            kind.perturb(result[here], magnitude[here], weight, chosen, None if larger is None else larger[here])


class BehindForward(RandomErrors):
    """Random errors behind the forward passes alone; in these, results are rounded to the nearest number."""

    def __init__(self, dtype: np.dtype[Any], seed: bytes = b"", size: float = SLACK, mirrored: bool = False) -> None:
        super().__init__(dtype, seed, size, mirrored)
        self.nearest = Nearest(dtype)

    @property
    def forward(self) -> Errors:
        return self.nearest


class Together(Errors):
    """The errors of several runs at once, on arrays whose last axis is the run: each part of it has its own."""

    def __init__(self, parts: Sequence[tuple[slice, Errors]]) -> None:
        self.parts = parts
        self.losing = any(errors.losing for _, errors in parts)

    @classmethod
    def of(cls, runs: Sequence[Errors]) -> Together:
        """The errors of these runs.

        Random ones come in pairs, as `RandomErrors.beside` has them, and those in halves as `InHalves` has them.
        """
        parts: list[tuple[slice, Errors]] = []
        for kind, group in itertools.groupby(enumerate(runs), lambda run: type(run[1])):
            numbers, errors = zip(*group, strict=True)
            if issubclass(kind, RandomErrors):
                parts.append((slice(numbers[0], numbers[-1] + 1), errors[0].beside(errors)))
            elif issubclass(kind, InHalf):
                parts.append((slice(numbers[0], numbers[-1] + 1), InHalves(errors)))
            else:
                parts += [(slice(number, number + 1), one) for number, one in zip(numbers, errors, strict=True)]
        return cls(parts)

    @functools.cached_property
    def forward(self) -> Errors:
        return Together([(runs, errors.forward) for runs, errors in self.parts])

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any, larger: Array | None = None) -> None:
        if where is not True:
            where = np.broadcast_to(where, result.shape)
        if larger is not None:
            larger = np.broadcast_to(larger, result.shape)
        for runs, errors in self.parts:
            here = (..., runs)
            errors.perturb(
                result[here],
                magnitude[here],
                weight,
                where if where is True else where[here],
                None if larger is None else larger[here],
            )


class _Uniform:
    """Random numbers in [-1, 1) times a scale, taken from a pool at a random place: cheaper than drawing new ones.

    With several scales, those of the runs along the last axis, each two runs share their numbers.
    """

    def __init__(self, seed: bytes, *scales: float) -> None:
        self.random = random.Random(seed).random  # one number from it costs a tenth of one from NumPy's
        self.scales = scales

    def __call__(self, weight: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Numbers of this shape, `weight` times as large."""
        size = math.prod(shape) // len(self.scales)
        pool = self._pool(weight, size, dtype)
        start = int(self.random() * (len(pool) - size))
        return pool[start : start + size].reshape(shape)

    @staticmethod
    def beside(draws: Sequence[_Uniform], size: int, dtype: np.dtype[Any]) -> Array:
        """So many numbers of each of these, which have the scale of the first, along the last axis."""
        pool = draws[0]._pool(1, size, dtype)
        starts = [int(draw.random() * (len(pool) - size)) for draw in draws]
        return pool[np.arange(size)[:, None] + starts]

    def _pool(self, weight: int, size: int, dtype: np.dtype[Any]) -> Array:
        least = 16 if len(self.scales) == 1 else 14
        return _pool(self.scales, weight, dtype, 1 << max(least, (2 * size).bit_length()))


@functools.cache
def _pool(scales: tuple[float, ...], weight: int, dtype: np.dtype[Any], size: int) -> Array:
    """Fixed random numbers, `size` for every two scales: a column for each, times the scale."""
    if len(scales) == 1:
        return (scales[0] * weight * np.random.default_rng(0).uniform(-1, 1, size)).astype(dtype)
    drawn = np.random.default_rng(0).uniform(-1, 1, (size, len(scales) // 2))
    return (drawn.repeat(2, axis=1) * scales * weight).astype(dtype)


_errors: ContextVar[Errors | None] = ContextVar("_errors", default=None)


def current_errors() -> Errors | None:
    """The errors that are being made; None outside `making`."""
    return _errors.get()


@contextlib.contextmanager
def making(errors: Errors) -> Iterator[None]:
    """A context in which every operation on a `Noisy` array makes these errors."""
    token = _errors.set(errors)
    try:
        yield
    finally:
        _errors.reset(token)


@contextlib.contextmanager
def forward_pass() -> Iterator[None]:
    """A context for a forward pass, where a run may make other errors than behind it."""
    if (errors := current_errors()) is None:
        yield
    else:
        with making(errors.forward):
            yield
