"""The contract of optimizers, clipping and schedules; what they compute is parity's to prove."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numpynet import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Array,
    ClipByGlobalNorm,
    ClipByNorm,
    ClipByValue,
    CosineDecay,
    ExponentialDecay,
    Linear,
    Optimizer,
    Parameter,
    RMSprop,
    Schedule,
    StepDecay,
    WarmUp,
)

RULES: list[Callable[..., Optimizer]] = [
    lambda parameters, **more: SGD(parameters, 0.1, 0.9, **more),
    lambda parameters, **more: Adam(parameters, 0.1, amsgrad=True, **more),
    lambda parameters, **more: AdamW(parameters, 0.1, eps_hat=True, **more),
    lambda parameters, **more: RMSprop(parameters, 0.1, momentum=0.9, centered=True, **more),
    lambda parameters, **more: Adagrad(parameters, 0.1, initial_accumulator=0.1, eps_inside=True, **more),
]
every_rule = pytest.mark.parametrize("make", RULES, ids=lambda make: type(make([])).__name__)


def gradients(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape)


def advance(parameter: Parameter, optimizer: Optimizer, steps: int) -> None:
    for _ in range(steps):
        parameter.grad = np.sin(parameter.value)
        optimizer.step()


class TestEveryOptimizer:
    @every_rule
    def test_a_frozen_parameter_has_a_gradient_and_stays(self, make: Callable[..., Optimizer]) -> None:
        module = Linear(4, 3, rng=np.random.default_rng(0))
        module.weight.trainable = False
        before = module.state_dict()
        module.accumulate(np.ones_like(module(gradients(6, 4).astype(np.float32))))
        make(module.parameters(), weight_decay=0.1).step()
        np.testing.assert_array_equal(module.weight.value, before["weight"])
        assert np.any(module.weight.grad != 0)
        assert module.bias is not None
        assert np.all(module.bias.value != before["bias"])

    @every_rule
    def test_a_loaded_state_continues_the_same_path(self, make: Callable[..., Optimizer]) -> None:
        parameter = Parameter(gradients(6, 4))
        optimizer = make([parameter])
        advance(parameter, optimizer, 3)
        twin = copy.deepcopy(parameter)
        resumed = make([twin])
        resumed.load_state_dict(optimizer.state_dict())
        advance(parameter, optimizer, 3)
        advance(twin, resumed, 3)
        np.testing.assert_array_equal(twin.value, parameter.value)
        assert resumed.steps == 6

    @every_rule
    def test_its_state_names_slots_and_positions_and_is_a_copy(self, make: Callable[..., Optimizer]) -> None:
        parameter = Parameter(gradients(6, 4))
        optimizer = make([parameter])
        assert optimizer.state_dict() == {"steps": 0}
        advance(parameter, optimizer, 1)
        state = optimizer.state_dict()
        assert {name.removesuffix(".0") for name in state} - {"steps"} <= set(type(optimizer).slots)
        for values in state.values():
            values *= 0
        assert all(np.any(values != 0) for values in optimizer.state_dict().values())

    @every_rule
    @pytest.mark.parametrize(
        ("state", "problem"),
        [
            ({}, "no steps"),
            ({"steps": 1, "velocities.0": np.ones(2)}, "has velocities.0"),
            ({"steps": 1, "{slot}.1": np.ones(2)}, "has .*1"),
            ({"steps": 1, "{slot}.0": np.ones(3)}, "shape"),
        ],
    )
    def test_a_state_that_does_not_fit_is_refused(
        self, make: Callable[..., Optimizer], state: dict[str, Any], problem: str
    ) -> None:
        optimizer = make([Parameter(np.ones(2))])
        slot = type(optimizer).slots[0]
        with pytest.raises(ValueError, match=problem):
            optimizer.load_state_dict({name.format(slot=slot): values for name, values in state.items()})

    @every_rule
    def test_float32_weights_stay_float32_whatever_the_rate_is(self, make: Callable[..., Optimizer]) -> None:
        parameter = Parameter(gradients(3).astype(np.float32))
        optimizer = make([parameter], weight_decay=0.1, clip=ClipByGlobalNorm(0.5))
        optimizer.lr = 0.3
        advance(parameter, optimizer, 2)
        assert {values.dtype for state in optimizer.state for values in state.values()} == {np.dtype(np.float32)}
        assert parameter.value.dtype == np.float32


class TestRules:
    @pytest.mark.parametrize(
        ("momentum", "dampening", "nesterov"),
        [(0.0, 0.0, False), (0.9, 0.0, False), (0.9, 0.25, False), (0.9, 0.0, True)],
    )
    @pytest.mark.parametrize("weight_decay", [0.0, 0.125])
    def test_sgd_moves_as_the_written_formula(
        self, momentum: float, dampening: float, weight_decay: float, nesterov: bool
    ) -> None:
        parameter = Parameter(gradients(6, 4))
        optimizer = SGD([parameter], 0.5, momentum, dampening, weight_decay, nesterov)
        w: Array = parameter.value.copy()
        v: Array = np.zeros((6, 4))
        for step, lr in enumerate([0.5, 0.5, 0.125, 0.25]):
            gradient = np.random.default_rng(step).standard_normal(w.shape)
            g = gradient + weight_decay * w
            v = momentum * v + (1 - dampening) * g if step else g
            w = w - lr * (g + momentum * v if nesterov else v)
            parameter.grad, optimizer.lr = gradient, lr
            optimizer.step()
            np.testing.assert_allclose(parameter.value, w, rtol=1e-13)  # a few roundings a step
            np.testing.assert_array_equal(parameter.grad, gradient)

    @pytest.mark.parametrize("kind", [Adam, AdamW, RMSprop, Adagrad])
    def test_an_adaptive_step_does_not_depend_on_the_gradient_s_scale(self, kind: Any) -> None:
        moved = []
        for scale in (1e-3, 1e3):
            parameter = Parameter(np.zeros(5))
            optimizer = kind([parameter], 0.1, eps=0.0)
            parameter.grad = scale * gradients(5)
            optimizer.step()
            moved.append(parameter.value)
        np.testing.assert_allclose(moved[0], moved[1], rtol=1e-13)  # a few roundings

    def test_the_first_step_of_adam_is_as_long_as_the_rate(self) -> None:
        parameter = Parameter(np.zeros(5))
        parameter.grad = gradients(5)
        Adam([parameter], 0.1, eps=0.0).step()
        np.testing.assert_allclose(parameter.value, -0.1 * np.sign(parameter.grad), rtol=1e-13)  # a few roundings

    @pytest.mark.parametrize(
        ("kind", "arguments"),
        [
            (SGD, {"lr": -1}),
            (SGD, {"momentum": -0.1}),
            (SGD, {"weight_decay": -1}),
            (SGD, {"nesterov": True}),
            (SGD, {"momentum": 0.9, "dampening": 0.5, "nesterov": True}),
            (Adam, {"beta1": 1.0}),
            (AdamW, {"beta2": -0.1}),
            (Adam, {"eps": -1e-8}),
            (RMSprop, {"alpha": 1.0}),
            (RMSprop, {"momentum": -1.0}),
            (Adagrad, {"initial_accumulator": -0.1}),
        ],
    )
    def test_arguments_outside_their_range_are_refused_by_name(self, kind: Any, arguments: dict[str, float]) -> None:
        with pytest.raises(ValueError, match=f"{kind.__name__}.*needs"):
            kind([], **{"lr": 0.1, **arguments})

    def test_they_read_as_the_constructor_call(self) -> None:
        assert repr(SGD([], 0.1, 0.9, nesterov=True)) == "SGD(lr=0.1, momentum=0.9, nesterov=True)"
        assert repr(Adam([], 0.5, amsgrad=True)) == "Adam(lr=0.5, amsgrad=True)"
        assert repr(AdamW([], clip=ClipByNorm(1.0))) == "AdamW(clip=ClipByNorm(limit=1.0))"


class TestClipping:
    def test_values_are_bounded_on_both_sides(self) -> None:
        (clipped,) = ClipByValue(0.5)([np.array([-2.0, -0.25, 2.0])])
        np.testing.assert_array_equal(clipped, [-0.5, -0.25, 0.5])

    def test_each_norm_is_bounded_and_short_gradients_stay(self) -> None:
        long, short = np.array([3.0, 4.0]), np.array([0.25, 0.0])
        clipped = ClipByNorm(2.5)([long, short])
        np.testing.assert_array_equal(clipped[0], long / 2)
        np.testing.assert_array_equal(clipped[1], short)

    def test_all_together_are_scaled_alike(self) -> None:
        clipped = ClipByGlobalNorm(2.5)([np.array([3.0]), np.array([4.0])])
        np.testing.assert_array_equal(np.concatenate(clipped), [1.5, 2.0])

    @pytest.mark.parametrize("kind", [ClipByValue, ClipByNorm, ClipByGlobalNorm])
    def test_nan_goes_through_and_a_limit_is_positive(self, kind: Any) -> None:
        assert np.isnan(kind(1.0)([np.array([np.nan, 1.0])])[0][0])
        for limit in (0.0, -1.0, np.nan):
            with pytest.raises(ValueError, match=f"{kind.__name__} needs a limit > 0"):
                kind(limit)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (StepDecay(1.0, 2, 0.5), [1, 1, 0.5, 0.5, 0.25]),
        (ExponentialDecay(1.0, 0.25), [1, 0.25, 0.0625]),
        (ExponentialDecay(1.0, 0.25, over=2), [1, 0.5, 0.25]),
        (CosineDecay(1.0, 2), [1, 0.5, 0, 0, 0]),
        (CosineDecay(1.0, 2, 0.5), [1, 0.75, 0.5, 0.5]),
        (WarmUp(2, StepDecay(1.0, 1, 0.5)), [0, 0.5, 1, 0.5, 0.25]),
        (WarmUp(2, CosineDecay(1.0, 2), start=0.5), [0.5, 0.75, 1, 0.5, 0, 0]),
    ],
)
def test_a_schedule_gives_plain_numbers_step_by_step(schedule: Schedule, rates: list[float]) -> None:
    found = [schedule(step) for step in range(len(rates))]
    assert found == rates
    assert {type(rate) for rate in found} == {float}
