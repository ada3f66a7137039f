"""Models of Keras, on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.model import NOTHING, STATE, Call, Held, Layer, Model, Run, Setting, Sites, Unfit, floats
from parity.frameworks.lazy import keras, tf

FRAMEWORK = "keras"
WHOLE = ("MultiHeadAttention", "RNN", "LSTM", "GRU", "SimpleRNN")  # layers whose parts are none to be compared
APART = ("InputLayer",)  # which computes nothing


class KerasModel(Model):
    """A built Keras model, observed while it runs eagerly; its weights are the user's own and are written to."""

    framework = FRAMEWORK

    def __init__(self, model: Any) -> None:
        if keras.config.backend() != "tensorflow":
            raise Unfit(f"Keras runs on {keras.config.backend()} here: only its TensorFlow backend is compared")
        if not model.built:
            raise Unfit(
                "the keras model is not built: call it once, or model.build(input_shape), so that it has weights"
            )
        self.model = model
        self.of_name: dict[str, Any] = {}
        for layer in _leaves(model):
            name = layer.path or layer.name  # which is no path before it is built, as what holds nothing need not be
            self.of_name[name if name not in self.of_name else f"{name} ({len(self.of_name)})"] = layer
        self.layers = {name: layer_of(name, layer) for name, layer in self.of_name.items()}
        self.holders: dict[str, Any] = {}
        for layer in model._flatten_layers():
            own = _own_weights(layer)
            if own and not any(layer is leaf for leaf in self.of_name.values()) and not _inside_whole(model, layer):
                name, title = layer.path or layer.name, layer.__class__.__name__
                self.holders[name] = layer
                self.layers[name] = Layer(name, title, title, {variable.name: _one(variable) for variable in own})

    def run(
        self,
        inputs: Sequence[Array],
        training: bool,
        cotangents: Sequence[Array] | None = None,
        kept: Mapping[str, Array] = NOTHING,
    ) -> Run:
        tensors = [self._input(values) for values in inputs]
        calls: list[Call] = []
        entered: list[Layer] = []
        observed: list[list[Any]] = []
        sites = Sites()
        before = {name: layer.call for name, layer in self.of_name.items()}
        for name, layer in self.of_name.items():
            layer.call = self._observer(self.layers[name], layer.call, sites, calls, observed, kept)
        for name, layer in self.holders.items():
            before[name] = layer.call
            layer.call = _entering(entered, self.layers[name], layer.call)
        for name, layer in self.of_name.items():
            layer.call = _entering(entered, self.layers[name], layer.call)
        variables = [tensor.value for held in self._trained().values() for tensor in held.tensors]
        try:
            with self.left_as_it_was(), tf.GradientTape() as tape:
                tape.watch([tensor for tensor in [*tensors, *variables] if tensor.dtype.is_floating])
                outputs = tf.nest.flatten(self.model(tensors[0] if len(tensors) == 1 else tensors, training=training))
                run = Run([_array(output) for output in outputs], calls, entered, state=self.state())
        finally:
            for name, layer in {**self.of_name, **self.holders}.items():
                layer.call = before[name]
        if cotangents is not None:
            places = floats(run.outputs)
            targets = [outputs[place] for place in places]
            given = [tf.constant(cotangents[place], outputs[place].dtype) for place in places]
            self._send_back(run, tape, targets, given, tensors, variables, observed)
        return run

    def _send_back(
        self,
        run: Run,
        tape: Any,
        targets: list[Any],
        given: list[Any],
        tensors: list[Any],
        variables: list[Any],
        observed: list[list[Any]],
    ) -> None:
        sources = [*tensors, *variables, *(tensor for outputs in observed for tensor in outputs)]
        floating = [source for source in sources if source.dtype.is_floating]
        found = dict(zip(map(id, floating), map(_gradient, tape.gradient(targets, floating, given)), strict=True))
        run.input_gradients = [found.get(id(tensor)) for tensor in tensors]
        for call, outputs in zip(run.calls, observed, strict=True):
            call.gradients = [found.get(id(tensor)) for tensor in outputs]
        for (name, role), held in self._trained().items():
            gradients = [found[id(tensor.value)] for tensor in held.tensors]
            known = [gradient for gradient in gradients if gradient is not None]
            if len(known) == len(gradients):
                run.parameter_gradients[name, role] = (held.of_gradients or held.to_one)(known)

    def _trained(self) -> dict[tuple[str, str], Held]:
        return {
            (name, role): held
            for name, layer in self.layers.items()
            for role, held in layer.held.items()
            if role not in STATE
        }

    def _input(self, values: Array) -> Any:
        return tf.constant(values.astype(self._dtype()) if values.dtype.kind == "f" else values)

    def _dtype(self) -> Any:
        return np.dtype(self.model.compute_dtype)

    def _observer(
        self,
        layer: Layer,
        call: Callable[..., Any],
        sites: Sites,
        calls: list[Call],
        observed: list[list[Any]],
        kept: Mapping[str, Array],
    ) -> Callable[..., Any]:
        def observe(*args: Any, **kwargs: Any) -> Any:
            site = sites.of_call(layer.name)
            if site in kept:
                rate = self.of_name[layer.name].rate
                output = args[0] * tf.constant(kept[site], args[0].dtype) * (1 / (1 - rate))
            else:
                # Tensors of their own, also where a layer hands on its input.
                output = tf.nest.map_structure(tf.identity, call(*args, **kwargs))
            outputs = tf.nest.flatten(output)
            given = tensors_in((args, kwargs))
            calls.append(
                Call(
                    site,
                    layer,
                    replaced((args, kwargs), [tf.zeros(0)] * len(given)),
                    [_array(tensor) for tensor in given],
                    [_array(tensor) for tensor in outputs],
                    [None] * len(outputs),
                )
            )
            observed.append(outputs)
            return output

        return observe

    def apply(self, call: Call, inputs: Sequence[Array], training: bool) -> tuple[list[Array], dict[str, Array]]:
        args, kwargs = replaced(call.arguments, [self._input(values) for values in inputs])
        with self.left_as_it_was(call.layer):
            outputs = [
                _array(output) for output in tf.nest.flatten(self.of_name[call.layer.name].call(*args, **kwargs))
            ]
            return outputs, self.state_of(call.layer)

    def read(self, held: Held) -> Array:
        return held.to_one([_array(tensor.value) for tensor in held.tensors])

    def write(self, held: Held, values: Array) -> None:
        for tensor, part in zip(held.tensors, held.from_one(values), strict=True):
            tensor.assign(np.ascontiguousarray(part))

    def input_shapes(self) -> list[tuple[int | None, ...] | None]:
        try:
            shapes = self.model.input_shape
        except (AttributeError, ValueError):
            return []
        return [shapes] if isinstance(shapes, tuple) else list(shapes) if isinstance(shapes, list) else []

    def wide(self) -> None:
        return None


