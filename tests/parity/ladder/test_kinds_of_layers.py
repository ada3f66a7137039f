"""Layers of every kind of interface go up the ladder: indices, masks, several outputs, packed tensors, more axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import parity
from numpynet import Array, Graph, Linear, Module, Parameter, Scaling, Sequential
from parity.case import recast
from parity.derivatives.proving import check_derivatives
from parity.drawing.strategies import arrays, seeds, short_sides, sizes
from parity.frameworks import available
from parity.frameworks.lazy import keras, tf, torch
from parity.ladder.failure import describe
from parity.ladder.judge import judge
from parity.ladder.proving import prove

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="the layers are written for both frameworks")


class Embedding(Module):
    """weight[indices]: (N, T) of integers to (N, T, D). Indices have no gradient."""

    def __init__(self, num_embeddings: int, dim: int) -> None:
        self.num_embeddings, self.dim = num_embeddings, dim
        self.weight = Parameter(np.ones((num_embeddings, dim), np.float32))

    def forward(self, input: Array) -> Array:
        return self.remember(self.weight.value[input], input)

    def backward(self, grad_output: Array) -> None:
        (indices,) = self.recall(grad_output)
        once = np.eye(self.num_embeddings, dtype=grad_output.dtype)[indices.ravel()]
        self.weight.accumulate(lambda out: np.matmul(once.T, grad_output.reshape(-1, self.dim), out=out))


class MaskedMean(Module):
    """The mean of the rows that a mask keeps, of (N, T, D) and booleans (N, T); 0 where it keeps none."""

    def forward(self, input: tuple[Array, Array]) -> Array:
        x, mask = input
        count = np.maximum(mask.sum(axis=1), 1).astype(x.dtype)[:, None]
        return self.remember((x * mask[:, :, None]).sum(axis=1) / count, mask, count)

    def backward(self, grad_output: Array) -> tuple[Array, None]:
        mask, count = self.recall(grad_output)
        return (grad_output / count)[:, None, :] * mask[:, :, None], None


class Parted(Module):
    """(x, (tanh(x), x * x)): outputs in a nested tuple."""

    def forward(self, input: Array) -> Any:
        input = self.floating(input)
        bent = np.tanh(input)
        return self.remember((input, (bent, input * input)), input, bent)

    def backward(self, grad_output: Any) -> Array:
        input, bent = self.recall(grad_output)
        straight, (of_bent, of_square) = grad_output
        return straight + of_bent * (1 - bent * bent) + 2 * of_square * input


class TwoProjections(Module):
    """(x Q^T, x K^T): two matrices, which torch packs into one, as `in_proj_weight` of its attention does."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.query = Parameter(np.ones((dim, dim), np.float32))
        self.key = Parameter(np.ones((dim, dim), np.float32))

    def forward(self, input: Array) -> tuple[Array, Array]:
        outputs = np.matmul(input, self.query.value.T), np.matmul(input, self.key.value.T)
        return self.remember(outputs, input)

    def backward(self, grad_output: tuple[Array, Array]) -> Array:
        (input,) = self.recall(grad_output)
        of_query, of_key = grad_output
        self.query.accumulate(lambda out: np.matmul(of_query.T, input, out=out))
        self.key.accumulate(lambda out: np.matmul(of_key.T, input, out=out))
        return np.matmul(of_query, self.query.value) + np.matmul(of_key, self.key.value)


