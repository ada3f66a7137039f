"""Forward-mode differentiation is exact in every rule, view and tie, and says what it cannot do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from numpynet import Array
from parity.derivatives.duals import FORMAT, PAIR, RULES, SELECTIONS, Dual, Side, differentiating, dual
from parity.derivatives.elementary import BILINEAR, PREDICATES, PUSHFORWARDS
from parity.rounding.composite import RULES as SHARED
from parity.rounding.errors import RandomErrors, making
from parity.rounding.noisy import Noisy

LAST_DIGIT = float(np.finfo(FORMAT).eps)


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), FORMAT)


def moving(*shape: int, seed: int = 0) -> Dual:
    """Random values with random tangents."""
    return dual(numbers(*shape, seed=seed), numbers(*shape, seed=seed + 100))


def exact(value: Any) -> mpmath.mpf:
    """The longdouble as mpmath has it, every digit."""
    high = float(value)
    return mpmath.mpf(high) + mpmath.mpf(float(value - np.longdouble(high)))


REFERENCES: dict[str, Callable[..., Any]] = {
    "positive": lambda x: x,
    "negative": lambda x: -x,
    "conjugate": lambda x: x,
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "reciprocal": lambda x: 1 / x,
    "square": lambda x: x * x,
    "sqrt": mpmath.sqrt,
    "cbrt": mpmath.cbrt,
    "power": lambda x, y: x**y,
    "float_power": lambda x, y: x**y,
    "exp": mpmath.exp,
    "exp2": lambda x: 2**x,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log2": lambda x: mpmath.log(x, 2),
    "log10": mpmath.log10,
    "log1p": mpmath.log1p,
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "logaddexp2": lambda x, y: mpmath.log(2**x + 2**y, 2),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh,
    "arctanh": mpmath.atanh,
    "deg2rad": mpmath.radians,
    "radians": mpmath.radians,
    "rad2deg": mpmath.degrees,
    "degrees": mpmath.degrees,
    "hypot": mpmath.hypot,
    "arctan2": mpmath.atan2,
    "maximum": max,
    "minimum": min,
    "fmax": max,
    "fmin": min,
    "absolute": abs,
    "fabs": abs,
    "sign": mpmath.sign,
    "copysign": lambda x, y: abs(x) * mpmath.sign(y),
    "heaviside": lambda x, y: (1 + mpmath.sign(x)) / 2,
    "floor": mpmath.floor,
    "ceil": mpmath.ceil,
    "trunc": lambda x: mpmath.floor(abs(x)) * mpmath.sign(x),
    "rint": mpmath.nint,
}
BEYOND_ONE = {"arccosh": 2.0, "log": 1.0, "log2": 1.0, "log10": 1.0, "log1p": 0.0, "sqrt": 1.0, "cbrt": 1.0}


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_every_rule_is_the_derivative(name: str) -> None:
    function, reference = getattr(np, name), REFERENCES[name]
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = np.longdouble(rng.uniform(-0.9, 0.9)) + BEYOND_ONE.get(name, 0) or np.longdouble(0.5)
        y = np.longdouble(rng.uniform(-2, 2))
        if "power" in name:
            x = abs(x) + 0.1
        point = [x, y][: function.nin]
        for argument in range(function.nin):
            given = [dual(value, index == argument) for index, value in enumerate(point)]
            found = function(*given)
            with mpmath.workdps(40):
                order = tuple(int(index == argument) for index in range(function.nin))
                expected = mpmath.diff(reference, tuple(map(exact, point)), order)
                error = abs(exact(found.tangent[()]) - expected)
                value_error = abs(exact(found.value[()]) - reference(*map(exact, point)))
            assert error <= 16 * LAST_DIGIT * max(1, abs(expected)), "functions of the C library are off by a few units"
            assert value_error <= 16 * LAST_DIGIT * max(1, abs(float(found.value)))


def test_every_elementary_function_has_been_compared() -> None:
    other = {"ldexp", "clip", "signbit"}  # ldexp takes an integer; clip is composed; signbit is a mask
    assert set(PUSHFORWARDS) | set(SELECTIONS) == set(REFERENCES) | other


def tangent(found: Array) -> Array:
    """NumPy says of what its functions make of a Dual that it is an array."""
    assert isinstance(found, Dual)
    return found.tangent


def test_scaling_by_a_power_of_two_and_clipping() -> None:
    x = dual([1.5, -3.0, 0.25], [1, 2, 3])
    np.testing.assert_array_equal(tangent(np.ldexp(x, 3)), [8, 16, 24])
    np.testing.assert_array_equal(tangent(np.clip(x, -1, 1)), [0, 0, 3])
    np.testing.assert_array_equal(tangent(x.clip(None, 1)), [0, 2, 3])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x @ x.T,
        lambda x: np.dot(x, x.T),
        lambda x: np.einsum("ij,kj->ik", x, x),
        lambda x: np.tensordot(x, x, axes=([0], [0])),
        lambda x: np.inner(x, x),
        lambda x: np.outer(x, x),
        lambda x: np.multiply.outer(x, x),
        lambda x: np.cumsum(x, axis=1),
        lambda x: np.trace(x @ x.T),
        lambda x: np.sum(x, axis=0, keepdims=True) * x,
        lambda x: x.mean(axis=1),
        lambda x: x.var(axis=0),
        lambda x: np.std(x),
        lambda x: np.prod(x, axis=1),
        lambda x: np.logaddexp.reduce(x, axis=1),
        lambda x: np.average(x, weights=x * x),
        lambda x: np.diff(x, axis=0),
        lambda x: np.linspace(0, 1, 4) * x,
        lambda x: x**3 - 2**x,
        lambda x: np.add.reduceat(x, [0, 2], axis=1),
    ],
)
def test_derivatives_of_what_combines_elements(function: Callable[[Any], Any]) -> None:
    """The coefficient of t in a polynomial through the values at small t is the derivative; mpmath is not needed."""
    point, along = numbers(3, 4), numbers(3, 4, seed=5)
    found = function(dual(point, along))
    step = np.longdouble(2.0) ** -14
    at = {k: np.asarray(function(point + k * step * along)) for k in (-2, -1, 1, 2)}
    slope = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * step)
    # The step's fourth power is 2^-56; dividing by it leaves 2^-50 of rounding.
    assert np.all(np.abs(found.tangent - slope) <= 2.0**-40 * (1 + np.abs(slope).max()))
    assert np.all(np.abs(found.value - function(point)) <= 16 * LAST_DIGIT * np.abs(found.value).max())


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:, ::2],
        lambda x: x.T,
        lambda x: x.reshape(4, 3),
        lambda x: x[..., None],
        lambda x: x[:, ::-1].swapaxes(0, 1),
        lambda x: np.moveaxis(x, 0, 1)[2],
        lambda x: x.ravel(),
        lambda x: np.split(x, 2, axis=1)[1],
        lambda x: np.expand_dims(x, 0).squeeze(),
        lambda x: x.view(),
        lambda x: x[1, 2:3],
        lambda x: x[1, 2, ...],
    ],
)
def test_what_is_written_into_a_view_has_its_tangent_in_the_whole(view: Callable[[Any], Any]) -> None:
    whole, values = np.zeros_like(moving(3, 4)), np.zeros((3, 4), FORMAT)
    written = moving(*view(values).shape)
    view(whole)[...] = written
    view(values)[...] = written.tangent
    np.testing.assert_array_equal(whole.tangent, values)
    seen = view(whole)
    seen += written
    np.testing.assert_array_equal(whole.tangent, 2 * values)
    np.multiply(seen, 3, out=seen)
    np.testing.assert_array_equal(whole.tangent, 6 * values)


@pytest.mark.parametrize(
    "write",
    [
        lambda target, source: np.copyto(target, source),
        lambda target, source: np.copyto(target, source, where=source > 0),
        lambda target, source: np.putmask(target, source > 0, source),
        lambda target, source: np.put(target, np.arange(12), source),
        lambda target, source: np.put_along_axis(target, np.array([[3], [0], [1]]), source[:, :1], axis=1),
        lambda target, source: target.__setitem__(([0, 1], [2, 3]), source[0, :2]),
        lambda target, source: target.__setitem__(source > 0, source[source > 0]),
        lambda target, source: np.add(source, source, out=target),
        lambda target, source: np.negative(source, out=target, where=source > 0),
        lambda target, source: source.sum(axis=0, out=target[1]),
        lambda target, source: np.matmul(source, np.eye(4)[:, :3], out=target[:, :3]),
        lambda target, source: np.add.at(target, ([0, 0], [1, 1]), source[0, :2]),
        lambda target, source: target[:, 1:].fill(2),
        lambda target, source: target.__setitem__(slice(1), 7.0),
    ],
)
def test_writing_writes_the_tangent_as_it_writes_the_value(write: Callable[[Any, Any], Any]) -> None:
    """Linear writes are the same for both: of an array whose tangents are its values, they stay equal."""
    values = numbers(3, 4)
    target, plain = np.zeros_like(dual(values, values)), np.zeros((3, 4), FORMAT)
    write(plain, values)
    write(target, dual(values, values))
    constant = plain == np.where(np.isin(plain, [2, 7]), plain, np.nan)
    np.testing.assert_array_equal(target.value, plain)
    np.testing.assert_array_equal(target.tangent, np.where(constant, 0, plain))


@pytest.mark.parametrize(
    "select",
    [
        lambda x: x[[2, 0]],
        lambda x: x[x > 0],
        lambda x: x[np.arange(3), [1, 0, 3]],
        lambda x: np.where(x > 0, x, 0),
        lambda x: np.concatenate([x, np.ones((3, 1)), x], axis=1),
        lambda x: np.stack([x, np.zeros((3, 4))]),
        lambda x: np.take_along_axis(x, x.argmax(axis=1)[:, None], axis=1),
        lambda x: np.sort(x, axis=0),
        lambda x: np.sort(x, axis=None),
        lambda x: x.max(axis=(0, 1), keepdims=True),
        lambda x: np.min(x, axis=1),
        lambda x: x.max(axis=-1, keepdims=True, initial=-np.inf),
        lambda x: x.repeat(2, axis=0),
        lambda x: np.tile(x, 2),
        lambda x: np.pad(x, 1),
        lambda x: np.pad(x, 1, mode="edge"),
        lambda x: np.roll(x, 1),
        lambda x: np.broadcast_to(x, (2, 3, 4)),
        lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 2)),
        lambda x: np.tril(x),
        lambda x: x.take([1, 0], axis=1),
        lambda x: x.copy(),
        lambda x: np.array(list(map(np.sum, [[1.0]]))) * x,
        lambda x: x * (x > 0),
        lambda x: np.nan_to_num(x),
    ],
)
def test_selecting_selects_the_tangent_with_the_value(select: Callable[[Any], Any]) -> None:
    values = numbers(3, 4)
    selected = select(dual(values, values))
    np.testing.assert_array_equal(selected.value, select(values))
    ones = np.isin(selected.value, values) | (selected.value == 0)
    np.testing.assert_array_equal(selected.tangent, np.where(ones, selected.value, 0))


def sides(function: Callable[[Any], Any], value: float) -> tuple[float, float, bool]:
    """The slopes to the left and to the right of `value`, and whether something was tied there."""
    with differentiating(Side()) as right:
        ahead = function(dual(np.full(1, value, FORMAT), 1))
    with differentiating(Side()) as left:
        behind = function(dual(np.full(1, value, FORMAT), -1))
    assert right.tied == left.tied
    return -float(behind.tangent.sum()), float(ahead.tangent.sum()), right.tied


@pytest.mark.parametrize(
    ("function", "at", "left", "right"),
    [
        (lambda x: np.maximum(x, 0), 0, 0, 1),
        (lambda x: np.minimum(x, 0), 0, 1, 0),
        (lambda x: np.fmax(x, np.nan), 0, 1, 1),
        (np.abs, 0, -1, 1),
        (lambda x: np.where(x > 0, x, x / 4), 0, 0.25, 1),
        (lambda x: np.where(x >= 0, x, x / 4), 0, 0.25, 1),
        (lambda x: np.where(x <= 0, x / 4, x), 0, 0.25, 1),
        (lambda x: x * (x > 0), 0, 0, 1),
        (lambda x: np.where(x == 0, 7 * x, x), 0, 1, 1),
        (lambda x: np.where(np.sign(x) > 0, x, 0), 0, 0, 1),
        (lambda x: np.where(np.signbit(x), 0, x), 0, 0, 1),
        (lambda x: np.clip(x, -1, 1), 1, 1, 0),
        (lambda x: np.clip(x, -1, 1), -1, 0, 1),
        (lambda x: np.concatenate([x, -x]).max(), 0, -1, 1),
        (lambda x: np.concatenate([x, -x])[np.concatenate([x, -x]).argmin()], 0, 1, -1),
        (lambda x: np.sort(np.concatenate([x, -x]))[0], 0, 1, -1),
        (lambda x: np.hypot(x, 0), 0, -1, 1),
        (lambda x: x * np.floor(x), 3, 2, 3),
        (lambda x: x * np.ceil(x), 3, 3, 4),
        (lambda x: x * np.trunc(x), -3, -3, -2),
        (lambda x: x * np.rint(x), 2.5, 2, 3),
        (lambda x: x * np.heaviside(x, 0.5), 0, 0, 1),
        (lambda x: x[0] if x > 0 else x[0] / 4, 0, 0.25, 1),
        (lambda x: max(x[0], -x[0]), 0, -1, 1),
        (lambda x: np.maximum.reduce(np.stack([x, 2 * x, 3 * x])), 0, 1, 3),
        (lambda x: np.where(x, x, 0), 0, 1, 1),
        (lambda x: x.astype(bool) * x, 0, 1, 1),
    ],
)
def test_a_tie_has_the_slope_of_each_side(function: Callable[[Any], Any], at: float, left: float, right: float) -> None:
    assert sides(function, at)[:2] == (left, right)
    for beside, slope in ((at - 2.0**-30, left), (at + 2.0**-30, right)):
        assert sides(function, beside)[:2] == (slope, slope)


@pytest.mark.parametrize(
    ("function", "at", "slope"),
    [
        (lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), 0, 0.5),  # softplus
        (lambda x: np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x))), 0, 0.25),  # sigmoid
        (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), 0, 1),  # ELU with alpha = 1
        (lambda x: np.minimum(np.abs(x), 1) * (np.abs(x) - np.minimum(np.abs(x), 1) / 2), 1, 1),  # Huber
        (lambda x: np.abs(x) * np.abs(x), 0, 0),
    ],
)
def test_branches_that_join_smoothly_have_one_slope(function: Callable[[Any], Any], at: float, slope: float) -> None:
    left, right, tied = sides(function, at)
    assert tied
    assert left == pytest.approx(slope, abs=4 * LAST_DIGIT)
    assert right == pytest.approx(slope, abs=4 * LAST_DIGIT)


def test_operands_that_move_alike_are_no_tie() -> None:
    for function in (lambda x: np.maximum(x, x), lambda x: x - x.max(), lambda x: np.where(x > x, x, 2 * x)):
        assert not sides(function, 1.0)[2]


def test_ties_stay_decided_under_rounding_errors() -> None:
    """x + 3 is 6 exactly: rounding errors would put it on either side."""
    x = dual(np.full(8, 3, FORMAT), 1)
    with differentiating(Side()) as right:
        np.testing.assert_array_equal(np.minimum(x + 3, 6).tangent, 0)
    with differentiating(Side(Noisy)), making(RandomErrors(FORMAT)):
        assert 0 < np.minimum(x + 3, 6).tangent.sum() < 8
    with differentiating(Side(Noisy, like=right)), making(RandomErrors(FORMAT)):
        np.testing.assert_array_equal(np.minimum(x + 3, 6).tangent, 0)


def test_what_does_not_move_has_no_slope_however_steep_the_function() -> None:
    with np.errstate(all="ignore"):
        x = dual([0.0, 4.0], [0, 1])
        np.testing.assert_array_equal(tangent(np.sqrt(x)), [0, 0.25])
        np.testing.assert_array_equal(tangent(np.power(x, 0.5)), [0, 0.25])
        np.testing.assert_array_equal(tangent(np.power(dual(0.0, 1), 0)), 0)
        assert tangent(np.sqrt(dual(0.0, 1))) == np.inf


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: np.linalg.inv(x @ x.T), r"numpy\.linalg\.inv"),
        (lambda x: np.fft.fft(x), r"numpy\.fft\.fft"),
        (lambda x: np.interp(x, [0, 1], [0, 1]), r"numpy\.interp: write it with"),
        (lambda x: np.median(x), r"numpy\.median"),
        (lambda x: x % 2, r"write x - y \* np\.floor\(x / y\)"),
        (lambda x: x // 2, r"write np\.floor"),
        (lambda x: np.frexp(x), r"numpy\.frexp"),
        (lambda x: np.maximum.accumulate(x), r"maximum\.accumulate"),
        (lambda x: np.multiply.at(x, 0, x), r"multiply\.at"),
        (lambda x: float(x[0, 0]), r"__float__: it drops the derivative"),
        (lambda x: x.item(0), r"item: it drops the derivative"),
        (lambda x: x.tolist(), r"tolist"),
        (lambda x: x.flat[0], r"flat"),
        (lambda x: x.view(np.float64), r"view of another dtype"),
        (lambda x: np.add(x, x, out=np.empty((3, 4), FORMAT)), r"np\.empty_like or np\.zeros_like"),
        (lambda x: np.zeros((3, 4), FORMAT).__iadd__(x), r"np\.empty_like or np\.zeros_like"),
        (lambda x: np.copyto(np.zeros((3, 4)), x), r"np\.empty_like or np\.zeros_like"),
        (lambda x: x + np.asarray(x), r"np\.asanyarray"),
        (lambda x: np.round(x, 2), r"np\.rint"),
        (lambda x: np.pad(x, 1, mode="mean"), r"mode='mean'"),
    ],
)
def test_what_has_no_rule_is_named_with_what_to_write_instead(function: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        function(moving(3, 4))


@pytest.mark.parametrize(
    "lose",
    [
        lambda x: np.exp(np.asarray(x)),
        lambda x: np.asarray(x) + 1,
        lambda x: np.array(x) * 2,
        lambda x: np.array(x, FORMAT),
        lambda x: np.asanyarray(x, np.float64),
        lambda x: np.zeros((3, 4), FORMAT).__setitem__(..., x),
        lambda x: np.asarray(x).sum(),
        lambda x: np.array([x[0], x[1]]).mean(),
        lambda x: np.sum([x, x]),
        lambda x: np.vectorize(np.exp)(x),
    ],
)
def test_a_tangent_is_not_lost_unnoticed(lose: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, IndexError)):
        lose(moving(3, 4))


def test_every_function_is_a_duals_or_says_that_it_has_no_rule() -> None:
    """Of all that NumPy hands to the hook, nothing slips through to the array of pairs."""
    for name in dir(np):
        function = getattr(np, name)
        if isinstance(function, np.ufunc) and function.nin == 1:
            covered = {*PUSHFORWARDS, *SELECTIONS, *PREDICATES, *BILINEAR, "logical_not"}
            if function.__name__ in covered:
                continue
            with pytest.raises(TypeError, match="parity has no derivative"):
                function(moving(2))
        elif hasattr(function, "_implementation") and function not in RULES and function not in SHARED:
            with pytest.raises(TypeError, match=f"parity has no derivative of .*{function.__name__}"):
                Dual.__array_function__(moving(2), function, (Dual,), (), {})


def test_a_dual_looks_like_an_array_of_numbers() -> None:
    x = moving(2, 3)
    assert x.dtype == FORMAT
    assert x.dtype.kind == "f"
    assert np.result_type(x, np.float32) == FORMAT
    assert np.shape(x) == (2, 3)
    assert x.astype(np.float32).value.tolist() == x.value.astype(np.float32).tolist()
    assert x.astype(int).dtype == int
    assert np.zeros_like(x, dtype=bool).dtype == bool
    assert isinstance(np.asanyarray(x), Dual)
    assert np.ndarray.view(x, np.ndarray).dtype == PAIR
    assert [type(row) for row in x] == [Dual, Dual]
    twos = np.full_like(x, 2.0, shape=(3,))
    assert isinstance(twos, Dual)
    np.testing.assert_array_equal(twos.value, 2)
    np.testing.assert_array_equal(np.ones_like(x).tangent, 0)
    assert "Dual(" in repr(x)
