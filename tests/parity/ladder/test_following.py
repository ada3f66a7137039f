"""Going an implementation's own way, layer by layer, before it is accused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numpynet import GELU, SGD, Adam, Graph, Linear, MaxPool2d, Module, ReLU, Sequential, Sum, Tanh
from parity.case import Case, Step
from parity.formats import format_of
from parity.frameworks import available
from parity.ladder import judge as judging
from parity.ladder.cases import for_all
from parity.ladder.judge import _allowed, _computed, _goes_its_own_way, judge
from parity.ladder.trace import GRADIENT, Trace
from parity.mapping.convert import subject

NAMES = ["numpynet", *available()]


@pytest.fixture(autouse=True)
def fewer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thorough look makes hundreds of runs, of which nothing here needs more than a few."""
    monkeypatch.setattr("parity.rounding.allowance.MANY", 8)


def drawn(target: type, examples: int) -> list[Case]:
    cases: list[Case] = []
    for_all(cases.append, target, "float32", examples=examples, random_seed=3)
    return cases


def in_rows(values: Any) -> Any:
    """The arrays laid out row by row: others NumPy 1.26 multiplies by a loop of its own, not by BLAS."""
    return tuple(map(in_rows, values)) if isinstance(values, tuple) else np.array(values, order="C")


@pytest.mark.parametrize("target", [Sequential, Graph, Linear])
def test_the_reference_that_follows_itself_computes_what_it_computed(target: type) -> None:
    for case in drawn(target, 25):
        steps = [replace(each, input=in_rows(each.input), cotangent=in_rows(each.cotangent)) for each in case.steps]
        wide = replace(case, steps=steps).astype(format_of(case.dtype).wider)
        with np.errstate(all="ignore"):
            alone = _computed(wide)
            following = _computed(wide, followed=alone)
        assert list(following) == list(alone)
        for key, values in alone.items():
            np.testing.assert_array_equal(following[key], values, str(key))


def test_what_no_error_reaches_on_the_references_way_is_looked_at_on_the_implementations() -> None:
    # In float32 both are 0, of which the first is the largest; else the second is, and no error reaches the first.
    x, one = np.array([[[[-19.0, -20.0]]]], np.float32), np.ones((1, 1, 1, 1), np.float32)
    case = Case(Sequential(GELU(), MaxPool2d((1, 2))), [Step(x, one, 0.125)], training=True, arguments=None)
    wide, judgement = case.astype(format_of(case.dtype).wider), judge(case, [])
    assert judgement.passed
    assert _goes_its_own_way(judgement, "numpynet", wide, subject(case, "numpynet"), 1)


@pytest.mark.parametrize("target", [Sequential, Graph])
def test_every_implementation_is_right_layer_by_layer(target: type) -> None:
    for case in drawn(target, 2):
        wide, judgement = case.astype(format_of(case.dtype).wider), judge(case)
        assert judgement.passed
        for name in NAMES:
            assert _goes_its_own_way(judgement, name, wide, subject(case, name), len(case.steps))


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow each tensor of a network what one operation errs by alone, as if nothing were inherited."""

    def narrowed(wide: Case, reference: Trace, dtype: Any, thorough: bool = False, followed: Any = None) -> Trace:
        return _allowed(wide, reference, dtype, thorough, reference if followed is None else followed)

    monkeypatch.setattr(judging, "_allowed", narrowed)


def trained(network: Module) -> Case:
    """A case whose first layer cancels: its outputs are a thousandth of their terms, which later layers inherit."""
    rng = np.random.default_rng(0)
    inputs, cotangents = rng.standard_normal((2, 3, 5, 4))
    for parameter in network.parameters():
        values = rng.standard_normal(parameter.value.shape)
        for axis in range(values.ndim):
            values -= np.mean(values, axis, keepdims=True)
        parameter.value[...] = values
    steps = [
        Step((1000 + values).astype(np.float32), cotangent.astype(np.float32), lr=2.0**-20, zero_grad=place != 1)
        for place, (values, cotangent) in enumerate(zip(inputs, cotangents, strict=True))
    ]
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
        return super().backward(grad_output) * (1 + 2.0**-6)


class WrongOutput(Tanh):
    def forward(self, input: Any) -> Any:
        return super().forward(input) * (1 + 2.0**-8)


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


LAYERS = [Linear(4, 4), Tanh(), Linear(4, 4)]
CASE = trained(Sequential(*LAYERS))


class HoldsTheGradient(SGD):
    """An optimizer whose first velocity is the gradient's own array, into which the next backward pass writes."""

    def step(self) -> None:
        first = not any(self.state)
        super().step()
        for parameter, state in zip(self.parameters, self.state, strict=True):
            if first:
                state["velocity"] = parameter.grad


@pytest.mark.parametrize("wrong", [WrongBackward, WrongOutput])
def test_an_error_of_a_layers_own_is_found(wrong: type, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)
    first, _, last = LAYERS
    damaged = trained(Sequential(first, wrong(), last)).module
    off = {name for _, name in judge(CASE, alter=lambda case: case.with_module(damaged)).off()}
    assert off == set(NAMES) - {"numpynet"}  # who is its own reference


def test_an_error_between_the_layers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)
    damaged = trained(ForgetsALayer(*LAYERS)).module
    off = judge(CASE, alter=lambda case: case.with_module(damaged)).off()
    assert {name for _, name in off} == set(NAMES) - {"numpynet"}


@pytest.mark.parametrize("wrong", [Slower, HoldsTheGradient])
def test_an_error_of_an_update_is_found(wrong: type[SGD], monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)
    off = judge(CASE, alter=lambda case: replace(case, optimizer=wrong)).off()
    assert {name for _, name in off} >= set(NAMES) - {"numpynet"}


def test_what_runs_away_on_its_own_way_is_judged_until_it_does() -> None:
    """The moment of a gradient whose square is beyond the format is infinite, and no error of anybody's."""
    layer = Linear(1, 1, bias=False)
    layer.load_state_dict({"weight": np.ones((1, 1), np.float32)})
    one, large = np.ones((2, 1, 1), np.float32) * np.array([[[1]], [[2.0**70]]], np.float32)
    steps = [Step(one, one), Step(one, large)]
    case = Case(layer, steps, arguments={"beta2": 0.5}, optimizer=Adam)
    wide, numpynet = case.astype(np.dtype(np.float64)), subject(case, "numpynet")
    judgement = judge(case)
    judgement.reference = _computed(wide)  # the whole of it, as where another implementation alone runs away
    judgement.allowed["numpynet"] = {key: np.full_like(values, np.inf) for key, values in judgement.reference.items()}
    assert any(np.isinf(values).any() for values in judgement.traces["numpynet"].values())
    assert _goes_its_own_way(judgement, "numpynet", wide, numpynet, len(steps))


def test_an_infinity_of_ones_own_is_found_though_what_inherits_it_is_beyond_the_range() -> None:
    judgement = judge(CASE)
    trace = dict(judgement.traces["numpynet"])
    spoilt = [key for key in trace if (key.step, key.rung) == (1, GRADIENT) and key.layer in ("0", "")]
    for key in spoilt:  # what the layer behind sends back, and all that comes of it
        trace[key] = np.full_like(trace[key], np.inf)
    assert len(spoilt) == 4
    judgement.traces["numpynet"] = trace
    wide, numpynet = CASE.astype(np.dtype(np.float64)), subject(CASE, "numpynet")
    assert not _goes_its_own_way(judgement, "numpynet", wide, numpynet, len(CASE.steps))
