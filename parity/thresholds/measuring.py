"""The smallest error of a framework that the ladder sees within so many examples, class by class."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

import numpy as np

from parity.case import Case
from parity.frameworks.framework import Subject
from parity.ladder.cases import for_all
from parity.ladder.failure import odd_ones, undecided
from parity.ladder.judge import Judgement, judge, shares
from parity.ladder.proving import mapped
from parity.mapping.convert import subject
from parity.mapping.pair import OptimizerPair, pair_of
from parity.thresholds.scaled import INPUT_GRADIENT, OUTPUT, PARAMETER, Scaled, Scaling

EXAMPLES = 50
# In units in the last place: a factor of the square root of two apart, from half of one to 256.
GRID = [2 ** (step / 2) for step in range(-2, 17)]


@dataclass(frozen=True)
class Threshold:
    """The finding on one quantity of one class in one dtype.

    ulps: the smallest error that is seen, in units in the last place of 1 times the value; None where none is
    seen_in: the module of the example in which it is
    accused: who is named there
    """

    quantity: str
    ulps: float | None
    seen_in: str = ""
    accused: tuple[str, ...] = ()


def quantities(target: type) -> tuple[str, ...]:
    """Returns what is scaled, one at a time, of a class."""
    return (PARAMETER,) if isinstance(pair_of(target), OptimizerPair) else (OUTPUT, INPUT_GRADIENT)


def thresholds(
    target: type, dtype: str, framework: str, frameworks: list[str], examples: int = EXAMPLES, seed: int = 0
) -> Iterator[Threshold]:
    """Yields the thresholds of the class: the examples are those of `prove`, and all of `frameworks` are asked."""
    together = mapped(target, frameworks)
    drawn: list[Case] = []
    for_all(drawn.append, target, dtype, examples=examples, random_seed=seed)
    right = [judge(case, together) for case in drawn]
    for quantity in quantities(target):
        yield _threshold(drawn, right, quantity, framework, together)


def _threshold(
    cases: list[Case], right: list[Judgement], quantity: str, framework: str, together: list[str]
) -> Threshold:
    """The smallest of all examples' thresholds.

    The allowance is only ever widened by a closer look, so that what is seen by the first one is a bound: examples are
    looked at closely in its order, and the first of which the bound is confirmed is the sharpest.
    """
    waiting = [
        (step, number)
        for number, judgement in enumerate(right)
        if judgement.passed and (step := _bound(judgement, judgement, quantity, framework)) < len(GRID)
    ]
    heapq.heapify(waiting)
    while waiting:
        step, number = heapq.heappop(waiting)
        judgement = judge_scaled(cases[number], framework, together, quantity, GRID[step])
        if not judgement.passed:
            return Threshold(quantity, GRID[step], repr(cases[number].module), tuple(accused(judgement)))
        closer = _bound(right[number], judgement, quantity, framework)
        if closer < len(GRID):
            heapq.heappush(waiting, (closer, number))
    return Threshold(quantity, None)


def judge_scaled(case: Case, framework: str, frameworks: list[str], quantity: str, ulps: float) -> Judgement:
    """The judgement of the case where the framework is so many units in the last place off in this quantity."""

    def made(case: Case, name: str) -> Subject:
        of = subject(case, name)
        return Scaled(of, Scaling(case, quantity, ulps)) if name == framework else of

    with mock.patch("parity.ladder.judge.subject_of", made):
        return judge(case, frameworks)


def accused(judgement: Judgement) -> list[str]:
    """Who is named as the odd one out; nobody where those that part are near the threshold."""
    key, _ = judgement.off()[0]
    return [] if undecided(judgement, key) else odd_ones(judgement, key)


def _bound(right: Judgement, known: Judgement, quantity: str, framework: str) -> int:
    """The first step of the grid at which what is scaled leaves the allowance that is known; its length where none."""
    expected, allowed = right.reference, known.allowed[framework]
    for step, ulps in enumerate(GRID):
        wrong = Scaling(right.case, quantity, ulps).trace(right.traces[framework])
        if any(np.any(shares(wrong[key], expected[key], allowed[key]) > 1) for key in wrong.keys() & expected.keys()):
            return step
    return len(GRID)
