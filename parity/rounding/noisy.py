"""The model of rounding: arrays on which every elementary operation errs, and the kinds of errors that a run makes.

Elementary operations carry one unit roundoff; exp, log, tanh and kin carry four; a sum carries `u * sum|x|`; a product
of matrices carries `u * |A||B|`; negation, comparison, selection and reshaping carry none. Where n terms are added one
after another, in whatever order, the errors may add up to n - 1 of that. Half of that is reached where the terms are
equal, as those of a padded border are: then each is rounded in the same direction. So a sum's errors are `MARGIN` times
what its terms may add up to, where that is more than `SLACK`, until it has `LONGEST` terms.

    >>> import numpy as np
    >>> from parity.rounding.noisy import SLACK, Noisy, RandomErrors, making
    >>> third = (np.ones(1) / 3).view(Noisy)
    >>> float((third * 3)[0])
    1.0
    >>> with making(RandomErrors(np.dtype(np.float32), b"seed")):
    ...     product = third * 3
    >>> 0 < abs(float(product[0]) - 1) <= SLACK * 2.0**-24
    True

    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2.2 (the model with underflow), 3.1 and 4.2 (sums).
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from numpynet import Array
from parity.formats import format_of

LOST = 4  # units in the last place: what functions such as tanh may be off
MARGIN = 4  # of errors up to 4 n the allowance is below n / 2 in (1/8)^6 / 15 of all cases: the sum of two maxima
LONGEST = 256  # terms added one after another: longer sums are added in blocks, or are a difference (compiled-sums)
SLACK = 16.0  # the safety factor, measured: see "Choosing SLACK" in CONTRIBUTING.md

EXACT = frozenset(
    [
        "negative",
        "positive",
        "absolute",
        "fabs",
        "sign",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "clip",
        "copysign",
        "floor",
        "ceil",
        "trunc",
        "rint",
        "signbit",
        "greater",
        "greater_equal",
        "less",
        "less_equal",
        "equal",
        "not_equal",
        "isfinite",
        "isinf",
        "isnan",
        "logical_and",
        "logical_or",
        "logical_not",
        "logical_xor",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
        "invert",
        "ldexp",
        "nextafter",
        "spacing",
    ]
)
ROUNDED_ONCE = frozenset(
    ["add", "subtract", "multiply", "divide", "true_divide", "sqrt", "square", "reciprocal", "remainder", "fmod"]
)
# Functions that are no ufuncs: linear in each argument, so their error is bounded by themselves on absolute values.
LINEAR = {np.dot, np.inner, np.vdot, np.einsum, np.cumsum, np.trace, np.convolve, np.correlate}
# Functions computed outside the ufunc machinery, for which there is no rounding model here.
UNMODELLED = {np.interp, np.cumprod, np.prod, np.cross, np.gradient, np.polyval}


class Errors:
    """What operations do to their results in one run; the base does nothing.

    size: of random errors, in roundings; 0 where there are none
    losing: whether what may be lost is lost, so that sums are relative to their larger term
    """

    size = 0.0
    losing = False

    @property
    def forward(self) -> Errors:
        """The errors that are made in forward passes; behind them these are made."""
        return self

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any) -> None:
        """Change `result`, where `where` says so: it may be `weight` roundings of `magnitude` off."""


class RandomErrors(Errors):
    """Random errors of up to `size` roundings of `dtype`; `mirrored` gives those of the same seed the other sign."""

    def __init__(self, dtype: np.dtype[Any], seed: bytes = b"", size: float = SLACK, mirrored: bool = False) -> None:
        self.dtype, self.seed, self.size = dtype, seed, size
        self.unit: Any = size * format_of(dtype).unit
        self.smallest_unit = self.unit
        self.tiny = format_of(dtype).smallest
        self.draw = _Uniform(seed, -self.unit if mirrored else self.unit)

    @staticmethod
    def together(runs: Sequence[RandomErrors]) -> RandomErrors:
        """The errors of several runs at once, on arrays whose last axis is the run.

        They come in pairs, one behind the other, that make the same errors with opposite signs.
        """
        made = type(runs[0])(runs[0].dtype, b"".join(run.seed for run in runs))
        made.unit = np.array([run.unit for run in runs])
        made.smallest_unit = min(run.unit for run in runs)
        made.draw = _Uniform(made.seed, *(run.draw.scales[0] for run in runs))
        return made

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any) -> None:
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
        self.dtype, self.dropped = dtype, dropped

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any) -> None:
        np.copyto(result, self.nearest(result), where=where)

    def nearest(self, values: Array) -> Array:
        """The nearest numbers with `dropped` bits fewer than the format has, by Veltkamp's splitting."""
        if self.dropped:
            bits = format_of(values.dtype).digits - format_of(self.dtype).digits + self.dropped
            scaled = values * (2.0**bits + 1)
            values = np.where(np.isfinite(scaled), scaled - (scaled - values), values)
        return values.astype(self.dtype)


