"""The normal distribution is right to the precision of each dtype."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from numpynet import GELU, Array
from numpynet.normal import normal_cdf

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])


def exact(value: np.floating) -> mpmath.mpf:
    """The number that it is: two doubles hold a longdouble of 64 bits, three one of 113."""
    parts = []
    for _ in range(3):
        parts.append(float(value))
        value = value - type(value)(parts[-1])
    return mpmath.fsum(parts)


def lower_tail(dtype: str) -> Array:
    """From 0 to where the tail is still far from the smallest normal number; the rule changes at -6, -9 and -10."""
    end = -12 if dtype == "float32" else -30
    random = np.random.default_rng(0).uniform(-1, 0, 200)
    return np.concatenate([np.linspace(end, 0, 400), np.linspace(-10, -5, 200), random]).astype(dtype)


@every_dtype
def test_the_lower_tail_has_a_small_relative_error(dtype: str) -> None:
    x = lower_tail(dtype)
    unit = float(np.finfo(dtype).eps) / 2
    with mpmath.workdps(50):
        for point, value in zip(x, normal_cdf(x), strict=True):
            right = mpmath.ncdf(exact(point))
            error = abs(exact(value) - right) / right
            # Rounding x^2 / 2 moves its exponential by that many roundings; beside it, 5 were the most measured.
            assert error <= 8 * unit * (1 + float(point) ** 2 / 2), point


@every_dtype
def test_above_zero_it_is_what_the_lower_tail_leaves_of_one(dtype: str) -> None:
    x = lower_tail(dtype)
    np.testing.assert_array_equal(normal_cdf(-x)[x < 0], (1 - normal_cdf(x))[x < 0])


@every_dtype
def test_ends_centre_and_nan(dtype: str) -> None:
    x = np.array([-np.inf, -300, 0, 300, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(normal_cdf(x), np.array([0, 0, 0.5, 1, 1, np.nan], dtype))
    assert normal_cdf(x).dtype == np.dtype(dtype)


def test_gelu_keeps_digits_in_the_lower_tail() -> None:
    x = np.array([-8.0], np.float32)
    assert abs(GELU()(x)[0] / (-8 * 6.220960574271785e-16) - 1) < 1e-5  # 1 + erf would give 0


@every_dtype
def test_the_tanh_forms_derivative_is_right_to_the_precision_of_the_dtype(dtype: str) -> None:
    # A constant that Python folds is a double: of 3 * 0.044715 a longdouble lost 500 units in the last place.
    x, unit = np.linspace(-1, 1, 101).astype(dtype), float(np.finfo(dtype).eps) / 2
    module = GELU("tanh")
    module(x)
    with mpmath.workdps(50):
        constant, root = exact(x.dtype.type(0.044715)), mpmath.sqrt(2 / mpmath.pi)

        def gelu(point: mpmath.mpf) -> mpmath.mpf:
            return point / 2 * (1 + mpmath.tanh(root * (point + constant * point**3)))

        for point, slope in zip(x, module.backward(np.ones_like(x)), strict=True):
            assert abs(exact(slope) - mpmath.diff(gelu, exact(point))) <= 16 * unit, point
