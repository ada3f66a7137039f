"""Sequential, and random whole networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import BatchNormalization, Flatten, Linear, LogSoftMax, Module, Scaling, Sequential, SoftMax
from parity.lazy import keras, torch
from parity.pairing import Counterpart, Pair, counterpart, pair, pair_of, registry
from parity.strategies import arrays, sizes


def elementwise() -> list[type[Module]]:
    """Registered layers that take any shape and hold no parameters."""
    fixed = (Linear, Flatten, BatchNormalization, Scaling, Sequential, SoftMax, LogSoftMax)
    return [c for c in registry() if issubclass(c, Module) and c.__module__.startswith("numpynet.") and c not in fixed]


@st.composite
def networks(draw: st.DrawFn) -> Sequential:
    """Networks of up to eight layers on (N, features), perhaps flattened first and ending in a softmax."""
    features = draw(sizes)
    layers: list[Module] = [Flatten()] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["linear", "activation", "normalization", "scaling"]))
        if kind == "linear":
            outputs = draw(sizes)
            layers.append(Linear(features, outputs, draw(st.booleans())))
            features = outputs
        elif kind == "activation":
            layers.append(draw(pair_of(draw(st.sampled_from(elementwise()))).modules))
        elif kind == "normalization":
            layers.append(BatchNormalization(features, 0.75, 2.0**-10))
        else:
            layers.append(Scaling(features))
    layers += draw(st.sampled_from([[], [SoftMax()], [LogSoftMax()]]))
    return Sequential(*layers)


@pair(Sequential)
class SequentialPair(Pair):
    modules = networks()

    def shapes(self, module: Sequential) -> SearchStrategy[tuple[int, ...]]:
        for _, layer in module.named_modules():
            features = getattr(layer, "in_features", getattr(layer, "num_features", None))
            if features is not None:
                return st.tuples(st.integers(2, 8), st.just(features))
        return st.tuples(st.integers(2, 8), sizes)

    def values(self, module: Sequential, shape: tuple[int, ...], dtype: np.dtype[Any]) -> SearchStrategy[Any]:
        return arrays(shape, dtype, largest=2.0**3)

    def torch(self, module: Sequential) -> Any:
        parts = {name: counterpart(child, "torch") for name, child in module.children().items()}
        return Counterpart(torch.nn.Sequential(*(part.layer for part in parts.values())), parts=parts)

    def tensorflow(self, module: Sequential) -> Any:
        parts = {name: counterpart(child, "tensorflow") for name, child in module.children().items()}
        return Counterpart(keras.Sequential([part.layer for part in parts.values()]), parts=parts)
