"""Allowances: what rounding makes unavoidable, measured by Monte Carlo arithmetic on the computation itself.

The reference is the numpynet module evaluated in the next wider format. It is run `PAIRS` times twice more with a fresh
random relative error after every elementary operation, and the largest deviation seen, element by element, is what an
implementation in the narrow format may be off. Where no error can reach an element (a ReLU), nothing is allowed.

    Parker, Monte Carlo Arithmetic, UCLA CSD-970002 (1997); Vignes, Math. Comput. Simul. 35 (1993), CESTAC;
    Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2.2 (the model with underflow), 3.1 (sums).

Elementary operations carry one unit roundoff; exp, log, tanh and kin carry four; a sum carries `u * sum|x|`; a product
of matrices carries `u * |A||B|`; negation, comparison, selection and reshaping carry none. Where n terms are added one
after another, in whatever order, the errors may add up to n - 1 of that (Higham, eq. 4.4). Half of that is reached
where the terms are equal, as those of a padded border are: then each is rounded in the same direction. So a sum's
errors are `MARGIN` times what its terms may add up to, where that is more than `SLACK`, until it has `LONGEST` terms.

The errors are uniform: with +-u alone, two can cancel exactly and hide an allowance. They are injected `SLACK` times as
large as one rounding, so that a value close to a kink (a ReLU's input within rounding of 0) falls on either side in
some run, and the allowance contains the jump. The runs come in pairs with errors of opposite signs, so that a value
next to a kink is on the far side of it in one of the two: with independent runs, one case in some hundred never was.

In one more run everything that may be lost is lost: what is smaller than a few units in the last place of the terms
that it is the sum of, or than the smallest normal number, becomes exactly 0, which random errors never hit. Where
negative slopes fold both sides of 0 into one (PReLU), nothing but an exact 0 takes the other branch. In yet one more,
every result is rounded to the format itself, as IEEE 754 does: the numbers that are equal then, zeros by underflow
among them, are those that are equal in an implementation, and the first of them is the one that it selects.

Where one of the two deviates further than every run before it, it took a branch that random errors miss, since they
leave no two numbers equal: of rows that are equal, normalised, each is exactly 0 there. And where the reference itself
is on such a branch, random errors leave it each time, however small they are, and rounding does not. In both cases the
branch has runs of its own: rounding to ever fewer bits, down to a unit of `SLACK`, with and without losing what may be
lost; and forward passes that are rounded to the nearest number, with random errors behind them alone. Of several jumps
that cancel, an implementation may make one and not another: in `PARTIAL` pairs of runs one half of the results, drawn
anew for each operation, is lost or rounded, and then the other half.

Where some elements deviate in one run and not at all in another, something is selected by rounding. One run shows one
selection, and any of the six nearly equal elements of a window may be the selected one: then `MORE` pairs are run. In
every third pair the errors have their natural size, and the deviation counts `SLACK` times: where a computation is so
sensitive that large errors act otherwise than small ones (a variance that is all rounding) the small ones count too.
The allowance is the sum of the largest deviation of either kind.
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from numpynet import Array, Module

PAIRS = 6
MORE = 30  # so that of nine nearly equal elements one is the largest or the smallest in none of 36: 1e-4
SMALL_EVERY = 3
LOST = 4  # units in the last place: what functions such as tanh may be off
MARGIN = 4  # of errors up to 4 n the allowance is below n / 2 in (1/8)^6 / 15 of all cases: the sum of two maxima
LONGEST = 256  # terms added one after another: longer sums are added in blocks, or are a difference (compiled-sums)
SLACK = 16.0  # measured: see "Choosing SLACK" in CONTRIBUTING.md
PARTIAL = 8  # of two jumps that cancel, none of the pairs parts them in 1 of 256 such cases
FEWER_BITS = int(math.log2(SLACK))  # of a format whose unit is SLACK times as large

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


def wider(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The format of the reference: float64 for float32 (it has BLAS), longdouble for float64.

    Raises ValueError where longdouble is no wider than double: there only float32 can be judged.
    """
    if dtype == np.float32:
        return np.dtype(np.float64)
    if dtype == np.float64 and np.finfo(np.longdouble).eps < np.finfo(np.float64).eps:
        return np.dtype(np.longdouble)
    raise ValueError(f"no wider format to judge {dtype} by on this platform; float32 can be judged everywhere")


