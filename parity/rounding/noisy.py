"""The model of rounding: arrays on which every elementary operation errs.

Elementary operations carry one unit roundoff; exp, log, tanh and kin carry four; a sum carries `u * sum|x|`; a product
of matrices carries `u * |A||B|`; negation, comparison, selection and reshaping carry none. Where n terms are added one
after another, in whatever order, the errors may add up to n - 1 of that. Half of that is reached where the terms are
equal, as those of a padded border are: then each is rounded in the same direction. So a sum's errors are `MARGIN` times
what its terms may add up to, where that is more than `SLACK`, until it has `LONGEST` terms.

    >>> import numpy as np
    >>> from parity.rounding.errors import SLACK, RandomErrors, making
    >>> from parity.rounding.noisy import Noisy
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

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import Array
from parity.rounding.errors import LOST, SLACK, current_errors

MARGIN = 4  # of errors up to 5/8 of 4 n the allowance is below n / 2 in (1/5)^6 of all cases: the largest of six pairs
LONGEST = 256  # terms added one after another: longer sums are added in blocks, or are a difference (compiled-sums)

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
        magnitude = None if errors is None else magnitude_of(ufunc, method, given, kwargs)
        larger = larger_term(ufunc, method, given) if errors is not None and errors.losing else None
        result = getattr(ufunc, method)(*given, **kwargs)
        if method == "at":
            return None
        if isinstance(result, tuple):
            return tuple(np.asarray(part).view(Noisy) for part in result)
        values = np.asarray(result)
        if errors is not None and magnitude is not None and values.dtype.kind == "f":
            size = np.abs(values) if magnitude is values_themselves else magnitude
            weight = roundings(ufunc) * terms(ufunc, method, given, values)
            errors.perturb(values, size, weight, kwargs.get("where", True), larger)
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
    return 1 if ufunc.__name__ in ROUNDED_ONCE or ufunc is np.matmul else LOST


def terms(ufunc: np.ufunc, method: str, inputs: list[Any], result: Array) -> int:
    """The factor by which the errors of a sum or product of matrices exceed one rounding, for the terms that it adds.

    It is `MARGIN` times the number of terms, divided by `SLACK`, and at least 1; rounded to a power of two, so that
    few pools of errors serve for all.
    """
    if method == "reduce":
        number = inputs[0].size // max(result.size, 1)
    elif ufunc.signature is not None:
        number = inputs[0].shape[-1]
    else:
        return 1
    return 1 << round(math.log2(max(MARGIN * min(number, LONGEST) / SLACK, 1)))


def magnitude_of(ufunc: np.ufunc, method: str, inputs: list[Any], kwargs: dict[str, Any]) -> Array | None:
    """The size that one rounding error is relative to; None where the operation is exact."""
    if not roundings(ufunc):
        return None
    if method in ("reduce", "accumulate", "reduceat") and ufunc is np.add:
        absolute = {name: value for name, value in kwargs.items() if name != "out"}
        return np.asarray(getattr(ufunc, method)(np.abs(inputs[0]), *inputs[1:], **absolute))
    if ufunc.signature is not None:  # matmul and its kin contract products
        absolute = {name: value for name, value in kwargs.items() if name != "out"}
        return np.asarray(ufunc(*map(np.abs, inputs), **absolute))
    if ufunc is np.multiply and any(getattr(value, "dtype", None) == np.bool_ for value in inputs):
        return None  # a product with a mask is a selection
    return values_themselves


def larger_term(ufunc: np.ufunc, method: str, inputs: list[Any]) -> Array | None:
    """The larger term of a sum or difference of two, to which what is left of it is compared; else None."""
    if method == "__call__" and ufunc in (np.add, np.subtract):
        return np.asarray(np.maximum(*map(np.abs, inputs)))
    return None


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
