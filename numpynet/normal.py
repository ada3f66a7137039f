"""The normal distribution, which GELU needs and NumPy does not have."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from numpynet.module import Array

PI = 4 * np.arctan(np.longdouble(1))


def normal_cdf(x: Array) -> Array:
    """P(Z <= x) for a standard normal Z, to the precision of x's dtype; in the lower tail to that relative precision.

    For x >= 0, with t_k = (k + 1/2) h,

        P(Z <= -x) = h x / pi exp(-x^2 / 2) sum_k exp(-t_k^2 / 2) / (x^2 + t_k^2)  +  1 / (1 + exp(2 pi x / h))

    is the midpoint rule for an integral of erfc, and the residue of its pole, which counts for x < 2 pi / h. Its error
    falls as exp(-2 (pi / h)^2), and no term is negative: nothing cancels.
    Hunter & Regan, Math. Comp. 26 (1972) 539-541; Matta & Reichel, Math. Comp. 25 (1971) 339-344.
    """
    over_pi, pole, nodes = _midpoint_rule(x.dtype)
    distance = np.minimum(np.abs(x), 256)  # beyond, the lower tail is 0 in every format
    square = distance * distance
    term, total = np.empty_like(square), np.zeros_like(square)
    for node, weight in nodes:
        np.add(square, node, out=term)
        np.divide(weight, term, out=term)
        total += term
    lower = over_pi * distance * np.exp(-square / 2) * total
    lower += (distance < pole) / (1 + np.exp(pole * np.minimum(distance, pole)))
    return np.abs((x > 0) - lower)  # 1 - lower above 0; a sixth of the time of np.where


@functools.cache
def _midpoint_rule(
    dtype: np.dtype[np.floating],
) -> tuple[Any, Any, list[tuple[Any, Any]]]:
    """h / pi, 2 pi / h and the pairs (t_k^2, exp(-t_k^2 / 2)) of `normal_cdf`.

    The step h makes the error a 64th of the last digit.
    """
    digits = np.log(64 / np.longdouble(np.finfo(dtype).eps))
    h = PI * np.sqrt(2 / digits)
    nodes = ((np.arange(np.ceil(digits / PI)) + 0.5) * h) ** 2
    in_dtype = dtype.type
    pairs = [(in_dtype(node), in_dtype(weight)) for node, weight in zip(nodes, np.exp(-nodes / 2), strict=True)]
    return in_dtype(h / PI), in_dtype(2 * PI / h), pairs