def kind() -> type:
    model: type = keras.Model
    return model


SIDE = KerasModel


def tensors_in(tree: Any) -> list[Any]:
    return [leaf for leaf in tf.nest.flatten(tree) if isinstance(leaf, tf.Tensor)]


def replaced(tree: Any, tensors: Sequence[Any]) -> Any:
    """The tree with these tensors in the place of its own."""
    given = iter(tensors)
    return tf.nest.map_structure(lambda leaf: next(given) if isinstance(leaf, tf.Tensor) else leaf, tree)


def _array(tensor: Any) -> Array:
    array: Array = tensor.numpy().copy()
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _gradient(gradient: Any) -> Array | None:
    # What looks rows up has a gradient of rows alone.
    return None if gradient is None else _array(tf.convert_to_tensor(gradient))


def _leaves(layer: Any) -> list[Any]:
    """Every layer that does the work itself, each once."""
    parts = [part for part in layer._flatten_layers(include_self=False, recursive=False) if part is not layer]
    if layer.__class__.__name__ in WHOLE or not parts:
        return [] if layer.__class__.__name__ in APART else [layer]
    return list({id(leaf): leaf for part in parts for leaf in _leaves(part)}.values())


def _own_weights(layer: Any) -> list[Any]:
    """The variables of a layer that none of its parts holds."""
    parts = layer._flatten_layers(include_self=False, recursive=False)
    of_parts = {id(variable) for part in parts for variable in part.weights}
    return [variable for variable in layer.weights if id(variable) not in of_parts and "float" in str(variable.dtype)]