class Rounding:
    """The errors that operations make in one run: random ones up to `size` roundings of `dtype`, 0 for none.

    `mirrored` gives every error of the same seed the other sign. `losing` makes what may be lost 0. Where `dropped` is
    given, results are rounded to the nearest number with that many bits fewer than the format has. `partial` does
    either to one half of the elements; `mirrored`, to the other half. With `behind` random errors are made behind the
    forward passes alone, in which results are rounded to the nearest number.
    """

    def __init__(
        self,
        dtype: np.dtype[Any],
        seed: bytes = b"",
        size: float = SLACK,
        mirrored: bool = False,
        losing: bool = False,
        dropped: int | None = None,
        partial: bool = False,
        behind: bool = False,
    ) -> None:
        info = np.finfo(dtype)
        self.dtype, self.size, self.losing, self.dropped, self.partial = dtype, size, losing, dropped, partial
        self.forward = Rounding(dtype, size=0, dropped=0) if behind else self
        self.unit = size * float(info.eps) / 2
        self.lost = LOST * float(info.eps)
        self.tiny = float(info.tiny)  # 0 where it is no double, as longdouble's: nothing underflows there
        self.sign = -1 if mirrored else 1
        self.random = random.Random(seed).random  # one number from it costs a tenth of one from NumPy's

    def uniform(self, bound: float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Random numbers in [-bound, bound), taken from a pool at a random place: cheaper than drawing new ones."""
        size = math.prod(shape)
        pool = _pool(self.sign * bound, dtype, 1 << max(16, (2 * size).bit_length()))
        start = int(self.random() * (len(pool) - size))
        return pool[start : start + size].reshape(shape)

    def nearest(self, values: Array) -> Array:
        """The nearest numbers of the format with `dropped` bits fewer (Veltkamp's splitting in the wider format)."""
        if self.dropped:
            bits = np.finfo(values.dtype).nmant - np.finfo(self.dtype).nmant + self.dropped
            scaled = values * (2.0**bits + 1)
            values = np.where(np.isfinite(scaled), scaled - (scaled - values), values)
        return values.astype(self.dtype)

    def perturb(self, result: Array, magnitude: Array, weight: int, where: Any) -> None:
        """Add to `result` an error of `weight` roundings of `magnitude`.

        Near the smallest normal number the error is absolute: what underflows there may be flushed to zero, as
        TensorFlow does, or rounded to a subnormal, as the others do. It may be lost, but has no other sign then.
        """
        if not result.size:
            return
        if self.partial:
            where = (self.uniform(1.0, result.shape, result.dtype) < 0) & where
        if self.losing:
            np.copyto(result, 0, where=(np.abs(result) < np.maximum(self.lost * magnitude, self.tiny)) & where)
        if self.dropped is not None:
            np.copyto(result, self.nearest(result), where=where)
        if not self.size:
            return
        bound = self.unit * weight
        error = magnitude * (uniform := self.uniform(bound, result.shape, result.dtype))
        smallest = magnitude.item(magnitude.argmin())  # a quarter of the time of min()
        if not smallest * self.unit >= self.tiny:  # NaN counts as small
            small = (magnitude * self.unit < self.tiny) & (magnitude > 0)
            if small.any():
                absolute = np.maximum(magnitude, np.minimum(magnitude, self.tiny) * (self.size / bound)) * uniform
                ahead = np.copysign(1, result)
                error = np.where(small, ahead * np.maximum(ahead * absolute, -magnitude), error)
        np.add(result, error, out=result, where=where)


@functools.cache
def _pool(bound: float, dtype: np.dtype[Any], size: int) -> Array:
    """Fixed random numbers between -|bound| and |bound|; a negative bound gives the same ones with the other sign."""
    return (bound * np.random.default_rng(0).uniform(-1, 1, size)).astype(dtype)


_active: Rounding | None = None


@contextlib.contextmanager
def rounding(errors: Rounding) -> Iterator[None]:
    """A context in which every operation on a `Noisy` array makes these errors."""
    global _active
    previous, _active = _active, errors
    try:
        yield
    finally:
        _active = previous


@contextlib.contextmanager
def forward_pass() -> Iterator[None]:
    """A context for a forward pass, where a run may make other errors than behind it."""
    if _active is None:
        yield
    else:
        with rounding(_active.forward):
            yield


class Noisy(np.ndarray[Any, np.dtype[Any]]):
    """An array on which every elementary operation makes a fresh rounding error; outside `rounding` it is exact.

    It works under any layer that keeps array subclasses, a stranger's too: whatever NumPy function the layer calls ends
    in one of the two hooks here.
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        plain = [_plain(value) for value in inputs]
        targets = kwargs.pop("out", ())
        if targets:
            kwargs["out"] = tuple(_plain(value) for value in targets)
        # Before the call: `out` may be one of the inputs.
        magnitude = _magnitude(ufunc, method, plain, kwargs)
        result = getattr(ufunc, method)(*plain, **kwargs)
        if method == "at":
            return None
        if isinstance(result, tuple):
            return tuple(np.asarray(part).view(Noisy) for part in result)
        values = np.asarray(result)
        if _active is not None and magnitude is not None and values.dtype.kind == "f":
            size = np.abs(values) if magnitude is values_themselves else magnitude
            weight = _roundings(ufunc) * _terms(ufunc, method, plain, values)
            _active.perturb(values, size, weight, kwargs.get("where", True))
        return targets[0] if targets else values.view(Noisy)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in UNMODELLED or getattr(func, "__module__", "").startswith(("numpy.linalg", "numpy.fft")):
            raise TypeError(
                f"parity has no rounding model for numpy.{func.__name__}: write it with ufuncs, sums or matmul"
            )
        if func not in LINEAR:
            # Selecting and reshaping are exact; some of these functions (where, concatenate) drop the subclass.
            return _map_arrays(_noisy, super().__array_function__(func, types, args, kwargs))
        args, kwargs = _map_arrays(_plain, args), _map_arrays(_plain, kwargs)
        values = np.asarray(func(*args, **kwargs))
        if _active is not None:
            magnitude = func(*_map_arrays(np.abs, args), **_map_arrays(np.abs, kwargs))
            _active.perturb(values, np.asarray(magnitude), 1, True)
        return values.view(Noisy)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other, out) if out is not None else np.dot(self, other)

    def cumsum(self, *args: Any, **kwargs: Any) -> Any:
        return np.cumsum(self, *args, **kwargs)


values_themselves = np.empty(0)  # stands for "the magnitude is the result's own"


@functools.cache
def _roundings(ufunc: np.ufunc) -> int:
    """The number of unit roundoffs that one result of `ufunc` may be off: 0, 1 or 4."""
    if ufunc.__name__ in EXACT:
        return 0
    return 1 if ufunc.__name__ in ROUNDED_ONCE or ufunc is np.matmul else 4


def _terms(ufunc: np.ufunc, method: str, inputs: list[Any], result: Array) -> int:
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


def _magnitude(ufunc: np.ufunc, method: str, inputs: list[Any], kwargs: dict[str, Any]) -> Array | None:
    """The size that one rounding error is relative to; None where the operation is exact."""
    if _active is None or not _roundings(ufunc):
        return None
    if method in ("reduce", "accumulate", "reduceat") and ufunc is np.add:
        absolute = {name: value for name, value in kwargs.items() if name != "out"}
        return np.asarray(getattr(ufunc, method)(np.abs(inputs[0]), *inputs[1:], **absolute))
    if ufunc.signature is not None:  # matmul and its kin contract products
        absolute = {name: value for name, value in kwargs.items() if name != "out"}
        return np.asarray(ufunc(*map(np.abs, inputs), **absolute))
    if _active.losing and method == "__call__" and ufunc in (np.add, np.subtract):
        return np.asarray(np.maximum(*map(np.abs, inputs)))
    if ufunc is np.multiply and any(getattr(value, "dtype", None) == np.bool_ for value in inputs):
        return None  # a product with a mask is a selection
    return values_themselves


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Noisy) else value


def _noisy(value: Array) -> Array:
    return value.view(Noisy) if value.dtype.kind == "f" else value


def _map_arrays(function: Callable[[Any], Any], values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _map_arrays(function, value) for key, value in values.items()}
    if isinstance(values, tuple | list):
        return type(values)(_map_arrays(function, value) for value in values)
    return function(values) if isinstance(values, np.ndarray) else values


def noisy(module: Module) -> None:
    """Turn the parameters and running statistics of `module` into `Noisy` arrays."""
    module.map_state(lambda _, value: value.view(Noisy))


Key = TypeVar("Key")


def deviations(
    reference: Mapping[Key, Array], run: Callable[[], Mapping[Key, Array]], dtype: np.dtype[Any]
) -> dict[Key, Array]:
    """The allowance of every tensor in `reference`, from how far `run` deviates from it under rounding errors.

    It is the largest deviation under large errors or losses plus `SLACK` times the largest under errors of natural
    size: the first may be exactly the jump at a kink, and the second is the rounding beside it. The generator is
    seeded: the same computation is always allowed the same.
    """
    rng = np.random.default_rng(0)
    largest = {
        size: {key: np.zeros(value.shape, value.dtype) for key, value in reference.items()} for size in (SLACK, 1.0)
    }
    still = {key: np.zeros(value.shape, int) for key, value in reference.items()}  # runs without a deviation
    least = {key: np.full(value.shape, np.inf) for key, value in reference.items()}  # under errors of natural size
    apart = False  # whether losing or rounding takes a branch that random errors miss

    def observe(errors: Rounding) -> dict[Key, Array]:
        """Run once; returns how far every tensor deviated."""
        nonlocal apart
        found = {}
        with np.errstate(all="ignore"):
            with rounding(errors):
                perturbed = run()
            for key, bound in largest[1.0 if errors.size == 1 else SLACK].items():
                deviation = np.abs(_plain(perturbed[key]) - reference[key])
                # Jumps are finite, and inf - inf is none; the logarithm of what was lost is another matter.
                found[key] = deviation = np.where(np.isinf(deviation), 0, deviation)
                if errors.size == SLACK:
                    still[key] += deviation == 0
                elif errors.size == 1:
                    np.fmin(least[key], deviation, out=least[key])
                else:
                    apart = apart or bool(np.any(deviation > bound))
                np.fmax(bound, deviation, out=bound)
        return found

    def observe_pairs(first: int, last: int) -> None:
        for pair in range(first, last):
            size, seed = 1.0 if pair % SMALL_EVERY == 0 else SLACK, rng.bytes(8)
            for mirrored in (False, True):
                observe(Rounding(dtype, seed, size, mirrored))

    def left(rounded: dict[Key, Array]) -> bool:
        """Tells whether every random error, however small, spoils an element that rounding itself leaves as it is."""
        with np.errstate(all="ignore"):
            sizes = {key: np.abs(value) for key, value in reference.items()}
            return any(
                np.any((size > 0) & (least[key] > size / SLACK) & (rounded[key] < size * np.finfo(dtype).eps ** 0.5))
                for key, size in sizes.items()
            )

    observe_pairs(0, PAIRS)
    # In a format that is no wider, a small error may come to nothing.
    if any(np.any((still[key] > 0) & (bound > 0)) for key, bound in largest[SLACK].items() if bound.dtype != dtype):
        observe_pairs(PAIRS, PAIRS + MORE)
    observe(Rounding(dtype, size=0, losing=True))
    rounded = observe(Rounding(dtype, size=0, dropped=0))
    if apart or left(rounded):
        for dropped in range(FEWER_BITS + 1):
            observe(Rounding(dtype, size=0, losing=True, dropped=dropped))
            observe(Rounding(dtype, size=0, dropped=dropped))
        for seed in (rng.bytes(8) for _ in range(PAIRS)):
            for mirrored in (False, True):
                observe(Rounding(dtype, seed, SLACK, mirrored, behind=True))
    if apart:
        for seed in (rng.bytes(8) for _ in range(PARTIAL)):
            for mirrored in (False, True):
                observe(Rounding(dtype, seed, 0, mirrored, losing=True, partial=True))
                observe(Rounding(dtype, seed, 0, mirrored, dropped=0, partial=True))
    # In the few runs that jumped, the rounding beside the jump may have made it smaller each time.
    jumps = 1 + SLACK * SLACK * float(np.finfo(dtype).eps) / 2
    with np.errstate(over="ignore"):
        return {key: jumps * bound + SLACK * largest[1.0][key] for key, bound in largest[SLACK].items()}
