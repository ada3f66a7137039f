"""Several runs at once: each computes what it computes alone, and what cannot be run so is run alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numpynet import Array
from parity.case import Case
from parity.formats import format_of
from parity.frameworks.numpynet.framework import NumPySubject
from parity.ladder.cases import for_all
from parity.ladder.proving import targets
from parity.ladder.trace import Trace, run
from parity.rounding.allowance import Perturb, deviations
from parity.rounding.errors import SLACK, Errors, InHalf, Losing, Nearest, RandomErrors, Together, making
from parity.rounding.noisy import as_noisy
from parity.rounding.runs import Parted, Runs, repeated, runs_in, runs_of

F32 = np.dtype(np.float32)
RUNS = 4
rng = np.random.default_rng(2)
x, w = rng.standard_normal((5, 7)), rng.standard_normal((7, 3))


def at_once(values: Array) -> Runs:
    return repeated(values, RUNS)


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.__name__)
def test_each_of_several_runs_computes_what_one_alone_computes(target: type) -> None:
    """To the last bits of the wide format, in which sums may be in another order."""

    def property_(case: Case) -> None:
        wide = case.astype(format_of(F32).wider)

        def trace(perturb: Perturb) -> Trace:
            with np.errstate(all="ignore"):
                return run(wide, NumPySubject(wide, perturb))

        try:
            found = trace(at_once)
        except TypeError:  # cannot be followed: then none is run at once
            return
        for key, alone in trace(as_noisy).items():
            values = runs_in(found[key])
            assert np.array_equal(values, np.broadcast_to(values[..., :1], values.shape), equal_nan=True)
            np.testing.assert_allclose(values[..., 0], np.asarray(alone), rtol=2.0**-30, atol=2.0**-30)

    for_all(property_, target, "float32", examples=10)


def test_hardly_an_example_is_run_alone() -> None:
    """Of 28 runs that an example takes with one kind of errors after another, three remain; a few take all."""
    calls = 0

    def property_(case: Case) -> None:
        wide = case.astype(format_of(F32).wider)

        def counted(perturb: Perturb) -> Trace:
            nonlocal calls
            calls += 1
            return run(wide, NumPySubject(wide, perturb))

        with np.errstate(all="ignore"):
            deviations(run(wide, NumPySubject(wide)), counted, F32)

    for target in targets():
        for_all(property_, target, "float32", examples=3)
    assert calls < 6 * 3 * len(targets())


FUNCTIONS: list[Callable[[Any], Any]] = [
    lambda a: a + 1,
    lambda a: a * np.arange(7),
    lambda a: a @ w,
    lambda a: w.T @ a.T,
    lambda a: a[:, None] @ a[:, :, None],
    lambda a: np.dot(a, a.T),
    lambda a: a.sum(axis=-1, keepdims=True),
    lambda a: np.mean(a),
    lambda a: np.var(a, axis=(0, 1)),
    lambda a: np.max(a, axis=0),
    lambda a: np.where(a > 0, a, 0),
    lambda a: np.clip(a, -1, 1),
    lambda a: np.concatenate([a, a[:2]]),
    lambda a: np.take_along_axis(a, np.argmax(a, axis=1, keepdims=True), 1),
    lambda a: a * (a > 1),
    lambda a: np.abs((a > 1) - 0.25 * a),
    lambda a: np.where((a > 1) & ~(a > 2), a, -a),
    lambda a: np.take_along_axis(np.abs(a - 1), np.argmin(np.abs(a - 1), axis=1, keepdims=True), axis=1),
    lambda a: np.sign(a - 1).astype(int) * a,
    lambda a: a[a > 0],
    lambda a: a.reshape(7, 5).T[::-1, 1:],
    lambda a: np.exp(a) / np.exp(a).sum(axis=1)[:, None],
    lambda a: np.zeros_like(a, shape=(2, 3)) + a[0, 0],
    lambda a: np.ones_like(a) * a[0, 0],
    lambda a: np.full_like(a, 3) * a[0, 0],
    lambda a: np.where(np.maximum(a, 0), a, 2),
    lambda a: np.take_along_axis(a, a.argmin(axis=1)[:, None], 1),
    lambda a: np.take_along_axis(a, a.argmax(axis=1)[:, None], 1),
    lambda a: a.astype(np.float64),
    lambda a: np.maximum(a, a[0]),
]


def assigned(a: Any) -> Any:
    out = np.empty_like(a)
    out[...] = a
    out[0] = 5
    out[1:3, 2] += a[0, :2]
    np.add.at(out, ([0, 0, 1], [1, 1, 2]), a[0, :3])
    everywhere: Any = (..., [0, 0])
    np.add.at(out, everywhere, 1)
    np.copyto(out, a * 2, where=a > 0)
    np.put_along_axis(out, np.argmax(np.abs(a - 1), axis=1, keepdims=True), 9, axis=1)
    np.put_along_axis(out, np.zeros((5, 1), int), a[:, :1], axis=1)
    np.multiply(out, 3, out=out)
    return out


def placed(a: Any) -> Any:
    out = np.zeros_like(a)
    np.putmask(out, x > 1, a)
    np.place(out, x < -1, a[1, :3])
    np.put(out, [3, 20], a[0, :2])
    np.put(out, [4], v=7)
    np.fill_diagonal(out, a[2, 0])
    return out


@pytest.mark.parametrize("function", [*FUNCTIONS, assigned, placed])
@pytest.mark.parametrize("errors", [Nearest(F32), Losing(F32)], ids=["nearest", "losing"])
def test_functions_do_to_each_run_what_they_do_to_one(function: Callable[[Any], Any], errors: Errors) -> None:
    values = [x, 1.25 * x, 0.75 * x]
    with making(errors):
        found = runs_in(function(runs_of(np.stack(values, axis=-1))))
        for number, alone in enumerate(values):
            np.testing.assert_allclose(found[..., number], function(as_noisy(alone)), rtol=2.0**-40)


@pytest.mark.parametrize(
    "function",
    [
        lambda a: 1 if a[0, 0] > 0 else 0,
        lambda a: np.any(a > 30) or 1,
        lambda a: min(a[0, 0], 0),
        lambda a: (a > 30).any() and 1,
    ],
)
def test_runs_that_branch_apart_part(function: Callable[[Any], Any]) -> None:
    with pytest.raises(Parted):
        function(runs_of(np.stack([x, -99 * x], axis=-1)))


@pytest.mark.parametrize(
    "function",
    [
        lambda a: float(a[0, 0]),
        lambda a: np.asarray(a) + 1,
        lambda a: np.zeros(a.shape).__setitem__(0, a[0]),
        lambda a: np.einsum("ij->i", a),
        lambda a: np.tensordot(a, a, axes=([1], [1])),
        lambda a: a.cumsum(axis=1),
        lambda a: a.view(np.int64),
        lambda a: np.linalg.norm(a),
        lambda a: np.modf(a),
        lambda a: np.add(a, 1, out=np.empty(a.shape)),
        lambda a: a.tolist(),
        lambda a: a.T @ a[0],
        lambda a: np.sort(a),
        lambda a: np.prod(a, axis=0),
        lambda a: a[a > 1],
        lambda a: np.arange(9)[np.argmax(a, axis=1)],
    ],
)
def test_what_cannot_be_followed_raises_and_is_never_misread(function: Callable[[Any], Any]) -> None:
    with pytest.raises((TypeError, IndexError)):
        function(runs_of(np.stack([x, 9 * x[::-1]], axis=-1)))


def test_runs_that_part_are_allowed_what_they_are_allowed_alone() -> None:
    def selected(perturb: Perturb) -> dict[int, Array]:
        a = perturb(x) * 3
        return {0: np.asanyarray(a if a[0, 0] > 3 * x[0, 0] else -a)}

    reference = selected(np.asarray)
    np.testing.assert_array_equal(
        deviations(reference, selected, F32)[0], deviations(reference, selected, F32, together=False)[0]
    )


@pytest.mark.parametrize("function", [lambda a: a - x[::-1] * 3, lambda a: a * (a > 0), lambda a: a @ w, np.exp])
def test_each_run_makes_errors_of_its_own_kind(function: Callable[[Any], Any]) -> None:
    def errors() -> list[Errors]:
        in_halves = [
            InHalf(of, seed, mirrored)
            for seed in (b"1", b"2", b"3")
            for mirrored in (False, True)
            for of in (Losing(F32), Nearest(F32))
        ]
        return [Losing(F32), Nearest(F32), Losing(F32, Nearest(F32, 2)), *in_halves]

    small = x * 2.0**-124  # of which much is lost
    with making(Together.of(errors())):
        found = runs_in(function(repeated(small, len(errors()))))
    for number, error in enumerate(errors()):
        with making(error):
            np.testing.assert_array_equal(found[..., number], function(as_noisy(small)))


def test_a_condition_of_each_run_is_its_own() -> None:
    errors: list[Errors] = [RandomErrors(F32, b"1", mirrored=mirrored) for mirrored in (False, True)]
    errors += [Nearest(F32, 2), Losing(F32)]
    half = np.arange(7) % 2 == 0

    def added(values: Any, where: Any) -> Any:
        return np.add(values, 1, out=np.zeros_like(values), where=where)

    with making(Together.of(errors)):
        found = runs_in(added(repeated(x, len(errors)), half))
    assert np.all(found[:, ~half] == 0)
    assert np.all(found[:, half, :3] != 1 + x[:, half, None])


def test_a_sum_of_nothing_is_nothing() -> None:
    with making(RandomErrors(F32, b"seed")):
        assert np.sum(as_noisy(np.empty((0, 3))), axis=1).shape == (0,)
        np.testing.assert_array_equal(np.sum(as_noisy(np.empty((0, 3))), axis=0), np.zeros(3))


def test_allowances_are_the_same_but_for_chance() -> None:
    def softmax(perturb: Perturb) -> dict[int, Array]:
        e = np.exp(perturb(x))
        return {0: e / np.sum(e, axis=1, keepdims=True)}

    reference = softmax(np.asarray)
    once, alone = (deviations(reference, softmax, F32, together=together)[0] for together in (True, False))
    assert 0.8 < np.mean(once) / np.mean(alone) < 1.25


def test_runs_of_a_pair_err_by_the_same_with_opposite_signs_and_pairs_independently() -> None:
    errors = [
        RandomErrors(F32, seed, size, mirrored)
        for seed, size in ((b"1", SLACK), (b"2", 1.0), (b"3", SLACK))
        for mirrored in (False, True)
    ]
    ones = np.ones((50, 40))
    with making(Together.of(errors)):
        found = runs_in(repeated(ones, len(errors)) * 1) - 1
    np.testing.assert_allclose(found[..., 0::2], -found[..., 1::2], rtol=0, atol=2.0**-52)  # 1 + e has no more digits
    unit = format_of(F32).unit
    np.testing.assert_allclose(np.abs(found).max(axis=(0, 1)), unit * np.repeat([SLACK, 1, SLACK], 2), rtol=0.02)
    between = np.corrcoef(found[..., 0::2].reshape(-1, 3).T)
    assert np.max(np.abs(between - np.eye(3))) < 0.1


def test_what_is_read_only_stays_so() -> None:
    held = x.copy()
    held.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        at_once(held)[0] = 1
