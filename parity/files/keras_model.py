"""An ordinary Keras model that holds a model's arrays; it computes nothing, and is written to and read from files."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import numpy as np

from numpynet import Array, BatchNormalization, Conv2d, Graph, GroupNormalization, Linear, Module, PReLU, Scaling
from numpynet.module import join
from parity.files.ordinary import Part, ordinary, scalings, sides_of, views_of
from parity.frameworks import framework
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.lazy import keras
from parity.mapping.convolution import channels_innermost, channels_outermost
from parity.mapping.pair import PairsOf, counterpart


class OrdinaryKeras(PairsOf):
    """The pairs of Keras, but for the model as a whole, which is an ordinary network's.

    paths: of every layer that has arrays, in the order of the network, where the file has it, by its torch name
    """

    def __init__(self) -> None:
        super().__init__(framework("tensorflow"))
        self.paths: dict[str, str] = {}

    def counterpart(self, module: Module) -> Counterpart:
        part = ordinary(module)
        if part.container:
            layer = _empty(part)
            return Counterpart(layer, **self._fill(layer, part, ""))
        layer, tensors = _layer(part)
        self.paths[part.path] = _path("", layer, Counter())
        return Counterpart(layer, **tensors)

    def _fill(self, model: Any, part: Part, below: str) -> dict[str, Any]:
        """Put Keras' layers for what is in a container into `model`; returns their variables by numpynet's names."""
        tensors, used = dict[str, Any](), Counter[str]()
        for held in in_order(part):
            if not (held.container or held.has_arrays):
                continue
            layer, more = (_empty(held), {}) if held.container else _layer(held)
            path = _path(below, layer, used)
            if held.container:
                more = self._fill(layer, held, f"{path}/")
            else:
                self.paths[held.path] = path
            layer.name = held.path
            model.add(layer, rebuild=False)
            tensors |= more
        return tensors


def _path(below: str, layer: Any, used: Counter[str]) -> str:
    """Where a file has the layer: Keras names by class and number (saving_lib, _save_container_state)."""
    kind = snake_case(type(layer).__name__)
    used[kind] += 1
    return f"{below}layers/{kind}" + (f"_{used[kind] - 1}" if used[kind] > 1 else "")


def _empty(part: Part) -> Any:
    """Keras' container, or one of that name without a graph: files have the name alone."""
    return (keras.Sequential if part.graph is None else type("Functional", (keras.Sequential,), {}))()


