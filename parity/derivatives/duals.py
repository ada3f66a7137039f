"""Forward-mode differentiation: arrays whose every element carries its derivative along one direction.

A `Dual` array is an array of pairs (value, tangent), each one element of a `parity.rounding.composite`. Its hooks
compute the value as NumPy does, and the tangent by the chain rule. There is no step, and so no truncation: what comes
out is the derivative up to rounding.

    Wengert, A simple automatic derivative evaluation program, Comm. ACM 7 (1964) 463-464;
    Griewank & Walther, Evaluating Derivatives, 2nd ed., SIAM 2008: 3.1 (forward mode), 14 (kinks).

A comparison whose operands are equal is decided by their tangents: it comes out as it does just beside the point, in
the direction of the tangents. So is what selects (maximum, absolute, argmax, sorting) or jumps (sign, floor). The
tangent of the result is then the exact derivative to that side, and where those along a direction and against it are
different, the function has a kink. Functions whose branches join smoothly have none, however many comparisons they
make. Operands whose tangents are equal too are taken as equal: they stay so, unless they part in second order, which a
comparison of x * x with 0 at x = 0 would have to know.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numpynet import Array
from parity.derivatives.elementary import BILINEAR, PREDICATES, PUSHFORWARDS
from parity.rounding.composite import Composite, elements, functions

FORMAT = np.dtype(np.longdouble)
PAIR = np.dtype([("value", FORMAT), ("tangent", FORMAT)])

COMPARISONS = {
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "equal": np.equal,
    "not_equal": np.not_equal,
}


@dataclass
class Side:
    """One differentiation: the array class that it computes values and tangents in, and how it decided ties.

    With `like`, an earlier one, ties that were exact there are decided as they were there. So rounding errors, which
    break ties, show the rounding of that side and not the other side.
    """

    array_class: type[np.ndarray[Any, Any]] = np.ndarray
    like: Side | None = None
    decisions: list[tuple[Array, Array] | None] = field(default_factory=list)
    tied: bool = False

    def decide(self, decision: Array, tied: Array, beside: Callable[[], Array], parted: Callable[[], Any]) -> Array:
        """`decision`, but `beside()` where the operands are `tied`; `parted()` is where the two sides may differ."""
        decision, tied = np.asarray(decision), np.asarray(tied)
        if tied.any():
            decision = np.where(tied, np.asarray(beside()), decision)
            self.tied = self.tied or bool(np.any(np.asarray(parted()) & tied))
            self.decisions.append((tied, decision))
        else:
            self.decisions.append(None)
        if self.like is None or len(self.decisions) > len(self.like.decisions):
            return decision
        before = self.like.decisions[len(self.decisions) - 1]
        if before is None or before[0].shape != tied.shape:
            return decision
        return np.where(before[0], before[1], decision)


_side: ContextVar[Side | None] = ContextVar("side", default=None)


@contextlib.contextmanager
def differentiating(side: Side) -> Iterator[Side]:
    """A context in which operations on `Dual` arrays compute as `side` says, and leave their decisions there."""
    token = _side.set(side)
    try:
        yield side
    finally:
        _side.reset(token)


def current() -> Side:
    return _side.get() or Side()


class Dual(Composite):
    """An array of pairs (value, tangent), made by `dual`; see the module."""

    carried = "derivative"

    @property
    def dtype(self) -> Any:
        """The format of values and tangents: longdouble."""
        return FORMAT

    @property
    def element(self) -> np.dtype[Any]:
        return PAIR

    @property
    def value(self) -> Array:
        """The values, as a view."""
        return elements(self)["value"]

    @property
    def one(self) -> Array:
        return self.value

    @property
    def tangent(self) -> Array:
        """The derivatives, as a view."""
        return elements(self)["tangent"]

    def lifted(self, value: Any) -> Dual:
        return lifted(value)

    @staticmethod
    def unsupported(what: str, instead: str) -> TypeError:
        return unsupported(what, instead)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out, where = kwargs.pop("out", (None,)), kwargs.pop("where", True)
        for name in ("subok", "casting", "order", "dtype"):  # the result is a Dual, and nothing is wider
            kwargs.pop(name, None)
        if method == "at":
            return _at(ufunc, *inputs)
        if method == "outer":
            first, second = (np.asanyarray(value) for value in inputs)
            inputs = (first.reshape(*first.shape, *[1] * second.ndim), second)
        if method in ("__call__", "outer"):
            found = _apply(ufunc, inputs, kwargs)
        elif where is not True and ufunc is not np.add:
            raise unsupported(f"{ufunc.__name__}.{method} with where=", "select with np.where before")
        else:
            found = _along_axis(ufunc, method, inputs, kwargs, where)
            where = True
        return _deliver(found, out[0], where)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        kind = np.dtype(dtype).kind
        if kind == "f":  # rounded to the format, and held in ours
            return dual(self.value.astype(dtype), self.tangent)
        return np.asarray(np.not_equal(self, 0) if kind == "b" else _trunc(self)[0]).astype(dtype)

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"


def unsupported(what: str, instead: str) -> TypeError:
    return TypeError(f"parity has no derivative of {what}: {instead}")


def dual(value: Any, tangent: Any = 0) -> Dual:
    """A `Dual` array with these values and tangents, in new memory laid out as that of `value`."""
    value = np.asarray(value)
    made = np.empty_like(value, PAIR, subok=False)
    made["value"], made["tangent"] = value, tangent
    return made.view(Dual)


def lifted(value: Any) -> Dual:
    """`value` itself where it is a `Dual`, else a `Dual` whose tangent is 0."""
    return value if isinstance(value, Dual) else dual(value)


def parts(array: Any) -> tuple[Any, Any]:
    """The values and the tangents, in the class to compute in; the tangents are None where the array is constant."""
    array_class = current().array_class
    if isinstance(array, Dual):
        both = elements(array)
        return both["value"].view(array_class), both["tangent"].view(array_class)
    if isinstance(array, np.ndarray) and array.dtype == PAIR:
        raise unsupported("an array that left its class", "write np.asanyarray, not np.asarray or np.array")
    return (array.view(array_class) if type(array) is np.ndarray and array.dtype.kind == "f" else array), None


Found = tuple[Any, Any]  # value and tangent of a result; the tangent is None where it is no number (a mask)


def _deliver(found: Found, out: Any, where: Any) -> Any:
    """The result as an array, written into `out` if there is one, where `where` holds."""
    value, tangent = found
    if out is None and where is True:
        return np.asarray(value) if tangent is None else dual(value, tangent)
    if out is None:
        out = dual(np.zeros(np.broadcast_shapes(np.shape(value), np.shape(where)), FORMAT))
    if isinstance(out, Dual):
        np.copyto(out.value, value, where=where)
        np.copyto(out.tangent, 0 if tangent is None else tangent, where=where)
    elif tangent is None:
        np.copyto(out, value, where=where)
    else:
        raise unsupported("what is written into a plain array", "make it by np.empty_like or np.zeros_like of an input")
    return out


# Ufuncs


def _apply(ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Found:
    """The value and the tangent of one elementwise operation or product of matrices."""
    name = ufunc.__name__
    if name in COMPARISONS:
        return _compare(ufunc, *inputs), None
    if name in SELECTIONS:
        return SELECTIONS[name](*inputs)
    values, tangents = zip(*map(parts, inputs), strict=True)
    if name in PREDICATES:
        return ufunc(*values), None
    if name in ("logical_and", "logical_or", "logical_xor", "logical_not"):
        return ufunc(*(np.not_equal(value, 0) for value in inputs)), None
    if name in BILINEAR:
        terms = [
            ufunc(*(t if i == j else v for j, v in enumerate(values)), **kwargs)
            for i, t in enumerate(tangents)
            if t is not None
        ]
        return ufunc(*values, **kwargs), functools.reduce(np.add, terms)
    if name not in PUSHFORWARDS or kwargs:
        raise unsupported(f"numpy.{name}", INSTEAD.get(name, "write it with other ufuncs"))
    result = np.asanyarray(ufunc(*values))
    tangent: Any = None
    for tangent_in, pushforward in zip(tangents, PUSHFORWARDS[name], strict=True):
        if tangent_in is None:
            continue
        term = pushforward(tangent_in, result, *values)
        if not np.isfinite(term).all():  # what does not move has the derivative 0, however steep the function is
            term = np.where(np.asarray(tangent_in) == 0, 0, np.asarray(term)).view(current().array_class)
        tangent = term if tangent is None else tangent + term
    return result, tangent


INSTEAD = {
    "remainder": "write x - y * np.floor(x / y)",
    "fmod": "write x - y * np.trunc(x / y)",
    "floor_divide": "write np.floor(x / y)",
    "divmod": "write np.floor(x / y) and x - y * np.floor(x / y)",
    "modf": "write np.trunc(x) and x - np.trunc(x)",
}


def _tangent(tangent: Any) -> Any:
    return 0 if tangent is None else np.asarray(tangent)


def _compare(ufunc: Any, first: Any, second: Any) -> Array:
    """The truth values of a comparison, decided by the tangents where the values are equal."""
    (a, ta), (b, tb) = parts(first), parts(second)
    ta, tb = _tangent(ta), _tangent(tb)
    return current().decide(ufunc(a, b), np.equal(a, b), lambda: ufunc(ta, tb), lambda: np.not_equal(ta, tb))


def _choose(first_wins: Array, value: Any, first: Any, second: Any) -> Found:
    return value, np.where(first_wins, _tangent(parts(first)[1]), _tangent(parts(second)[1]))


def _maximum(first: Any, second: Any) -> Found:
    return _choose(
        _compare(np.greater_equal, first, second), np.maximum(parts(first)[0], parts(second)[0]), first, second
    )


def _minimum(first: Any, second: Any) -> Found:
    return _choose(_compare(np.less_equal, first, second), np.minimum(parts(first)[0], parts(second)[0]), first, second)


def _fmax(first: Any, second: Any) -> Found:
    a, b = parts(first)[0], parts(second)[0]
    return _choose(_compare(np.greater_equal, first, second) | np.isnan(b), np.fmax(a, b), first, second)


def _fmin(first: Any, second: Any) -> Found:
    a, b = parts(first)[0], parts(second)[0]
    return _choose(_compare(np.less_equal, first, second) | np.isnan(b), np.fmin(a, b), first, second)


def _clip(x: Any, low: Any = None, high: Any = None) -> Found:
    if low is not None:
        x = dual(*_maximum(x, low))
    return parts(x) if high is None else _minimum(x, high)


def _absolute(x: Any) -> Found:
    value, tangent = parts(x)
    return np.abs(value), np.where(_compare(np.greater_equal, x, 0), tangent, -tangent)


def _sign(x: Any) -> Found:
    value, tangent = parts(x)
    signs = current().decide(np.sign(value), np.equal(value, 0), lambda: np.sign(tangent), lambda: tangent != 0)
    return signs, np.zeros_like(signs)


def _signbit(x: Any) -> Found:
    value, tangent = parts(x)
    still = np.signbit(value)
    return current().decide(
        still, np.equal(value, 0), lambda: np.where(tangent == 0, still, tangent < 0), lambda: tangent != 0
    ), None


def _copysign(x: Any, sign: Any) -> Found:
    size, negative = _absolute(lifted(x)), _signbit(lifted(sign))[0]
    return tuple(np.where(negative, -np.asarray(part), np.asarray(part)) for part in size)  # type: ignore[return-value]


def _heaviside(x: Any, at_zero: Any) -> Found:
    x = lifted(x)
    above, below = _compare(np.greater, x, 0), _compare(np.less, x, 0)
    value, tangent = parts(lifted(at_zero))
    return np.where(above, 1, np.where(below, 0, value)), np.where(above | below, 0, tangent)


def _floor(x: Any) -> Found:
    value, tangent = parts(x)
    low = np.floor(value)
    steps = current().decide(low, np.equal(low, value), lambda: low - (tangent < 0), lambda: tangent != 0)
    return steps, np.zeros_like(steps)


def _ceil(x: Any) -> Found:
    value, tangent = _floor(-x)
    return -value, tangent


def _trunc(x: Any) -> Found:
    positive = _compare(np.greater_equal, x, 0)
    down, up = _floor(x)[0], _ceil(x)[0]
    return np.where(positive, down, up), np.zeros_like(down)


def _rint(x: Any) -> Found:
    value, tangent = parts(x)
    near = np.rint(value)
    half = np.equal(np.abs(value - near), 0.5)
    steps = current().decide(
        near, half, lambda: np.where(tangent == 0, near, value + np.copysign(0.5, tangent)), lambda: tangent != 0
    )
    return steps, np.zeros_like(steps)


def _hypot(first: Any, second: Any) -> Found:
    (a, ta), (b, tb) = parts(lifted(first)), parts(lifted(second))
    value = np.asanyarray(np.hypot(a, b))
    tip = np.equal(value, 0)
    with np.errstate(invalid="ignore"):  # 0/0 at the tip, where the sides decide
        smooth = (a * ta + b * tb) / value
    return value, current().decide(smooth, tip, lambda: np.hypot(ta, tb), lambda: (ta != 0) | (tb != 0))


def _arctan2(first: Any, second: Any) -> Found:
    (y, ty), (x, tx) = parts(lifted(first)), parts(lifted(second))
    still = np.signbit(y)
    below = current().decide(
        still, np.equal(y, 0), lambda: np.where(ty == 0, still, ty < 0), lambda: np.less(x, 0) & (ty != 0)
    )
    square = x * x + y * y
    return np.arctan2(np.where(below, -np.abs(y), np.abs(y)).view(type(y)), x), (x * ty - y * tx) / square


SELECTIONS: dict[str, Callable[..., Found]] = {
    "maximum": _maximum,
    "minimum": _minimum,
    "fmax": _fmax,
    "fmin": _fmin,
    "clip": _clip,
    "absolute": _absolute,
    "fabs": _absolute,
    "sign": _sign,
    "signbit": _signbit,
    "copysign": _copysign,
    "heaviside": _heaviside,
    "floor": _floor,
    "ceil": _ceil,
    "trunc": _trunc,
    "rint": _rint,
    "hypot": _hypot,
    "arctan2": _arctan2,
}


def _along_axis(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any], where: Any) -> Found:
    """The value and the tangent of a ufunc's reduce, accumulate or reduceat."""
    array = inputs[0]
    if kwargs.get("initial", np.ndarray) is None or kwargs.get("initial") is np._NoValue:
        kwargs.pop("initial")
    if not isinstance(array, Dual):
        raise unsupported(f"{ufunc.__name__}.{method} of a plain array", "make it by np.empty_like or np.zeros_like")
    if ufunc is np.add:
        value, tangent = parts(array)
        run = getattr(ufunc, method)
        masked = {} if where is True else {"where": where}
        start = kwargs.pop("initial", 0)
        total = run(value, *inputs[1:], **kwargs, **masked), run(tangent, *inputs[1:], **kwargs, **masked)
        return total if method != "reduce" or np.all(start == 0) else (total[0] + start, total[1])
    if method != "reduce":
        raise unsupported(f"{ufunc.__name__}.{method}", "write it as a loop over the axis")
    axis, keepdims = kwargs.get("axis", 0), kwargs.get("keepdims", False)
    axes = tuple(range(array.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(one % array.ndim for one in axes)
    if ufunc in (np.logical_or, np.logical_and):
        return ufunc.reduce(array != 0, axis=axes, keepdims=keepdims), None
    rest = [one for one in range(array.ndim) if one not in axes]
    kept = [array.shape[one] for one in rest]
    line: Any = array.transpose(*rest, *axes).reshape(*kept, math.prod(array.shape[one] for one in axes))
    if ufunc in (np.maximum, np.minimum) and line.shape[-1]:
        best = np.expand_dims(_winner(line, ufunc is np.maximum), -1)
        result: Any = np.take_along_axis(line, best, -1)[..., 0]
        if np.isnan(line.value).any():
            result = dual(ufunc.reduce(line.value, axis=-1), result.tangent)
    elif ufunc in (np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp) and line.shape[-1]:
        result = functools.reduce(ufunc, np.moveaxis(line, -1, 0))
    elif line.shape[-1]:
        raise unsupported(f"{ufunc.__name__}.reduce", "write it as a loop over the axis")
    else:
        value = ufunc.reduce(line.value, axis=-1, **{name: kwargs[name] for name in kwargs if name == "initial"})
        result = dual(value)
    if "initial" in kwargs and line.shape[-1]:
        result = ufunc(result, kwargs["initial"])
    return parts(np.expand_dims(result, axes) if keepdims else result)


def _winner(line: Dual, largest: bool) -> Array:
    """The index of the largest or smallest element of each line along the last axis; the first of equal ones.

    Equal elements whose tangents differ are told apart by these.
    """
    value, tangent = line.value, line.tangent
    arg = np.argmax if largest else np.argmin
    best = arg(value, axis=-1)
    equal = value == np.take_along_axis(value, best[..., None], -1)
    behind = -np.inf if largest else np.inf

    def beside() -> Any:
        return arg(np.where(equal, tangent, behind), axis=-1)

    def parted() -> Any:
        return np.ptp(np.where(equal, tangent, np.take_along_axis(tangent, best[..., None], -1)), axis=-1) != 0

    return current().decide(best, equal.sum(axis=-1) > 1, beside, parted)


def _at(ufunc: np.ufunc, target: Any, index: Any, values: Any = None) -> None:
    if ufunc not in (np.add, np.subtract) or not isinstance(target, Dual):
        raise unsupported(f"{ufunc.__name__}.at", "add into an array made by np.zeros_like of an input")
    value, tangent = parts(values)
    ufunc.at(target.value, index, np.asarray(value))
    if tangent is not None:
        ufunc.at(target.tangent, index, np.asarray(tangent))


# Functions


def _multilinear(_: Dual, func: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls a function that is linear in each of its arrays.

    The tangent is the sum, over the arrays, of the function with that array's tangent in its place.
    """
    out = kwargs.pop("out", None)
    if func in (np.dot, np.cumsum, np.trace) and len(args) > {np.dot: 2, np.cumsum: 3, np.trace: 5}[func]:
        *args, out = args  # type: ignore[assignment]
    moving = [i for i, value in enumerate(args) if isinstance(value, Dual)]
    values = [parts(value)[0] if i in moving else value for i, value in enumerate(args)]
    terms = [func(*[parts(args[i])[1] if j == i else v for j, v in enumerate(values)], **kwargs) for i in moving]
    return _deliver((func(*values, **kwargs), functools.reduce(np.add, terms)), out, True)


def _argextreme(_: Dual, func: Any, a: Any, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Any:
    line = a.reshape(-1) if axis is None else np.moveaxis(a, axis, -1)
    best = _winner(line, func is np.argmax)
    if keepdims:
        best = best.reshape([1] * a.ndim) if axis is None else np.expand_dims(best, axis)
    return _deliver((best, None), out, True)


def _argsort(_: Dual, func: Any, a: Any, axis: Any = -1, **kwargs: Any) -> Any:
    a = a.reshape(-1) if axis is None else a
    axis = -1 if axis is None else axis
    value, tangent = a.value, a.tangent
    order = np.asarray(np.lexsort((tangent, value), axis=axis))
    ordered = np.take_along_axis(value, order, axis)
    # Equal neighbours whose tangents differ change places on the other side.
    moves = (np.diff(ordered, axis=axis) == 0) & (np.diff(np.take_along_axis(tangent, order, axis), axis=axis) != 0)
    tied = np.zeros(order.shape, bool)
    tied[...] = moves.any(axis=axis, keepdims=True)
    return current().decide(order, tied, lambda: order, lambda: tied)


def _pad(_: Dual, func: Any, array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap", "empty") or kwargs.get("reflect_type") == "odd":
        raise unsupported(f"numpy.pad with mode={mode!r}", "join arrays with np.concatenate")
    if any(isinstance(value, Dual) for value in kwargs.values()):
        raise unsupported("numpy.pad with values that are differentiated", "join arrays with np.concatenate")
    constant = {"constant_values": 0} if mode == "constant" else {}
    return dual(func(array.value, pad_width, mode, **kwargs), func(array.tangent, pad_width, mode, **kwargs | constant))


def _of_values(_: Dual, func: Any, array: Any, *args: Any) -> Any:
    """Calls a function of the values alone."""
    return func(array.value, *args)


RULES: dict[Any, Callable[..., Any]] = {}
for _rule, _names in {
    _multilinear: "dot inner vdot outer tensordot einsum kron convolve correlate cumsum trace cross matmul vecdot",
    _argextreme: "argmax argmin",
    _of_values: "isposinf isneginf",
    _argsort: "argsort",
    _pad: "pad",
}.items():
    RULES |= dict.fromkeys(functions(*_names.split()), _rule)
Dual.rules = RULES
