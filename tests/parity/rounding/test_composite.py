"""What the arrays of several numbers an element have in common: every number goes where its element goes.

Shown on dual numbers, whose second number is a tenth of the first, so that it says where an element came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.derivatives.duals import FORMAT, Dual, dual

VALUES = np.asarray(np.random.default_rng(0).permutation(12).reshape(3, 4), FORMAT)


def elements() -> Dual:
    return dual(VALUES, VALUES / 10)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_sorting_moves_whole_elements_along_the_axis_that_is_asked_for(axis: int | None) -> None:
    found: Any = np.sort(elements(), axis=axis)
    np.testing.assert_array_equal(found.value, np.sort(VALUES, axis=axis))
    np.testing.assert_array_equal(found.tangent, np.sort(VALUES, axis=axis) / 10)


@pytest.mark.parametrize(
    ("make", "filled"),
    [(np.zeros_like, 0), (np.ones_like, 1), (lambda like, **given: np.full_like(like, 3, **given), 3)],
)
def test_what_is_made_like_such_an_array_is_one_unless_it_is_to_hold_integers(
    make: Callable[..., Any], filled: int
) -> None:
    for given in ({}, {"dtype": None}, {"dtype": FORMAT}):
        found = make(elements(), **given)
        assert isinstance(found, Dual)
        np.testing.assert_array_equal(found.value, np.full((3, 4), filled))
        np.testing.assert_array_equal(found.tangent, np.zeros((3, 4)))
    for dtype in (int, bool, np.dtype(np.uint8)):
        found = make(elements(), dtype=dtype)
        assert type(found) is np.ndarray
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.full((3, 4), filled).astype(dtype))


@pytest.mark.parametrize(
    "write",
    [
        lambda target, source: np.copyto(target, source),
        lambda target, source: np.copyto(target, src=source),
        lambda target, source: np.put(target, [4, 7], source[0, :2]),
        lambda target, source: np.put(target, [4, 7], v=source[0, :2]),
        lambda target, source: np.put(target, ind=[4, 7], v=source[0, :2]),
        lambda target, source: np.place(target, VALUES > 3, vals=source[0]),
        lambda target, source: np.putmask(target, mask=VALUES > 3, values=source),
        lambda target, source: np.fill_diagonal(target, val=source[1, 2]),
    ],
)
def test_what_is_written_is_whole_elements_whether_it_is_named_or_not(write: Callable[[Any, Any], None]) -> None:
    target, plain = np.zeros_like(elements()), np.zeros((3, 4), FORMAT)
    write(target, elements())
    write(plain, VALUES)
    np.testing.assert_array_equal(target.value, plain)
    np.testing.assert_array_equal(target.tangent, plain / 10)
