"""The pair of the convolution."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array, Conv2d
from numpynet.windows import positions
from parity.drawing.strategies import images
from parity.drawing.tails import integers
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.lazy import keras_layers, torch
from parity.mapping.pair import LayerPair, pair

GEOMETRY = (("kernel", 3, 7), ("stride", 3, 5), ("dilation", 2, 4))


@functools.cache
def two(tail: str, least: int, most: int, rare: int) -> SearchStrategy[tuple[int, int]]:
    """A strategy of two sizes, for rows and for columns, each from `least` to `most`, or in the tail up to `rare`."""
    size = integers(tail, least, most, rare)
    return st.tuples(size, size)


@st.composite
def convolutions(draw: st.DrawFn) -> Conv2d:
    groups = draw(st.integers(1, 3))
    inputs, outputs = draw(two("size", 1, 3 if groups == 1 else 2, 9))
    kernel, stride, dilation = (draw(two(tail, 1, usual, rare)) for tail, usual, rare in GEOMETRY)
    geometry = (kernel, stride, draw(two("kernel", 0, 2, 4)), dilation)
    return Conv2d(groups * inputs, groups * outputs, *geometry, groups, draw(st.booleans()))


def channels_innermost(weight: Array) -> Array:
    """The weight (out, in, rows, columns) transposed to (rows, columns, in, out)."""
    return weight.transpose(2, 3, 1, 0)


def channels_outermost(kernel: Array) -> Array:
    """The kernel (rows, columns, in, out) transposed to (out, in, rows, columns)."""
    return kernel.transpose(3, 2, 0, 1)


class Conv2dFromBias(Conv2d):
    """torch's sums, which begin with the bias, as those of `LinearFromBias`: one product, whose last term it is."""

    def forward(self, input: Array) -> Array:
        output = super().forward(input)
        if self.bias is None:
            return output
        _, rows, columns = self.recall(output)
        images = np.asanyarray(input)
        (top, left), (height, width) = self.padding, images.shape[2:]
        padded = np.zeros_like(images, order="C", shape=(*images.shape[:2], rows.size, columns.size))
        padded[..., top : top + height, left : left + width] = images
        seen = np.stack([padded[position] for position in positions(rows, columns)], axis=2)
        terms = seen.reshape(len(images), self.groups, -1, rows.count * columns.count)
        terms = np.concatenate([terms, np.ones_like(terms[:, :, :1])], axis=2)
        biases = self.bias.value.reshape(self.groups, -1, 1)
        factors = np.concatenate([self.weight.value.reshape(*biases.shape[:2], -1), biases], axis=2)
        return self.remember(np.matmul(factors, terms).reshape(output.shape), images, rows, columns)


@pair(Conv2d)
class Conv2dPair(LayerPair):
    """Keras keeps the weight as (rows, columns, in, out), and images as (N, rows, columns, channels)."""

    formulas: ClassVar = {"torch": Conv2dFromBias}
    modules = convolutions()

    def shapes(self, module: Conv2d) -> SearchStrategy[tuple[int, ...]]:
        return images(st.just(module.in_channels), module.kernel_size, module.padding, module.dilation)

    def torch(self, module: Conv2d) -> Any:
        geometry = (module.kernel_size, module.stride, module.padding, module.dilation, module.groups)
        layer = torch.nn.Conv2d(module.in_channels, module.out_channels, *geometry, bias=module.bias is not None)
        return Counterpart(layer, weight=layer.weight, bias=layer.bias)

    def tensorflow(self, module: Conv2d) -> Any:
        convolution = keras_layers.Convolution(
            module.out_channels,
            module.kernel_size,
            module.stride,
            dilation_rate=module.dilation,
            groups=module.groups,
            use_bias=module.bias is not None,
        )
        convolution.build((None, None, None, module.in_channels))
        layer = keras_layers.OnImages(convolution, module.padding)
        kernel = TensorView(convolution.kernel, channels_innermost, channels_outermost)
        return Counterpart(layer, weight=kernel, bias=convolution.bias)
