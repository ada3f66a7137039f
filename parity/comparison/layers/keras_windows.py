"""What can be set of Keras' layers that go over their input with a window, in torch's terms, and how it is tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from parity.comparison.layers.keras_settings import Call, Settings, activation, attribute, fixed, tried
from parity.comparison.model import Setting
from parity.frameworks.lazy import tf


def convolution(layer: Any) -> Settings:
    groups = layer.groups if hasattr(layer, "filters") else layer.kernel.shape[-2]
    return {
        "stride": _stride(layer, layer.kernel_size, layer.dilation_rate),
        "dilation": attribute(layer, "dilation_rate", tuple, tuple),
        "groups": fixed(groups, "groups"),
        "bias": fixed(layer.use_bias, "use_bias"),
        "padding": _padding(layer, layer.kernel_size, layer.dilation_rate),
    } | activation(layer)


def _even(layer: Any, window: Sequence[int], dilation: Sequence[int]) -> tuple[int, ...] | None:
    """How many zeros "same" pads both sides of each axis with; None where it pads the end alone, as no torch does.

    With a stride above 1 it may.
    """
    same = [step * (size - 1) for size, step in zip(window, dilation, strict=True)]
    return tuple(total // 2 for total in same) if set(layer.strides) == {1} and not any(t % 2 for t in same) else None


def _stride(layer: Any, window: Sequence[int], dilation: Sequence[int], fill: float = 0.0) -> Setting:
    """The stride; with another one, a layer that pads by "same" is to pad as evenly as it does with its own."""
    own, padding, call = tuple(layer.strides), layer.padding, layer.call
    even = (_even(layer, window, dilation) if padding == "same" else None) or ()

    def change(strides: tuple[int, ...]) -> None:
        layer.strides, layer.padding, layer.call = strides, padding, call
        if strides != own and any(even):
            _pad_evenly(layer, even, call, fill)

    def written(strides: tuple[int, ...]) -> str:
        evenly = f", {_evenly(even, fill)}" if strides != own and any(even) else ""
        return f"strides={strides}{evenly}"

    return Setting(own, written, change)


def _pad_evenly(layer: Any, padding: Sequence[int], call: Call, fill: float) -> None:
    pairs = [(both, both) for both in padding]
    layer.padding = "valid"
    layer.call = lambda x, *args, **kwargs: call(_padded(x, pairs, fill), *args, **kwargs)


def _evenly(padding: Sequence[int], fill: float) -> str:
    inner = tuple(padding) if len(padding) > 1 else padding[0]
    if fill:
        return f"padding='valid' behind keras.ops.pad by {inner} with constant_values=-inf"
    return f"padding='valid' behind keras.layers.ZeroPadding{len(padding)}D({inner})"


def _padding(layer: Any, window: Sequence[int], dilation: Sequence[int], fill: float = 0.0) -> Setting:
    """Returns what a layer pads with: as many zeros on both sides, as torch says it, or "same"."""
    own, call, even = layer.padding, layer.call, _even(layer, window, dilation)
    value = (0,) * len(window) if own == "valid" else (even or own) if own == "same" else own

    def change(padding: Any) -> None:
        layer.padding, layer.call = own, call
        if padding != value:
            _pad_evenly(layer, padding, call, fill)

    def written(padding: Any) -> str:
        if isinstance(padding, str) or not any(padding) or padding == even:
            return f"padding={padding if isinstance(padding, str) else 'same' if any(padding) else 'valid'!r}"
        return _evenly(padding, fill)

    return Setting(value, written, change)


def _padded(x: Any, pairs: Sequence[tuple[int, int]], fill: float) -> Any:
    return tf.pad(x, [(0, 0), *pairs, (0, 0)], constant_values=fill)


def transposed_convolution(layer: Any) -> Settings:
    """The ends that torch's padding and output_padding leave out of each axis are cut off here, or by "same"."""
    own, call, sizes = layer.padding, layer.call, layer.kernel_size
    over = [max(size - step, 0) for size, step in zip(sizes, layer.strides, strict=True)]
    none = ((0, 0),) * len(sizes)
    same = tuple((total // 2, total - total // 2) for total in over)
    value = same if own == "same" else none

    def change(cut: Sequence[tuple[int, int]]) -> None:
        layer.padding, layer.call = own, call
        if cut != value:
            layer.padding = "valid"
            layer.call = lambda x, *args, **kwargs: _cropped(call(x, *args, **kwargs), cut)

    def written(cut: Any) -> str:
        if cut in (none, same):
            return f"padding={'valid' if cut == none else 'same'!r}"
        return f"padding='valid', and keras.layers.Cropping{len(sizes)}D({cut}) behind it"

    return {
        "stride": attribute(layer, "strides", tuple, tuple),
        "bias": fixed(layer.use_bias, "use_bias"),
        "cropping": Setting(value, written, change),
    } | activation(layer)


def _cropped(x: Any, cut: Sequence[tuple[int, int]]) -> Any:
    sides = zip(x.shape[1:-1], cut, strict=True)
    return x[(slice(None), *(slice(before, side - after) for side, (before, after) in sides))]


def pooling(layer: Any) -> Settings:
    """Both pad, but "same" leaves what it pads out of the average, which torch does not by default."""
    ones, maximal = (1,) * len(layer.pool_size), layer.pool_mode == "max"
    fill = -math.inf if maximal else 0.0
    found = {
        "size": attribute(layer, "pool_size", tuple, tuple),
        "stride": _stride(layer, layer.pool_size, ones, fill),
        "padding": _padding(layer, layer.pool_size, ones, fill),
        "pools": attribute(layer, "pool_mode"),
        "ceil mode": tried(layer, False, _whole_in_words, lambda call, _: _whole(layer, call)),
    } | activation(layer)
    if not maximal:
        found["counted"] = _counted(layer)
    return found


def _counted(layer: Any) -> Setting:
    """Tells whether the average takes in the zeros that are padded."""
    own, call = layer.padding, layer.call
    value = own == "valid"
    total = [(size - 1) // 2 for size in layer.pool_size]

    def change(counted: bool) -> None:
        layer.padding, layer.call = own, call
        if counted != value:
            layer.padding = "valid" if counted else "same"
            if counted:
                layer.call = lambda x, *args, **kwargs: call(
                    _padded(x, [(side, side) for side in total], 0.0), *args, **kwargs
                )

    def written(counted: bool) -> str:
        behind = f" behind keras.layers.ZeroPadding{len(total)}D({tuple(total)})"
        return f"padding='valid'{behind}" if counted else "padding='same'"

    return Setting(value, written, change)


def _whole(layer: Any, call: Call) -> Call:
    """A pooling whose last windows may reach beyond the end, as torch's do with ceil_mode."""

    def pool(x: Any, *args: Any, **kwargs: Any) -> Any:
        sides = zip(x.shape[1:-1], layer.pool_size, layer.strides, strict=True)
        ends = [(0, -(side - size) % step) for side, size, step in sides]
        if layer.pool_mode == "max":
            return call(_padded(x, ends, -math.inf), *args, **kwargs)
        return call(_padded(x, ends, 0.0), *args, **kwargs) / call(_padded(tf.ones_like(x), ends, 0.0))

    return pool


def _whole_in_words(ceil: bool) -> str:
    if not ceil:
        return "the last windows that are not whole left out"
    return "padding='same', or keras.ops.pad at the end of each axis before it, so that the last windows are whole"


def global_pooling(layer: Any) -> Settings:
    """Returns what is taken of all places: their maximum or their mean."""
    name, rank = layer.__class__.__name__, layer.__class__.__name__[-2:]
    axes, keep = list(range(1, int(rank[0]) + 1)), layer.keepdims

    def pooled(call: Call, mode: str) -> Call:
        reduce = tf.reduce_max if mode == "max" else tf.reduce_mean
        return lambda x: reduce(x, axes, keepdims=keep)

    def written(mode: str) -> str:
        return f"keras.layers.Global{'Max' if mode == 'max' else 'Average'}Pooling{rank}"

    return {"pools": tried(layer, "max" if "Max" in name else "average", written, pooled)} | activation(layer)


def cropping(layer: Any) -> Settings:
    pairs = layer.cropping if isinstance(layer.cropping[0], Sequence) else (layer.cropping,)
    return {
        "cropping": tried(
            layer,
            tuple(map(tuple, pairs)),
            lambda cut: f"cropping={cut}",
            lambda call, cut: lambda x: _cropped(x, cut),
        )
    }


def zero_padding(layer: Any) -> Settings:
    """The padding is as many on both sides of each axis, as torch says it, or pairs."""
    pairs = layer.padding if isinstance(layer.padding[0], Sequence) else (layer.padding,)
    value = tuple(one for one, _ in pairs) if all(one == other for one, other in pairs) else tuple(map(tuple, pairs))

    def padded(padding: Any, fill: float) -> Call:
        pairs = [(one, one) if isinstance(one, int) else one for one in padding]
        return lambda x: _padded(x, pairs, fill)

    return {
        "padding": tried(layer, value, lambda value: f"padding={value}", lambda call, value: padded(value, 0.0)),
        "fill": tried(
            layer,
            "zeros",
            lambda fill: fill if fill == "zeros" else f"keras.ops.pad with constant_values={fill} in its place",
            lambda call, fill: padded(value, float(fill)),
        ),
    }


def upsampling(layer: Any) -> Settings:
    return {
        "size": attribute(layer, "size", tuple, tuple),
        "interpolation": attribute(layer, "interpolation"),
        "corners": tried(layer, False, _corners_in_words, lambda call, _: _by_corners(layer)),
    }


def _by_corners(layer: Any) -> Call:
    def resize(x: Any) -> Any:
        sizes = [side * factor for side, factor in zip(x.shape[1:-1], layer.size, strict=True)]
        return tf.compat.v1.image.resize_bilinear(x, sizes, align_corners=True)

    return resize


def _corners_in_words(corners: bool) -> str:
    if not corners:
        return "align_corners=False"
    return "tf.compat.v1.image.resize_bilinear(x, size, align_corners=True) in its place"
