"""Arrays that tests of numpynet draw, the same at every call, and the dtypes that all of them hold for."""

from __future__ import annotations

import numpy as np
import pytest

from numpynet import Array

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def batch(dtype: str = "float32") -> Array:
    return rng().standard_normal((6, 4)).astype(dtype)


def images(*shape: int, dtype: str = "float32") -> Array:
    return rng().standard_normal(shape).astype(dtype)
