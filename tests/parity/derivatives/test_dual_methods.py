"""A method of a dual array is NumPy's function of the same name, in value and in tangent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.derivatives.duals import FORMAT, Dual, dual


def moving() -> Dual:
    """Random values with random tangents, 3 rows of 4."""
    values, tangents = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(FORMAT)
    return dual(values, tangents)


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("take", ([2, 0],), {"axis": 1}),
    ("dot", (np.arange(4.0),), {}),
    ("cumsum", (), {"axis": 1}),
    ("trace", (), {}),
    ("argmax", (1,), {}),
    ("argmax", (1,), {"keepdims": True}),
    ("argmin", (), {}),
    ("argsort", (), {}),
    ("argsort", (0,), {}),
    ("nonzero", (), {}),
    ("round", (), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS)
def test_a_method_returns_what_the_function_does(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    by_method, by_function = getattr(moving(), name)(*args, **kwargs), getattr(np, name)(moving(), *args, **kwargs)
    assert type(by_method) is type(by_function)
    if isinstance(by_method, Dual):
        np.testing.assert_array_equal(by_method.value, by_function.value)
        np.testing.assert_array_equal(by_method.tangent, by_function.tangent)
        by_method = by_method.value
    np.testing.assert_array_equal(by_method, getattr(np, name)(moving().value, *args, **kwargs))


def test_sorting_in_place_moves_the_tangents_with_the_values() -> None:
    x, order = moving(), np.argsort(moving().value, axis=1)
    x.sort(axis=1)
    np.testing.assert_array_equal(x.value, np.take_along_axis(moving().value, order, 1))
    np.testing.assert_array_equal(x.tangent, np.take_along_axis(moving().tangent, order, 1))


def test_what_is_put_has_no_tangent_unless_it_has_one() -> None:
    x = moving()
    x.put([0, 5], dual(np.array([7, 8], FORMAT), np.array([1, 2], FORMAT)))
    assert x.value.flat[[0, 5]].tolist() == [7, 8]
    assert x.tangent.flat[[0, 5]].tolist() == [1, 2]
    x.put([5], 9.0)
    assert (x.value.flat[5], x.tangent.flat[5]) == (9, 0)


def test_logical_operations_ask_which_elements_are_zero_and_stay_so() -> None:
    x = dual(np.array([0, 2, 0, 3], FORMAT), np.array([0, 1, 0, 1], FORMAT))
    np.testing.assert_array_equal(np.logical_not(x), [True, False, True, False])
    np.testing.assert_array_equal(np.logical_and(x, [1, 1, 0, 0]), [False, True, False, False])
    assert np.logical_or.reduce(x)
    assert not np.logical_and.reduce(x)
    assert not np.logical_not(dual(np.zeros(1, FORMAT), np.ones(1, FORMAT)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x.round(2), "round to decimals"),
        (lambda x: np.maximum.accumulate(x), "accumulate"),
        (lambda x: np.multiply.reduce(x, where=x.value > 0), "with where="),
        (lambda x: np.pad(x, 1, "mean"), "pad with mode='mean'"),
        (lambda x: np.pad(x, 1, constant_values=x[0, 0]), "pad with values that are differentiated"),
    ],
)
def test_what_has_no_rule_is_refused_with_what_to_write_instead(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(moving())
