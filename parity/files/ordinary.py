"""The layers that an ordinary network has for a model: a normalisation and its `Scaling` are one of them.

Where the two stand one after another they are torch's and Keras' affine layer, which has the normalisation's place, and
those behind it in a `Sequential` move up. A `Sequential` of the two alone is that layer itself. Features on the second
axis are on the last one in Keras, so that what comes of `Flatten` has another order there; `Features` keeps account.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from numpynet import (
    Array,
    AvgPool2d,
    BatchNormalization,
    Concatenate,
    Conv2d,
    Flatten,
    GlobalAveragePool2d,
    Graph,
    GroupNormalization,
    LayerNormalization,
    Linear,
    Maxout,
    MaxPool2d,
    Module,
    PReLU,
    Scaling,
    Sequential,
    ZeroPad2d,
)
from numpynet.module import join

# What torch calls arrays that numpynet calls otherwise.
TORCH_NAMES = {"gamma": "weight", "beta": "bias", "slope": "weight"}


class Features(NamedTuple):
    """The facts known of a layer's input: its features on the second axis, whether it is images, or these flattened."""

    channels: int | None = None
    images: bool = False
    flat: bool = False


UNKNOWN = Features()


def after(module: Module, input: Features) -> Features:
    """Returns what is known of the output of `module`."""
    if isinstance(module, Linear | GlobalAveragePool2d):
        return UNKNOWN
    if isinstance(module, Conv2d):
        return Features(module.out_channels, images=True)
    if isinstance(module, MaxPool2d | AvgPool2d | ZeroPad2d):
        return input._replace(images=True)
    if isinstance(module, Flatten):
        return input._replace(flat=input.flat or input.images or input.channels is not None)
    if input.flat and isinstance(module, Maxout | GroupNormalization):
        return input._replace(channels=None)  # neighbours are taken together, which in Keras are others
    if isinstance(module, Maxout):
        return input._replace(channels=input.channels and input.channels // module.pieces)
    if isinstance(module, BatchNormalization | PReLU | Scaling) and not input.flat:
        own = module.num_features if getattr(module, "axis", 1) == 1 and module.num_features > 1 else None
        return input._replace(channels=input.channels or own)
    return input if type(module).__module__.startswith("numpynet.") else input._replace(channels=None)


def joined(module: Module, inputs: list[Features]) -> Features:
    """Returns what is known of the inputs of a layer that takes several, as of one."""
    first = inputs[0]
    if len(inputs) == 1 or not isinstance(module, Concatenate) or module.axis != 1:
        return first
    channels = [one.channels for one in inputs if one.channels is not None]
    known = len(channels) == len(inputs) and not first.flat
    return first._replace(channels=sum(channels) if known else None)


@dataclass
class Part:
    """A layer or container of the ordinary network.

    name: its own in its container; path: the dotted one, which is empty for the whole network
    modules: of a layer, the module that it stands for, or the normalisation and its `Scaling`, by dotted name
    parts: of a container, what it holds; graph: its `Graph`, if it is one
    input: what is known of a layer's input
    """

    name: str
    path: str
    modules: dict[str, Module] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    graph: Graph | None = None
    input: Features = UNKNOWN

    @property
    def container(self) -> bool:
        """Tells whether it is a container, also one of nothing."""
        return not self.modules

    @property
    def has_arrays(self) -> bool:
        """Tells whether a layer has arrays."""
        return any(sides_of(module) for module in self.modules.values())

    def layers(self) -> Iterator[Part]:
        """Yields every layer in it that has arrays, in the order of the container."""
        for part in self.parts:
            yield from part.layers()
        if self.has_arrays:
            yield self

    def affine(self) -> tuple[Module, Scaling] | None:
        """The normalisation and the `Scaling` of a layer that stands for both, else None."""
        first, *rest = self.modules.values()
        return (first, rest[0]) if rest and isinstance(rest[0], Scaling) else None

    @property
    def _known(self) -> Features:
        """Returns what is known of the input of the last module of a layer."""
        first, *more = self.modules.values()
        return after(first, self.input) if more else self.input

    @property
    def reordered(self) -> bool:
        """Tells whether Keras has a layer's features in another order: flattened images of several channels."""
        return self._known.flat and self._known.channels != 1

    def order(self, features: int) -> Array | None:
        """The places in numpynet's order of a layer's features as Keras has them; None where the order is the same.

        Raises ValueError for flattened images whose number of channels is not known, or that were mixed since.
        """
        known = self._known
        if not self.reordered:
            return None
        if known.channels is None or features % known.channels:
            raise ValueError(
                f"{self.path}: Keras flattens images channels last, and it is not known how many channels these had: "
                f"a Graph states the shapes of its inputs"
            )
        return np.arange(features).reshape(known.channels, -1).T.ravel()

    def arrays(self) -> dict[str, str]:
        """torch's dotted name of every array of a layer, by numpynet's."""
        return {
            join(name, array): join(self.path, TORCH_NAMES.get(array, array) if self._renames(module) else array)
            for name, module in self.modules.items()
            for array in sides_of(module)
        }

    def _renames(self, module: Module) -> bool:
        return self.affine() is not None or isinstance(module, PReLU)


def is_affine(layer: Module, scaling: Module) -> bool:
    """Tells whether the two, one after another, are one affine layer of torch and Keras."""
    if not isinstance(scaling, Scaling):
        return False
    if isinstance(layer, BatchNormalization):
        return scaling.axis == 1 and scaling.num_features == layer.num_features
    if isinstance(layer, GroupNormalization):
        return scaling.axis == 1 and scaling.num_features % layer.groups == 0 and scaling.num_features > 1
    return isinstance(layer, LayerNormalization) and layer.axes == 1 and scaling.num_features > 1


def ordinary(model: Module) -> Part:
    """The ordinary network for `model`: a container where that is a `Sequential` or `Graph`, else its only layer."""
    return _container("", "", "", model, [UNKNOWN])[0] or _layer("", "", {"": model}, UNKNOWN)[0]


def names(model: Module) -> dict[str, str]:
    """The name of every array of `model` in the ordinary torch module, by numpynet's."""
    return {ours: theirs for layer in ordinary(model).layers() for ours, theirs in layer.arrays().items()}


def _layer(name: str, path: str, modules: dict[str, Module], input: Features) -> tuple[Part, Features]:
    output = input
    for module in modules.values():
        output = after(module, output)
    return Part(name, path, modules, input=input), output


def _part(name: str, path: str, ours: str, module: Module, inputs: list[Features]) -> tuple[Part, Features]:
    """Returns what stands for `module`, called `ours` in numpynet, and what is known of its output."""
    if isinstance(module, Sequential) and len(module) == 2 and is_affine(module[0], module[1]):
        both = {join(ours, "0"): module[0], join(ours, "1"): module[1]}
        return _layer(name, path, both, inputs[0])
    part, output = _container(name, path, ours, module, inputs)
    return (part, output) if part else _layer(name, path, {ours: module}, joined(module, inputs))


def _container(name: str, path: str, ours: str, module: Module, inputs: list[Features]) -> tuple[Part | None, Features]:
    if isinstance(module, Sequential):
        return _chain(Part(name, path), ours, module, inputs[0])
    if isinstance(module, Graph):
        return _graph(Part(name, path, graph=module), ours, module, inputs)
    return None, UNKNOWN


def _chain(part: Part, ours: str, chain: Sequential, known: Features) -> tuple[Part, Features]:
    index = 0
    while index < len(chain):
        name = str(len(part.parts))
        at, where = join(part.path, name), join(ours, str(index))
        if index + 1 < len(chain) and is_affine(chain[index], chain[index + 1]):
            both = {where: chain[index], join(ours, str(index + 1)): chain[index + 1]}
            held, known = _layer(name, at, both, known)
        else:
            held, known = _part(name, at, where, chain[index], [known])
        index += len(held.modules) if where in held.modules else 1
        part.parts.append(held)
    return part, known


def _graph(part: Part, ours: str, graph: Graph, inputs: list[Features]) -> tuple[Part, Features]:
    known = {
        name: Features(shape[0], images=True) if len(shape) == 3 else given
        for (name, shape), given in zip(graph.inputs.items(), _one_each(inputs, len(graph.inputs)), strict=True)
    }
    scaled = scalings(graph)
    for node, (layer, *sources) in graph.nodes.items():
        given = [known[source] for source in sources]
        if node in scaled.values():
            known[node] = given[0]
        elif node in scaled:
            both = {join(ours, node): graph[node], join(ours, scaled[node]): graph[scaled[node]]}
            held, known[node] = _layer(node, join(part.path, node), both, given[0])
            part.parts.append(held)
        else:
            held, known[node] = _part(node, join(part.path, node), join(ours, node), graph[node], given)
            if isinstance(layer, Module):
                part.parts.append(held)
    return part, known[graph.outputs[0]]


def _one_each(inputs: list[Features], count: int) -> list[Features]:
    return inputs if len(inputs) == count else [UNKNOWN] * count


def scalings(graph: Graph) -> dict[str, str]:
    """The nodes that are the affine half of a normalisation which nothing else uses, by that normalisation's node."""
    applied = [layer for layer, *_ in graph.nodes.values()]
    used = [source for _, *sources in graph.nodes.values() for source in sources] + graph.outputs
    return {
        sources[0]: node
        for node, (layer, *sources) in graph.nodes.items()
        if isinstance(layer, Module)
        and node not in applied
        and isinstance(before := graph.nodes.get(sources[0], (None,))[0], Module)
        and is_affine(before, layer)
        and sources[0] not in applied
        and used.count(sources[0]) == 1
    }


def views_of(part: Part, **tensors: Any) -> dict[str, Any]:
    """The tensors of a layer's arrays, given by numpynet's short names, by their dotted ones."""
    return {join(name, array): tensors[array] for name, module in part.modules.items() for array in sides_of(module)}


def sides_of(module: Module) -> dict[str, tuple[int, ...]]:
    """The shape of every array of `module`, by name; none is copied, as `state_dict` does."""
    values = {name: parameter.value for name, parameter in module.named_parameters().items()} | module.named_buffers()
    return {name: array.shape for name, array in values.items()}