def torch_module(function: Callable[..., Any], **held: Any) -> Any:
    class Made(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, part in held.items():
                setattr(self, name, part)

        def forward(self, input: Any) -> Any:
            return function(self, input)

    return Made()


def keras_layer(function: Callable[..., Any], **held: Any) -> Any:
    class Made(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            for name, part in held.items():
                setattr(self, name, part)
            self.built = True

        def call(self, inputs: Any, training: bool = False) -> Any:
            return function(self, inputs)

    return Made()


@parity.pair(Embedding)
class EmbeddingPair(parity.LayerPair):
    modules = st.builds(Embedding, sizes, sizes)

    def shapes(self, module: Embedding) -> SearchStrategy[Any]:
        return st.tuples(sizes, short_sides)

    def inputs(self, module: Embedding, shape: Any, dtype: np.dtype[Any]) -> SearchStrategy[Any]:
        return seeds.map(lambda seed: np.random.default_rng(seed).integers(0, module.num_embeddings, shape))

    def torch(self, module: Embedding) -> Any:
        layer = torch.nn.Embedding(module.num_embeddings, module.dim)
        return parity.Counterpart(layer, weight=layer.weight)

    def tensorflow(self, module: Embedding) -> Any:
        layer = keras.layers.Embedding(module.num_embeddings, module.dim)
        layer.build(None)
        return parity.Counterpart(layer, weight=layer.embeddings)


@parity.pair(MaskedMean)
class MaskedMeanPair(parity.LayerPair):
    modules = st.builds(MaskedMean)

    def shapes(self, module: MaskedMean) -> SearchStrategy[Any]:
        return st.tuples(sizes, short_sides, sizes)

    def inputs(self, module: MaskedMean, shape: Any, dtype: np.dtype[Any]) -> SearchStrategy[Any]:
        masks = seeds.map(lambda seed: np.random.default_rng(seed).integers(0, 2, shape[:2]) == 1)
        return st.tuples(arrays(shape, dtype), masks)

    def torch(self, module: MaskedMean) -> Any:
        def mean(_: Any, input: Any) -> Any:
            x, mask = input
            return (x * mask[:, :, None]).sum(1) / mask.sum(1).clamp(min=1)[:, None]

        return torch_module(mean)

    def tensorflow(self, module: MaskedMean) -> Any:
        def mean(_: Any, input: Any) -> Any:
            x, mask = input
            kept = tf.cast(mask, x.dtype)
            return tf.reduce_sum(x * kept[:, :, None], 1) / tf.maximum(tf.reduce_sum(kept, 1), 1)[:, None]

        return keras_layer(mean)


@parity.pair(Parted)
class PartedPair(parity.LayerPair):
    modules = st.builds(Parted)

    def torch(self, module: Parted) -> Any:
        return torch_module(lambda _, x: (x, (torch.tanh(x), x * x)))

    def tensorflow(self, module: Parted) -> Any:
        return keras_layer(lambda _, x: (x, (tf.tanh(x), x * x)))


@parity.pair(TwoProjections)
class TwoProjectionsPair(parity.LayerPair):
    """torch holds both matrices in one tensor, Keras in two."""

    modules = st.builds(TwoProjections, sizes)
    packed = frozenset({"query", "key"})

    def shapes(self, module: TwoProjections) -> SearchStrategy[Any]:
        return st.tuples(sizes, st.just(module.dim))

    def torch(self, module: TwoProjections) -> Any:
        layer = torch_module(
            lambda self, x: torch.nn.functional.linear(x, self.weight).chunk(2, -1),
            weight=torch.nn.Parameter(torch.ones(2 * module.dim, module.dim)),
        )
        halves = slice(0, module.dim), slice(module.dim, None)
        query, key = (parity.TensorView(layer.weight, part=(half,)) for half in halves)
        return parity.Counterpart(layer, query=query, key=key)

    def tensorflow(self, module: TwoProjections) -> Any:
        parts = [keras.layers.Dense(module.dim, use_bias=False) for _ in range(2)]
        for part in parts:
            part.build((None, module.dim))
        layer = keras_layer(lambda self, x: (self.query(x), self.key(x)), query=parts[0], key=parts[1])
        return parity.Counterpart(
            layer, query=parity.transposed(parts[0].kernel), key=parity.transposed(parts[1].kernel)
        )


KINDS = [Embedding, MaskedMean, Parted, TwoProjections]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_each_kind_is_proven(kind: type[Module], dtype: str) -> None:
    report = prove(kind, dtype, examples=20)
    assert report.failure is None, report.failure
    assert report.frameworks == available()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_a_layer_of_each_kind_are_its_derivatives(kind: type[Module]) -> None:
    report = check_derivatives(kind, examples=10)
    assert report.passed, report.message
    assert report.derivatives > 0


def broken(kind: Any) -> type[Module]:
    """The kind of layer with a backward that takes the first gradient twice."""

    class Broken(kind):
        def backward(self, grad_output: Any) -> Any:
            if isinstance(grad_output, tuple):
                return super().backward((2 * grad_output[0], *grad_output[1:]))
            return super().backward(2 * grad_output)

    return Broken


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_gradient_of_a_layer_of_each_kind_is_caught(kind: type[Module]) -> None:
    def alter(case: parity.Case) -> parity.Case:
        return case.with_module(recast(case.module, [case.module], lambda part: broken(kind)))

    report = prove(kind, "float32", examples=40, alter=alter, shrink=False)
    assert report.failed_rung == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "module", [Linear(5, 3), Scaling(5, axis=-1), Sequential(Linear(5, 4), Scaling(4, axis=-1), Linear(4, 2))], ids=repr
)
def test_layers_over_time_and_features_are_no_special_case(module: Module, dtype: type) -> None:
    rng = np.random.default_rng(0)
    module = module.astype(dtype)
    for parameter in module.parameters():
        parameter.map(lambda values: rng.standard_normal(values.shape).astype(values.dtype))
    input: Array = rng.standard_normal((4, 3, 5)).astype(dtype)
    cotangent = rng.standard_normal(np.shape(module(input))).astype(dtype)
    case = parity.Case(module, [parity.Step(input, cotangent)] * 2, arguments={"momentum": 0.5})
    judgement = judge(case)
    assert judgement.passed, describe(judgement)
    assert set(judgement.used) == {"numpynet", *available()}


def test_a_network_may_hold_layers_of_these_kinds_as_leaves() -> None:
    network = Graph(
        {"words": (3,), "picture": (4,)},
        {
            "embedded": (Embedding(7, 4), "words"),
            "sum": (Linear(4, 2), "embedded"),
            "flat": (Scaling(2, axis=-1), "sum"),
            "projected": (Linear(4, 2), "picture"),
        },
        ["flat", "projected"],
    )
    rng = np.random.default_rng(0)
    words, picture = rng.integers(0, 7, (5, 3)), rng.standard_normal((5, 4)).astype(np.float32)
    cotangents = tuple(rng.standard_normal(shape).astype(np.float32) for shape in ((5, 3, 2), (5, 2)))
    judgement = judge(parity.Case(network, [parity.Step((words, picture), cotangents)], arguments={}))
    assert judgement.passed, describe(judgement)
    assert {key.layer for key in judgement.reference} >= {"embedded", "sum", "flat", "projected"}
