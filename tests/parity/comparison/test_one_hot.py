"""Indices in one of two models and one-hot rows in the other are found out, of inputs and of targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import parity
from parity.comparison.layout import Indices, OneHot, in_classes
from parity.comparison.model import Unfit
from parity.frameworks import available
from parity.frameworks.lazy import keras, torch

both = pytest.mark.skipif(len(available()) < 2, reason="the models are written in torch and in Keras")
RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 7, (4, 5))
ROWS = np.eye(7, dtype=np.float32)[IDS]
X = RNG.standard_normal((9, 4)).astype(np.float32)
LABELS = RNG.integers(0, 3, 9)


def embedding() -> Any:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Embedding(7, 3), torch.nn.Linear(3, 2))


def dense() -> Any:
    layers = keras.layers
    return keras.Sequential([keras.Input((5, 7)), layers.Dense(3, use_bias=False), layers.Dense(2)])


@both
def test_rows_are_made_of_indices_where_the_second_takes_them() -> None:
    found = parity.compare(embedding(), dense(), IDS)
    assert found.passed, str(found)
    assert "input 1 lies otherwise in the second model: its one-hot rows of 7 are the first's" in found.notes
    with pytest.raises(Unfit, match="in no layout"):
        parity.compare(embedding(), keras.Sequential([keras.Input((5, 6)), keras.layers.Dense(3)]), IDS)


@both
def test_indices_are_made_of_rows_where_the_second_takes_them() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(7, 3, bias=False), torch.nn.Linear(3, 2))
    layers = keras.layers
    port = keras.Sequential([keras.Input((5,), dtype="int32"), layers.Embedding(7, 3), layers.Dense(2)])
    found = parity.compare(model, port, ROWS)
    assert found.passed, str(found)
    assert "input 1 lies otherwise in the second model: its indices, of one-hot rows, are the first's" in found.notes
    keys = {tensor.key.quantity for tensor in found.judged["evaluation"]}
    assert "input gradient" not in keys
    assert "parameter gradient" in keys


@both
@pytest.mark.parametrize("rows", [False, True])
def test_targets_are_what_each_loss_takes(rows: bool) -> None:
    torch.manual_seed(0)
    model, port = torch.nn.Linear(4, 3), keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    own = keras.losses
    loss = (own.SparseCategoricalCrossentropy if rows else own.CategoricalCrossentropy)(from_logits=True)
    target = np.eye(3, dtype=np.float32)[LABELS] if rows else LABELS
    found = parity.compare(
        torch.nn.Sequential(model),
        port,
        X,
        optimizers=(lambda parameters: torch.optim.SGD(parameters, 0.1), keras.optimizers.SGD(0.1)),
        batches=[(X, target)] * 3,
        loss=(torch.nn.CrossEntropyLoss(), loss),
    )
    assert found.passed, str(found)
    assert found.curves is not None
    told = "indices, of one-hot rows," if rows else "one-hot rows of 3"
    assert f"targets lie otherwise in the second model: its {told} are the first's" in str(found)


@both
def test_targets_that_a_loss_takes_in_no_way_are_refused_with_what_it_said() -> None:
    torch.manual_seed(0)
    with pytest.raises(Unfit, match=r"the first model cannot be trained on targets of float32 and shape \(9, 5\)"):
        parity.compare(
            torch.nn.Sequential(torch.nn.Linear(4, 3)),
            keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]),
            X,
            optimizers=(lambda parameters: torch.optim.SGD(parameters, 0.1), keras.optimizers.SGD(0.1)),
            batches=[(X, np.ones((9, 5), np.float32))],
            loss=(torch.nn.CrossEntropyLoss(), keras.losses.MeanSquaredError()),
        )


def test_either_is_the_other_s_way_back() -> None:
    (there,) = in_classes(IDS, [None, 5, 7])
    assert isinstance(there, OneHot)
    assert np.array_equal(there.there(IDS), ROWS)
    assert np.array_equal(there.back(ROWS), IDS)
    (back,) = in_classes(ROWS, [None, 5])
    assert isinstance(back, Indices)
    assert np.array_equal(back.there(ROWS), IDS)
    assert np.array_equal(back.back(IDS), ROWS)


@pytest.mark.parametrize(
    ("values", "other"),
    [
        (IDS, [None, 5, 6]),  # of an index there is no row
        (IDS - 1, [None, 5, 7]),
        (IDS, [None, 4, 7]),
        (IDS, [None, 5, None]),  # of how many classes is not known
        (2 * ROWS, [None, 5]),
        (ROWS + ROWS[::-1], [None, 5]),
        (ROWS, [None, 6]),
        (ROWS[0, 0], []),
    ],
)
def test_what_is_neither_is_not_taken_for_it(values: Any, other: Any) -> None:
    assert not in_classes(values, other)
