"""What can be set of Keras' layers, in torch's terms, with the code that sets it, and how another value is tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parity.comparison.model import Setting
from parity.frameworks.lazy import keras, tf

Settings = dict[str, Setting]
Call = Callable[..., Any]

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
NAMES = {kind: name for name, kind in reversed(NAMED.items())}


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
    """Tells whether a function of the user's own is one of Keras', by what it computes."""
    try:
        return np.array_equal(np.asarray(function(tf.constant(GRID))), np.asarray(known(tf.constant(GRID))))
    except Exception:  # it takes other things
        return False


def _function(kind: str) -> Callable[[Any], Any]:
    function: Callable[[Any], Any] = getattr(keras.activations, NAMES.get(kind, "linear"))
    return function


def _same(value: Any) -> Any:
    return value


def _rest(value: float) -> float:
    """1 - value, without what rounding adds to it."""
    return round(1 - value, 12)


def fixed(value: Any, name: str) -> Setting:
    """A setting that shapes the weights, so that no other value can be tried where the layer is."""
    return Setting(value, lambda value: f"{name}={value!r}")


def attribute(
    holder: Any, name: str, to_torch: Callable[[Any], Any] = _same, back: Callable[[Any], Any] = _same
) -> Setting:
    """The setting in this attribute, in torch's terms."""
    return Setting(
        to_torch(getattr(holder, name)),
        lambda value: f"{name.removeprefix('_')}={back(value)!r}",
        lambda value: setattr(holder, name, back(value)),
    )


def tried(layer: Any, value: Any, written: Callable[[Any], str], make: Callable[[Call, Any], Call]) -> Setting:
    """A setting that no attribute holds: another value is tried by a function in the place of the layer's own call.

    make: of that call and the value
    """
    call = layer.call

    def change(to: Any) -> None:
        layer.call = call if to == value else make(call, to)

    return Setting(value, written, change)


def of_names(**names: str) -> Callable[[Any], Settings]:
    """Makes the settings of these names, each by the attribute that holds it, and the activation that is applied."""

    def of(layer: Any) -> Settings:
        found = {name: attribute(layer, holder) for name, holder in names.items() if hasattr(layer, holder)}
        return found | activation(layer)

    return of


def activation(layer: Any) -> Settings:
    """Returns what can be set of the activation that a layer applies in the end, be it none."""
    if not hasattr(layer, "activation"):
        return {"activation": tried(layer, "", _behind_in_words, _behind)}
    applied, own = activation_of(layer), layer.activation

    def replace(kind: str) -> None:
        layer.activation = own if kind == applied else _function(kind)

    found = {"activation": Setting(applied, lambda kind: f"activation={NAMES.get(kind, kind) or None!r}", replace)}
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


def _behind(call: Call, kind: str) -> Call:
    return lambda *args, **kwargs: _function(kind)(call(*args, **kwargs))


def _behind_in_words(kind: str) -> str:
    return f"keras.layers.Activation({NAMES.get(kind, kind)!r}) behind it" if kind else "none"


def rectifier(layer: Any) -> Settings:
    return alone(rectifier_of(layer))(layer) | (
        {"slope": attribute(layer, "negative_slope")} if layer.negative_slope else {}
    )


def rectifier_of(layer: Any) -> str:
    """Returns what a Keras ReLU is, which may have a slope and an upper bound."""
    return "leaky relu" if layer.negative_slope else "relu6" if layer.max_value == 6 else "relu"


def alone(kind: str, **names: str) -> Callable[[Any], Settings]:
    """Makes the settings of a layer that is an activation of this kind: the attributes of these names, and the kind."""

    def of(layer: Any) -> Settings:
        own = {name: attribute(layer, holder) for name, holder in names.items()}
        return own | {"activation": tried(layer, kind, _alone_in_words, _in_its_place)}

    return of


def _in_its_place(call: Call, kind: str) -> Call:
    return lambda x, *args, **kwargs: _function(kind)(x)


def _alone_in_words(kind: str) -> str:
    return f"keras.layers.Activation({NAMES.get(kind, kind)!r})" if kind else "nothing in its place"


def dense(layer: Any) -> Settings:
    return {"bias": fixed(layer.use_bias, "use_bias")} | activation(layer)


def embedding(layer: Any) -> Settings:
    """Every row is trained here."""
    return {
        "padding row": tried(layer, None, _untrained_in_words, lambda call, row: lambda x: _looked_up(layer, row, x))
    } | activation(layer)


def _untrained_in_words(row: int | None) -> str:
    return "every row trained" if row is None else f"keras.ops.stop_gradient on row {row} of the embeddings"


def _looked_up(layer: Any, row: int, x: Any) -> Any:
    """The rows of an embedding, one of which is not trained."""
    rows = keras.ops.convert_to_tensor(layer.embeddings)
    parts = [rows[:row], keras.ops.stop_gradient(rows[row : row + 1]), rows[row + 1 :]]
    return keras.ops.take(keras.ops.concatenate(parts), x, axis=0)


def _affine(layer: Any) -> Settings:
    return {"weight": fixed(layer.scale, "scale"), "bias": fixed(layer.center, "center")}


