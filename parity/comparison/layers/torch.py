"""What is known of torch's layers: their kinds, the arrays they hold, their settings, and Keras' formulas of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numpynet.module import join
from parity.comparison.layers.torch_settings import more
from parity.comparison.model import ACTIVATIONS, Held, Layer, Setting
from parity.frameworks.lazy import torch


def layer_of(name: str, module: Any) -> Layer:
    """Returns what is known of a leaf."""
    title = type(module).__name__
    kind, held, settings = title, as_they_are(name, module), {}
    names = {base.__name__ for base in type(module).__mro__ if base.__module__.startswith("torch.")}
    for classes, known, holds, sets in KNOWN:
        if names & set(classes):
            kind, held, settings = known, holds(name, module), _settings(module, sets) | more(known, module)
    return Layer(name, title, kind, held, settings, activation_in(module) or "")


def activation_in(module: Any) -> str | None:
    """The kind of the activation that a normalisation applies in the end, as packages have them in one layer.

    It is empty where it applies none, and None where the layer is another one or has parts that compute something else.
    """
    if not isinstance(module, torch.nn.modules.batchnorm._BatchNorm | torch.nn.GroupNorm | torch.nn.LayerNorm):
        return None
    kinds = [layer_of("", part).kind for part in module.children()]
    found = [kind for kind in kinds if kind != "identity"]
    if len(found) > 1 or not set(found) <= ACTIVATIONS:
        return None
    return found[0] if found else ""


def _held(name: str, module: Any, **roles: str) -> dict[str, Held]:
    """The arrays of these roles, by their attribute's name; what the layer does not have is left out."""
    found = {role.replace("_", " "): (attribute, getattr(module, attribute, None)) for role, attribute in roles.items()}
    return {
        role: Held((join(name, attribute),), (tensor,))
        for role, (attribute, tensor) in found.items()
        if tensor is not None
    }


def as_they_are(name: str, module: Any) -> dict[str, Held]:
    """The arrays of a layer that nobody knows, under their own names."""
    found = {**dict(module.named_parameters(recurse=False)), **dict(module.named_buffers(recurse=False))}
    return {own: Held((join(name, own),), (tensor,)) for own, tensor in found.items() if tensor.is_floating_point()}


def _weight_and_bias(name: str, module: Any) -> dict[str, Held]:
    return _held(name, module, weight="weight", bias="bias")


def _normalization(name: str, module: Any) -> dict[str, Held]:
    return _held(
        name, module, weight="weight", bias="bias", running_mean="running_mean", running_variance="running_var"
    )


def _recurrent(name: str, module: Any) -> dict[str, Held]:
    """Returns what one layer holds in one direction; the two biases of a gate are one where the formula adds them."""
    if module.num_layers > 1 or module.bidirectional or getattr(module, "proj_size", 0):
        return as_they_are(name, module)
    held = _held(name, module, weight="weight_ih_l0", recurrent_weight="weight_hh_l0")
    if module.bias and type(module).__name__ != "GRU":
        names = (join(name, "bias_ih_l0"), join(name, "bias_hh_l0"))
        held["bias"] = Held(
            names,
            (module.bias_ih_l0, module.bias_hh_l0),
            lambda both: both[0] + both[1],
            lambda bias: (bias, np.zeros_like(bias)),
            lambda both: both[0],
        )
    elif module.bias:
        names = (join(name, "bias_ih_l0"), join(name, "bias_hh_l0"))
        held["biases"] = Held(
            names, (module.bias_ih_l0, module.bias_hh_l0), np.concatenate, lambda both: np.split(both, 2)
        )
    return held


def _attention(name: str, module: Any) -> dict[str, Held]:
    if module.in_proj_weight is None or module.bias_k is not None:
        return {
            own: held
            for part, child in [("", module), *module.named_children()]
            for own, held in as_they_are(join(name, part), child).items()
        }
    width = module.embed_dim
    held = {
        "packed weight": Held((join(name, "in_proj_weight"),), (module.in_proj_weight,)),
        "output weight": Held((join(name, "out_proj.weight"),), (module.out_proj.weight,)),
    }
    if module.in_proj_bias is not None:
        held["packed bias"] = Held((join(name, "in_proj_bias"),), (module.in_proj_bias,))
        held["output bias"] = Held((join(name, "out_proj.bias"),), (module.out_proj.bias,))
    assert held["packed weight"].tensors[0].shape[0] == 3 * width
    return held


def _settings(module: Any, names: Mapping[str, str]) -> dict[str, Setting]:
    """The settings of these names, each by the attribute that holds it."""

    axes = next((int(axes) for axes in "123" if type(module).__name__.endswith(f"{axes}d")), 0)

    def of(attribute: str) -> Setting:
        value = getattr(module, attribute)
        return Setting(
            # Of windows, one number stands for as many as there are axes.
            (value,) * axes if attribute in PER_AXIS and isinstance(value, int) else value,
            lambda value: f"{attribute}={value!r}",
            lambda value: setattr(module, attribute, value),
        )

    return {name: of(attribute) for name, attribute in names.items() if hasattr(module, attribute)}


@functools.cache
def exponential() -> Any:
    """scale * ELU by exp(x) - 1, of whose digits those that cancel are lost, and its derivative by what came out."""

    class Exponential(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, alpha: float, scale: float) -> Any:
            output = torch.where(x > 0, x * scale, (x.exp() - 1) * (alpha * scale))
            ctx.save_for_backward(output)
            ctx.factors = alpha, scale
            return output

        @staticmethod
        def backward(ctx: Any, grad: Any) -> Any:
            (output,), (alpha, scale) = ctx.saved_tensors, ctx.factors
            return torch.where(output > 0, grad * scale, grad * (output + alpha * scale)), None, None

    return Exponential


