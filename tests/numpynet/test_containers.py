"""Networks that are no chain: what they compute by hand, what is shared, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import numpynet
from numpynet import (
    Array,
    BatchNormalization,
    Concatenate,
    Dropout,
    Graph,
    Linear,
    Module,
    ReLU,
    Scaling,
    Sequential,
    Sigmoid,
    Sum,
    Tanh,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def batch(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def linear(inputs: int = 4, outputs: int = 4) -> Linear:
    return Linear(inputs, outputs, rng=rng(), dtype="float64")


def twice(layer: Module, features: int = 4) -> Graph:
    """x -> layer -> tanh -> the same layer, and the sum of both its outputs."""
    return Graph(
        {"x": (features,)},
        {
            "first": (layer, "x"),
            "between": (Tanh(), "first"),
            "second": ("first", "between"),
            "out": (Sum(), "first", "second"),
        },
        ["out"],
    )


def unrolled(layer: Module) -> Graph:
    """The same with a second layer, which holds the same Parameters: correct without anything shared."""
    twin = copy.deepcopy(layer)
    for (_, module), (_, other) in zip(layer.named_modules(), twin.named_modules(), strict=True):
        for name, value in vars(module).items():
            if isinstance(value, numpynet.Parameter):
                setattr(other, name, value)
    graph = twice(layer)
    return Graph(graph.inputs, graph.nodes | {"second": (twin, "between")}, graph.outputs)


def trained(graph: Graph) -> list[Array]:
    """Output, input gradient and parameter gradients of one step."""
    x = batch(5, 4)
    output = graph(x)
    graph.zero_grad()
    return [output, graph.backward(batch(*output.shape, seed=1)), *(p.grad.copy() for p in graph.parameters())]


class Buffered(Module):
    """x^2, with all its arrays kept from call to call."""

    def __init__(self) -> None:
        self._input, self._output, self._gradient = np.empty((5, 4)), np.empty((5, 4)), np.empty((5, 4))

    def forward(self, input: Array) -> Array:
        self._input[:] = input
        return self.remember(np.multiply(input, input, out=self._output))

    def backward(self, grad_output: Array) -> Array:
        self.recall(grad_output)
        return np.multiply(2 * self._input, grad_output, out=self._gradient)


def residual() -> Graph:
    return Graph({"x": (4,)}, {"inside": (Tanh(), "x"), "out": (Sum(), "x", "inside")}, ["out"])


class TestGradients:
    def test_add_up_where_a_tensor_is_used_twice(self) -> None:
        x, grad = batch(5, 4), batch(5, 4, seed=1)
        graph = residual()
        np.testing.assert_array_equal(graph(x), x + np.tanh(x))
        tanh = Tanh()
        tanh(x)
        np.testing.assert_array_equal(graph.backward(grad), grad + tanh.backward(grad))

    def test_of_an_output_that_is_used_inside_too_add_up(self) -> None:
        x, grads = batch(5, 4), (batch(5, 4, seed=1), batch(5, 4, seed=2))
        first, second = linear(), linear()
        graph = Graph({"x": (4,)}, {"first": (first, "x"), "second": (second, "first")}, ["second", "first"])
        output, middle = graph(x)
        np.testing.assert_array_equal(output, second(middle))
        expected = (grads[0] @ second.weight.value + grads[1]) @ first.weight.value
        np.testing.assert_allclose(graph.backward(grads), expected, rtol=1e-14)  # products in another order

    def test_of_concatenated_arrays_are_split_where_they_meet(self) -> None:
        parts: Any = tuple(batch(5, n, 3, seed=n) for n in (2, 1, 4))
        grad = batch(5, 7, 3)
        layer = Concatenate()
        np.testing.assert_array_equal(layer(parts), np.concatenate(parts, axis=1))
        for found, expected in zip(layer.backward(grad), (grad[:, :2], grad[:, 2:3], grad[:, 3:]), strict=True):
            np.testing.assert_array_equal(found, expected)

    def test_of_several_inputs_are_theirs(self) -> None:
        x, y, grad = batch(5, 4), batch(5, 3, seed=1), batch(5, 4, seed=2)
        layer = linear(7)
        graph = Graph({"x": (4,), "y": (3,)}, {"both": (Concatenate(), "y", "x"), "out": (layer, "both")}, ["out"])
        inputs: Any = (x, y)
        np.testing.assert_array_equal(graph(inputs), layer(np.concatenate([y, x], axis=1)))
        of_x, of_y = graph.backward(grad)
        expected = grad @ layer.weight.value
        np.testing.assert_array_equal(of_y, expected[:, :3])
        np.testing.assert_array_equal(of_x, expected[:, 3:])

    def test_are_the_same_without_those_of_the_inputs(self) -> None:
        whole, alone = twice(linear()), twice(linear())
        expected = trained(whole)
        alone.zero_grad()
        alone(batch(5, 4))
        alone.accumulate(batch(*expected[0].shape, seed=1))
        for found, parameter in zip(alone.parameters(), whole.parameters(), strict=True):
            np.testing.assert_array_equal(found.grad, parameter.grad)


class TestSharedLayer:
    @pytest.mark.parametrize(
        "make",
        [
            linear,
            Buffered,
            lambda: Sequential(linear(4, 3), Tanh(), linear(3, 4)),
            lambda: BatchNormalization(4, dtype="float64"),
            lambda: Sequential(residual(), Scaling(4, dtype="float64"), Buffered()),
            lambda: twice(Sequential(linear(), Buffered())),
            lambda: Sequential(twice(linear()), twice(Tanh())),
        ],
        ids=lambda make: repr(make())[:40],
    )
    def test_computes_what_two_layers_with_the_same_parameters_do(self, make: Callable[[], Module]) -> None:
        for found, expected in zip(trained(twice(make())), trained(unrolled(make())), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-13)  # gradients added in another order

    def test_is_in_the_state_once(self) -> None:
        graph = twice(linear())
        assert list(graph.state_dict()) == ["first.weight", "first.bias"]
        assert len(graph.parameters()) == 2
        assert graph["second"] is graph["first"]

    def test_updates_running_statistics_at_each_place_in_order(self) -> None:
        layer, alone = BatchNormalization(4, dtype="float64"), BatchNormalization(4, dtype="float64")
        graph = twice(layer)
        graph(batch(5, 4))
        alone(np.tanh(alone(batch(5, 4))))
        assert list(graph.named_buffers()) == ["first.running_mean", "first.running_var"]
        for name, expected in alone.named_buffers().items():
            np.testing.assert_array_equal(getattr(layer, name), expected)

    def test_draws_a_mask_at_each_place(self) -> None:
        graph = Graph(
            {"x": (50,)}, {"first": (Dropout(0.5, rng=rng()), "x"), "second": ("first", "x")}, ["first", "second"]
        )
        ones, same = np.ones((2, 50)), rng()
        masks = [2.0 * (same.random((2, 50), np.float32) >= 0.5) for _ in range(2)]
        assert not np.array_equal(masks[0], masks[1])
        np.testing.assert_array_equal(graph(ones), masks)
        of_first, of_second = graph.backward((ones, 0 * ones)), graph.backward((0 * ones, ones))
        np.testing.assert_array_equal([of_first, of_second], masks)

    def test_survives_copies(self) -> None:
        graph = twice(linear())
        graph(batch(5, 4))
        for twin in (copy.deepcopy(graph), graph.astype("float64")):
            assert twin["second"] is twin["first"] is not graph["first"]
            for found, expected in zip(trained(twin), trained(graph), strict=True):
                np.testing.assert_array_equal(found, expected)
        assert graph.astype("float32")(batch(5, 4).astype("float32")).dtype == np.float32

    def test_changes_mode_as_one(self) -> None:
        graph = twice(Sequential(Dropout(0.5), BatchNormalization(4, dtype="float64"))).evaluate()
        assert not any(module.training for _, module in graph.named_modules())
        np.testing.assert_array_equal(graph(batch(5, 4)), graph(batch(5, 4)))
        assert graph.train()["second"].training


def test_places_are_named_in_the_order_of_the_calls() -> None:
    graph = twice(Sequential(Scaling(4), twice(linear())))
    inner = ["first", "between", "second", "out"]
    expected = [f"{node}.{part}" for node in ("first", "second") for part in ("0", *(f"1.{name}" for name in inner))]
    expected.insert(5, "between")
    assert [name for name, _ in graph.named_call_sites()] == [*expected, "out"]


def test_repr_is_the_constructor_call() -> None:
    graph = Graph(
        {"x": (4,), "image": (3, None, None)},
        {
            "a": (Linear(4, 4), "x"),
            "c": ("a", "a"),
            "both": (Sequential(Concatenate(-1), ReLU()), "c", "x"),
            "i": (ReLU(), "image"),
        },
        ["both", "i"],
    )
    assert repr(eval(repr(graph), vars(numpynet))) == repr(graph)
    assert "'c': ('a', 'a')" in repr(graph)


def test_inputs_are_left_alone() -> None:
    x, graph = batch(5, 4), twice(linear())
    x.flags.writeable = False
    grad = batch(5, 4, seed=1)
    grad.flags.writeable = False
    graph(x)
    graph.backward(grad)


Nodes = dict[str, tuple[Any, ...]]


@pytest.mark.parametrize(
    ("nodes", "outputs", "message"),
    [
        ({"a": (ReLU(), "y")}, ["a"], "node 'a' uses 'y', which is no name here"),
        ({"a": (Sum(), "x", "b"), "b": (ReLU(), "a")}, ["b"], "node 'a' uses 'b' before it is computed"),
        ({"a": (ReLU(), "a")}, ["a"], "node 'a' uses 'a' before it is computed"),
        ({"a": (ReLU(), "x")}, ["b"], "the outputs are 'b', which is no name here"),
        ({"a": (ReLU(), "x"), "b": (ReLU(), "x")}, ["a"], "nothing uses b, and it is no output"),
        ({"x": (ReLU(), "x")}, ["x"], "'x' is no new name"),
        ({"a.b": (ReLU(), "x")}, ["a.b"], "'a.b' is no new name"),
        ({"a": ("x", "x")}, ["a"], "takes a layer, or an earlier node that has it"),
        ({"a": (ReLU(),)}, ["a"], "at least one name to apply it to"),
        ({}, ["x"], "at least one node"),
        ({"a": (ReLU(), "x")}, [], "one output"),
    ],
)
def test_wrong_graphs_are_refused(nodes: Nodes, outputs: list[str], message: str) -> None:
    with pytest.raises(ValueError, match="Graph") as error:
        Graph({"x": (4,)}, nodes, outputs)
    assert message in str(error.value)


def test_an_input_that_nothing_uses_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing uses y"):
        Graph({"x": (4,), "y": (4,)}, {"a": (ReLU(), "x")}, ["a"])


@pytest.mark.parametrize(
    "make",
    [
        lambda relu: Sequential(relu, relu),
        lambda relu: Graph({"x": (4,)}, {"a": (relu, "x"), "b": (relu, "a")}, ["b"]),
        lambda relu: Sequential(Sequential(relu), relu),
    ],
)
def test_a_layer_given_twice_is_refused(make: Callable[[Module], Module]) -> None:
    with pytest.raises(ValueError, match="are the same ReLU"):
        make(ReLU())


@pytest.mark.parametrize(
    ("module", "input", "message"),
    [
        (residual(), batch(5, 3), r"input 'x' has shape \(N, 4\), got \(5, 3\)"),
        (residual(), batch(5, 4, 1), r"got \(5, 4, 1\)"),
        (residual(), (batch(5, 4), batch(5, 4)), "input 'x'"),
        (Sum(), batch(5, 4), "a tuple of at least two arrays, got ndarray"),
        (Sum(), (batch(5, 4),), "at least two"),
        (Sum(), (batch(5, 4), batch(1, 4)), r"one shape, got \(5, 4\) and \(1, 4\)"),
        (Sum(), (batch(5, 4), batch(5, 4).astype("float32")), "one dtype, got float64, float32"),
        (Sum(), (batch(5, 4), np.ones((5, 4), int)), "floating"),
        (Concatenate(), (batch(5, 4), batch(6, 4)), "other axes are equally long"),
        (Concatenate(), (batch(5, 4), batch(5, 4, 1)), "other axes"),
        (Concatenate(2), (batch(5, 4), batch(5, 4)), "other axes"),
    ],
)
def test_wrong_inputs_are_refused(module: Module, input: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        module(input)


def test_a_wrong_number_of_gradients_is_refused() -> None:
    graph = Graph({"x": (4,)}, {"a": (ReLU(), "x"), "b": (Tanh(), "x")}, ["a", "b"])
    graph(batch(5, 4))
    with pytest.raises(ValueError, match=r"tuple of 2 gradients of outputs \(a, b\), got ndarray"):
        graph.backward(batch(5, 4))
    with pytest.raises(ValueError, match="got a tuple of 1"):
        graph.backward((batch(5, 4),))
    with pytest.raises(ValueError, match="gradient is an array"):
        graph.backward((batch(5, 4), batch(5, 3)))


def test_backward_before_forward_is_refused() -> None:
    for place in (residual(), twice(linear())):
        with pytest.raises(RuntimeError, match="backward before forward"):
            place.backward(batch(5, 4))


class TestSequential:
    def test_sequential_indexes_and_counts_its_modules(self) -> None:
        first, last = ReLU(), Tanh()
        module = Sequential(first, Sigmoid(), last)
        assert (module[0], module[-1], len(module)) == (first, last, 3)

    def test_an_empty_sequential_is_the_identity(self) -> None:
        np.testing.assert_array_equal(Sequential()(batch(6, 4)), batch(6, 4))
        np.testing.assert_array_equal(Sequential().backward(batch(6, 4)), batch(6, 4))
