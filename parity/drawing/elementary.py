"""Functions of drawn numbers that have the same bits on every machine.

NumPy's own exponential and logarithm are compiled several times, for processors with and without AVX-512, and their
last bits differ. These are made of additions, products and quotients, which IEEE 754 rounds alike everywhere. What is
drawn need not be a logarithm to the last bit.

    Muller, Elementary Functions, 3rd ed. (2016): how arguments are reduced.
"""

from __future__ import annotations

import math

import numpy as np

from numpynet import Array

LEAST, LARGEST = -745.0, 709.0  # whose exponentials are still float64 numbers
# log(2) in two parts: of the first, products with exponents are exact.
LOG_2_HIGH, LOG_2_LOW = float.fromhex("0x1.62e4p-1"), float.fromhex("0x1.7f7d1cf79abcap-20")
EXP_TERMS = 14  # |r| <= log(2) / 2: the next term, r^14 / 14!, is 4e-18 of the sum
LOG_TERMS = 11  # s <= 0.172: the next term, s^22 / 23, is 7e-19 of the first


def exponential(x: Array) -> Array:
    """exp(x) to some units in the last place, for float64 x; beyond float64's range, that of its ends."""
    x = np.clip(x, LEAST, LARGEST)
    power = np.rint(x / math.log(2))
    rest = (x - power * LOG_2_HIGH) - power * LOG_2_LOW
    total = np.ones_like(x)
    for n in range(EXP_TERMS - 1, 0, -1):
        total = 1 + total * rest / n
    return np.ldexp(total, power.astype(int))


def logarithm(x: Array) -> Array:
    """log(x) to some units in the last place of the larger of x and 1, for positive float64 x."""
    mantissa, power = np.frexp(x)
    low = mantissa < math.sqrt(0.5)
    mantissa, power = np.where(low, 2 * mantissa, mantissa), power - low
    share = (mantissa - 1) / (mantissa + 1)
    square, total = share * share, np.zeros_like(share)
    for n in range(LOG_TERMS - 1, -1, -1):
        total = total * square + 1 / (2 * n + 1)
    return np.asarray(2 * share * total + power * LOG_2_LOW + power * LOG_2_HIGH)


def log_probabilities(x: Array) -> Array:
    """x - log(sum(exp(x))) over the last axis, in the dtype of x."""
    wide = x.astype(np.float64)
    shifted = wide - wide.max(axis=-1, keepdims=True, initial=-np.inf)
    return (shifted - logarithm(exponential(shifted).sum(axis=-1, keepdims=True))).astype(x.dtype)


def probabilities(x: Array) -> Array:
    """exp(x) / sum(exp(x)) over the last axis, in the dtype of x."""
    return exponential(log_probabilities(x).astype(np.float64)).astype(x.dtype)


def chances(x: Array) -> Array:
    """1 / (1 + exp(-x)), in the dtype of x."""
    decay = exponential(-np.abs(x.astype(np.float64)))
    return (np.where(x < 0, decay, 1) / (1 + decay)).astype(x.dtype)
