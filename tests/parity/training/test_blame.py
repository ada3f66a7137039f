"""On rung 4 the odd one out is found by vote, and the step at which curves part is gone back through."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpynet import Flatten, Linear, Sequential, Tanh
from parity.frameworks import available
from parity.training.blame import blamed, first_off, odd_ones, part_at
from parity.training.curves import Series, compare_curves
from parity.training.recipes import CURVES

NAMES = available()
both = pytest.mark.skipif(len(NAMES) < 2, reason="it takes two that agree")


def small(rng: np.random.Generator) -> Sequential:
    return Sequential(Flatten(), Linear(64, 8, rng=rng), Tanh(), Linear(8, 10, rng=rng))


PLAIN = replace(
    next(curve for curve in CURVES if curve.name == "digits-regression"),
    network=small,
    epochs=1,
    batch_size=8,
    dtype="float64",
)


def series(**losses: list[float]) -> Series:
    steps = len(losses["numpynet"])
    used = {
        name: max(abs(a - b) for a, b in zip(found, losses["numpynet"], strict=True)) / 0.1
        for name, found in losses.items()
    }
    return Series(losses, [0.02] * steps, [0.1] * steps, used, {}, steps)


def test_the_one_outside_is_the_odd_one() -> None:
    found = series(numpynet=[1, 1, 1], one=[1, 1.5, 2], other=[1, 1, 1])
    assert odd_ones(found) == ["one"]
    assert first_off(found, "one") == 1
    assert first_off(found, "other") == 3


def test_two_that_agree_with_each_other_and_not_with_numpynet_are_right() -> None:
    assert odd_ones(series(numpynet=[1, 1, 1], one=[1, 1.5, 2], other=[1, 1.52, 2.1])) == ["numpynet"]


def test_two_that_agree_with_nobody_are_both_odd() -> None:
    assert odd_ones(series(numpynet=[1, 1, 1], one=[1, 1.5, 2], other=[1, 0.5, 0])) == ["one", "other"]


@both
def test_a_wrong_gradient_of_numpynet_is_numpynets_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Tanh.backward

    def wrong(self: Tanh, grad_output: Any) -> Any:
        return right(self, grad_output) * np.asarray(1.001, grad_output.dtype)

    monkeypatch.setattr(Tanh, "backward", wrong)
    curve = compare_curves(PLAIN, NAMES)
    assert curve.passed is False
    said = blamed(curve, PLAIN, NAMES)
    assert said.startswith("odd one out: numpynet, while the others agree with each other; in step ")
    assert "gradient" in said


@both
def test_what_agrees_step_by_step_parts_between_the_steps() -> None:
    said = str(part_at(PLAIN, 3, NAMES))
    assert said.startswith("rungs 1 to 3 agree on step 3 itself")
