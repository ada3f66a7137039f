"""The number formats that implementations are judged in: what every rung must know of each."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    name: NumPy's
    reference: the name of the format in which the reference is computed, empty where there is none
    """

    name: str
    reference: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.name)

    @functools.cached_property
    def unit(self) -> float:
        """The unit roundoff, half the distance from 1 to the next number."""
        return float(np.finfo(self.dtype).eps) / 2

    @functools.cached_property
    def smallest(self) -> float:
        """The smallest normal number; 0 where it is no double, as longdouble's: nothing underflows there."""
        return float(np.finfo(self.dtype).tiny)

    @functools.cached_property
    def largest(self) -> Any:
        return np.finfo(self.dtype).max

    @functools.cached_property
    def digits(self) -> int:
        """The number of bits of the significand that are stored."""
        return int(np.finfo(self.dtype).nmant)

    @property
    def wider(self) -> np.dtype[Any]:
        """The format of the reference: float64 for float32 (it has BLAS), longdouble for float64.

        Raises ValueError where it is no wider, as longdouble on some platforms: there only float32 can be judged.
        """
        if self.reference and np.finfo(self.reference).eps < np.finfo(self.dtype).eps:
            return np.dtype(self.reference)
        raise ValueError(f"no wider format to judge {self.name} by on this platform; float32 can be judged everywhere")


FORMATS = {each.name: each for each in (Format("float32", "float64"), Format("float64", "longdouble"))}
DTYPES = tuple(FORMATS)


@functools.cache
def format_of(dtype: np.dtype[Any]) -> Format:
    """The format of a floating dtype; one of those in `FORMATS`, or one that has no reference."""
    return FORMATS.get(dtype.name, Format(dtype.name))
