"""The pairs of networks and of the layers that join their branches, and strategies of random chains and graphs."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Concatenate, Graph, Linear, Module, Sequential, Sum
from numpynet.containers import packed
from parity.case import Shape
from parity.drawing.strategies import arrays, each_shape, several, short_sides, sizes
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.lazy import keras, keras_layers, torch, torch_layers
from parity.mapping.pair import AnyShapePair, LayerPair, Pair, counterpart, pair, registry

# Inputs of random networks, without the batch: vectors and images.
input_shapes: SearchStrategy[Shape] = st.one_of(
    st.tuples(sizes), st.tuples(short_sides, st.integers(1, 6), st.integers(1, 6))
)


class NetworkPair(LayerPair):
    """Base of the pairs of networks: draws inputs no larger than what layers hand to each other.

    Their shapes are those that the network was drawn for.
    """

    def shapes(self, module: Any) -> SearchStrategy[Any]:
        return several.map(lambda n: each_shape(lambda shape: (n, *shape), vars(module)["drawn_for"]))

    def values(self, module: Any, shape: Shape, dtype: np.dtype[Any]) -> SearchStrategy[Any]:
        return arrays(shape, dtype, largest=2.0**3)


COUNTS = ("in_features", "in_channels", "num_features")  # arguments that are the length of the input's second axis
TRIES = 20


@functools.cache
def _pairs(counting: bool) -> list[Pair]:
    """The pairs of numpynet's layers, by name: those made for a number of features if `counting`, else the others.

    The order must not depend on which of them was imported first.
    """
    return [
        known
        for module_class, known in sorted(registry().items(), key=lambda entry: entry[0].__name__)
        if issubclass(module_class, Module)
        and module_class.__module__.startswith("numpynet.")
        and not isinstance(known, NetworkPair)
        and counting == any(name in COUNTS for name in inspect.signature(module_class).parameters)
    ]


@st.composite
def layers(draw: st.DrawFn, shape: Shape) -> Module:
    """A strategy of numpynet's layers for inputs of `shape`, made for its number of features where they have one."""
    for _ in range(TRIES):
        module = draw(draw(st.sampled_from(_pairs(draw(st.booleans())))).modules)
        arguments = module.arguments()
        counts = {name: shape[0] for name in COUNTS if name in arguments}
        with contextlib.suppress(ValueError):
            module = type(module)(**arguments | counts) if counts else module
            output_shape(module, shape)
            if len(shape) == 1 or not isinstance(module, Linear):  # it takes images too, along their last side
                return module
    return reject()


def output_shape(module: Module, shape: Any) -> Shape:
    """The shape of the output for inputs of `shape`, or of a tuple of shapes, all without the batch.

    Raises ValueError where the module does not take such inputs.
    """
    input = each_shape(lambda one: np.zeros((2, *one), np.float32), shape)
    with np.errstate(all="ignore"):
        return np.shape(copy.deepcopy(module)(input))[1:]


@st.composite
def chains(draw: st.DrawFn, shape: Shape, longest: int = 8) -> Sequential:
    """A strategy of up to `longest` random layers, one after another, for inputs of `shape`."""
    modules: list[Module] = []
    for _ in range(draw(st.integers(1, longest))):
        modules.append(draw(layers(shape)))
        shape = output_shape(modules[-1], shape)
    return Sequential(*modules)


N = TypeVar("N", bound=Module)


def noting(network: N, shape: Any) -> N:
    """The network, on which the input shape it was drawn for is noted, since it could not tell that by itself."""
    vars(network)["drawn_for"] = shape
    return network


@pair(Sequential)
class SequentialPair(NetworkPair):
    modules = input_shapes.flatmap(lambda shape: chains(shape).map(lambda network: noting(network, shape)))

    def torch(self, module: Sequential) -> Any:
        parts = {name: counterpart(child, "torch") for name, child in module.children().items()}
        return Counterpart(torch.nn.Sequential(*(part.layer for part in parts.values())), parts=parts)

    def tensorflow(self, module: Sequential) -> Any:
        parts = {name: counterpart(child, "tensorflow") for name, child in module.children().items()}
        return Counterpart(keras.Sequential([part.layer for part in parts.values()]), parts=parts)


