"""Batch normalisation and scaling."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import BatchNormalization, Scaling
from parity.frameworks import keras_layers, torch_layers
from parity.pairing import Counterpart, Pair, pair
from parity.strategies import arrays, dyadic, scales, seeds, sizes


class FeaturePair(Pair):
    """Of a layer that works along the second axis: (N, features) up to (N, features, height, width)."""

    def shapes(self, module: Any) -> SearchStrategy[tuple[int, ...]]:
        rest = st.lists(sizes, max_size=2)
        return st.builds(lambda n, more: (n, module.num_features, *more), st.integers(2, 8), rest)


@st.composite
def batch_normalizations(draw: st.DrawFn) -> BatchNormalization:
    """With drawn running statistics."""
    module = BatchNormalization(draw(sizes), draw(dyadic(0, 1)), 2.0 ** -draw(st.integers(6, 17)))
    module.running_mean = draw(arrays((module.num_features,), np.dtype(np.float32)))
    spread = np.random.default_rng(draw(seeds)).uniform(0.25, 1, module.num_features) * draw(scales) ** 2
    module.running_var = spread.astype(np.float32)
    return module


@pair(BatchNormalization)
class BatchNormalizationPair(FeaturePair):
    """torch's momentum is 1 - alpha; its running variance is the unbiased one (differences, batchnorm-...)."""

    modules = batch_normalizations()

    def torch(self, module: BatchNormalization) -> Any:
        layer = torch_layers.BatchNormBiased(
            module.num_features, eps=module.eps, momentum=1 - module.alpha, affine=False
        )
        return Counterpart(layer, running_mean=layer.running_mean, running_var=layer.running_var)

    def tensorflow(self, module: BatchNormalization) -> Any:
        layer = keras_layers.BatchNormalization(module.num_features, module.alpha, module.eps)
        return Counterpart(layer, running_mean=layer.moving_mean, running_var=layer.moving_variance)


@pair(Scaling)
class ScalingPair(FeaturePair):
    """No framework has it alone: it is the affine half of their batch normalisations."""

    modules = st.builds(Scaling, sizes)

    def torch(self, module: Scaling) -> Any:
        layer = torch_layers.Scale(module.num_features)
        return Counterpart(layer, gamma=layer.gamma, beta=layer.beta)

    def tensorflow(self, module: Scaling) -> Any:
        layer = keras_layers.Scale(module.num_features)
        return Counterpart(layer, gamma=layer.gamma, beta=layer.beta)