def _inside_whole(model: Any, layer: Any) -> bool:
    """Whether the layer is a part of one whose parts are none to be compared."""
    wholes = [one for one in model._flatten_layers() if one.__class__.__name__ in WHOLE]
    return any(layer is part for whole in wholes for part in whole._flatten_layers(include_self=False))


def _entering(entered: list[Layer], layer: Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    def enter(*args: Any, **kwargs: Any) -> Any:
        entered.append(layer)
        return call(*args, **kwargs)

    return enter


def layer_of(name: str, layer: Any) -> Layer:
    """What is known of a leaf."""
    title = layer.__class__.__name__
    for classes, kind, holds, sets in KNOWN:
        if title in classes:
            activation = "" if title in WHOLE else activation_of(layer)
            return Layer(name, title, kind, holds(layer), sets(layer), activation)
    if title == "Activation":
        return Layer(name, title, activation_of(layer) or title, {}, _activation(layer))
    return Layer(name, title, title, {variable.name: _one(variable) for variable in _own_weights(layer)})


def _one(
    variable: Any, to_torch: Callable[[Array], Array] | None = None, back: Callable[[Array], Array] | None = None
) -> Held:
    if to_torch is None or back is None:
        return Held((variable.path,), (variable,))
    return Held((variable.path,), (variable,), lambda one: to_torch(one[0]), lambda array: (back(array),))


def _present(**roles: Held | None) -> dict[str, Held]:
    return {role.replace("_", " "): held for role, held in roles.items() if held is not None}


def _plain(layer: Any, attribute: str) -> Held | None:
    variable = getattr(layer, attribute, None)
    return None if variable is None else _one(variable)


def _dense(layer: Any) -> dict[str, Held]:
    return _present(weight=_one(layer.kernel, np.transpose, np.transpose), bias=_plain(layer, "bias"))


def _convolution(layer: Any) -> dict[str, Held]:
    """Kernels lie (*sizes, in, out) here and (out, in, *sizes) in torch; those of transposed ones with both swapped."""

    def to_torch(kernel: Array) -> Array:
        return np.moveaxis(kernel, (-1, -2), (0, 1))

    def back(weight: Array) -> Array:
        return np.moveaxis(weight, (0, 1), (-1, -2))

    return _present(weight=_one(layer.kernel, to_torch, back), bias=_plain(layer, "bias"))


def _depthwise(layer: Any) -> dict[str, Held]:
    """The kernel lies (*sizes, in, multiplier) here, and (in * multiplier, 1, *sizes) in torch."""
    *sizes, channels, multiplier = layer.kernel.shape

    def to_torch(kernel: Array) -> Array:
        return np.moveaxis(kernel, (-2, -1), (0, 1)).reshape(channels * multiplier, 1, *sizes)

    def back(weight: Array) -> Array:
        return np.moveaxis(weight.reshape(channels, multiplier, *sizes), (0, 1), (-2, -1))

    return _present(weight=_one(layer.kernel, to_torch, back), bias=_plain(layer, "bias"))


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
        weight=_one(cell.kernel, np.transpose, np.transpose),
        recurrent_weight=_one(cell.recurrent_kernel, np.transpose, np.transpose),
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

    held = _present(weight=_one(cell.kernel, *turned()), recurrent_weight=_one(cell.recurrent_kernel, *turned()))
    if cell.use_bias and cell.reset_after:
        held["biases"] = Held(
            (cell.bias.path,),
            (cell.bias,),
            lambda one: np.concatenate([swapped(part) for part in one[0]]),
            lambda both: (np.stack([swapped(part) for part in np.split(both, 2)]),),
        )
    elif cell.use_bias:
        held["bias"] = _one(cell.bias, swapped, swapped)
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
        "output weight": _one(
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
        held["output bias"] = _one(output.bias)
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
    (("Embedding",), "embedding", lambda layer: _present(weight=_one(layer.embeddings)), _settings()),
    (("LSTM",), "lstm", _lstm, _settings(rate="dropout")),
    (("GRU",), "gru", _gru, _settings(rate="dropout")),
    (("SimpleRNN",), "rnn", _lstm, _settings(rate="dropout")),
    (("MultiHeadAttention",), "attention", _attention, _settings(heads="_num_heads", rate="_dropout")),
    (("PReLU",), "prelu", lambda layer: _present(weight=_one(layer.alpha)), _settings()),
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
