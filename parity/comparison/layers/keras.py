"""What is known of Keras' layers: what they are called in torch, the arrays they hold, and their settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.model import Held, Layer, Setting
from parity.frameworks.lazy import keras, tf

WHOLE = ("MultiHeadAttention", "RNN", "LSTM", "GRU", "SimpleRNN")  # layers whose parts are none to be compared


def own_weights(layer: Any) -> list[Any]:
    """The variables of a layer that none of its parts holds."""
    parts = layer._flatten_layers(include_self=False, recursive=False)
    of_parts = {id(variable) for part in parts for variable in part.weights}
    return [variable for variable in layer.weights if id(variable) not in of_parts and "float" in str(variable.dtype)]


def layer_of(name: str, layer: Any) -> Layer:
    """What is known of a leaf."""
    title = layer.__class__.__name__
    names = {base.__name__ for base in type(layer).__mro__ if base.__module__.startswith("keras.")}
    for classes, kind, holds, sets in KNOWN:
        if names & set(classes):
            activation = "" if title in WHOLE else activation_of(layer)
            return Layer(name, title, kind, holds(layer), sets(layer), activation)
    if title == "Activation":
        return Layer(name, title, activation_of(layer) or title, {}, _activation(layer))
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


# What Keras calls the function in its activations, and what the kind of layer is that computes it.
NAMED = {
    "relu": "relu",
    "relu6": "relu6",
    "gelu": "gelu",
    "leaky_relu": "leaky relu",
    "elu": "elu",
    "selu": "selu",
    "silu": "silu",
    "swish": "silu",
    "mish": "mish",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softplus": "softplus",
    "hard_silu": "hardswish",
    "hard_sigmoid": "hardsigmoid",
    "softmax": "softmax",
    "log_softmax": "log softmax",
}


def activation_of(layer: Any) -> str:
    """The kind of the activation that a layer applies in the end; empty for none, its own name where it is unknown."""
    function: Any = getattr(layer, "activation", None)
    name = "" if function is None else getattr(function, "__name__", type(function).__name__)
    if name in ("", "linear"):
        return ""
    return NAMED.get(name) or ("gelu" if any(_equal(function, one) for one in FUNCTIONS.values()) else name)


GRID = np.linspace(-4, 4, 33, dtype=np.float32)
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "gelu": lambda x: keras.activations.gelu(x, approximate=False),
    "gelu (tanh)": lambda x: keras.activations.gelu(x, approximate=True),
}


def _equal(function: Callable[[Any], Any], known: Callable[[Any], Any]) -> bool:
    """Whether a function of the user's own is one of Keras', by what it computes."""
    try:
        return np.array_equal(np.asarray(function(tf.constant(GRID))), np.asarray(known(tf.constant(GRID))))
    except Exception:  # it takes other things
        return False


def _activation(layer: Any) -> dict[str, Setting]:
    """What can be set of the activation that a layer applies in the end."""
    applied = activation_of(layer)
    if not applied:
        return {}
    own = layer.activation
    names = {kind: name for name, kind in reversed(NAMED.items())}

    def replace(kind: str) -> None:
        layer.activation = own if kind == applied else getattr(keras.activations, names.get(kind, "linear"))

    found = {"activation": Setting(applied, lambda kind: f"activation={names.get(kind, kind) or None!r}", replace)}
    if applied != "gelu":
        return found

    def change(approximate: str) -> None:
        layer.activation = (
            own if approximate == value else FUNCTIONS["gelu (tanh)" if approximate == "tanh" else "gelu"]
        )

    value = "tanh" if _equal(own, FUNCTIONS["gelu (tanh)"]) else "none"
    return found | {"approximate": Setting(value, _gelu_in_words, change)}


def _gelu_in_words(value: str) -> str:
    return f"activation=lambda x: keras.activations.gelu(x, approximate={value == 'tanh'})"


def _attribute(
    layer: Any, name: str, to_torch: Callable[[Any], Any], back: Callable[[Any], Any], called: str = ""
) -> Setting:
    """The setting in this attribute, in torch's terms."""
    return Setting(
        to_torch(getattr(layer, name)),
        lambda value: f"{called or name}={back(value)!r}",
        lambda value: setattr(layer, name, back(value)),
    )


def _same(value: Any) -> Any:
    return value


def _rest(value: float) -> float:
    """1 - value, without what rounding adds to it."""
    return round(1 - value, 12)


