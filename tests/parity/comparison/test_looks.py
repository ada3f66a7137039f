"""Looks in stages: each widens the allowance, none is made once all is inside, and none acquits what is wrong."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import parity
from numpynet import Array
from parity.comparison.allowing import RUNS, Allowances, widened
from parity.comparison.formats import NARROW, Arithmetic
from parity.discovery import Lazy
from parity.frameworks.lazy import torch
from parity.rounding.allowance import MORE, PAIRS, PARTIAL
from parity.rounding.errors import SLACK
from parity.rounding.noisy import as_noisy

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
nn: Any = Lazy("torch.nn")
in_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the models are torch's")
x = np.random.default_rng(0).standard_normal(1000)


def allowances(
    function: Callable[[Array], Array], dtype: np.dtype[Any] = F32, arithmetic: Arithmetic | None = None
) -> Allowances[str]:
    def run() -> dict[str, Array]:
        return {"": np.asarray(function(as_noisy(x)))}

    return Allowances({"": np.asarray(function(x))}, run, arithmetic or Arithmetic(dtype))


def smooth(values: Array) -> Array:
    return np.exp(values) * values + values


def jumping(values: Array) -> Array:
    """Zeros or ones, as rounding decides."""
    return np.where(values * 3 - 3 * values + 1e-7 > 0, values, 0 * values)


def everything(of: Allowances[str]) -> list[Array]:
    """The allowance after each look, the thorough one last."""
    bounds = [of.bound("") for _ in widened(of, lambda: None)]
    of.look_again(lambda: False)
    return [*bounds, of.bound("")]


@pytest.mark.parametrize("function", [smooth, jumping])
def test_each_look_only_widens(function: Callable[[Array], Array]) -> None:
    bounds = everything(allowances(function))
    assert all((before <= after).all() for before, after in itertools.pairwise(bounds))
    assert (bounds[0] < bounds[-1]).any()


def test_where_nothing_jumps_a_glance_tells_what_pairs_of_errors_tell() -> None:
    one = allowances(smooth)
    one.glance()
    glance = one.bound("")
    one.look()
    np.testing.assert_allclose(one.bound(""), glance, rtol=SLACK * 2.0**-20)


def test_another_look_ends_as_soon_as_it_is_enough() -> None:
    made: list[int] = []
    one = allowances(smooth)
    one.made = lambda: made.append(1)
    asked: list[int] = []

    def enough() -> bool:
        asked.append(len(made))
        return len(asked) == 2

    one.look_again(enough)
    assert asked == [2 * PAIRS, 4 * PAIRS]
    assert len(made) == 4 * PAIRS
    one.look_again(lambda: False)
    assert len(made) > 4 * PAIRS + 2 * (MORE + PAIRS + 2 * PARTIAL)


def test_in_the_references_own_format_twice_as_much_is_allowed() -> None:
    """Both err, and the errors are those of the format: what they do to float32 they do to float64, units apart."""
    (narrow, *_), (wide, *_) = everything(allowances(smooth)), everything(allowances(smooth, F64))
    ratio = np.median(narrow / wide) * float(np.finfo(F64).eps / np.finfo(F32).eps)
    assert 1 / 4 < ratio < 1
    exact = np.asarray(smooth(x.astype(np.longdouble)))
    assert (np.abs(smooth(x) - exact) <= wide).all()


def model(slope: float = 0.25) -> Any:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(slope), nn.Linear(6, 3))


def runs(first: Any, second: Any, inputs: Array) -> tuple[parity.Comparison, int]:
    """What a comparison found, and how many runs it made."""
    made: list[int] = []
    found = parity.compare(first, second, inputs, show=lambda done, _: made.append(done))
    return found, len(made)


@in_torch
def test_a_right_model_takes_two_glances_and_a_wrong_one_every_look() -> None:
    inputs = x[:20].reshape(5, 4)
    right, few = runs(model(), model(), inputs)
    assert right.passed
    assert few == 2 * PAIRS
    wrong, many = runs(model(), model(0.26), inputs)
    assert wrong.fault is not None
    assert wrong.fault.cause is not None
    assert wrong.fault.cause.name == "slope"
    assert many == 2 * RUNS


@in_torch
def test_a_model_at_a_kink_is_accused_by_no_look_that_came_too_soon() -> None:
    """Inputs that are rounded to either side of 0, where the gradient jumps: a glance alone may miss a side."""

    class Apart(torch.nn.Module):
        def __init__(self, other: bool) -> None:
            super().__init__()
            self.relu, self.other = nn.ReLU(), other

        def forward(self, x: Any) -> Any:
            third = x / 3
            return self.relu(x - (third * 2 + third if self.other else third + third + third))

    found, _ = runs(Apart(False), Apart(True), x[:900].reshape(30, 30))
    assert found.passed, str(found)


def test_what_the_range_of_a_format_does_is_not_judged_and_all_else_is() -> None:
    largest, near = NARROW["float16"].largest, 0.99
    found = allowances(lambda values: values * 4e4 / 4e4, arithmetic=Arithmetic(F32, NARROW["float16"]))
    for _ in found.looked():
        pass
    found.look_at_range()
    beyond, size = found.beyond(""), np.abs(x) * 4e4
    assert beyond[size > largest].all()
    assert not beyond[size < near * largest].any()
    right, off = x.astype(np.float32), np.float32(2)
    for wrong in (np.float32(np.nan), np.float32(np.inf), off):
        assert found.share("", np.where(size > largest, wrong, right)) <= 1  # one of two that overflow on the way
        assert not found.share("", np.where(size < near * largest, wrong, right)) <= 1
    assert found.share("", right) <= 1
    wide = allowances(lambda values: values * 4e4 / 4e4, arithmetic=Arithmetic(F32, NARROW["bfloat16"]))
    wide.look_at_range()
    assert not wide.beyond("").any()