@pair(Sum)
class SumPair(AnyShapePair):
    modules = st.builds(Sum)

    def shapes(self, module: Sum) -> SearchStrategy[Any]:
        return st.builds(lambda shape, count: (shape,) * count, super().shapes(module), st.integers(2, 4))

    def torch(self, module: Sum) -> Any:
        return torch_layers.Sum()

    def tensorflow(self, module: Sum) -> Any:
        return keras.layers.Add()


@pair(Concatenate)
class ConcatenatePair(AnyShapePair):
    modules = st.builds(Concatenate, st.sampled_from([1, 2, 3, -1]))

    def shapes(self, module: Concatenate) -> SearchStrategy[Any]:
        axis = module.axis
        # Of one axis alone, the last is the batch's, along which nothing is concatenated.
        long_enough = super().shapes(module).filter(lambda shape: len(shape) > max(axis, 1))
        lengths = st.lists(short_sides, min_size=2, max_size=4)
        return st.builds(lambda shape, each: tuple(resized(shape, axis, n) for n in each), long_enough, lengths)

    def torch(self, module: Concatenate) -> Any:
        return torch_layers.Concatenate(module.axis)

    def tensorflow(self, module: Concatenate) -> Any:
        return keras_layers.Concatenate(module.axis)


def resized(shape: Shape, axis: int, size: int) -> Shape:
    """`shape` with another size along `axis`."""
    axis %= len(shape)
    return (*shape[:axis], size, *shape[axis + 1 :])


LARGEST = 16  # features: what is concatenated with itself again and again would grow exponentially


