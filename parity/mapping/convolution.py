"""The pair of the convolution."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array, Conv2d
from parity.drawing.strategies import images
from parity.frameworks.counterpart import Counterpart, TensorView
from parity.frameworks.lazy import keras_layers, torch
from parity.mapping.pair import LayerPair, pair


def two(least: int, most: int) -> SearchStrategy[tuple[int, int]]:
    """A strategy of two sizes, one for rows and one for columns, each from `least` to `most`."""
    return st.tuples(st.integers(least, most), st.integers(least, most))


@st.composite
def convolutions(draw: st.DrawFn) -> Conv2d:
    groups = draw(st.integers(1, 3))
    inputs, outputs = draw(two(1, 3 if groups == 1 else 2))
    geometry = (draw(two(1, 3)), draw(two(1, 3)), draw(two(0, 2)), draw(two(1, 2)))
    return Conv2d(groups * inputs, groups * outputs, *geometry, groups, draw(st.booleans()))


def channels_innermost(weight: Array) -> Array:
    """The weight (out, in, rows, columns) transposed to (rows, columns, in, out)."""
    return weight.transpose(2, 3, 1, 0)


def channels_outermost(kernel: Array) -> Array:
    """The kernel (rows, columns, in, out) transposed to (out, in, rows, columns)."""
    return kernel.transpose(3, 2, 0, 1)


@pair(Conv2d)
class Conv2dPair(LayerPair):
    """Keras keeps the weight as (rows, columns, in, out), and images as (N, rows, columns, channels)."""

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
