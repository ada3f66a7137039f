"""Arrays as text, to the bit, and the unit in which moves and errors of a tensor are told."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from numpynet import Array


def packed(arrays: Iterable[Array]) -> str:
    """The bytes of these arrays, one after another, little-endian, compressed, in base64."""
    raw = b"".join(np.ascontiguousarray(each, each.dtype.newbyteorder("<")).tobytes() for each in arrays)
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def unpacked(text: str, shapes: Iterable[Sequence[int]], dtype: np.dtype[Any]) -> Iterator[Array]:
    """Yields the arrays that `packed` made the text of.

    Raises ValueError where the text holds less than these shapes take.
    """
    raw, stored, begin = zlib.decompress(base64.b64decode(text)), dtype.newbyteorder("<"), 0
    for shape in shapes:
        count = math.prod(shape)
        yield np.frombuffer(raw, stored, count, begin).astype(dtype).reshape(shape)
        begin += count * dtype.itemsize


def unit_in_the_last_place(values: Array, dtype: np.dtype[Any]) -> float:
    """The distance, in this dtype, from the largest finite one of the values to the next number away from 0."""
    sizes, ends = np.abs(values[np.isfinite(values)]), np.finfo(dtype)
    largest = np.clip(np.max(sizes, initial=0), ends.tiny, ends.max / 2)
    return float(np.spacing(largest.astype(dtype)))  # last of all: NumPy 1 makes float64 of a float32 and an int