class Losing(Errors):
    """What may be lost becomes 0; what stays is rounded as `then` does."""

    losing = True

    def __init__(self, dtype: np.dtype[Any], then: Errors | None = None) -> None:
        self.lost = LOST * 2 * format_of(dtype).unit
        self.tiny = format_of(dtype).smallest
        self.then = then or Errors()

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any) -> None:
        np.copyto(result, 0, where=(np.abs(result) < np.maximum(self.lost * magnitude, self.tiny)) & where)
        self.then.perturb(result, magnitude, weight, where)


class InHalf(Errors):
    """The errors of another kind, made in one half of the elements, drawn anew each time; `mirrored` in the other."""

    def __init__(self, of: Errors, seed: bytes, mirrored: bool = False) -> None:
        self.of, self.losing, self.draw = of, of.losing, _Uniform(seed, -1.0 if mirrored else 1.0)

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any) -> None:
        if result.size:
            chosen = (self.draw(1, result.shape, result.dtype) < 0) & where
            self.of.perturb(result, magnitude, weight, chosen)


class BehindForward(RandomErrors):
    """Random errors behind the forward passes alone; in these, results are rounded to the nearest number."""

    def __init__(self, dtype: np.dtype[Any], seed: bytes = b"", size: float = SLACK, mirrored: bool = False) -> None:
        super().__init__(dtype, seed, size, mirrored)
        self.nearest = Nearest(dtype)

    @property
    def forward(self) -> Errors:
        return self.nearest


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
        least = 16 if len(self.scales) == 1 else 14
        pool = _pool(self.scales, weight, dtype, 1 << max(least, (2 * size).bit_length()))
        start = int(self.random() * (len(pool) - size))
        return pool[start : start + size].reshape(shape)


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


