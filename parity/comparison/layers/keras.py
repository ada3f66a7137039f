"""What is known of Keras' layers: what they are called in torch, the arrays they hold, and their settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.layers import keras_preparing as preparing
from parity.comparison.layers import keras_settings as settings
from parity.comparison.layers import keras_windows as windows
from parity.comparison.model import Held, Layer, Setting

WHOLE = ("MultiHeadAttention", "RNN", "LSTM", "GRU", "SimpleRNN")  # layers whose parts are none to be compared


def own_weights(layer: Any) -> list[Any]:
    """The variables of a layer that none of its parts holds."""
    parts = layer._flatten_layers(include_self=False, recursive=False)
    of_parts = {id(variable) for part in parts for variable in part.weights}
    return [variable for variable in layer.weights if id(variable) not in of_parts and "float" in str(variable.dtype)]


def path_of(layer: Any) -> str:
    """Returns where a model has a layer, by the names of those around it; its own name where that is not known.

    Keras tells it since its release 3.4, of layers that are built. Before, what a layer holds has it in its own path.
    """
    if path := getattr(layer, "path", None):
        return str(path)
    for variable in layer.weights:
        names = variable.path.split("/")[:-1]
        if layer.name in names:
            return "/".join(names[: len(names) - names[::-1].index(layer.name)])
    return str(layer.name)


def layer_of(name: str, layer: Any) -> Layer:
    """Returns what is known of a leaf."""
    title = layer.__class__.__name__
    names = {base.__name__ for base in type(layer).__mro__ if base.__module__.startswith("keras.")}
    for classes, kind, holds, sets in KNOWN:
        if names & set(classes):
            activation = "" if title in WHOLE else settings.activation_of(layer)
            kind = settings.rectifier_of(layer) if kind == "relu" else kind
            return Layer(name, title, kind, holds(layer), sets(layer), activation)
    if title == "Activation":
        return Layer(name, title, settings.activation_of(layer) or title, {}, settings.activation(layer))
    return Layer(name, title, title, {variable.name: held_in(variable) for variable in own_weights(layer)})


def held_in(
    variable: Any, to_torch: Callable[[Array], Array] | None = None, back: Callable[[Array], Array] | None = None
) -> Held:
    if to_torch is None or back is None:
        return Held((variable.path,), (variable,))
    return Held((variable.path,), (variable,), lambda one: to_torch(one[0]), lambda array: (back(array),))


def _present(**roles: Held | None) -> dict[str, Held]:
    return {role.replace("_", " "): held for role, held in roles.items() if held is not None}


def _plain(layer: Any, attribute: str) -> Held | None:
    variable = getattr(layer, attribute, None)
    return None if variable is None else held_in(variable)


def _dense(layer: Any) -> dict[str, Held]:
    return _present(weight=held_in(layer.kernel, np.transpose, np.transpose), bias=_plain(layer, "bias"))


def _convolution(layer: Any) -> dict[str, Held]:
    """Kernels lie (*sizes, in, out) here and (out, in, *sizes) in torch; those of transposed ones with both swapped."""

    def to_torch(kernel: Array) -> Array:
        return np.moveaxis(kernel, (-1, -2), (0, 1))

    def back(weight: Array) -> Array:
        return np.moveaxis(weight, (0, 1), (-1, -2))

    return _present(weight=held_in(layer.kernel, to_torch, back), bias=_plain(layer, "bias"))


def _depthwise(layer: Any) -> dict[str, Held]:
    """The kernel lies (*sizes, in, multiplier) here, and (in * multiplier, 1, *sizes) in torch."""
    *sizes, channels, multiplier = layer.kernel.shape

    def to_torch(kernel: Array) -> Array:
        return np.moveaxis(kernel, (-2, -1), (0, 1)).reshape(channels * multiplier, 1, *sizes)

    def back(weight: Array) -> Array:
        return np.moveaxis(weight.reshape(channels, multiplier, *sizes), (0, 1), (-2, -1))

    return _present(weight=held_in(layer.kernel, to_torch, back), bias=_plain(layer, "bias"))


def _normalization(layer: Any) -> dict[str, Held]:
    return _present(
        weight=_plain(layer, "gamma"),
        bias=_plain(layer, "beta"),
        running_mean=_plain(layer, "moving_mean"),
        running_variance=_plain(layer, "moving_variance"),
    )


def _lstm(layer: Any) -> dict[str, Held]:
    """The gates are in the same order as torch's; torch has two biases, whose sum is this one."""
    cell = layer.cell
    return _present(
        weight=held_in(cell.kernel, np.transpose, np.transpose),
        recurrent_weight=held_in(cell.recurrent_kernel, np.transpose, np.transpose),
        bias=_plain(cell, "bias"),
    )


