"""Tails: what is drawn now and then, beyond the small cases that are the rule.

Small cases are fast, and what fails shrinks to one. But an implementation may be right in small cases alone: up to
eight features, for kernels of three, in the first four steps. So everything that is drawn has a tail, and one draw in
so many comes from it; `ODDS` says in how many, and why. A case has a dozen draws, so that about every other one is from
some tail, and few are from several. `parity examples --tails` counts how many of the first examples had which.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

OFTEN, SOMETIMES, SELDOM = 8, 12, 24
ODDS = {
    "size": SELDOM,  # 9 to 40 features: a case draws several sizes, and the time it takes grows with their product
    "batch": SELDOM,  # 9 to 16 rows
    "side": SELDOM,  # 5 to 12 along an axis after the second: images have two
    "rank": OFTEN,  # five axes, or one alone where a layer takes it
    "image": SELDOM,  # up to 12 pixels beyond the smallest image that holds a window
    "kernel": SELDOM,  # 4 to 7: drawn for rows and columns
    "stride": SELDOM,  # 4 and 5
    "dilation": SELDOM,  # 3 and 4
    "scale": SOMETIMES,  # 2^-20 to 2^20: drawn for every array, of which few are large where the scale is
    "steps": OFTEN,  # 5 to 8 updates: what goes wrong after a while does so in every one of them
    "rate": SELDOM,  # learning rates of 1/4 to 1: drawn for each step
    "matrix": OFTEN,  # an optimizer of a matrix and a vector, instead of two vectors
    "mode": SELDOM,  # training where the case evaluates, and the other way: drawn for each step
    "rehearsal": SELDOM,  # a forward pass that no backward pass follows: drawn for each step
    "backward": SELDOM,  # a second backward pass after one forward pass: drawn for each step
    "layout": SELDOM,  # arrays in Fortran's order: drawn for each step
    "gaps": SELDOM,  # every other element of a wider array, or an array backwards: drawn for each step
    "beside": SELDOM,  # another instance of the module, at work in between
    "groups": SELDOM,  # two optimizers, each of half of the parameters, with other learning rates
    "optimizer": OFTEN,  # another one than SGD
    "end": OFTEN,  # a hyper-parameter at its default, or at an end of what it may be
}

drawn: ContextVar[set[str] | None] = ContextVar("drawn", default=None)  # the tails that this example is from


def _note(tail: str) -> None:
    if (noted := drawn.get()) is not None:
        noted.add(tail)


def rarely(tail: str, usual: SearchStrategy[T], rare: SearchStrategy[T]) -> SearchStrategy[T]:
    """A strategy of what `usual` draws and, as often as `ODDS` has it for this tail, of what `rare` draws."""

    def noted(value: T) -> T:
        _note(tail)
        return value

    odds, beyond = ODDS[tail], rare.map(noted)
    return st.integers(1, odds).flatmap(lambda number: usual if number < odds else beyond)


@functools.cache
def integers(tail: str, low: int, high: int, most: int) -> SearchStrategy[int]:
    """A strategy of integers from `low` to `high` and, as often as `ODDS` has it for this tail, of those up to `most`.

    It is `rarely` in one draw: a case has dozens.
    """
    usual, rare = high - low + 1, most - high
    often = (ODDS[tail] - 1) * usual * rare

    def chosen(number: int) -> int:
        if number < often:
            return low + number % usual
        _note(tail)
        return high + 1 + (number - often) % rare

    return st.integers(0, ODDS[tail] * usual * rare - 1).map(chosen)


def one_of(*tails: str) -> SearchStrategy[str]:
    """A strategy of the name of one of these tails, as often as `ODDS` has it for each, and else of none."""
    least = ODDS[tails[0]]
    if {ODDS[tail] for tail in tails} != {least}:
        raise ValueError(f"{', '.join(tails)} are drawn together, and must be drawn equally often")

    def chosen(number: int) -> str:
        if number >= len(tails):
            return ""
        _note(tails[number])
        return tails[number]

    return st.integers(0, least - 1).map(lambda number: chosen(least - 1 - number))


def ends(usual: SearchStrategy[T], *values: T) -> SearchStrategy[T]:
    """A strategy of a hyper-parameter that is `usual`, and now and then one of these: its default, and its ends.

    They are rounded to float32, to which Keras rounds them, in float64 too (differences, keras-float32).
    """
    exact: list[Any] = [float(np.float32(value)) if isinstance(value, float) else value for value in values]
    found: SearchStrategy[T] = rarely("end", usual, st.sampled_from(exact))
    return found


@contextlib.contextmanager
def noting() -> Iterator[set[str]]:
    """A context in which the tails of what is drawn are added to the set that it gives."""
    noted: set[str] = set()
    token = drawn.set(noted)
    try:
        yield noted
    finally:
        drawn.reset(token)
