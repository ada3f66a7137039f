"""The number formats that two models are judged in: float32 and float64, or a narrow one beside float32."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from numpynet import Array
from parity.comparison.model import Model, Unfit
from parity.formats import DTYPES


@dataclass(frozen=True)
class Narrow:
    """A format of 16 bits; its numbers are held in arrays of float32, as NumPy does not have each of them.

    digits: the number of bits of the significand that are stored
    exponent: that of the smallest normal number
    largest: the largest finite number
    """

    name: Literal["float16", "bfloat16"]
    digits: int
    exponent: int
    largest: float

    @property
    def unit(self) -> float:
        """The unit roundoff, half the distance from 1 to the next number."""
        return 2.0 ** -(self.digits + 1)

    @property
    def smallest(self) -> float:
        """The smallest normal number, below which numbers lie as far apart as there."""
        return 2.0**self.exponent

    def unit_in_the_last_place(self, values: Array) -> float:
        """The distance from the largest finite one of the values to the next number away from 0."""
        largest = np.max(np.abs(values[np.isfinite(values)]), initial=self.smallest)
        _, exponent = np.frexp(min(float(largest), self.largest))
        return float(np.ldexp(1.0, int(exponent) - 1 - self.digits))

    def rounded(self, values: Array) -> Array:
        """The nearest numbers of this format, in the format that `values` have; infinities beyond its range."""
        nearest = self.nearest(values)
        beyond = np.abs(nearest) > self.largest
        return np.where(beyond, np.copysign(np.inf, values), nearest).astype(values.dtype)

    def nearest(self, values: Array, dropped: int = 0) -> Array:
        """The same if its range had no upper end, or those of such a format with `dropped` bits fewer."""
        _, exponents = np.frexp(values)
        apart = np.ldexp(1.0, np.maximum(exponents - 1, self.exponent) - self.digits + dropped)
        found: Array = (np.rint(values / apart) * apart).astype(values.dtype)  # ties to even, as the hardware does
        return found


NEAR = 1e-3  # of float32 and float64
NARROW: dict[str, Narrow] = {
    each.name: each for each in (Narrow("float16", 10, -14, 65504.0), Narrow("bfloat16", 7, -126, 255.0 * 2.0**120))
}


@dataclass(frozen=True)
class Arithmetic:
    """The format that models compute in.

    dtype: that of the arrays that are judged
    narrow: the format that they are rounded to, but for what a framework keeps in float32; None where all is `dtype`
    mixed: whether arrays are in float32, and cast to the narrow one where they are computed with
    """

    dtype: np.dtype[Any]
    narrow: Narrow | None = None
    mixed: bool = False

    @property
    def name(self) -> str:
        return self.narrow.name if self.narrow else self.dtype.name

    @property
    def apart(self) -> float:
        """The distance from 1 to the next number."""
        return 2 * self.narrow.unit if self.narrow else float(np.finfo(self.dtype).eps)

    @property
    def near(self) -> float:
        """What is nearer, of its size, needs no other order of layers; nothing is judged by it."""
        return max(NEAR, 2.0**5 * self.narrow.unit) if self.narrow else NEAR

    def digits_of(self, values: Array) -> Array:
        """The nearest numbers of no more digits than it has, of any size; what is no floating number stays."""
        return self.narrow.nearest(values) if self.narrow is not None and values.dtype.kind == "f" else values

    def of(self, values: Array) -> Array:
        """The nearest numbers that it has."""
        found: Array = values.astype(self.dtype)
        return self.narrow.rounded(found) if self.narrow else found


def judged_format(first: Model, second: Model) -> Arithmetic:
    """The format that both models compute in, float32 where nothing says which.

    A narrow one is judged where either computes in it, be it by its arrays or by a policy, and float32 is all else: of
    a model in float32 and its port to a narrow format, the allowances are those of that.

    Raises `Unfit` where they compute in several others, or in one that is not judged.
    """
    formats = first.formats(), second.formats()
    found: dict[str, str] = {}  # what is in each format
    for form, which in zip(formats, ("first", "second"), strict=True):
        for name, array in form.items():
            found.setdefault(name, f"{array} of the {which} model")
    narrow = [NARROW[name] for name in found if name in NARROW]
    others = [name for name in found if name not in NARROW]
    if len(narrow) > 1 or len(others) > 1 or (narrow and others not in ([], ["float32"])):
        told = ", ".join(f"{array} is {name}" for name, array in found.items())
        raise Unfit(
            f"the models are not in one format: {told}. Give both the same: .to(dtype) in torch, dtype= in Keras; or "
            "one of them in float32, which is judged beside either format of 16 bits"
        )
    for name, array in found.items():
        if name not in (*DTYPES, *NARROW):
            raise Unfit(f"{array} is {name}: only models in {', '.join(DTYPES)} and {' and '.join(NARROW)} are judged")
    dtype = np.dtype(next(iter(others), DTYPES[0]))
    for model, form in zip((first, second), formats, strict=True):
        whole = narrow and not set(form or others) - set(NARROW)
        model.compute_in(narrow[0].name if whole else dtype.name)
    mixed = any(dtype.name in form and set(form) & set(NARROW) for form in formats)
    return Arithmetic(dtype, narrow[0] if narrow else None, mixed)


@contextlib.contextmanager
def holding_the_same(first: Model, second: Model, arithmetic: Arithmetic) -> Iterator[None]:
    """A context in which a model in float32 holds numbers that the second has, whose arrays are in a narrow format.

    What rounding its weights does is no matter of the port: they are the same in both.
    """
    narrow = arithmetic.narrow
    if narrow is None or narrow.name not in formats_of_arrays(second) or narrow.name in formats_of_arrays(first):
        yield
        return
    held = [one for layer in first.layers.values() for one in layer.held.values()]
    kept = [(one, first.read(one)) for one in held]
    try:
        for one, values in kept:
            first.write(one, narrow.rounded(values) if values.dtype.kind == "f" else values)
        yield
    finally:
        for one, values in kept:
            first.write(one, values)


def formats_of_arrays(model: Model) -> set[str]:
    """The names of the formats that the arrays of a model are in."""
    return {model.format_of(held) for layer in model.layers.values() for held in layer.held.values()}
