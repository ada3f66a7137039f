"""Networks that are no chain in every framework: order of calls, several inputs, and what a failure says of a place."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from numpynet import (
    SGD,
    Array,
    BatchNormalization,
    Concatenate,
    Conv2d,
    CrossEntropyCriterion,
    Dropout,
    Flatten,
    GlobalAveragePool2d,
    Graph,
    Linear,
    MaxPool2d,
    ReLU,
    Scaling,
    Sequential,
    Sum,
    Tanh,
)
from numpynet.module import Module
from numpynet.training import Trainer
from parity import to_tensorflow, to_torch
from parity.case import Case, Step
from parity.frameworks import available
from parity.ladder.failure import describe
from parity.ladder.judge import judge
from parity.mapping.convert import trainer
from parity.rounding.errors import Losing, making
from parity.rounding.noisy import Noisy

BATCH = 6
every_framework = pytest.mark.parametrize("name", available())
needs_tensorflow = pytest.mark.skipif("tensorflow" not in available(), reason="the order of calls is Keras' own")
needs_torch = pytest.mark.skipif("torch" not in available(), reason="compares with torch")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal(*shape: int, seed: int = 0) -> Array:
    return rng(seed).standard_normal(shape).astype(np.float32)


def siamese() -> Graph:
    """A stack that counts and draws, applied to y and then to x, which Keras would do in its own order."""
    stack = Sequential(
        Linear(4, 5, rng=rng()), BatchNormalization(5, 0.75, 2.0**-10), Dropout(0.5, rng=rng()), Scaling(5)
    )
    return Graph(
        {"x": (4,), "y": (4,)},
        {
            "of_y": (stack, "y"),
            "deeper": (Sequential(Linear(4, 4, rng=rng()), Tanh()), "x"),
            "of_x": ("of_y", "deeper"),
            "both": (Concatenate(), "of_x", "of_y"),
            "out": (Linear(10, 3, rng=rng()), "both"),
        },
        ["out", "of_x"],
    )


def two_inputs() -> Graph:
    """An image and a vector, with one output."""
    return Graph(
        {"image": (1, 6, 6), "vector": (3,)},
        {
            "first": (Conv2d(1, 4, 3, padding=1, rng=rng()), "image"),
            "block": (Sequential(ReLU(), Conv2d(4, 4, 3, padding=1, rng=rng())), "first"),
            "again": ("block", "block"),
            "sum": (Sum(), "first", "again"),
            "seen": (Sequential(MaxPool2d(2), GlobalAveragePool2d()), "sum"),
            "all": (Concatenate(), "seen", "vector"),
            "out": (Linear(7, 3, rng=rng()), "all"),
        },
        ["out"],
    )


def images() -> tuple[Array, Array]:
    return normal(BATCH, 1, 6, 6), normal(BATCH, 3, seed=1)


def case(module: Module, inputs: Any, outputs: Any, steps: int = 2) -> Case:
    return Case(module, [Step(inputs, outputs, 0.125, index == 0) for index in range(steps)], arguments={})


def test_layers_that_count_and_draw_are_called_in_the_order_of_the_nodes() -> None:
    inputs = normal(BATCH, 4), normal(BATCH, 4, seed=1)
    judgement = judge(case(siamese(), inputs, (normal(BATCH, 3), normal(BATCH, 5))))
    assert judgement.passed, describe(judgement)
    seen = {key.layer for key in judgement.reference if key.quantity == "output"}
    assert {"of_y.0", "of_x.0", "of_y.2", "of_x.2"} <= seen
    assert "of_y.0.weight" in siamese().state_dict()
    assert "of_x.0.weight" not in siamese().state_dict()


def test_several_inputs_and_outputs_are_named_by_their_index() -> None:
    inputs = normal(BATCH, 4), normal(BATCH, 4, seed=1)
    judgement = judge(case(siamese(), inputs, (normal(BATCH, 3), normal(BATCH, 5))), frameworks=[])
    names = {str(key) for key in judgement.reference}
    assert {"output[0], step 1", "output[1], step 1", "input gradient[0], step 2", "input gradient[1], step 2"} <= names


@every_framework
def test_a_network_of_two_inputs_trains_alike(name: str) -> None:
    model, targets = two_inputs(), rng().integers(0, 3, BATCH)
    optimizer = SGD(model.parameters(), lr=1 / 8)
    ours = Trainer(copy.deepcopy(model), CrossEntropyCriterion(), optimizer)
    ours.optimizer = SGD(ours.model.parameters(), lr=1 / 8)
    theirs = trainer(model, CrossEntropyCriterion(), optimizer, name)
    losses = [(ours.step(images(), targets), theirs.step(images(), targets)) for _ in range(5)]
    assert losses[-1][0] < losses[0][0]
    predictions = ours.predict(images(), 4), theirs.predict(images(), 4)
    assert predictions[0].shape == predictions[1].shape == (BATCH, 3)
    judged = judge(case(model, images(), normal(BATCH, 3)), frameworks=[name])
    assert judged.passed, describe(judged)


@needs_tensorflow
def test_tensorflow_gets_a_functional_model() -> None:
    from keras import Model

    model = to_tensorflow(two_inputs())
    assert isinstance(model, Model)
    assert [tuple(each.shape) for each in model.inputs] == [(None, 1, 6, 6), (None, 3)]
    assert len(model.trainable_variables) == len(two_inputs().parameters())
    assert model(images()).shape == (BATCH, 3)


@needs_torch
def test_torch_gets_a_module_with_the_same_names() -> None:
    module = to_torch(
        Graph({"x": (4,)}, {"a": (Linear(4, 4), "x"), "b": ("a", "a"), "out": (Sum(), "a", "b")}, ["out"])
    )
    assert list(module.state_dict()) == ["a.weight", "a.bias"]


@every_framework
def test_images_of_any_size_are_taken(name: str) -> None:
    graph = Graph(
        {"image": (2, None, None)},
        {"a": (Conv2d(2, 2, 3, padding=1, rng=rng()), "image"), "out": (Sum(), "image", "a")},
        ["out"],
    )
    for size in (5, 7):
        judged = judge(case(graph, normal(2, 2, size, size), normal(2, 2, size, size)), frameworks=[name])
        assert judged.passed, describe(judged)


class TanhOff(Tanh):
    """Wrong in its second call of a forward pass alone, and then by little."""

    calls = 0

    def forward(self, input: Array) -> Array:
        self.calls += 1
        return super().forward(input * (1 + 2.0**-10 * (self.calls == 2)))


def test_failure_says_at_which_place_a_shared_layer_parts() -> None:
    def graph(tanh: Tanh) -> Graph:
        return Graph(
            {"x": (4,)},
            {"first": (Sequential(tanh), "x"), "between": (Flatten(), "first"), "second": ("first", "between")},
            ["second"],
        )

    right = case(graph(Tanh()), normal(BATCH, 4), normal(BATCH, 4))
    judgement = judge(right, alter=lambda case: case.with_module(graph(TanhOff())))
    message = describe(judgement)
    assert message.splitlines()[0] == "rung 1 (output): output of second.0, step 1"
    assert "in layer second.0, TanhOff(), which is first.0 once more" in message


def test_script_of_a_failure_holds_every_input() -> None:
    inputs = normal(1, 4), normal(1, 4, seed=1)
    script = describe(judge(case(siamese(), inputs, (normal(1, 3), normal(1, 5))))).partition("Reproduce:")[2]
    assert script.count("parity.Step((np.array(") == 2  # a single row, which batch normalisation refuses


def test_what_rounding_may_lose_is_exactly_zero_in_one_run() -> None:
    small = np.array([1 - 2.0**-22, 0.5, 2.0**-130]).view(Noisy)
    with making(Losing(np.dtype(np.float32))):
        np.testing.assert_array_equal(np.asarray(1 - small), [0, 0.5, 1])
        np.testing.assert_array_equal(np.asarray(2 * small), [2 - 2.0**-21, 1, 0])
