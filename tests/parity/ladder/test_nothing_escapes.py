"""What answers otherwise when it is asked again, and whatever raises anywhere: a failure like any other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

import parity
from numpynet import Array, Linear, Module, Tanh
from parity.case import Case, Step
from parity.derivatives.proving import check_derivatives
from parity.frameworks import available
from parity.ladder.failure import Unjudged, describe
from parity.ladder.judge import judge
from parity.ladder.proving import prove
from parity.mapping.pair import LayerPair, registry

NAMES = available()


@pytest.fixture(autouse=True)
def pairs_are_as_before() -> Any:
    before = dict(registry())
    yield
    registry().clear()
    registry().update(before)


def paired(module_class: type, **methods: Callable[..., Any]) -> type:
    """A pair of this class that is drawn as it is and has these methods besides."""
    pair_class = type("OwnPair", (LayerPair,), {"modules": st.builds(module_class), **methods})
    parity.pair(module_class)(pair_class)
    return module_class


class Plain(Module):
    """The input, twice."""

    def forward(self, input: Array) -> Array:
        return self.remember(input * 2)

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return grad_output * 2


def unsteady(every: int) -> type:
    """A layer that is 1% wrong in one call of so many."""
    calls = itertools.count(1)

    class Unsteady(Plain):
        def forward(self, input: Array) -> Array:
            return self.remember(input * (2.02 if next(calls) % every == 0 else 2))

    return Unsteady


@pytest.mark.parametrize("every", [2, 7, 20])
def test_a_layer_that_answers_otherwise_when_it_is_asked_again_is_found_out(every: int) -> None:
    report = prove(paired(unsteady(every)), frameworks=[], examples=20)
    assert not report.passed
    assert report.failed_quantity == "repetition"
    assert "answers otherwise when it is asked again, from the same weights" in str(report.failure)
    assert "the first that is another one: output" in str(report.failure)
    assert "Reproduce:" in str(report.failure)


@pytest.mark.skipif("torch" not in NAMES, reason="the layer is written in torch")
def test_so_is_one_of_a_framework() -> None:
    import torch

    calls = itertools.count(1)

    class Sometimes(torch.nn.Module):
        def forward(self, input: Any) -> Any:
            return input * (2.02 if next(calls) % 7 == 0 else 2)

    report = prove(paired(Plain, torch=lambda self, module: Sometimes()), frameworks=["torch"], examples=30)
    assert not report.passed
    assert "torch answers otherwise when it is asked again" in str(report.failure)


def test_a_layer_that_raises_once_and_once_not_is_unsteady() -> None:
    calls = itertools.count(1)

    class Raises(Plain):
        def forward(self, input: Array) -> Array:
            if next(calls) % 3 == 0:
                raise RuntimeError("tired")
            return super().forward(input)

    report = prove(paired(Raises), frameworks=[], examples=10)
    assert "it raises once and once not" in str(report.failure)


def test_a_layer_that_computes_otherwise_on_the_arrays_of_perturbed_runs_is_found_out() -> None:
    class ForPlainArrays(Plain):
        def forward(self, input: Array) -> Array:
            return self.remember(input * (2.02 if type(input) is np.ndarray else 2))

    report = prove(paired(ForPlainArrays), frameworks=[], examples=1)
    assert "on a subclass of np.ndarray answers otherwise when it is asked again" in str(report.failure)


def test_what_is_raised_on_the_arrays_of_perturbed_runs_alone_is_told_as_it_is() -> None:
    class Choosy(Plain):
        def forward(self, input: Array) -> Array:
            if type(input) is not np.ndarray:
                raise TypeError("plain arrays alone")
            return super().forward(input)

    report = prove(paired(Choosy), frameworks=[], examples=1)
    assert str(report.failure).startswith("judging an example raised TypeError: plain arrays alone")


def test_layers_with_masks_and_state_repeat_themselves() -> None:
    case = Case(Linear(2, 2, rng=np.random.default_rng(0)), [Step(np.ones((3, 2), "f4"), np.ones((3, 2), "f4"))])
    assert not judge(case).unsteady


def test_what_the_drawing_raises_is_the_failure_of_the_pair() -> None:
    def shapes(self: Any, module: Any) -> Any:
        raise ZeroDivisionError("no such shape")

    class Undrawn(Plain):
        pass

    for found in (prove(paired(Undrawn, shapes=shapes), examples=3), check_derivatives(Undrawn, examples=3)):
        assert not found.passed
        said = str(getattr(found, "failure", None) or getattr(found, "message", None))
        assert said.startswith("drawing an example of Undrawn raised ZeroDivisionError: no such shape\n  ")


def test_what_the_judging_raises_is_told_with_the_example_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr("parity.ladder.judge.deviations", fails)
    report = prove(Tanh, examples=5)
    assert (report.failed_quantity, report.failed_rung, report.failed_after) == ("crash", None, 1)
    assert str(report.failure).startswith("judging an example raised MemoryError: no room\n  ")
    assert "of Tanh()" in str(report.failure)
    assert "print(parity.explain(parity.Case(module, steps" in str(report.failure)
    assert report.as_record().shrunk == "Tanh()"


def test_a_module_whose_repr_raises_has_no_script_and_says_why() -> None:
    class Unspeakable(Plain):
        def __repr__(self) -> str:
            raise NameError("nameless")

    report = prove(paired(Unspeakable), examples=3)
    assert isinstance(report.error, Unjudged)
    assert "NameError: nameless" in str(report.failure)


@pytest.mark.skipif(len(NAMES) < 2, reason="it takes two that agree")
def test_near_the_threshold_two_that_agree_are_not_accused() -> None:
    """numpynet's formula is off by about what is allowed: of two that are right, one may be outside, and one not."""
    x = np.linspace(0.05, 1, 12, dtype=np.float32).reshape(3, 4)

    def found(share: float) -> str:
        class Off(Tanh):
            def forward(self, input: Array) -> Array:
                assert self._memory is None
                output = super().forward(input)
                return self.remember(output * (1 + share), output)

        judgement = judge(Case(Tanh(), [Step(x, x)]), alter=lambda case: case.with_module(Off()))
        return "passed" if judgement.passed else describe(judgement).splitlines()[2]

    said = [found(float(share)) for share in np.geomspace(1e-6, 3e-6, 60)]
    assert said[0] == "passed"
    assert said[-1].startswith("odd one out: numpynet")
    between = set(said) - {said[0], said[-1]}
    assert len(between) == 1
    assert between.pop().startswith("nobody is accused: torch and tensorflow agree with each other and not with")