def _gru(layer: Any) -> dict[str, Held]:
    """The first two gates are in the other order than torch's; of (2, 3 H) biases the second are the recurrent ones."""
    cell = layer.cell

    def swapped(rows: Array) -> Array:
        update, reset, new = np.split(rows, 3)
        return np.concatenate([reset, update, new])

    def turned() -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
        return lambda kernel: swapped(kernel.T), lambda weight: swapped(weight).T

    held = _present(weight=held_in(cell.kernel, *turned()), recurrent_weight=held_in(cell.recurrent_kernel, *turned()))
    if cell.use_bias and cell.reset_after:
        held["biases"] = Held(
            (cell.bias.path,),
            (cell.bias,),
            lambda one: np.concatenate([swapped(part) for part in one[0]]),
            lambda both: (np.stack([swapped(part) for part in np.split(both, 2)]),),
        )
    elif cell.use_bias:
        held["bias"] = held_in(cell.bias, swapped, swapped)
    return held


def _attention(layer: Any) -> dict[str, Held]:
    """The kernels of query, key and value lie (width, heads, size) here; torch packs them, (3 * width, width)."""
    parts = [getattr(layer, f"_{name}_dense") for name in ("query", "key", "value")]
    output = layer._output_dense
    shape, back = parts[0].kernel.shape, output.kernel.shape
    packed = Held(
        tuple(part.kernel.path for part in parts),
        tuple(part.kernel for part in parts),
        lambda kernels: np.concatenate([kernel.reshape(shape[0], -1).T for kernel in kernels]),
        lambda weight: [part.T.reshape(shape) for part in np.split(weight, 3)],
    )
    held = {
        "packed weight": packed,
        "output weight": held_in(
            output.kernel, lambda kernel: kernel.reshape(-1, back[-1]).T, lambda weight: weight.T.reshape(back)
        ),
    }
    if parts[0].bias is not None:
        of_bias = parts[0].bias.shape
        held["packed bias"] = Held(
            tuple(part.bias.path for part in parts),
            tuple(part.bias for part in parts),
            lambda biases: np.concatenate([bias.ravel() for bias in biases]),
            lambda bias: [part.reshape(of_bias) for part in np.split(bias, 3)],
        )
        held["output bias"] = held_in(output.bias)
    return held


def _nothing(layer: Any) -> dict[str, Held]:
    return {}


def _unset(layer: Any) -> dict[str, Setting]:
    return {}


Known = tuple[tuple[str, ...], str, Callable[[Any], dict[str, Held]], Callable[[Any], dict[str, Setting]]]
KNOWN: list[Known] = [
    (("Dense",), "linear", _dense, settings.dense),
    (("Conv1D", "Conv2D", "Conv3D"), "convolution", _convolution, windows.convolution),
    (
        ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        "transposed convolution",
        _convolution,
        windows.transposed_convolution,
    ),
    (("DepthwiseConv1D", "DepthwiseConv2D"), "convolution", _depthwise, windows.convolution),
    (("BatchNormalization",), "batch normalization", _normalization, settings.batch_normalization),
    (("LayerNormalization",), "layer normalization", _normalization, settings.layer_normalization),
    (("GroupNormalization",), "group normalization", _normalization, settings.group_normalization),
    (("Embedding",), "embedding", lambda layer: _present(weight=held_in(layer.embeddings)), settings.embedding),
    (("LSTM",), "lstm", _lstm, settings.recurrent),
    (("GRU",), "gru", _gru, settings.recurrent),
    (("SimpleRNN",), "rnn", _lstm, settings.recurrent),
    (("MultiHeadAttention",), "attention", _attention, settings.attention),
    (("PReLU",), "prelu", lambda layer: _present(weight=held_in(layer.alpha)), settings.alone("prelu")),
    (("ReLU",), "relu", _nothing, settings.rectifier),
    (("LeakyReLU",), "leaky relu", _nothing, settings.alone("leaky relu", slope="negative_slope")),
    (("ELU",), "elu", _nothing, settings.alone("elu", alpha="alpha")),
    (("Softmax",), "softmax", _nothing, settings.alone("softmax", axis="axis")),
    (
        ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
        "dropout",
        _nothing,
        settings.dropout,
    ),
    (("MaxPooling1D", "MaxPooling2D", "MaxPooling3D"), "max pooling", _nothing, windows.pooling),
    (("AveragePooling1D", "AveragePooling2D", "AveragePooling3D"), "average pooling", _nothing, windows.pooling),
    (
        ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
        "global average pooling",
        _nothing,
        windows.global_pooling,
    ),
    (
        ("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D"),
        "global max pooling",
        _nothing,
        windows.global_pooling,
    ),
    (("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"), "padding", _nothing, windows.zero_padding),
    (("Cropping1D", "Cropping2D", "Cropping3D"), "cropping", _nothing, windows.cropping),
    (("UpSampling2D",), "upsampling", _nothing, windows.upsampling),
    (("Rescaling",), "rescaling", _nothing, preparing.rescaling),
    # Its statistics are constants once it is built: what is written to its variables changes nothing.
    (("Normalization",), "normalization", _nothing, preparing.normalization),
    (("Flatten",), "flatten", _nothing, _unset),
    (("Identity",), "identity", _nothing, _unset),
]
