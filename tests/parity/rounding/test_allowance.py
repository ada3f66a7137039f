"""The allowance: exact where arithmetic is, wide enough for rounding, narrow enough to see a defect."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numpynet import Array, Linear, ReLU, Sequential, Softplus
from parity.case import Case, Step
from parity.formats import format_of
from parity.ladder.judge import judge, share_used
from parity.rounding.allowance import AGAIN, Perturb, deviations
from parity.rounding.errors import (
    SLACK,
    SMOOTH,
    InHalf,
    InHalves,
    Losing,
    Nearest,
    RandomErrors,
    current_errors,
    making,
)
from parity.rounding.noisy import Noisy

F32 = np.dtype(np.float32)
UNIT = SLACK * float(np.finfo(F32).eps) / 2
x = np.random.default_rng(1).standard_normal((5, 7))
SEVERAL = 2  # of seven terms: nearly twice SLACK


def perturbed(function: Callable[..., Any], *arrays: Array) -> Array:
    with making(RandomErrors(F32, b"seed")):
        return np.asarray(function(*(array.view(Noisy) for array in arrays)))


@pytest.mark.parametrize(
    "function",
    [
        np.negative,
        lambda a: np.maximum(a, 0),
        lambda a: np.where(a > 0, a, 0),
        lambda a: a[::2].reshape(-1).T,
        lambda a: np.concatenate([a, a]),
        lambda a: a * (a > 0),
        lambda a: np.max(a, axis=0),
        lambda a: np.clip(a, -1, 1),
        lambda a: np.sort(a, axis=None),
        lambda a: np.sort(a, axis=0),
    ],
)
def test_exact_operations_make_no_error(function: Callable[[Array], Array]) -> None:
    np.testing.assert_array_equal(perturbed(function, x), np.asarray(function(x)))


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (lambda a: a + 1, np.abs(x + 1)),
        (lambda a: a * 3, np.abs(3 * x)),
        (np.exp, 4 * np.exp(x)),
        (lambda a: np.sum(a, axis=0), np.sum(np.abs(x), axis=0)),
        (lambda a: a.sum(axis=1), SEVERAL * np.sum(np.abs(x), axis=1)),
        (lambda a: np.matmul(a, a.T), SEVERAL * np.abs(x) @ np.abs(x).T),
        (lambda a: a @ a.T, SEVERAL * np.abs(x) @ np.abs(x).T),
        (lambda a: np.einsum("ij,kj->ik", a, a), np.abs(x) @ np.abs(x).T),
        (lambda a: np.dot(a, a.T), np.abs(x) @ np.abs(x).T),
        (lambda a: a.cumsum(axis=0), np.cumsum(np.abs(x), axis=0)),
    ],
)
def test_each_operation_errs_by_at_most_its_own_rounding(function: Callable[[Array], Array], size: Array) -> None:
    error = np.abs(perturbed(function, x) - function(x))
    assert np.all(error <= UNIT * size)
    assert np.all(error > 0)


def test_mean_and_variance_err_although_they_are_no_single_operation() -> None:
    assert np.all(perturbed(np.mean, x) != np.mean(x))
    assert np.all(perturbed(lambda a: np.var(a, axis=0), x) != np.var(x, axis=0))


def test_assignment_into_a_buffer_keeps_the_errors() -> None:
    def into_buffer(a: Array) -> Array:
        out = np.empty_like(a)
        np.multiply(a, 3, out=out)
        out += a
        return out

    assert np.all(perturbed(into_buffer, x) != 4 * x)


def test_function_without_a_rounding_model_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"no rounding model for numpy\.interp"):
        perturbed(lambda a: np.interp(a, [0.0, 1.0], [0.0, 1.0]), x)
    with pytest.raises(TypeError, match=r"no rounding model for numpy\.norm"):
        perturbed(np.linalg.norm, x)


def test_value_that_underflows_may_be_flushed_to_zero() -> None:
    tiny = np.array([-100.0])
    allowed = deviations({0: np.exp(tiny)}, lambda perturb: {0: np.exp(perturb(tiny))}, F32)[0]
    assert share_used(np.zeros(1, np.float32), np.exp(tiny), allowed, F32) <= 1


@pytest.mark.parametrize("terms", [1, 7])
def test_where_results_underflow_the_error_is_that_of_the_smallest_normal_number_and_changes_no_sign(
    terms: int,
) -> None:
    """It is absolute there, since what underflows may be flushed to zero: of the product and of the sum, SLACK each."""
    tiny = float(np.finfo(F32).tiny)
    small = np.linspace(0.01, 0.99, 600).reshape(-1, 1).repeat(terms, axis=1) * tiny / terms
    found = perturbed(lambda a: np.sum(a * 1, axis=1), small)
    exact = small.sum(axis=1)
    assert np.all(found >= 0)
    assert np.all(np.abs(found - exact) <= 2 * SLACK * tiny)
    assert np.max(np.abs(found - exact)) > 0.5 * SLACK * tiny


def test_same_computation_is_always_allowed_the_same() -> None:
    first, second = (deviations({0: np.exp(x)}, lambda perturb: {0: np.exp(perturb(x))}, F32)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_relu_must_be_right_to_the_bit() -> None:
    judgement = judge(Case(ReLU(), [Step(x.astype(F32), x.astype(F32))]), frameworks=[])
    assert all(np.all(allowed == 0) for allowed in judgement.allowed["numpynet"].values())
    assert judgement.passed


@given(st.integers(0, 2**32 - 1))
def test_result_off_by_the_whole_error_of_one_operation_more_is_caught(seed: int) -> None:
    """An implementation that rounds in half the digits is outside, whatever the numbers."""
    rng = np.random.default_rng(seed)
    module = Sequential(Linear(4, 4, rng=rng), Softplus())
    input = rng.standard_normal((3, 4)).astype(F32)
    judgement = judge(Case(module, [Step(input, input)]), frameworks=[])
    assert judgement.passed
    for key, value in judgement.reference.items():
        rough = value.astype(np.float16).astype(F32)
        if not np.array_equal(rough, value.astype(F32)):
            assert share_used(rough, value, judgement.allowed["numpynet"][key], F32) > 1


def test_wrong_shape_dtype_nan_or_missing_tensor_is_never_within() -> None:
    reference, allowed = np.ones(3), np.full(3, 1e9)
    assert share_used(None, reference, allowed, F32) == np.inf
    assert share_used(np.ones(2, np.float32), reference, allowed, F32) == np.inf
    assert share_used(np.ones(3), reference, allowed, F32) == np.inf
    assert share_used(np.array([1, np.nan, 1], np.float32), reference, allowed, F32) == np.inf
    assert share_used(np.array([1, np.inf, 1], np.float32), reference, allowed, F32) == np.inf
    assert share_used(np.full(3, np.nan, np.float32), np.full(3, np.nan), allowed, F32) == 0


def test_wider_format_is_wider() -> None:
    assert np.finfo(format_of(F32).wider).eps < np.finfo(F32).eps
    with pytest.raises(ValueError, match="no wider format to judge"):
        _ = format_of(np.dtype(np.longdouble)).wider


def test_training_that_runs_out_of_the_format_is_judged_up_to_there() -> None:
    steps = [Step(np.full((2, 1), 8, F32), np.full((2, 1), 1e15, F32), lr=8.0) for _ in range(4)]
    judgement = judge(Case(Sequential(Linear(1, 1), Linear(1, 1)), steps, arguments={}), frameworks=[])
    assert judgement.passed
    assert {key.step for key in judgement.reference} == {0}


def test_value_beside_a_kink_is_on_either_side_of_it_in_some_run() -> None:
    """Whatever falls within half a rounding of 0, rounded or flushed, is allowed the whole jump of the gradient."""

    def gradient(values: Array, perturb: Perturb) -> dict[int, Array]:
        return {0: np.where(perturb(values) * 1 > 0, 1.0, 0)}

    tiny = np.array([-100.0, -95.0, -90.0])
    for seed in range(300):
        values = np.exp(tiny) * np.random.default_rng(seed).uniform(0.5, 1, 3)
        allowed = deviations({0: np.ones(3)}, functools.partial(gradient, values), F32)[0]
        assert np.all(allowed >= 1)


def test_jump_is_allowed_where_the_rounding_beside_it_made_it_smaller_in_every_run() -> None:
    calls = itertools.count()

    def run(_: Perturb) -> dict[int, Array]:
        natural = next(calls) % 6 < 2  # errors of natural size do not reach the kink
        return {0: np.array([1.0 if natural else 0.4 + 4 * UNIT])}

    assert deviations({0: np.ones(1)}, run, F32, together=False)[0] >= 0.6


def test_what_only_errors_of_natural_size_do_is_allowed_as_often_as_large_ones_are_large() -> None:
    """One pair of three has them: a variance that is all rounding, say, deviates by less under large ones."""
    sizes: list[float] = []

    def run(_: Perturb) -> dict[int, Array]:
        errors = current_errors()
        assert errors is not None
        sizes.append(errors.size)
        return {0: np.array([1 + (UNIT if errors.size == 1 else 0)])}

    assert deviations({0: np.ones(1)}, run, F32, together=False)[0] == SLACK * ((1 + UNIT) - 1)
    assert (sizes.count(1.0), sizes.count(SLACK)) == (4, 8)


def tripled(values: Array, perturb: Perturb) -> dict[int, Array]:
    return {0: perturb(values) * 3}


def test_where_nothing_jumps_one_rounding_is_allowed_the_largest_of_all_errors_and_no_more() -> None:
    values = np.random.default_rng(0).standard_normal(10000)
    allowed = deviations({0: 3 * values}, functools.partial(tripled, values), F32)[0]
    shares = allowed / (SMOOTH / SLACK * UNIT * np.abs(3 * values))
    assert 0.95 < np.max(shares) <= 1.001
    mean = 6 / 7  # of the largest of six numbers between 0 and 1
    assert np.mean(shares) == pytest.approx(mean, rel=2.0**-6)


def test_beside_a_jump_the_rounding_is_allowed_too() -> None:
    """A step at 1, which some of the runs do not come to: the allowance is the step and the rounding beside it."""

    def stepped(values: Array, perturb: Perturb) -> dict[int, Array]:
        once = perturb(values) * 1
        return {0: np.where(once > 1, once + 1, once)}

    values = np.full(300, 1 - UNIT / 100)
    allowed = deviations({0: values}, functools.partial(stepped, values), F32)[0]
    assert np.all(allowed > 1 + UNIT)


def test_any_of_nine_nearly_equal_elements_may_be_the_one_that_is_selected() -> None:
    """As in a window of max pooling: of hardly one is it missed, although each is selected in one run of nine."""
    windows = 1 + UNIT / 100 * np.random.default_rng(0).uniform(-1, 1, (200, 9))

    def selected(perturb: Perturb) -> dict[int, Array]:
        moved = perturb(windows) * 1
        found = np.zeros_like(moved)
        np.put_along_axis(found, np.argmax(moved, axis=1, keepdims=True), 1.0, axis=1)
        return {0: found}

    allowed = deviations(selected(np.asarray), selected, F32)[0]
    assert np.mean(allowed < 1) < 0.02


def test_no_allowance_is_small_by_luck_before_anybody_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.rounding.allowance.PAIRS", 3)
    values = np.random.default_rng(0).standard_normal(100000)
    run = functools.partial(tripled, values)
    first, closer = (
        deviations({0: 3 * values}, run, F32, thorough=thorough)[0] / np.abs(3 * values) for thorough in (False, True)
    )
    least = 0.7 * AGAIN * UNIT / SLACK
    assert np.min(first) < least < np.min(closer)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_are_rounded_to_the_nearest_that_has_fewer_bits(dtype: str) -> None:
    wide = np.array([1, 2**-40]) @ np.random.default_rng(0).standard_normal((2, 1000)).astype(
        format_of(np.dtype(dtype)).wider
    )
    unit = float(np.finfo(dtype).eps) / 2
    for dropped in range(5):
        rounded = Nearest(np.dtype(dtype), dropped).nearest(wide)
        assert rounded.dtype == dtype
        grid = np.ldexp(np.frexp(rounded)[0].astype(wide.dtype), np.finfo(dtype).nmant + 1 - dropped)
        np.testing.assert_array_equal(grid, np.rint(grid))
        largest = np.max(np.abs(rounded - wide) / np.abs(wide))
        assert unit * 2**dropped * 0.8 < largest <= unit * 2**dropped
    far = np.array([0, np.inf, -np.inf, np.nan, 2 * wide.dtype.type(np.finfo(dtype).max)], wide.dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(Nearest(np.dtype(dtype), 4).nearest(far), far.astype(dtype))


def test_of_results_only_those_that_may_be_lost_become_zero() -> None:
    losing = Losing(F32)
    result = losing.lost * np.array([0.0, 0.5, 0.99, 1.01, 2.0, -0.5, -2.0])
    expected = np.where(np.abs(result) < losing.lost, 0, result)
    losing.perturb(result, np.ones(7), 1, True)
    np.testing.assert_array_equal(result, expected)
    assert list(result == 0) == [True, True, True, False, False, True, False]


@pytest.mark.parametrize("where", [True, False])
def test_errors_in_halves_are_made_where_they_are_asked_for(where: bool) -> None:
    halves = InHalves([InHalf(Losing(F32), b"seed", mirrored) for mirrored in (False, True)])
    result = np.full((50, 2), halves.kinds[0].lost / 2)  # type: ignore[attr-defined]
    halves.perturb(result, np.ones((50, 2)), 1, np.full((50, 2), where))
    lost = result == 0
    assert not (lost[:, 0] & lost[:, 1]).any()
    assert lost.any(axis=1).all() if where else not lost.any()


@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_below_the_smallest_normal_number_may_be_lost_or_more_and_keeps_its_sign(sign: int) -> None:
    before = np.full(1000, sign * float(np.finfo(F32).smallest_normal) * UNIT / 4)
    result = before.copy()
    RandomErrors(F32, b"seed").perturb(result, np.abs(before), 1, True)
    assert np.all(sign * result >= 0)
    assert np.mean(np.abs(result) < np.abs(before)) > 0.4
    assert np.mean(np.abs(result) > np.abs(before)) > 0.4
