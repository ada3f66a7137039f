"""The pairs of pooling and padding."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import AvgPool2d, GlobalAveragePool2d, MaxPool2d, Module, ZeroPad2d
from numpynet.pooling import Pool2d
from parity.drawing.strategies import images, short_sides
from parity.drawing.tails import integers
from parity.frameworks.lazy import keras, keras_layers, torch
from parity.mapping.convolution import two
from parity.mapping.pair import LayerPair, pair


def pools(pool: type[Pool2d], *more: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """A strategy of layers whose windows overlap or leave gaps, with every padding that is allowed."""
    kernels = two("kernel", 1, 3, 7)
    return kernels.flatmap(
        lambda kernel: st.builds(
            pool,
            st.just(kernel),
            st.none() | two("stride", 1, 3, 5),
            st.tuples(*(st.integers(0, k // 2) for k in kernel)),
            *more,
        )
    )


class ImagePair(LayerPair):
    """Base of the pairs of layers that take images of any number of channels."""

    def shapes(self, module: Any) -> SearchStrategy[tuple[int, ...]]:
        return images(short_sides)


class PoolPair(LayerPair):
    """Keras pads in its own way alone (SAME), so the counterpart pads and the layer does not."""

    def shapes(self, module: Pool2d) -> SearchStrategy[tuple[int, ...]]:
        return images(short_sides, module.kernel_size, module.padding)


@pair(MaxPool2d)
class MaxPool2dPair(PoolPair):
    modules = pools(MaxPool2d)

    def torch(self, module: MaxPool2d) -> Any:
        return torch.nn.MaxPool2d(module.kernel_size, module.stride, module.padding)

    def tensorflow(self, module: MaxPool2d) -> Any:
        layer = keras.layers.MaxPooling2D(module.kernel_size, module.stride)
        return keras_layers.OnImages(layer, module.padding, -float("inf"))


@pair(AvgPool2d)
class AvgPool2dPair(PoolPair):
    modules = pools(AvgPool2d, st.booleans())

    def torch(self, module: AvgPool2d) -> Any:
        return torch.nn.AvgPool2d(
            module.kernel_size, module.stride, module.padding, count_include_pad=module.count_include_pad
        )

    def tensorflow(self, module: AvgPool2d) -> Any:
        layer = keras.layers.AveragePooling2D(module.kernel_size, module.stride)
        wrapper = keras_layers.OnImages if module.count_include_pad else keras_layers.OnImagesAlone
        return wrapper(layer, module.padding)


@pair(GlobalAveragePool2d)
class GlobalAveragePool2dPair(ImagePair):
    modules = st.builds(GlobalAveragePool2d)

    def torch(self, module: Module) -> Any:
        return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    def tensorflow(self, module: Module) -> Any:
        return keras.layers.GlobalAveragePooling2D(data_format="channels_first")


@pair(ZeroPad2d)
class ZeroPad2dPair(ImagePair):
    modules = st.builds(ZeroPad2d, st.tuples(*[integers("kernel", 0, 3, 9)] * 4))

    def torch(self, module: ZeroPad2d) -> Any:
        return torch.nn.ZeroPad2d(module.padding)

    def tensorflow(self, module: ZeroPad2d) -> Any:
        left, right, top, bottom = module.padding
        return keras.layers.ZeroPadding2D(((top, bottom), (left, right)), data_format="channels_first")
