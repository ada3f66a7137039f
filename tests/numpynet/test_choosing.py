"""The choice between two arrays is np.where's, to the bit, wherever the elements come from and whatever they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpynet import Array
from numpynet.choosing import BLOCK, FEW, select
from parity.rounding.noisy import Noisy

ODD = [np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e-40, 1.0]


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    found = np.where(rng.random(shape) < 0.5, rng.choice(ODD, shape), rng.standard_normal(shape))
    return found.astype(dtype)


def same(found: Array, expected: Array) -> bool:
    return found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes()


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([np.float32, np.float64, np.longdouble]),
    st.sampled_from([(3,), (FEW + 1,), (2, BLOCK), (5, 7, 400), (BLOCK + 3,), (2, 3, 4096)]),
    st.sampled_from(["arrays", "chosen a number", "other a number"]),
)
def test_it_is_np_where_to_the_bit(seed: int, dtype: Any, shape: tuple[int, ...], given: str) -> None:
    rng = np.random.default_rng(seed)
    condition, chosen, other = rng.random(shape) < rng.random(), *(values(rng, shape, dtype) for _ in range(2))
    operands: tuple[Any, Any] = {
        "arrays": (chosen, other),
        "chosen a number": (1.0507, other),
        "other a number": (chosen, 1.0),
    }[given]
    found, expected = select(condition, *operands), np.where(condition, *operands)
    if dtype is np.longdouble:  # whose padding is anything
        found, expected = (array.astype(np.float64) for array in (found, expected))
    assert same(found, expected)


@pytest.mark.parametrize(
    "operands",
    [
        lambda c, x, y: (c.T, x.T, y.T),
        lambda c, x, y: (c[::2], x[::2], y[::2]),
        lambda c, x, y: (c, x, y[:1]),
        lambda c, x, y: (c[:, :1], x, y),
        lambda c, x, y: (c, x, y.astype(np.float32)),
        lambda c, x, y: (c, (x > 0).astype(np.int64), (y > 0).astype(np.int64)),
        lambda c, x, y: (c.astype(np.int64), x, y),
        lambda c, x, y: (c, np.float32(0.5), y),
    ],
    ids=[
        "transposed",
        "strided",
        "broadcast",
        "condition",
        "two dtypes",
        "integers",
        "no truth values",
        "a NumPy number",
    ],
)
def test_what_it_does_not_merge_is_np_where_too(operands: Any) -> None:
    rng = np.random.default_rng(0)
    shape = (128, 96)
    given = operands(rng.random(shape) < 0.5, values(rng, shape, np.float64), values(rng, shape, np.float64))
    assert same(select(*given), np.where(*given))


def test_nothing_is_written_to_and_a_subclass_is_kept() -> None:
    rng = np.random.default_rng(0)
    chosen, other = values(rng, (BLOCK,), np.float32), values(rng, (BLOCK,), np.float32)
    before = chosen.tobytes(), other.tobytes()
    condition = chosen > 0
    condition.flags.writeable = chosen.flags.writeable = other.flags.writeable = False
    select(condition, chosen, other)
    assert (chosen.tobytes(), other.tobytes()) == before
    assert isinstance(select(condition, chosen.view(Noisy), other), Noisy)
