"""Keras' separable convolutions as what torch has in their place: a depthwise convolution and one of single places."""

from __future__ import annotations

from typing import Any

from parity.frameworks.lazy import keras

SEPARABLE = ("SeparableConv1D", "SeparableConv2D")


def parts_of(layer: Any) -> list[Any]:
    """The two convolutions that a separable one is, with its own variables; none where the layer is another."""
    if layer.__class__.__name__ not in SEPARABLE or not layer.__class__.__module__.startswith("keras."):
        return []
    rank = layer.__class__.__name__[-2:]
    shared = {"data_format": layer.data_format, "dtype": layer.dtype_policy}
    depthwise = getattr(keras.layers, f"DepthwiseConv{rank}")(
        layer.kernel_size,
        layer.strides,
        layer.padding,
        depth_multiplier=layer.depth_multiplier,
        dilation_rate=layer.dilation_rate,
        use_bias=False,
        name=f"{layer.name}_depthwise",
        **shared,
    )
    depthwise.kernel, depthwise.bias = layer.depthwise_kernel, None
    pointwise = getattr(keras.layers, f"Conv{rank}")(
        layer.filters,
        1,
        activation=layer.activation,
        use_bias=layer.use_bias,
        name=f"{layer.name}_pointwise",
        **shared,
    )
    pointwise._kernel, pointwise.bias = layer.pointwise_kernel, layer.bias
    for part in (depthwise, pointwise):
        part.built, part.trainable = True, layer.trainable
    return [depthwise, pointwise]
