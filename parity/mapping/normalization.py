"""The pairs of the normalisations and of scaling."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array, BatchNormalization, GroupNormalization, LayerNormalization, Scaling
from numpynet.features import feature_axes
from numpynet.normalization import PerExample, standardize
from parity.drawing.strategies import arrays, dyadic, more_sides, scales, seeds, several, short_sides, sizes
from parity.drawing.tails import ends, integers
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.lazy import keras, keras_layers, torch_layers
from parity.mapping.pair import LayerPair, pair


class FeaturePair(LayerPair):
    """Base of the pairs of layers that work along the second axis.

    Their inputs have the shapes (N, features) to (N, features, height, width).
    """

    def features(self, module: Any) -> SearchStrategy[int]:
        return st.just(module.num_features)

    def shapes(self, module: Any) -> SearchStrategy[tuple[int, ...]]:
        return st.builds(lambda n, features, more: (n, features, *more), several, self.features(module), more_sides(2))


class SharedFeaturePair(FeaturePair):
    """Base of the pairs of layers that with num_features=1 take any number of features."""

    def features(self, module: Any) -> SearchStrategy[int]:
        return sizes if module.num_features == 1 else st.just(module.num_features)


def folded(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array, Array]:
    """x * scale - mean * scale, then scale and mean: one product and one sum for each element."""
    _, scale, mean, _ = standardize(x, axes, eps)
    return x * scale - mean * scale, scale, mean


def folded_gradient(grad_output: Array, x: Array, scale: Array, mean: Array, axes: tuple[int, ...]) -> Array:
    """The gradient of `folded` for x, whose sums over `grad * x` cancel where the mean is large.

    See differences: batchnorm-folded.
    """
    count = x.size // max(scale.size, 1)
    total = grad_output.sum(axis=axes, keepdims=True)
    grad_scale = (grad_output * x).sum(axis=axes, keepdims=True) - mean * total
    grad_variance = -grad_scale * scale * scale * scale / 2
    return grad_output * scale + 2 * grad_variance / count * (x - mean) - scale * total / count


class BatchNormalizationFolded(BatchNormalization):
    """Keras' batch normalisation, which computes `folded` in training too."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training:
            return output
        output, scale, mean = folded(input, feature_axes(input), self.eps)
        return self.remember(output, (input, mean), scale)

    def backward(self, grad_output: Array) -> Array:
        batch, scale = self.recall(grad_output)
        if batch is None:
            return grad_output * scale
        input, mean = batch
        return folded_gradient(grad_output, input, scale, mean, feature_axes(input))


class BatchNormalizationFoldedForward(BatchNormalization):
    """torch's batch normalisation on the CPU: `folded` forward, and a gradient from x - mean.

    So an error in the mean reaches the output otherwise than the gradient, where numpynet's two have one and the same.
    """

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if not self.training:
            return output
        normalized, scale, mean, _ = standardize(input, feature_axes(input), self.eps)
        return self.remember(input * scale - mean * scale, normalized, scale)


class PerExampleFolded(PerExample):
    """Base of the frameworks' layer and group normalisations, which compute `folded`, torch's gradients too."""

    def forward(self, input: Array) -> Array:
        rows = self.rows(input)
        output, scale, mean = folded(rows, (1,), self.eps)
        return self.remember(output.reshape(input.shape), rows, scale, mean)

    def backward(self, grad_output: Array) -> Array:
        rows, scale, mean = self.recall(grad_output)
        grad = folded_gradient(grad_output.reshape(rows.shape), rows, scale, mean, (1,))
        return grad.reshape(grad_output.shape)


class LayerNormalizationFolded(PerExampleFolded, LayerNormalization):
    pass


class GroupNormalizationFolded(PerExampleFolded, GroupNormalization):
    pass


small_eps = ends(st.integers(6, 17).map(lambda exponent: 2.0**-exponent), 1e-3, 1e-5, 2.0**-30, 1.0)


