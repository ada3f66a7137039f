"""The derivatives of NumPy's elementary functions, from which `duals` builds those of everything else.

Each function has one rule for each argument: from the argument's tangent t, the function's result r and its arguments
it computes what that tangent adds to the result's tangent. The formulas are those that do not cancel: the derivative of
tanh is 1 / cosh^2, since near 1 little is left of 1 - tanh^2.

    Abramowitz & Stegun, Handbook of Mathematical Functions (1964), 4.1-4.6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Pushforward = Callable[..., Any]

LN2, LN10 = np.log(np.longdouble(2)), np.log(np.longdouble(10))
DEGREE = np.arctan(np.longdouble(1)) / 45


def _power_base(t: Any, r: Any, x: Any, y: Any) -> Any:
    return t * (y * np.power(x, y - 1 * (np.asarray(y) != 0)))  # x^0 is constant, at x = 0 as well


def _power_exponent(t: Any, r: Any, x: Any, y: Any) -> Any:
    return t * (r * np.log(x))


def _share_of_first(t: Any, r: Any, x: Any, y: Any) -> Any:
    return t / (1 + np.exp(y - x))


def _share_of_second(t: Any, r: Any, x: Any, y: Any) -> Any:
    return t / (1 + np.exp(x - y))


PUSHFORWARDS: dict[str, tuple[Pushforward, ...]] = {
    "positive": (lambda t, r, x: t,),
    "negative": (lambda t, r, x: -t,),
    "conjugate": (lambda t, r, x: t,),
    "add": (lambda t, r, x, y: t, lambda t, r, x, y: t),
    "subtract": (lambda t, r, x, y: t, lambda t, r, x, y: -t),
    "multiply": (lambda t, r, x, y: t * y, lambda t, r, x, y: x * t),
    "divide": (lambda t, r, x, y: t / y, lambda t, r, x, y: -(t * (r / y))),
    "reciprocal": (lambda t, r, x: -(t * (r * r)),),
    "square": (lambda t, r, x: 2 * (t * x),),
    "sqrt": (lambda t, r, x: t / (2 * r),),
    "cbrt": (lambda t, r, x: t / (3 * (r * r)),),
    "power": (_power_base, _power_exponent),
    "float_power": (_power_base, _power_exponent),
    "ldexp": (lambda t, r, x, n: np.ldexp(t, n), lambda t, r, x, n: t * (r * LN2)),
    "exp": (lambda t, r, x: t * r,),
    "exp2": (lambda t, r, x: t * (r * LN2),),
    "expm1": (lambda t, r, x: t * np.exp(x),),
    "log": (lambda t, r, x: t / x,),
    "log2": (lambda t, r, x: t / (x * LN2),),
    "log10": (lambda t, r, x: t / (x * LN10),),
    "log1p": (lambda t, r, x: t / (1 + x),),
    "logaddexp": (_share_of_first, _share_of_second),
    "logaddexp2": (
        lambda t, r, x, y: t / (1 + np.exp2(y - x)),
        lambda t, r, x, y: t / (1 + np.exp2(x - y)),
    ),
    "sin": (lambda t, r, x: t * np.cos(x),),
    "cos": (lambda t, r, x: -(t * np.sin(x)),),
    "tan": (lambda t, r, x: t * (1 + r * r),),
    "arcsin": (lambda t, r, x: t / np.sqrt((1 - x) * (1 + x)),),
    "arccos": (lambda t, r, x: -(t / np.sqrt((1 - x) * (1 + x))),),
    "arctan": (lambda t, r, x: t / (1 + x * x),),
    "sinh": (lambda t, r, x: t * np.cosh(x),),
    "cosh": (lambda t, r, x: t * np.sinh(x),),
    "tanh": (lambda t, r, x: t / np.square(np.cosh(x)),),
    "arcsinh": (lambda t, r, x: t / np.hypot(x, 1),),
    "arccosh": (lambda t, r, x: t / np.sqrt((x - 1) * (x + 1)),),
    "arctanh": (lambda t, r, x: t / ((1 - x) * (1 + x)),),
    "deg2rad": (lambda t, r, x: t * DEGREE,),
    "radians": (lambda t, r, x: t * DEGREE,),
    "rad2deg": (lambda t, r, x: t / DEGREE,),
    "degrees": (lambda t, r, x: t / DEGREE,),
}
BILINEAR = frozenset(["matmul", "vecdot", "matvec", "vecmat"])
PREDICATES = frozenset(["isfinite", "isinf", "isnan"])
