"""What cannot be compared gets one message that says what, where, and what to do; what can be is compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import numpynet
import parity
from parity.comparison.model import Unfit
from parity.comparison.proposing import proposed
from parity.frameworks import available
from parity.frameworks.lazy import torch

pytestmark = pytest.mark.skipif("torch" not in available(), reason="the models are written in torch")
X = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)


def chain(*layers: Any) -> Any:
    return torch.nn.Sequential(*layers)


def linear(width: int = 3) -> Any:
    return torch.nn.Linear(3, width)


def by(function: Callable[[Any], Any]) -> Any:
    """A model of a function of what a linear layer makes of its input."""

    class Function(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = linear()

        def forward(self, x: Any) -> Any:
            return function(self.linear(x))

    return Function()


def on_input(function: Callable[[Any], Any]) -> Any:
    class OnInput(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    return OnInput()


def holding(tensor: Any) -> Any:
    """A model that holds a tensor which it does not use."""
    model = linear()
    model.register_buffer("held", tensor)
    return model


def doubled(factor: float) -> Any:
    """A function of torch's, x -> 2 x, with its own gradient, which is right for a factor of 2."""

    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            return gradient * factor

    return Doubled.apply


def compared(first: Any, second: Any, x: Any = X, **more: Any) -> parity.Comparison:
    return parity.compare(first, second, x, **more)


REFUSED: dict[str, Callable[[], Any]] = {
    # The models' structure, and their shapes.
    "of the torch model\n  1 (Linear): 1.weight (3, 3), 1.bias (3,)": lambda: compared(
        chain(linear(), linear()), chain(linear(), torch.nn.Tanh())
    ),
    "outputs are not of the same shapes in any layout: [(4, 3)] and [(4, 2)]": lambda: compared(
        on_input(lambda x: x), on_input(lambda x: x[:, :2])
    ),
    # A mapping.
    "weights: the second model holds no '1.weight'; it holds 0.weight": lambda: compared(
        chain(linear()), chain(linear()), weights={"0.weight": "1.weight"}
    ),
    "0 (Linear) of the first model is one layer, and would be two of the other's, 1 and 0": lambda: compared(
        chain(linear(), linear()), chain(linear(), linear()), weights={"0.weight": "1.weight", "0.bias": "0.bias"}
    ),
    "0 (Linear) of the second model is one layer, and would be two of the other's, 0 and 1": lambda: compared(
        chain(linear(), linear()), chain(linear(), linear()), weights={"0.weight": "0.weight", "1.weight": "0.weight"}
    ),
    "0.weight is the weight of 0 (Linear), and 0.bias the bias of 0 (Linear): they cannot hold": lambda: compared(
        chain(linear()), chain(linear()), weights={"0.weight": "0.bias"}
    ),
    "weights: 0 (Linear) and 1 (Linear) do not hold arrays of one shape": lambda: compared(
        chain(linear(), linear(2)), chain(linear(), linear(2)), weights={"0.weight": "1.weight"}
    ),
    "weights: give a dict": lambda: compared(linear(), linear(), weights=["weight"]),
    # What the models do.
    "the second model answers differently when it is asked again": lambda: compared(
        on_input(lambda x: x), on_input(lambda x: x + torch.rand(()))
    ),
    "a torch model changes input 1 in place: give it one that leaves it alone": lambda: compared(
        on_input(lambda x: x.add_(1)), on_input(lambda x: x + 1)
    ),
    "the first model's outputs hold NaN or an infinity from the start": lambda: compared(
        on_input(lambda x: (x - 100).log()), on_input(lambda x: x)
    ),
    "weight of the first model holds NaN": lambda: compared(chain(poisoned()), chain(linear())),
    "the first model's outputs are complex: have it return": lambda: compared(by(torch.fft.fft), by(torch.fft.fft)),
    "the first model returns int64: have it return the floating-point": lambda: compared(
        by(lambda x: x.argmax(1)), by(lambda x: x.argmax(1))
    ),
    "the first model returns nothing: ": lambda: compared(by(lambda x: None), by(lambda x: None)),
    # What they hold, and what they are given.
    "held is complex: only dense real tensors": lambda: compared(holding(torch.zeros(2) * 1j), linear()),
    "held is sparse: only dense real tensors": lambda: compared(holding(torch.eye(3).to_sparse()), linear()),
    "inputs: the 1. holds nothing": lambda: compared(linear(), linear(), X[:0]),
    "inputs: give an array, or a sequence": lambda: compared(linear(), linear(), None),
}


