"""Allowances: what rounding makes unavoidable, measured by Monte Carlo arithmetic on the computation itself.

The reference is the numpynet module evaluated in the next wider format. It is run `PAIRS` times twice more with a fresh
random relative error after every elementary operation (`parity.rounding.noisy`), and the largest deviation seen,
element by element, is what an implementation in the narrow format may be off. Where no error can reach an element (a
ReLU), nothing is allowed. The runs are made at once where the computation allows it (`parity.rounding.runs`).

    Parker, Monte Carlo Arithmetic, UCLA CSD-970002 (1997); Vignes, Math. Comput. Simul. 35 (1993), CESTAC.

The errors are uniform: with +-u alone, two can cancel exactly and hide an allowance. They are injected `SLACK` times as
large as one rounding, so that a value close to a kink (a ReLU's input within rounding of 0) falls on either side in
some run, and the allowance contains the jump. The runs come in pairs with errors of opposite signs, so that a value
next to a kink is on the far side of it in one of the two: with independent runs, one case in some hundred never was.

In one more run everything that may be lost is lost: what is smaller than a few units in the last place of the terms
that it is the sum of, or than the smallest normal number, becomes exactly 0, which random errors never hit. Where
negative slopes fold both sides of 0 into one (PReLU), nothing but an exact 0 takes the other branch. In yet one more,
every result is rounded to the format itself, as IEEE 754 does: the numbers that are equal then, zeros by underflow
among them, are those that are equal in an implementation, and the first of them is the one that it selects.

Where one of the two deviates further than every run before it, it took a branch that random errors miss, since they
leave no two numbers equal: of rows that are equal, normalised, each is exactly 0 there. And where the reference itself
is on such a branch, random errors leave it each time, however small they are, and rounding does not. In both cases the
branch has runs of its own: rounding to ever fewer bits, down to a unit of `SLACK`, with and without losing what may be
lost; and forward passes that are rounded to the nearest number, with random errors behind them alone. Of several jumps
that cancel, an implementation may make one and not another: in `PARTIAL` pairs of runs one half of the results, drawn
anew for each operation, is lost or rounded, and then the other half. All of this is also done before anybody is
accused, with about `MANY` such pairs: where a branch is taken by what one operation loses, and what comes after it
would lose its result as well (a gradient that jumps, times a derivative that underflows), random errors rarely make the
first and spare the second.

Where some elements deviate in one run and not at all in another, something is selected by rounding. One run shows one
selection, and any of the six nearly equal elements of a window may be the selected one: then `MORE` pairs are run. In
every third pair the errors have their natural size, and the deviation counts `SLACK` times: where a computation is so
sensitive that large errors act otherwise than small ones (a variance that is all rounding) the small ones count too.

Where something jumps, the allowance is the sum of the largest deviation of either kind: the first may be exactly the
jump, and the second is the rounding beside it. Where nothing does, both are the same rounding, measured twice, and no
error has to be large enough for a kink: the allowance is the larger of the two, for errors of `SMOOTH` roundings. That
is seen from the pairs, which then deviate by the same to either side, and from the runs that lose and round, which then
deviate by no more than the roundings that they make. The largest of six pairs is now and then small by luck: before
anybody is accused, it is at least `AGAIN` times what errors of natural size do in any of `MORE` pairs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from numpynet import Array
from parity.formats import format_of
from parity.rounding.errors import (
    SLACK,
    SMOOTH,
    BehindForward,
    Errors,
    InHalf,
    Losing,
    Nearest,
    RandomErrors,
    Together,
    making,
)
from parity.rounding.noisy import as_noisy
from parity.rounding.runs import repeated, runs_in

PAIRS = 6
MORE = 30  # so that of nine nearly equal elements one is the largest or the smallest in none of 36: 1e-4
MANY = 150  # of which a third have large errors not: a selection that one run in fifty makes is missed by 200 in 2%
SMALL_EVERY = 3
PARTIAL = 8  # of two jumps that cancel, none of the pairs parts them in 1 of 256 such cases; of five, MANY miss 1e-4
AGAIN = 4  # of normal deviations, 2.5 are the largest of 60, and 5 are exceeded in 6e-7
FEWER_BITS = int(math.log2(SLACK))  # of a format whose unit is SLACK times as large

Key = TypeVar("Key")
Err = TypeVar("Err", bound=Errors)
Perturb = Callable[[Array], Array]  # what makes an array one on which operations err


def size_of(pair: int) -> float:
    """The size of the errors of a pair of runs, in roundings: natural in every third."""
    return 1.0 if pair % SMALL_EVERY == 0 else SLACK


def combined(large: Array, small: Array, dtype: np.dtype[Any], smooth: Array | bool = False) -> Array:
    """The allowance, from the largest deviations under large errors or losses, and under errors of natural size.

    Where the computation is `smooth`, both are the same rounding: it is the larger of the two, for errors of `SMOOTH`
    roundings. Else it is their sum.
    """
    # In the few runs that jumped, the rounding beside the jump may have made it smaller each time.
    jumps = 1 + SLACK * SLACK * format_of(dtype).unit
    with np.errstate(over="ignore"):
        natural = SLACK * small
        return np.where(smooth, SMOOTH / SLACK * np.maximum(large, natural), jumps * large + natural)


def deviations(
    reference: Mapping[Key, Array],
    run: Callable[[Perturb], Mapping[Key, Array]],
    dtype: np.dtype[Any],
    together: bool = True,
    thorough: bool = False,
) -> dict[Key, Array]:
    """The allowance of every tensor in `reference`, from how far `run` deviates from it under rounding errors.

    `run` computes on the arrays that its argument makes of its own. The allowance is made of the largest deviation
    under large errors or losses and of `SLACK` times the largest under errors of natural size. The generator is seeded:
    the same computation is always allowed the same. Runs are made at once, unless `together` says otherwise or the
    computation does not allow it. A `thorough` look is one before somebody is accused: where something is selected by
    rounding, it draws `MANY` pairs of errors more, and runs with the large ones; and it looks at every branch that
    losing or rounding may take.
    """
    rng, epsilon = np.random.default_rng(0), 2 * format_of(dtype).unit
    expected = np.concatenate([value.ravel() for value in reference.values()])  # every element of every tensor
    ends = itertools.accumulate(value.size for value in reference.values())
    places = dict(zip(reference, map(slice, *zip(*itertools.pairwise([0, *ends]), strict=True)), strict=True))
    largest = {size: np.zeros_like(expected) for size in (SLACK, 1.0)}
    still = np.zeros(expected.shape, int)  # runs without a deviation
    least = np.full(expected.shape, np.inf)  # under errors of natural size
    smooth = np.ones(expected.shape, bool)  # no run took a branch: opposite errors have opposite effects
    apart = False  # whether losing or rounding takes a branch that random errors miss

    def deviating(errors: Errors, perturb: Perturb, runs: int) -> Array:
        """How far every element deviates under these errors; the runs are along the first axis."""
        found = np.empty((runs, expected.size), expected.dtype)
        with np.errstate(all="ignore"):
            with making(errors):
                perturbed = run(perturb)
            for key, value in reference.items():
                deviation = found[:, places[key]].reshape(runs, *value.shape)
                np.subtract(np.moveaxis(runs_in(perturbed[key]), -1, 0), value, out=deviation)
            # Jumps are finite, and inf - inf is none; the logarithm of what was lost is another matter.
            found[np.isinf(found)] = 0
        return found

    def deviating_each(*groups: Sequence[Errors]) -> list[Array]:
        """How far every element deviates under each of these errors, group by group: at once, or one after another."""
        nonlocal together
        errors = [one for group in groups for one in group]
        found = None
        if together:
            try:
                found = deviating(Together.of(errors), lambda values: repeated(values, len(errors)), len(errors))
            except Exception:  # what is wrong with the computation itself is raised by each run alone
                together = False
        if found is None:
            found = np.concatenate([deviating(one, as_noisy, 1) for one in errors])
        return np.split(found, list(itertools.accumulate(map(len, groups[:-1]))))

    def pairs(number: int, make: Callable[[int, bytes, bool], list[Err]], first: int = 0) -> list[Err]:
        """The errors that `make` makes of the index of a pair and its seed, and their mirror images."""
        seeds = [(pair, rng.bytes(8)) for pair in range(first, first + number)]
        return [one for pair, seed in seeds for mirrored in (False, True) for one in make(pair, seed, mirrored)]

    @np.errstate(over="ignore")
    def observe(errors: Sequence[Errors], found: Array) -> None:
        """Take in how far every element deviated under each of these errors."""
        nonlocal least, apart
        paired, others = (
            [number for number, one in enumerate(errors) if (type(one) is RandomErrors) == random]
            for random in (True, False)
        )
        sizes = np.array([errors[number].size for number in paired[::2]])
        one, mirrored = (found[paired[start::2]] for start in (0, 1))
        both = np.abs(one), np.abs(mirrored)
        most = np.fmax(*both)
        # What errors of either sign do alike is no rounding; a `SLACK`-th of what they do is less than one rounding.
        smooth[...] &= np.all(np.abs(one + mirrored) <= most / SLACK, axis=0)
        for size in (SLACK, 1.0):
            np.fmax(largest[size], np.fmax.reduce(most[sizes == size], axis=0, initial=0), out=largest[size])
        for far in both:
            least = np.fmin(least, np.fmin.reduce(far[sizes == 1], axis=0, initial=np.inf))
            still[...] += np.count_nonzero(far[sizes == SLACK] == 0, axis=0)
        for number in others:
            special, deviation = errors[number], np.abs(found[number])
            if not special.size:  # lost, or rounded
                apart = apart or bool(np.any(deviation > largest[SLACK]))
            smooth[deviation > special.roundings * largest[SLACK]] = False
            np.fmax(largest[SLACK], deviation, out=largest[SLACK])

    def at_random(pair: int, seed: bytes, mirrored: bool) -> list[RandomErrors]:
        return [RandomErrors(dtype, seed, size_of(pair), mirrored)]

    def of_natural_size(pair: int, seed: bytes, mirrored: bool) -> list[RandomErrors]:
        return [RandomErrors(dtype, seed, 1.0, mirrored)]

    def behind_forward(pair: int, seed: bytes, mirrored: bool) -> list[RandomErrors]:
        return [BehindForward(dtype, seed, SLACK, mirrored)]

    def in_half(pair: int, seed: bytes, mirrored: bool) -> list[Errors]:
        return [InHalf(Losing(dtype), seed, mirrored), InHalf(Nearest(dtype), seed, mirrored)]

    def left(rounded: Array) -> bool:
        """Tells whether every random error, however small, spoils an element that rounding itself leaves as it is."""
        with np.errstate(all="ignore"):
            size = np.abs(expected)
            return bool(np.any((size > 0) & (least > size / SLACK) & (rounded < size * epsilon**0.5)))

    random, others = pairs(PAIRS, at_random), [Losing(dtype), Nearest(dtype)]
    at_once, not_random = deviating_each(random, others)
    observe(random, at_once)
    selected = (still > 0) & (largest[SLACK] > 0)
    # In a format that is no wider, a small error may come to nothing.
    if expected.dtype != dtype and selected.any():
        for first in range(PAIRS, PAIRS + MORE, PAIRS):
            more = pairs(PAIRS, at_random, first)
            observe(more, *deviating_each(more))
        selected = (still > 0) & (largest[SLACK] > 0)
        for _ in range(MANY // MORE if thorough else 0):
            more = [one for one in pairs(MORE, at_random) if one.size == SLACK]
            (found,) = deviating_each(more)
            observe(more, np.where(selected, found, 0))
    observe(others, not_random)
    usual = largest[SLACK].copy()
    if apart or thorough or left(np.abs(not_random[-1])):
        bits = range(FEWER_BITS + 1)
        fewer = [one for n in bits for one in (Losing(dtype, Nearest(dtype, n)), Nearest(dtype, n))]
        behind = pairs(PAIRS, behind_forward)
        of_fewer, of_behind = deviating_each(fewer, behind)
        observe(fewer, of_fewer)
        observe(behind, of_behind)
    for _ in range(MANY // PARTIAL if thorough else apart):
        halves = pairs(PARTIAL, in_half)
        observe(halves, *deviating_each(halves))
    floor = np.zeros_like(expected)
    for _ in range(MORE // PAIRS if thorough else 0):
        small = pairs(PAIRS, of_natural_size)
        (found,) = deviating_each(small)
        np.fmax(floor, np.fmax.reduce(np.abs(found), axis=0), out=floor)
    # Where nothing jumps, rounding to fewer bits is one more draw of the same errors, as large as SLACK.
    large = np.where(smooth, usual, largest[SLACK])
    allowed = combined(large, largest[1.0], dtype, smooth)
    np.maximum(allowed, AGAIN * floor, out=allowed, where=smooth)
    return {key: allowed[places[key]].reshape(value.shape) for key, value in reference.items()}
