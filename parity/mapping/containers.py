"""The pair of Sequential, and strategies of random layers and chains of them."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from typing import Any, TypeVar

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Linear, Module, Sequential
from parity.case import Shape
from parity.drawing.strategies import arrays, each_shape, short_sides, sizes
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.lazy import keras, torch
from parity.mapping.pair import LayerPair, Pair, counterpart, pair, registry

# Inputs of random networks, without the batch: vectors and images.
input_shapes: SearchStrategy[Shape] = st.one_of(
    st.tuples(sizes), st.tuples(short_sides, st.integers(1, 6), st.integers(1, 6))
)
batches = st.integers(2, 8)  # more than one value per feature, which batch normalisation needs


class NetworkPair(LayerPair):
    """Base of the pairs of networks: draws inputs no larger than what layers hand to each other.

    Their shapes are those that the network was drawn for.
    """

    def shapes(self, module: Any) -> SearchStrategy[Any]:
        return batches.map(lambda n: each_shape(lambda shape: (n, *shape), vars(module)["drawn_for"]))

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
