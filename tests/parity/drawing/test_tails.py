"""Tails are drawn as often as is said, noted, and reach what small cases do not, in whatever implementation it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from numpynet import Adam, Linear, ReLU, Scaling, Sequential, Tanh
from parity.case import Case, Step
from parity.drawing import tails
from parity.drawing.examples import for_each_example
from parity.drawing.tails import ODDS, SELDOM, ends, integers, noting, one_of, rarely
from parity.frameworks import available, framework
from parity.ladder.cases import for_all, with_gaps
from parity.ladder.failure import reproduction
from parity.ladder.judge import judge
from parity.ladder.proving import prove
from parity.ladder.proving import tails as tails_of
from parity.ladder.trace import run
from parity.layout import step_of
from parity.mapping.convert import subject


def drawn(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    found: list[Any] = []
    for_each_example(lambda example: found.append(example), strategy, "tails", number)
    return found


@pytest.mark.parametrize(
    "strategy",
    [integers("size", 1, 8, 40), rarely("size", st.integers(1, 8), st.integers(9, 40))],
    ids=["in one draw", "in two"],
)
def test_a_tail_is_drawn_as_often_as_is_said_and_every_value_of_it(strategy: st.SearchStrategy[int]) -> None:
    number = 2000
    found = drawn(strategy, number)
    rare = [value for value in found if value > 8]
    assert abs(len(rare) - number / SELDOM) < 5 * (number / SELDOM) ** 0.5
    assert set(found) - set(rare) == set(range(1, 9))
    assert set(rare) <= set(range(9, 41))
    assert len(set(rare)) > 25


def test_the_tails_of_an_example_are_noted() -> None:
    strategy = integers("size", 1, 8, 40)
    with noting() as noted:
        drawn(strategy, 200)
        assert noted == {"size"}
    assert tails.drawn.get() is None


def test_of_several_tails_at_most_one_is_drawn_and_only_of_equal_odds() -> None:
    found = drawn(one_of("mode", "rehearsal", "layout"), 500)
    assert set(found) == {"", "mode", "rehearsal", "layout"}
    assert found.count("") > 400
    with pytest.raises(ValueError, match="must be drawn equally often"):
        one_of("mode", "end")


def test_ends_are_numbers_that_float32_has() -> None:
    assert set(drawn(ends(st.just(0.5), 0.9, 1e-8), 200)) == {0.5, *np.array([0.9, 1e-8], np.float32).tolist()}


def test_a_hundred_examples_of_an_optimizer_are_from_every_tail_that_it_has() -> None:
    found = tails_of(Adam, "float32", 100)
    assert set(found) == set(ODDS)
    without = {"image", "kernel", "stride", "dilation"}
    assert {tail for tail, number in found.items() if number} >= set(ODDS) - without - {"optimizer"}
    assert not any(found[tail] for tail in without)


def test_every_part_of_a_case_has_its_tail() -> None:
    seen: dict[str, int] = dict.fromkeys(
        (
            "mode",
            "rehearsal",
            "backward",
            "layout",
            "gaps",
            "backwards",
            "beside",
            "apart",
            "steps",
            "batch",
            "features",
        ),
        0,
    )

    def look(case: Case) -> None:
        for step in case.steps:
            seen["mode"] += step.training is not None
            seen["rehearsal"] += step.rehearsal is not None
            seen["backward"] += step.backwards > 1
            seen["layout"] += step.input.flags.f_contiguous and not step.input.flags.c_contiguous
            seen["gaps"] += step_of(step.input) > 1
            seen["backwards"] += step_of(step.input) < 0
            seen["batch"] += len(step.input) > 8
            seen["features"] += step.input.shape[-1] > 8
        seen["beside"] += case.beside
        seen["apart"] += len(case.apart)
        seen["steps"] += len(case.steps) > 4

    for_all(look, Linear, "float32", examples=150)
    assert all(seen.values()), seen


@pytest.mark.parametrize("name", ["numpynet", *available()])
def test_a_second_backward_pass_adds_to_the_parameters_and_returns_the_same_for_the_input(name: str) -> None:
    x, cotangent = np.array([[[1, -2], [3, 4]], [[1, 2], [-1, 1]]], np.float32)
    network = Sequential(Linear(2, 2, rng=np.random.default_rng(0)), Tanh(), Scaling(2))
    once, twice = (
        run(case, subject(case, name)) for case in (Case(network, [Step(x, cotangent, backwards=n)]) for n in (1, 2))
    )
    assert list(once) == list(twice)
    for key, values in once.items():
        np.testing.assert_array_equal(twice[key], 2 * values if key.quantity == "parameter gradient" else values)


@pytest.mark.parametrize("name", ["numpynet", *available()])
def test_parameters_apart_move_by_an_optimizer_of_their_own_at_a_quarter_of_the_rate(name: str) -> None:
    x = np.ones((2, 3), np.float32)

    def moved(lr: float, apart: frozenset[str] = frozenset()) -> dict[str, Any]:
        case = Case(Scaling(3), [Step(x, x, lr=lr)] * 2, arguments={"momentum": 0.5}, apart=apart)
        trace = run(case, subject(case, name))
        return {key.tensor: values for key, values in trace.items() if key.quantity == "parameter" and key.step == 1}

    slow, fast, both = moved(0.125), moved(0.5), moved(0.5, apart=frozenset(["beta"]))
    np.testing.assert_array_equal(both["gamma"], fast["gamma"])
    np.testing.assert_array_equal(both["beta"], slow["beta"])
    assert not np.array_equal(slow["beta"], fast["beta"])


@pytest.mark.parametrize("step", [2, -1, -2])
def test_gaps_are_the_same_in_another_dtype_in_the_perturbed_runs_and_in_the_script_of_a_failure(step: int) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    case = Case(Tanh(), [Step(values, values).map(with_gaps(step))])
    met: list[Any] = []

    class Looking(Tanh):
        def forward(self, input: Any) -> Any:
            met.append(input)
            return super().forward(input)

        def backward(self, grad_output: Any) -> Any:
            met.append(grad_output)
            return super().backward(grad_output)

    judge(case.with_module(Looking()), [])
    assert {type(array).__name__ for array in met} == {"ndarray", "Noisy", "Runs"}
    assert {array.dtype.name for array in met} == {"float32", "float64"}
    assert {step_of(array) for array in met} == {step}
    assert not any(array.flags.writeable for array in met)
    names: dict[str, Any] = {}
    exec(reproduction(case).rpartition("\n")[0], names)
    (again,) = names["steps"]
    assert step_of(again.input) == step_of(again.cotangent) == step
    np.testing.assert_array_equal(again.input, values)


@pytest.mark.skipif("torch" not in available(), reason="TensorFlow's tensors have no gaps")
@pytest.mark.parametrize(("step", "strides"), [(2, (6, 2)), (-2, (3, 1))])
def test_a_tensor_of_torch_has_the_gaps_of_the_array_unless_it_lies_backwards(
    step: int, strides: tuple[int, int]
) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    case = Case(Tanh(), [Step(values, values).map(with_gaps(step))])
    made = subject(case, "torch")
    run(case, made)
    tensor = vars(made)["input"]
    assert tensor.stride() == strides
    np.testing.assert_array_equal(tensor.detach().numpy(), values)


LARGE = 2e4
# What an implementation gets wrong, and the class that shows it: by the input, and how often the module was applied.
REACH: dict[str, tuple[type, Callable[[Any, int], bool]]] = {
    "beyond eight features": (ReLU, lambda x, _: x.shape[-1] > 8),
    "from the ninth row on": (ReLU, lambda x, _: len(x) > 8),
    "one axis": (ReLU, lambda x, _: x.ndim == 1),
    "five axes": (ReLU, lambda x, _: x.ndim == 5),
    "values beyond 20,000": (ReLU, lambda x, _: bool(np.abs(x).max() > LARGE)),
    "every other element": (ReLU, lambda x, _: step_of(x) > 1),
    "backwards in memory": (ReLU, lambda x, _: step_of(x) < 0),
    "a second call": (ReLU, lambda _, call: call > 1),
    "the fifth step": (Linear, lambda _, call: call > 4),
}


@pytest.mark.parametrize("name", ["numpynet", *available()])
@pytest.mark.parametrize("reach", REACH)
@pytest.mark.skipif(len(available()) < 2, reason="it takes two others to tell who is the odd one")
def test_what_is_wrong_out_of_the_reach_of_small_cases_is_blamed_on_who_is_wrong(
    name: str, reach: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, wrong = REACH[reach]
    make = type(framework(name)).subject

    def damaged_subject(self: Any, case: Case, translation: Any) -> Any:
        made = make(self, case, translation)
        forward, calls = made.forward, [0]

        def damaged(input: Any) -> Any:
            calls[0] += 1
            output = forward(input)
            return output * 1.01 if wrong(input, calls[0]) else output

        made.forward = damaged  # type: ignore[method-assign]  # planted in one instance
        return made

    monkeypatch.setattr(type(framework(name)), "subject", damaged_subject)
    failure = prove(target, "float32", examples=400, shrink=False).failure or ""
    assert f"odd one out: {name}" in failure