class Noisy(np.ndarray[Any, np.dtype[Any]]):
    """An array on which every elementary operation makes a fresh rounding error; outside `making` it is exact.

    It works under any layer that keeps array subclasses, a stranger's too: whatever NumPy function the layer calls ends
    in one of the two hooks here.
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        given = [plain(value) for value in inputs]
        targets = kwargs.pop("out", ())
        if targets:
            kwargs["out"] = tuple(plain(value) for value in targets)
        errors = current_errors()
        # Before the call: `out` may be one of the inputs.
        magnitude = None if errors is None else magnitude_of(ufunc, method, given, kwargs, errors.losing)
        result = getattr(ufunc, method)(*given, **kwargs)
        if method == "at":
            return None
        if isinstance(result, tuple):
            return tuple(np.asarray(part).view(Noisy) for part in result)
        values = np.asarray(result)
        if errors is not None and magnitude is not None and values.dtype.kind == "f":
            size = np.abs(values) if magnitude is values_themselves else magnitude
            weight = roundings(ufunc) * terms(ufunc, method, given, values)
            errors.perturb(values, size, weight, kwargs.get("where", True))
        return targets[0] if targets else values.view(Noisy)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in UNMODELLED or getattr(func, "__module__", "").startswith(("numpy.linalg", "numpy.fft")):
            raise TypeError(
                f"parity has no rounding model for numpy.{func.__name__}: write it with ufuncs, sums or matmul"
            )
        if func not in LINEAR:
            # Selecting and reshaping are exact; some of these functions (where, concatenate) drop the subclass.
            return _map_arrays(_noisy, super().__array_function__(func, types, args, kwargs))
        args, kwargs = _map_arrays(plain, args), _map_arrays(plain, kwargs)
        values = np.asarray(func(*args, **kwargs))
        if (errors := current_errors()) is not None:
            magnitude = func(*_map_arrays(np.abs, args), **_map_arrays(np.abs, kwargs))
            errors.perturb(values, np.asarray(magnitude), 1, True)
        return values.view(Noisy)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other, out) if out is not None else np.dot(self, other)

    def cumsum(self, *args: Any, **kwargs: Any) -> Any:
        return np.cumsum(self, *args, **kwargs)


values_themselves = np.empty(0)  # stands for "the magnitude is the result's own"


@functools.cache
def roundings(ufunc: np.ufunc) -> int:
    """The number of unit roundoffs that one result of `ufunc` may be off: 0, 1 or 4."""
    if ufunc.__name__ in EXACT:
        return 0
    return 1 if ufunc.__name__ in ROUNDED_ONCE or ufunc is np.matmul else 4


def terms(ufunc: np.ufunc, method: str, inputs: list[Any], result: Array) -> int:
    """The factor by which the errors of a sum or product of matrices exceed one rounding, for the terms that it adds.

    It is `MARGIN` times the number of terms, divided by `SLACK`, and at least 1; rounded down to a power of two, so
    that few pools of errors serve for all.
    """
    if method == "reduce":
        number = inputs[0].size // max(result.size, 1)
    elif ufunc.signature is not None:
        number = inputs[0].shape[-1]
    else:
        return 1
    return 1 << max(int(MARGIN * min(number, LONGEST) / SLACK).bit_length() - 1, 0)


def magnitude_of(ufunc: np.ufunc, method: str, inputs: list[Any], kwargs: dict[str, Any], losing: bool) -> Array | None:
    """The size that one rounding error is relative to; None where the operation is exact."""
    if not roundings(ufunc):
        return None
    if method in ("reduce", "accumulate", "reduceat") and ufunc is np.add:
        absolute = {name: value for name, value in kwargs.items() if name != "out"}
        return np.asarray(getattr(ufunc, method)(np.abs(inputs[0]), *inputs[1:], **absolute))
    if ufunc.signature is not None:  # matmul and its kin contract products
        absolute = {name: value for name, value in kwargs.items() if name != "out"}
        return np.asarray(ufunc(*map(np.abs, inputs), **absolute))
    if losing and method == "__call__" and ufunc in (np.add, np.subtract):
        return np.asarray(np.maximum(*map(np.abs, inputs)))
    if ufunc is np.multiply and any(getattr(value, "dtype", None) == np.bool_ for value in inputs):
        return None  # a product with a mask is a selection
    return values_themselves


def plain(value: Any) -> Any:
    """The value without the class `Noisy`, if it has it."""
    return value.view(np.ndarray) if isinstance(value, Noisy) else value


def _noisy(value: Array) -> Array:
    return value.view(Noisy) if value.dtype.kind == "f" else value


def _map_arrays(function: Callable[[Any], Any], values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _map_arrays(function, value) for key, value in values.items()}
    if isinstance(values, tuple | list):
        return type(values)(_map_arrays(function, value) for value in values)
    return function(values) if isinstance(values, np.ndarray) else values


def as_noisy(values: Array) -> Array:
    """A view of the values on which every elementary operation errs."""
    return values.view(Noisy)
