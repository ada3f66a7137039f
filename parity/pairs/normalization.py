"""Batch normalisation and scaling."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array, BatchNormalization, Scaling
from numpynet.normalization import along, feature_axes
from parity.lazy import keras_layers, torch_layers
from parity.pairing import Counterpart, Pair, pair
from parity.strategies import arrays, dyadic, scales, seeds, short_sides, sizes


class FeaturePair(Pair):
    """Of a layer that works along the second axis: (N, features) up to (N, features, height, width)."""

    def shapes(self, module: Any) -> SearchStrategy[tuple[int, ...]]:
        rest = st.lists(short_sides, max_size=2)
        return st.builds(lambda n, more: (n, module.num_features, *more), st.integers(2, 8), rest)


class BatchNormalizationFolded(BatchNormalization):
    """Keras': x * scale - mean * scale in training too, and the gradient that follows from it, whose sums over
    `grad * x` cancel where the mean is large (see differences, batchnorm-folded)."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training:
            return output
        mean = np.mean(input, axis=feature_axes(input))
        (scale, _) = self.recall(output)
        return self.remember(input * along(scale, input) - along(mean * scale, input), scale, (input, mean))

    def backward(self, grad_output: Array) -> Array:
        scale, batch = self.recall(grad_output)
        if batch is None:
            return grad_output * along(scale, grad_output)
        input, mean = batch
        axes = feature_axes(input)
        count = input.size // self.num_features
        total = np.sum(grad_output, axis=axes)
        grad_scale = np.sum(grad_output * input, axis=axes) - mean * total
        grad_variance = -grad_scale * scale * scale * scale / 2
        from_variance = along(2 * grad_variance / count, input) * (input - along(mean, input))
        return grad_output * along(scale, input) + from_variance - along(scale * total / count, input)


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
    formulas: ClassVar = {"tensorflow": BatchNormalizationFolded}

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