def poisoned() -> Any:
    layer = linear()
    with torch.no_grad():
        layer.weight[0, 0] = np.nan
    return layer


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_compared_is_refused_and_says_why(said: str) -> None:
    with pytest.raises(Unfit) as raised:
        REFUSED[said]()
    assert said in str(raised.value)


def test_a_model_of_the_second_that_changes_its_input_is_named_too() -> None:
    with pytest.raises(Unfit, match="changes input 1 in place"):
        compared(on_input(lambda x: x + 1), on_input(lambda x: x.add_(1)))


def test_operations_in_place_are_followed() -> None:
    own = numpynet
    port = own.Sequential(own.Linear(3, 3), own.ReLU(), own.Linear(3, 3))
    assert compared(chain(linear(), torch.nn.ReLU(inplace=True), linear()), port).passed
    assert compared(by(lambda x: x.mul_(2).relu_()), by(lambda x: (x * 2).relu())).passed


def test_a_gradient_of_ones_own_is_judged_as_any_other() -> None:
    assert compared(by(doubled(2.0)), by(lambda x: 2 * x)).passed
    found = compared(by(lambda x: 2 * x), by(doubled(3.0)))
    assert not found.passed
    assert "gradients that they define themselves" in str(found)


def test_a_gradient_of_rows_alone_is_made_whole() -> None:
    tokens = np.array([[1, 2, 1]])
    assert compared(chain(torch.nn.Embedding(5, 3, sparse=True)), chain(torch.nn.Embedding(5, 3)), tokens).passed


def test_an_operation_without_a_model_of_rounding_is_named() -> None:
    found = compared(by(lambda x: torch.linalg.det(x.T @ x)), by(lambda x: torch.linalg.det(x.T @ x)))
    assert found.passed
    assert "aten::_linalg_det" in found.unmodelled
    assert "no model of rounding: aten::_linalg_det" in str(found)


def test_nan_in_the_second_model_alone_is_a_difference() -> None:
    found = compared(on_input(lambda x: x), on_input(lambda x: (x - 100).log()))
    assert not found.passed
    assert "inf of what is allowed" in str(found)


def test_an_output_of_integers_is_named_where_it_is_not_compared() -> None:
    found = compared(by(lambda x: (x, x.argmax(1))), by(lambda x: (x, x.argmax(1))))
    assert found.passed
    assert "output 2 is of int64, and was not compared" in found.notes


def test_a_mapping_is_printed_and_given_back_whole_or_in_part() -> None:
    first = chain(linear(), linear(), torch.nn.LSTM(3, 2))
    second = chain(linear(), linear(), torch.nn.LSTM(3, 2))

    class Model(torch.nn.Module):
        def __init__(self, of: Any) -> None:
            super().__init__()
            self.of = of

        def forward(self, x: Any) -> Any:
            return self.of(x)[0]

    found = proposed(Model(first), Model(second), X).matching.table()
    assert "of.2.bias_ih_l0 + of.2.bias_hh_l0" in found
    names = {"of.0.weight": "of.1.weight", "of.0.bias": "of.1.bias", "of.1.weight": "of.0.weight"}
    turned = found | names | {"of.1.bias": "of.0.bias"}
    for given in (turned, {"of.0.weight": "of.1.weight"}):
        assert proposed(Model(first), Model(second), X, given).matching.table() == turned


def test_arrays_of_a_layer_that_nobody_knows_go_where_they_are_said_to() -> None:
    class Own(torch.nn.Module):
        def __init__(self, *names: str) -> None:
            super().__init__()
            self.names = names
            for number, name in enumerate(names):
                setattr(self, name, torch.nn.Parameter(torch.full((3,), number + 1.0)))

        def forward(self, x: Any) -> Any:
            scale, shift = (getattr(self, name) for name in sorted(self.names))
            return x * scale + shift

    given = {"a": "c", "b": "d"}
    found = compared(Own("a", "b"), Own("d", "c"), weights=given)
    assert found.weights == given
    assert found.passed
    assert not compared(Own("a", "b"), Own("d", "c"), weights={"a": "d"}).passed