@st.composite
def batch_normalizations(draw: st.DrawFn) -> BatchNormalization:
    """A strategy of batch normalisations whose running statistics are drawn."""
    module = BatchNormalization(draw(sizes), draw(ends(dyadic(0, 1), 0.9, 0.99, 0.0, 1.0)), draw(small_eps))
    module.running_mean = draw(arrays((module.num_features,), np.dtype(np.float32)))
    spread = np.random.default_rng(draw(seeds)).uniform(0.25, 1, module.num_features) * draw(scales) ** 2
    module.running_var = spread.astype(np.float32)
    return module


@pair(BatchNormalization)
class BatchNormalizationPair(FeaturePair):
    """torch's momentum is 1 - alpha; its running variance is unbiased (differences, batchnorm-running-variance)."""

    modules = batch_normalizations()
    formulas: ClassVar = {"torch": BatchNormalizationFoldedForward, "tensorflow": BatchNormalizationFolded}

    def torch(self, module: BatchNormalization) -> Any:
        layer = torch_layers.BatchNormBiased(
            module.num_features, eps=module.eps, momentum=1 - module.alpha, affine=False
        )
        return Counterpart(layer, running_mean=layer.running_mean, running_var=layer.running_var)

    def tensorflow(self, module: BatchNormalization) -> Any:
        layer = keras_layers.BatchNormalization(module.num_features, module.alpha, module.eps)
        return Counterpart(layer, running_mean=layer.moving_mean, running_var=layer.moving_variance)


@pair(LayerNormalization)
class LayerNormalizationPair(LayerPair):
    """torch wants the sides of the last axes, not their number; eps has other defaults (differences, layernorm-eps)."""

    modules = st.builds(LayerNormalization, st.integers(1, 3), small_eps)
    formulas: ClassVar = {"torch": LayerNormalizationFolded, "tensorflow": LayerNormalizationFolded}

    def shapes(self, module: LayerNormalization) -> SearchStrategy[tuple[int, ...]]:
        leading = st.lists(sizes, min_size=1, max_size=4 - module.axes)
        last = st.lists(sizes if module.axes == 1 else short_sides, min_size=module.axes, max_size=module.axes)
        return st.builds(lambda leading, last: (*leading, *last), leading, last)

    def torch(self, module: LayerNormalization) -> Any:
        return torch_layers.LayerNorm(module.axes, module.eps)

    def tensorflow(self, module: LayerNormalization) -> Any:
        axes = list(range(-module.axes, 0))
        return keras.layers.LayerNormalization(axes, epsilon=module.eps, center=False, scale=False)


@pair(GroupNormalization)
class GroupNormalizationPair(LayerPair):
    """torch wants to know the number of features, too; eps has other defaults (differences, layernorm-eps)."""

    modules = st.builds(GroupNormalization, ends(st.sampled_from([2, 1, 3, 4]), 7), small_eps)
    formulas: ClassVar = {"torch": GroupNormalizationFolded, "tensorflow": GroupNormalizationFolded}

    def shapes(self, module: GroupNormalization) -> SearchStrategy[tuple[int, ...]]:
        width = integers("size", 1, 4, 12)
        return st.builds(lambda n, each, more: (n, module.groups * each, *more), several, width, more_sides(2))

    def torch(self, module: GroupNormalization) -> Any:
        return torch_layers.GroupNorm(module.groups, module.eps)

    def tensorflow(self, module: GroupNormalization) -> Any:
        return keras_layers.GroupNormalization(module.groups, module.eps)


@pair(Scaling)
class ScalingPair(SharedFeaturePair):
    """No framework has it alone: it is the affine half of their batch normalisations."""

    modules = st.builds(Scaling, sizes)

    def torch(self, module: Scaling) -> Any:
        layer = torch_layers.Scale(module.num_features, module.axis)
        return Counterpart(layer, gamma=layer.gamma, beta=layer.beta)

    def tensorflow(self, module: Scaling) -> Any:
        layer = keras_layers.Scale(module.num_features, module.axis)
        return Counterpart(layer, gamma=layer.gamma, beta=layer.beta)