def snake_case(name: str) -> str:
    """Returns what Keras' files call a class (keras.src.utils.naming, to_snake_case)."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()


def in_order(part: Part) -> list[Part]:
    """Returns what a container holds, in the order in which a Keras model has it.

    A functional model has the layers farthest from the outputs first, and of equally far ones the first that is met on
    the way back from the outputs (keras.src.ops.function, map_graph).
    """
    graph = part.graph
    if graph is None:
        return part.parts
    depths = _depths(graph)
    firsts: dict[int, int] = {}
    for index, node in enumerate(_met(graph)):
        firsts.setdefault(id(graph[node]), index)

    def place(held: Part) -> tuple[int, int]:
        layer = id(graph[held.name])
        return -depths[layer], firsts[layer]

    return sorted(part.parts, key=place)


def _depths(graph: Graph) -> dict[int, int]:
    """How far from the outputs each layer is, by its identity; a normalisation is one layer with its `Scaling`."""
    scaled = scalings(graph)
    far, depths = dict.fromkeys(graph.nodes, 0), dict[int, int]()
    for node, (_, *sources) in reversed(graph.nodes.items()):
        layer = id(graph[node])
        depths[layer] = max(far[node], depths.get(layer, 0))
        for source in sources:
            if source in graph.nodes:
                far[source] = max(far[source], depths[layer] + (scaled.get(source) != node))
    return depths


def _met(graph: Graph) -> list[str]:
    """The nodes as they are met on the way back from the outputs, each with all before it ahead of the next."""
    met: dict[str, None] = {}
    waiting = graph.outputs[::-1]
    while waiting:
        node = waiting.pop()
        if node in graph.nodes and node not in met:
            met[node] = None
            waiting += reversed(graph.nodes[node][1:])
    return list(met)


def ambiguous(part: Part) -> str:
    """Two layers of one kind and shapes of which neither comes before the other, as "a and b"; empty if there are none.

    Their order in a file depends on what lies between them in the network that wrote it.
    """
    found = next(filter(None, map(ambiguous, part.parts)), "")
    if found or part.graph is None:
        return found
    before: dict[str, set[str]] = {}
    for node, (_, *sources) in part.graph.nodes.items():
        before[node] = {node}.union(*(before.get(source, set()) for source in sources))
    kinds = {held.name: _kinds(held) for held in part.parts}
    for one, other in itertools.combinations(part.parts, 2):
        if kinds[one.name] & kinds[other.name] and one.name not in before[other.name]:
            return f"{one.path} and {other.path}"
    return ""


def _kinds(part: Part) -> set[Any]:
    """The classes and shapes of the layers in a part."""
    return {
        tuple((type(module), *sides_of(module).items()) for module in layer.modules.values()) for layer in part.layers()
    }


def _layer(part: Part) -> tuple[Any, dict[str, Any]]:
    """Keras' layer for one with arrays, and its variables by numpynet's dotted names."""
    if (both := part.affine()) is not None:
        return _affine(part, *both)
    ((name, module),) = part.modules.items()
    if isinstance(module, Linear):
        return _dense(part, module)
    if isinstance(module, Conv2d):
        return _convolution(part, module)
    if isinstance(module, BatchNormalization):
        return _batch_normalization(part, module.num_features, affine=False)
    if isinstance(module, PReLU):
        return _prelu(part, module)
    made = counterpart(module, "tensorflow")
    return made.layer, {join(name, array): view for array, view in made.tensors().items()}


def _dense(part: Part, module: Linear) -> tuple[Any, dict[str, Any]]:
    layer = keras.layers.Dense(module.out_features, use_bias=module.bias is not None)
    layer.build((None, module.in_features))
    order = part.order(module.in_features)
    if order is None:
        kernel = TensorView(layer.kernel, np.transpose, np.transpose)
    else:
        back = np.argsort(order)
        kernel = TensorView(layer.kernel, lambda weight: weight[:, order].T, lambda kernel: kernel[back].T)
    return layer, views_of(part, weight=kernel, bias=layer.bias)


def _convolution(part: Part, module: Conv2d) -> tuple[Any, dict[str, Any]]:
    bias = module.bias is not None
    if module.groups == module.in_channels > 1:
        each = module.out_channels // module.in_channels
        layer = keras.layers.DepthwiseConv2D(module.kernel_size, depth_multiplier=each, use_bias=bias)
        to_keras, to_numpynet = _depthwise(module.in_channels, each)
    else:
        layer = keras.layers.Conv2D(module.out_channels, module.kernel_size, groups=module.groups, use_bias=bias)
        to_keras, to_numpynet = channels_innermost, channels_outermost
    layer.build((None, None, None, module.in_channels))
    return layer, views_of(part, weight=TensorView(layer.kernel, to_keras, to_numpynet), bias=layer.bias)


def _depthwise(channels: int, each: int) -> Any:
    """The layouts of a weight (channels * each, 1, rows, columns) as (rows, columns, channels, each), and back."""

    def to_keras(weight: Array) -> Array:
        return weight.reshape(channels, each, *weight.shape[2:]).transpose(2, 3, 0, 1)

    def to_numpynet(kernel: Array) -> Array:
        return kernel.transpose(2, 3, 0, 1).reshape(channels * each, 1, *kernel.shape[:2])

    return to_keras, to_numpynet


def _vector(part: Part, variable: Any) -> TensorView:
    """A variable with one value for each feature."""
    order = part.order(int(np.prod(variable.shape)))
    if order is None:
        return TensorView(variable, lambda values: values.reshape(variable.shape), np.ravel)
    back = np.argsort(order)
    return TensorView(variable, lambda values: values[order], lambda values: values[back])


def _batch_normalization(part: Part, features: int, affine: bool) -> tuple[Any, dict[str, Any]]:
    layer = keras.layers.BatchNormalization(center=affine, scale=affine)
    layer.build((None, features))
    held = {"running_mean": layer.moving_mean, "running_var": layer.moving_variance}
    held |= {"gamma": layer.gamma, "beta": layer.beta} if affine else {}
    return layer, views_of(part, **{name: _vector(part, variable) for name, variable in held.items()})


def _affine(part: Part, normalization: Module, scaling: Scaling) -> tuple[Any, dict[str, Any]]:
    features = scaling.num_features
    if isinstance(normalization, BatchNormalization):
        return _batch_normalization(part, features, affine=True)
    if isinstance(normalization, GroupNormalization):
        layer = keras.layers.GroupNormalization(normalization.groups)
    else:
        layer = keras.layers.LayerNormalization()
    layer.build((None, features))
    return layer, views_of(part, gamma=_vector(part, layer.gamma), beta=_vector(part, layer.beta))


def _prelu(part: Part, module: PReLU) -> tuple[Any, dict[str, Any]]:
    """Keras' slopes of images have their shape, of which rows and columns are shared."""
    images = part.input.images and not part.input.flat
    layer = keras.layers.PReLU(shared_axes=[1, 2] if images else None)
    layer.build((None, None, None, module.num_features) if images else (None, module.num_features))
    return layer, views_of(part, slope=_vector(part, layer.alpha))
