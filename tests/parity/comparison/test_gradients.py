"""Gradients of layers' own, those that are frozen, and models in float64."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import parity
from parity.comparison.model import Unfit
from parity.discovery import Lazy
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="the models are torch's")
nn: Any = Lazy("torch.nn")
in_both = pytest.mark.skipif(len(available()) < 2, reason="one of the two models is written in Keras")


def half_detached(values: Any) -> Any:
    """The values themselves, to which half of the gradient comes back."""
    return values / 2 + (values / 2).detach()


def wrong_back(role: str) -> type:
    """A linear layer whose gradient for its weight, its bias or its input is halved."""

    class Halved(torch.nn.Linear):
        def forward(self, x: Any) -> Any:
            parts = {"input": x, "weight": self.weight, "bias": self.bias}
            parts[role] = half_detached(parts[role])
            return nn.functional.linear(*parts.values())

    return Halved


def model(middle: Callable[[int, int], Any] | None = None, slope: float = 0.25) -> Any:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(4, 6), nn.Tanh(), (middle or nn.Linear)(6, 5), nn.LayerNorm(5), nn.LeakyReLU(slope), nn.Linear(5, 2)
    )


def inputs() -> Any:
    return np.random.default_rng(0).standard_normal((3, 4))


@pytest.mark.parametrize("role", ["input", "weight", "bias"])
def test_a_wrong_backward_is_its_layers_fault(role: str) -> None:
    found = parity.compare(model(), model(wrong_back(role)), inputs())
    assert not found.passed
    assert [(fault.layer, fault.title, fault.cause) for fault in found.faults] == [("2", "Halved", None)]
    assert "Given the same from both sides, the error of its own gradients is" in str(found)
    assert not any(tensor.key.rung == 1 for tensor in found.judged["evaluation"] if not tensor.passed)


def test_what_inherits_a_wrong_gradient_is_not_accused() -> None:
    """All gradients before the layer are wrong, and only it is at fault."""
    found = parity.compare(model(), model(wrong_back("input")), inputs())
    outside = {tensor.key.layer for tensor in found.judged["evaluation"] if not tensor.passed}
    assert outside == {"", "0", "1"}
    assert found.fault is not None
    assert found.fault.layer == "2"


@in_both
def test_a_wrong_backward_in_keras_is_its_layers_fault() -> None:
    class Stopping(keras.layers.Dense):
        def call(self, x: Any, training: Any = None) -> Any:
            return super().call(keras.ops.stop_gradient(x))

    port = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="tanh"),
            Stopping(5),
            keras.layers.LayerNormalization(epsilon=1e-5),
            keras.layers.LeakyReLU(0.25),
            keras.layers.Dense(2),
        ]
    )
    found = parity.compare(model(), port, inputs())
    assert [fault.title for fault in found.faults] == ["Stopping"]


@pytest.mark.parametrize(("frozen", "which"), [(0, "first"), (1, "second")])
def test_what_is_frozen_in_one_model_alone_is_said_and_not_compared(frozen: int, which: str) -> None:
    both = model(), model()
    both[frozen][2].requires_grad_(False)
    found = parity.compare(*both, inputs())
    assert found.passed, str(found)
    said = [note for note in found.notes if f"frozen in the {which} model alone" in note]
    assert len(said) == 1
    assert "2.weight, 2.bias" in said[0]
    names = [tensor.name for tensor in found.judged["evaluation"]]
    assert "parameter gradient of 2.weight" not in names
    assert "parameter gradient of 0.weight" in names


def test_what_is_frozen_in_both_needs_no_note() -> None:
    both = model().requires_grad_(False), model().requires_grad_(False)
    found = parity.compare(*both, inputs())
    assert found.passed
    assert not found.notes


def test_a_right_model_in_float64_is_within_what_rounding_allows() -> None:
    found = parity.compare(model().double(), model().double(), inputs())
    assert found.passed, str(found)


def test_in_float64_a_millionth_of_float32s_rounding_is_found_and_named() -> None:
    """A slope that float32 does not tell from the right one."""
    almost = 0.25 * (1 + 1e-13)
    assert parity.compare(model(), model(slope=almost), inputs()).passed
    found = parity.compare(model().double(), model(slope=almost).double(), inputs())
    assert found.fault is not None, str(found)
    assert not found.fault.backward
    assert (found.fault.title, found.fault.cause and found.fault.cause.name) == ("LeakyReLU", "slope")


@in_both
def test_a_keras_model_in_float64_is_compared_in_it() -> None:
    def dense(width: int, **more: Any) -> Any:
        return keras.layers.Dense(width, dtype="float64", **more)

    def port(eps: float) -> Any:
        normalized = keras.layers.LayerNormalization(epsilon=eps, dtype="float64")
        x = keras.Input((4,), dtype="float64")
        y = dense(6, activation="tanh")(x)
        y = keras.layers.LeakyReLU(0.25, dtype="float64")(normalized(dense(5)(y)))
        return keras.Model(x, dense(2)(y))

    right = parity.compare(model().double(), port(1e-5), inputs())
    assert right.passed, str(right)
    assert not parity.compare(model().double(), port(1e-5 + 1e-10), inputs()).passed


def test_models_in_several_formats_and_in_others_are_refused() -> None:
    with pytest.raises(
        Unfit, match=r"not in one format: 0.weight of the first model is float32, 0.weight of the second"
    ):
        parity.compare(model(), model().double(), inputs())
    with pytest.raises(
        Unfit, match=r"0.weight of the first model is bfloat16, 0.weight of the second model is float64"
    ):
        parity.compare(model().bfloat16(), model().double(), inputs())
    eighth = torch.float8_e5m2
    with pytest.raises(Unfit, match=r"0.weight of the first model is float8_e5m2: only models in float32, float64"):
        parity.compare(model().to(eighth), model().to(eighth), inputs())
    with pytest.raises(Unfit, match="optimizers: those of models in float32 are compared"):
        parity.compare(model().double(), model().double(), inputs(), optimizers=(torch.optim.SGD, torch.optim.SGD))
