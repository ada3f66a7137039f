"""Going an implementation's own way, layer by layer, before it is accused."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from numpynet import SGD, Graph, Linear, ReLU, Sequential, Sum, Tanh
from parity.case import Case, Step
from parity.formats import format_of
from parity.frameworks import available
from parity.ladder import judge as judging
from parity.ladder.cases import for_all
from parity.ladder.judge import _computed, _goes_its_own_way, judge
from parity.ladder.trace import Trace
from parity.mapping.convert import subject
from parity.rounding.allowance import deviations

NAMES = ["numpynet", *available()]


def drawn(target: type, examples: int) -> list[Case]:
    cases: list[Case] = []
    for_all(cases.append, target, "float32", examples=examples, random_seed=3)
    return cases


@pytest.mark.parametrize("target", [Sequential, Graph, Linear])
def test_the_reference_that_follows_itself_computes_what_it_computed(target: type) -> None:
    for case in drawn(target, 25):
        wide = case.astype(format_of(case.dtype).wider)
        with np.errstate(all="ignore"):
            alone = _computed(wide)
            following = _computed(wide, followed=alone)
        assert list(following) == list(alone)
        for key, values in alone.items():
            np.testing.assert_array_equal(following[key], values, str(key))


@pytest.mark.parametrize("target", [Sequential, Graph])
def test_every_implementation_is_right_layer_by_layer(target: type) -> None:
    for case in drawn(target, 4):
        wide, judgement = case.astype(format_of(case.dtype).wider), judge(case)
        assert judgement.passed
        for name in NAMES:
            assert _goes_its_own_way(judgement, name, wide, subject(case, name))


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a whole network next to nothing, so that everybody is outside; layer by layer everything is as it is."""

    def narrowed(reference: Trace, run: Any, *arguments: Any, **options: Any) -> Trace:
        found = deviations(reference, run, *arguments, **options)
        following = isinstance(run, functools.partial) and run.keywords["followed"] is not None
        return found if following else {key: values * 1e-6 for key, values in found.items()}

    monkeypatch.setattr(judging, "deviations", narrowed)


def trained(network: Any, width: int = 4) -> Case:
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((3, 2, 5, width)).astype(np.float32)
    steps = [Step(values, cotangent, zero_grad=place != 1) for place, (values, cotangent) in enumerate(arrays)]
    return Case(network.astype(np.float32), steps, arguments={"momentum": 0.5}, optimizer=SGD)


NETWORK = Graph(
    {"x": (4,)},
    {"a": (Linear(4, 4), "x"), "b": (Tanh(), "a"), "c": ("a", "b"), "sum": (Sum(), "x", "b", "c")},
    ["sum"],
)


@pytest.mark.parametrize("network", [Sequential(Linear(4, 4), Tanh(), Linear(4, 4), ReLU()), NETWORK], ids=type)
def test_what_is_inherited_accuses_nobody(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)
    assert judge(trained(network)).passed
    monkeypatch.setattr(judging, "_goes_its_own_way", lambda *_: False)
    assert {name for _, name in judge(trained(network)).off()} == set(NAMES)


class WrongBackward(Tanh):
    def backward(self, grad_output: Any) -> Any:
        return super().backward(grad_output) * (1 + 2.0**-10)


class WrongOutput(Tanh):
    def forward(self, input: Any) -> Any:
        return super().forward(input) * (1 + 2.0**-10)


class ForgetsALayer(Sequential):
    def backward(self, grad_output: Any) -> Any:
        for module in reversed(self.modules[2:]):
            grad_output = module.backward(grad_output)
        return self.modules[0].backward(grad_output)


class Slower(SGD):
    """An optimizer that forgets a little of its velocity."""

    def step(self) -> None:
        super().step()
        for state in self.state:
            state["velocity"] = state["velocity"] * (1 - 2.0**-10)


@pytest.mark.parametrize("wrong", [WrongBackward, WrongOutput])
def test_an_error_of_a_layers_own_is_found(wrong: type, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)
    case = trained(Sequential(Linear(4, 4), Tanh(), Linear(4, 4)))
    damaged = Sequential(case.module[0], wrong(), case.module[2])
    off = {name for _, name in judge(case, alter=lambda case: case.with_module(damaged)).off()}
    assert off == set(NAMES) - {"numpynet"}  # who is its own reference


def test_an_error_between_the_layers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)
    case = trained(Sequential(Linear(4, 4), Tanh(), Linear(4, 4)))
    off = judge(case, alter=lambda case: case.with_module(ForgetsALayer(*case.module.modules))).off()
    assert {name for _, name in off} == set(NAMES) - {"numpynet"}


def test_an_error_of_an_update_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)
    case = trained(Sequential(Linear(4, 4), Tanh(), Linear(4, 4)))
    off = judge(
        case, alter=lambda case: Case(case.module, case.steps, arguments=case.arguments, optimizer=Slower)
    ).off()
    assert {name for _, name in off} == set(NAMES) - {"numpynet"}