@st.composite
def blocks(draw: st.DrawFn, shape: Shape) -> Graph:
    """A strategy of residual or dense blocks of one input and one output, their inside used twice where it can be."""
    inside = draw(chains(shape, longest=2))
    after = output_shape(inside, shape)
    nodes: dict[str, tuple[Any, ...]] = {"inside": (inside, "x")}
    if after == shape:
        nodes |= {"again": ("inside", "inside"), "out": (Sum(), "x", "inside", "again")}
    elif after[1:] == shape[1:] and after[0] + shape[0] <= LARGEST:
        nodes["out"] = (Concatenate(), "x", "inside")
    return Graph({"x": shape}, nodes, list(nodes)[-1:])


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A strategy of graphs with one to three inputs and up to eight nodes.

    Nodes are layers, chains, blocks, sums and concatenations; some layers are used at several places. What nothing uses
    is an output, and now and then something in between is one too.
    """
    shape = draw(input_shapes)
    others = draw(st.lists(st.sampled_from([shape, draw(input_shapes)]), max_size=2))
    inputs: dict[str, Shape] = dict(zip("xyz", [shape, *others], strict=False))
    known, nodes = dict(inputs), dict[str, tuple[Any, ...]]()
    unused = list(inputs)
    for index in range(len(inputs) + draw(st.integers(0, 4))):
        source = unused[0] if index < len(inputs) else draw(st.sampled_from([*unused, *known]))
        layer, *sources = nodes[f"n{index}"] = draw(_nodes(source, known, nodes))
        applied = nodes[layer][0] if isinstance(layer, str) else layer
        known[f"n{index}"] = output_shape(applied, packed([known[name] for name in sources]))
        unused = [name for name in (*unused, f"n{index}") if name not in sources]
    between = [name for name in nodes if name not in unused]
    outputs = unused + (draw(st.lists(st.sampled_from(between), max_size=1)) if between else [])
    open_sides = draw(st.booleans())
    graph = Graph({name: opened(shape) if open_sides else shape for name, shape in inputs.items()}, nodes, outputs)
    return noting(graph, packed(list(inputs.values())))


@st.composite
def _nodes(draw: st.DrawFn, source: str, known: dict[str, Shape], nodes: dict[str, tuple[Any, ...]]) -> tuple[Any, ...]:
    """A strategy of one more node that uses `source`, beside `nodes`; `known` has the shapes of inputs and nodes."""
    shape = known[source]
    alike = [name for name, other in known.items() if other == shape]
    beside = [name for name, other in known.items() if other[1:] == shape[1:] and other[0] + shape[0] <= LARGEST]
    fitting = [node for node, (_, *sources) in nodes.items() if [known[name] for name in sources] == [shape]]
    owners = [node for node, (layer, *_) in nodes.items() if not isinstance(layer, str)]
    again = [node for node in fitting if node in owners]
    kinds = ["layer", "chain", "block", "sum", *["again"] * 6 * bool(again), *["concatenation"] * bool(beside)]
    kind = draw(st.sampled_from(kinds))
    if kind == "again":
        return draw(st.sampled_from(again)), source
    if kind == "sum":
        earlier = [node for node in owners if isinstance(nodes[node][0], Sum)]
        partners = draw(st.lists(st.sampled_from(alike), min_size=1, max_size=2))
        return draw(st.sampled_from([Sum(), *earlier])), source, *partners
    if kind == "concatenation":
        return Concatenate(), source, draw(st.sampled_from(beside))
    if kind == "chain":
        return draw(chains(shape, longest=2)), source
    return draw(layers(shape) if kind == "layer" else blocks(shape)), source


def opened(shape: Shape) -> tuple[int | None, ...]:
    """The shape without the batch of images of any size: all sides but the first are open."""
    return (shape[0], *[None] * (len(shape) - 1))


class GraphInAnyOrder(Graph):
    """A Graph that adds the gradients of what is used at several places in one sum, which errs relative to all terms.

    The frameworks add them in orders of their own. Where two of them cancel, it matters whether a third came before.
    """

    def _send_back(self, grad_output: Any, to_inputs: bool) -> dict[str, Any]:
        self._terms: dict[str, list[Any]] = {}
        return super()._send_back(grad_output, to_inputs)

    def _add(self, gradients: dict[str, Any], names: Sequence[str], parts: Sequence[Any]) -> None:
        for name, part in zip(names, parts, strict=True):
            self._terms.setdefault(name, []).append(part)
            gradients[name] = _total(self._terms[name])


def _total(terms: Sequence[Any]) -> Any:
    """The sum of arrays, or of tuples of arrays element by element."""
    if isinstance(terms[0], tuple):
        return tuple(map(_total, zip(*terms, strict=True)))
    return np.sum(np.stack(terms), axis=0)


@pair(Graph)
class GraphPair(NetworkPair):
    """Keras has functional models; `After` keeps the calls of layers that draw or count in numpynet's order."""

    modules = graphs()
    formulas: ClassVar = {"torch": GraphInAnyOrder, "tensorflow": GraphInAnyOrder}

    def torch(self, module: Graph) -> Any:
        parts = {name: counterpart(child, "torch") for name, child in module.children().items()}
        layer = torch_layers.Graph(module, {name: part.layer for name, part in parts.items()})
        return Counterpart(layer, parts=parts)

    def tensorflow(self, module: Graph) -> Any:
        parts = {name: counterpart(child, "tensorflow") for name, child in module.children().items()}
        built = {id(module[name]): part.layer for name, part in parts.items()}
        values = {name: keras.Input(shape, name=name) for name, shape in module.inputs.items()}
        inputs = packed(list(values.values()))
        called: dict[int, Any] = {}  # by layer or generator: what came out when it was last called
        for node, (_, *sources) in module.nodes.items():
            value = packed([values[source] for source in sources])
            ordered = {
                id(module[node]),
                *(id(part.rng) for _, part in module[node].named_modules() if hasattr(part, "rng")),
            }
            for before in ordered & called.keys():
                value = keras_layers.After()((value, called[before]))
            values[node] = built[id(module[node])](value)
            called |= dict.fromkeys(ordered, values[node])
        return Counterpart(keras.Model(inputs, packed([values[name] for name in module.outputs])), parts=parts)
