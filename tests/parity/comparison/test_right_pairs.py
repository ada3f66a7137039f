"""Right ports raise no alarm: a few of the pairs that `python -m benchmarks.alarms` draws."""

from __future__ import annotations

import numpy as np
import pytest

import parity
from benchmarks.alarms import by_functions
from benchmarks.drawn import drawn
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")


# Branches side by side raised alarms once, for the causes that `test_branches.py` has.
@pytest.mark.parametrize("seed", [27, 28, 50, 160, 0, 1])
def test_a_right_pair_raises_no_alarm(seed: int) -> None:
    pair = drawn(seed)
    parity.compare(pair.model, pair.port, pair.inputs).check()


# Of the first, two normalisations side by side were taken for each other, and what was behind them was saturated. An
# image of the second is all ones when it is flattened. The third holds no array that would say what format it is in.
@pytest.mark.parametrize("seed", [513, 570, 36])
def test_nor_does_one_in_float64(seed: int) -> None:
    pair = drawn(seed, "float64")
    parity.compare(pair.model, pair.port, pair.inputs).check()


def test_what_leaves_the_range_without_an_error_and_with_none_is_not_judged() -> None:
    """Of rows that are all 0 the largest is the first, and any other one as soon as anything errs."""
    pair = drawn(154, "mixed_float16")
    by_functions(pair.model)
    found = parity.compare(pair.model, pair.port, pair.inputs)
    assert found.passed, str(found)
    beyond = [tensor for tensor in found.judged["evaluation"] if tensor.beyond]
    assert [tensor.beyond for tensor in beyond] == [1, 1]


def test_what_comes_back_to_a_layer_that_hands_on_its_input_is_its_own() -> None:
    """Torch's dropout returns its input itself in evaluation mode, to which the sum's gradient comes back as well."""

    class Residual(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.dropout = torch.nn.Linear(4, 4), torch.nn.Dropout(0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.linear(x)
            return x + self.dropout(x)

    entered = keras.Input((4,))
    x = keras.layers.Dense(4)(entered)
    port = keras.Model(entered, x + keras.layers.Dropout(0.5)(x))
    parity.compare(Residual(), port, np.random.default_rng(0).standard_normal((3, 4))).check()


def test_a_variance_that_is_all_rounding_is_no_alarm() -> None:
    """Rows that are equal, normalised over the batch."""
    nn, layers = torch.nn, keras.layers
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    port = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(5),
            layers.BatchNormalization(epsilon=1e-5, momentum=0.9),
            layers.ReLU(),
            layers.Dense(3),
        ]
    )
    row = np.random.default_rng(0).standard_normal((1, 6)) + 100
    parity.compare(model, port, row.repeat(4, axis=0)).check()


def test_outputs_that_were_flattened_in_another_order_are_said() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten())
    port = keras.Sequential([keras.Input((6, 6, 3)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    found = parity.compare(model, port, np.random.default_rng(0).standard_normal((2, 3, 6, 6)))
    found.check()
    assert any("output 1 lies otherwise in the other model: flattened from axes" in note for note in found.notes)