def batch_normalization(layer: Any) -> Settings:
    """The axis is torch's 1, which holds the channels, where it is the last here."""
    rank, axis, reduced = len(layer._reduction_axes) + 1, layer.axis, layer._reduction_axes

    def change(to: Any) -> None:
        layer.axis = axis if to == value else rank - 1
        layer._reduction_axes = reduced if to == value else list(range(rank - 1))

    value = 1 if axis % rank == rank - 1 else f"{axis} of {rank}"
    return {
        "eps": attribute(layer, "epsilon"),
        "momentum": attribute(layer, "momentum", _rest, _rest),  # here what is kept, in torch what is taken in
        "axis": Setting(value, lambda value: "axis=-1" if value == 1 else f"axis={axis}", change),
        "trainable": attribute(layer, "trainable"),  # frozen, it normalises by the running statistics in training, too
        **_affine(layer),
        **activation(layer),
    }


def layer_normalization(layer: Any) -> Settings:
    """The axes are counted from the last, as torch does."""
    rank = len((layer.get_build_config() or {}).get("input_shape") or ())
    return {
        "eps": attribute(layer, "epsilon"),
        "axis": Setting(
            tuple(axis if axis < 0 else axis - rank for axis in np.atleast_1d(layer.axis).tolist()),
            lambda axes: f"axis={list(axes)}",
            lambda axes: setattr(layer, "axis", list(axes)),
        ),
        **_affine(layer),
        **activation(layer),
    }


def group_normalization(layer: Any) -> Settings:
    return of_names(eps="epsilon", groups="groups")(layer) | _affine(layer)


def dropout(layer: Any) -> Settings:
    whole = layer.__class__.__name__.startswith("Spatial")
    rank = layer.__class__.__name__[-2:] if whole else "2D"
    return {
        "rate": attribute(layer, "rate"),
        "channels": Setting(
            whole, lambda whole: f"keras.layers.SpatialDropout{rank}" if whole else "keras.layers.Dropout"
        ),
    }


def recurrent(layer: Any) -> Settings:
    cell = layer.cell
    found = {
        "rate": attribute(layer, "dropout"),
        "direction": Setting(
            "backwards" if layer.go_backwards else "forwards",
            lambda value: f"go_backwards={value == 'backwards'}",
            lambda value: setattr(layer, "go_backwards", value == "backwards"),
        ),
        "state activation": _in_cell(cell, "activation"),
        "bias": fixed(cell.use_bias, "use_bias"),
    }
    if hasattr(cell, "recurrent_activation"):
        found["gate activation"] = _in_cell(cell, "recurrent_activation")
    if hasattr(cell, "reset_after"):
        found["reset after"] = fixed(cell.reset_after, "reset_after")
    return found


def _in_cell(cell: Any, holder: str) -> Setting:
    own = getattr(cell, holder)
    name = getattr(own, "__name__", type(own).__name__)
    value = NAMED.get(name, name)
    return Setting(
        value,
        lambda kind: f"{holder}={NAMES.get(kind, kind)!r}",
        lambda kind: setattr(cell, holder, own if kind == value else _function(kind)),
    )


def attention(layer: Any) -> Settings:
    """A mask says here what is attended to, and in torch what is left out: which is right shows when it is tried."""
    width = layer._num_heads * layer._key_dim
    return {
        "heads": tried(
            layer,
            layer._num_heads,
            lambda heads: f"num_heads={heads}, key_dim={width // heads}",
            lambda call, heads: _with_heads(layer, heads),
        ),
        "head size": fixed(layer._key_dim, "key_dim"),
        "scale": Setting(
            layer._inverse_sqrt_key_dim,
            lambda scale: f"scores times {scale:.6g}, which key_dim={round(scale**-2)} makes them",
            lambda scale: setattr(layer, "_inverse_sqrt_key_dim", scale),
        ),
        "mask": tried(layer, "attended", _mask_in_words, _with_mask_turned),
        "causal": tried(
            layer,
            False,
            lambda causal: f"use_causal_mask={causal}",
            lambda call, causal: lambda *args, **kwargs: call(*args, **kwargs | {"use_causal_mask": causal}),
        ),
        "rate": attribute(layer, "_dropout"),
        "bias": fixed(layer._use_bias, "use_bias"),
    }


def _with_mask_turned(call: Call, value: str) -> Call:
    def attend(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs | {"attention_mask": tf.logical_not(tf.cast(kwargs["attention_mask"], bool))})

    return attend


def _mask_in_words(value: str) -> str:
    return "attention_mask=~mask" if value == "left out" else "attention_mask=mask, True where it is attended to"


def _with_heads(layer: Any, heads: int) -> Call:
    """The same attention, of the same variables, with its width split into another number of heads."""
    size = layer._num_heads * layer._key_dim // heads
    made = type(layer).from_config(layer.get_config() | {"num_heads": heads, "key_dim": size, "value_dim": size})
    names = [f"_{name}_dense" for name in ("query", "value", "key", "output")]
    made.build(*((None, None, getattr(layer, name).kernel.shape[0]) for name in names[:3]))
    shapes = {name: [weight.shape for weight in getattr(made, name).weights] for name in names}

    def attend(*args: Any, **kwargs: Any) -> Any:
        for name in names:
            parts = zip(("_kernel", "bias"), getattr(layer, name).weights, shapes[name], strict=False)
            for attribute, held, shape in parts:  # tensors in the place of its variables, so that gradients come back
                vars(getattr(made, name))[attribute] = tf.reshape(held, shape)
        return made.call(*args, **kwargs)

    return attend