def _settings(**names: str) -> Callable[[Any], dict[str, Setting]]:
    """Makes the settings of these names, each by the attribute that holds it, and the activation that is applied."""

    def of(layer: Any) -> dict[str, Setting]:
        found = {
            name: _attribute(layer, attribute, _same, _same)
            for name, attribute in names.items()
            if hasattr(layer, attribute)
        }
        return found | _activation(layer)

    return of


def _convolution_settings(layer: Any) -> dict[str, Setting]:
    return {
        "stride": _attribute(layer, "strides", tuple, tuple),
        "dilation": _attribute(layer, "dilation_rate", tuple, tuple),
        "padding": _padding(layer, layer.kernel_size),
    } | _activation(layer)


def _pool_settings(layer: Any) -> dict[str, Setting]:
    return {
        "size": _attribute(layer, "pool_size", tuple, tuple),
        "stride": _attribute(layer, "strides", tuple, tuple),
        "padding": _padding(layer, layer.pool_size),
    }


def _padding(layer: Any, window: Sequence[int]) -> Setting:
    """What a layer pads with: as many zeros on both sides, as torch says it, or "same".

    With a stride above 1 the latter may pad the end alone, which no number of torch's does.
    """
    own, call = layer.padding, layer.call
    value = (0,) * len(window) if own == "valid" else own

    def change(padding: Any) -> None:
        layer.padding, layer.call = own, call
        if padding != value:
            layer.padding = "valid"
            layer.call = lambda x, *args, **kwargs: call(
                tf.pad(x, [(0, 0), *((p, p) for p in padding), (0, 0)]), *args, **kwargs
            )

    def written(padding: Any) -> str:
        if isinstance(padding, str) or not any(padding):
            return f"padding={padding if isinstance(padding, str) else 'valid'!r}"
        return f"padding='valid' behind keras.layers.ZeroPadding{len(window)}D({tuple(padding)})"

    return Setting(value, written, change)


def _batch_settings(layer: Any) -> dict[str, Setting]:
    return {
        "eps": _attribute(layer, "epsilon", _same, _same),
        "momentum": _attribute(layer, "momentum", _rest, _rest),  # here what is kept, in torch what is taken in
    }


Known = tuple[tuple[str, ...], str, Callable[[Any], dict[str, Held]], Callable[[Any], dict[str, Setting]]]
KNOWN: list[Known] = [
    (("Dense",), "linear", _dense, _settings()),
    (("Conv1D", "Conv2D", "Conv3D"), "convolution", _convolution, _convolution_settings),
    (
        ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        "transposed convolution",
        _convolution,
        _convolution_settings,
    ),
    (("DepthwiseConv1D", "DepthwiseConv2D"), "convolution", _depthwise, _convolution_settings),
    (("BatchNormalization",), "batch normalization", _normalization, _batch_settings),
    (("LayerNormalization",), "layer normalization", _normalization, _settings(eps="epsilon")),
    (("GroupNormalization",), "group normalization", _normalization, _settings(eps="epsilon", groups="groups")),
    (("Embedding",), "embedding", lambda layer: _present(weight=held_in(layer.embeddings)), _settings()),
    (("LSTM",), "lstm", _lstm, _settings(rate="dropout")),
    (("GRU",), "gru", _gru, _settings(rate="dropout")),
    (("SimpleRNN",), "rnn", _lstm, _settings(rate="dropout")),
    (("MultiHeadAttention",), "attention", _attention, _settings(heads="_num_heads", rate="_dropout")),
    (("PReLU",), "prelu", lambda layer: _present(weight=held_in(layer.alpha)), _settings()),
    (("ReLU",), "relu", _nothing, _settings()),
    (("LeakyReLU",), "leaky relu", _nothing, _settings(slope="negative_slope")),
    (("ELU",), "elu", _nothing, _settings(alpha="alpha")),
    (("Softmax",), "softmax", _nothing, _settings()),
    (
        ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"),
        "dropout",
        _nothing,
        _settings(rate="rate"),
    ),
    (("MaxPooling1D", "MaxPooling2D", "MaxPooling3D"), "max pooling", _nothing, _pool_settings),
    (("AveragePooling1D", "AveragePooling2D", "AveragePooling3D"), "average pooling", _nothing, _pool_settings),
    (
        ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"),
        "global average pooling",
        _nothing,
        _settings(),
    ),
    (("Flatten",), "flatten", _nothing, _settings()),
    (("Identity",), "identity", _nothing, _settings()),
]