def _elu(module: Any, own: Any, x: Any) -> Any:
    return exponential().apply(x, module.alpha, 1.0)


def _selu(module: Any, own: Any, x: Any) -> Any:
    return exponential().apply(x, SELU_ALPHA, SELU_SCALE)


def folded(x: Any, mean: Any, variance: Any, eps: float, weight: Any, bias: Any) -> Any:
    """A normalisation as one product and one sum, whose terms may be large where their sum is small."""
    scale = (variance + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    shift = -mean * scale
    return x * scale + (shift if bias is None else shift + bias)


def _batch_folded(module: Any, own: Any, x: Any) -> Any:
    if module.training:
        own(x)  # moves the running statistics
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    batch = module.training or module.running_mean is None
    mean = x.mean(axes) if batch else module.running_mean
    variance = (x - mean.reshape(shape)).square().mean(axes) if batch else module.running_var
    parts = [None if part is None else part.reshape(shape) for part in (module.weight, module.bias)]
    return folded(x, mean.reshape(shape), variance.reshape(shape), module.eps, *parts)


def _layer_folded(module: Any, own: Any, x: Any) -> Any:
    axes = list(range(-len(module.normalized_shape), 0))
    mean = x.mean(axes, keepdim=True)
    return folded(x, mean, (x - mean).square().mean(axes, keepdim=True), module.eps, module.weight, module.bias)


# By kind: Keras' formula, where it is another one and rounds worse, of the module, its own forward pass and the input.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
FORMULAS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "elu": _elu,
    "selu": _selu,
    "batch normalization": _batch_folded,
    "layer normalization": _layer_folded,
}


def _nothing(name: str, module: Any) -> dict[str, Held]:
    return {}


Known = tuple[tuple[str, ...], str, Callable[[str, Any], dict[str, Held]], Mapping[str, str]]
PER_AXIS = ("stride", "padding", "dilation", "kernel_size")
POOLING = {"size": "kernel_size", "stride": "stride", "padding": "padding", "ceil mode": "ceil_mode"}
CONVOLUTION = {"stride": "stride", "padding": "padding", "dilation": "dilation", "groups": "groups"}
KNOWN: list[Known] = [
    (("Linear",), "linear", _weight_and_bias, {}),
    (("Conv1d", "Conv2d", "Conv3d"), "convolution", _weight_and_bias, CONVOLUTION),
    (
        ("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
        "transposed convolution",
        _weight_and_bias,
        {"stride": "stride", "groups": "groups"},
    ),
    (
        ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"),
        "batch normalization",
        _normalization,
        {"eps": "eps", "momentum": "momentum"},
    ),
    (("LayerNorm",), "layer normalization", _weight_and_bias, {"eps": "eps"}),
    (("GroupNorm",), "group normalization", _weight_and_bias, {"eps": "eps", "groups": "num_groups"}),
    (("Embedding",), "embedding", lambda name, module: _held(name, module, weight="weight"), {}),
    (("LSTM",), "lstm", _recurrent, {"rate": "dropout"}),
    (("GRU",), "gru", _recurrent, {"rate": "dropout"}),
    (("RNN",), "rnn", _recurrent, {"rate": "dropout"}),
    (("MultiheadAttention",), "attention", _attention, {"heads": "num_heads", "rate": "dropout"}),
    (("PReLU",), "prelu", lambda name, module: _held(name, module, weight="weight"), {}),
    (("ReLU",), "relu", _nothing, {}),
    (("ReLU6",), "relu6", _nothing, {}),
    (("GELU",), "gelu", _nothing, {"approximate": "approximate"}),
    (("LeakyReLU",), "leaky relu", _nothing, {"slope": "negative_slope"}),
    (("ELU",), "elu", _nothing, {"alpha": "alpha"}),
    (("SELU",), "selu", _nothing, {}),
    (("SiLU",), "silu", _nothing, {}),
    (("Mish",), "mish", _nothing, {}),
    (("Sigmoid",), "sigmoid", _nothing, {}),
    (("Tanh",), "tanh", _nothing, {}),
    (("Softplus",), "softplus", _nothing, {}),
    (("Hardswish",), "hardswish", _nothing, {}),
    (("Hardsigmoid",), "hardsigmoid", _nothing, {}),
    (("Softmax",), "softmax", _nothing, {"axis": "dim"}),
    (("LogSoftmax",), "log softmax", _nothing, {"axis": "dim"}),
    (("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"), "dropout", _nothing, {"rate": "p"}),
    (("MaxPool1d", "MaxPool2d", "MaxPool3d"), "max pooling", _nothing, POOLING),
    (
        ("AvgPool1d", "AvgPool2d", "AvgPool3d"),
        "average pooling",
        _nothing,
        POOLING | {"counted": "count_include_pad"},
    ),
    (("AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"), "global average pooling", _nothing, {}),
    (("AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"), "global max pooling", _nothing, {}),
    (("ZeroPad1d", "ZeroPad2d", "ZeroPad3d"), "padding", _nothing, {}),
    (
        ("Upsample", "UpsamplingNearest2d", "UpsamplingBilinear2d"),
        "upsampling",
        _nothing,
        {"interpolation": "mode"},
    ),
    (("Flatten",), "flatten", _nothing, {}),
    (("Identity",), "identity", _nothing, {}),
]
