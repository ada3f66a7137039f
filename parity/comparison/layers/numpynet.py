"""What is known of numpynet's layers: what they are called in torch, the arrays they hold, and their settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpynet as nn
from numpynet import Array, Module, Parameter
from numpynet.module import join
from parity.comparison.model import Held, Layer, Setting

NORMALIZATIONS = (nn.BatchNormalization, nn.LayerNormalization, nn.GroupNormalization)


@dataclass
class Buffer:
    """A running statistic, which is read and written as a parameter's value is."""

    module: Module
    name: str

    @property
    def value(self) -> Array:
        found: Array = getattr(self.module, self.name)
        return found

    @value.setter
    def value(self, values: Array) -> None:
        setattr(self.module, self.name, values)


def layer_of(name: str, module: Module, scaling: tuple[str, nn.Scaling] | None = None) -> Layer:
    """Returns what is known of a layer; `scaling` is the affine half of a normalisation, and its name."""
    title = type(module).__name__
    kind, roles, settings = title, _same(_arrays(module)), _same(())
    for known, called, holds, sets in KNOWN:
        if isinstance(module, known):
            kind, roles, settings = called, holds, sets
    held = _held(name, module, roles)
    if scaling is not None:
        held |= _held(*scaling, AFFINE)
    return Layer(name, title, kind, held, {role: _setting(module, role, own) for role, own in settings.items()})


def _same(names: Iterable[str]) -> Roles:
    return {name: name for name in names}


def affine_halves(module: Module) -> Iterator[tuple[str, str]]:
    """Yields the names of normalisations and of the `Scaling` that is applied to what each hands on, and nothing else.

    Other frameworks have both in one layer.
    """
    sites = [layer for _, layer in module.named_call_sites()]
    for name, whole in module.named_modules():
        for first, second in _following(whole):
            layers = whole.children()[first], whole.children()[second]
            once = all(sites.count(layer) == 1 for layer in layers)
            if once and isinstance(layers[0], NORMALIZATIONS) and isinstance(layers[1], nn.Scaling):
                yield join(name, first), join(name, second)


def _following(whole: Module) -> Iterator[tuple[str, str]]:
    """Yields the names of two parts, the second of which takes what the first hands on, and nothing else does."""
    if isinstance(whole, nn.Sequential):
        yield from itertools.pairwise(whole.children())
    if isinstance(whole, nn.Graph):
        used = [source for _, *sources in whole.nodes.values() for source in sources] + whole.outputs
        for node, (layer, *sources) in whole.nodes.items():
            behind_one = len(sources) == 1 and sources[0] in whole.children() and used.count(sources[0]) == 1
            if isinstance(layer, Module) and behind_one:
                yield sources[0], node


def _arrays(module: Module) -> dict[str, Parameter | Buffer]:
    """Returns what a layer holds itself, by its own names."""
    found: dict[str, Parameter | Buffer] = {
        name: value for name, value in vars(module).items() if isinstance(value, Parameter)
    }
    return found | {name: Buffer(module, name) for name in module.buffers}


def _held(name: str, module: Module, roles: Mapping[str, str]) -> dict[str, Held]:
    arrays = _arrays(module)
    return {role: Held((join(name, own),), (arrays[own],)) for role, own in roles.items() if own in arrays}


def _setting(module: Any, role: str, attribute: str) -> Setting:
    def turned(value: Any) -> Any:
        """The share of a running statistic that is kept, of the one that is taken in, or the other way round."""
        return round(1 - value, 12) if role == "momentum" else value

    return Setting(
        turned(getattr(module, attribute)),
        lambda value: f"{attribute}={turned(value)!r}",
        lambda value: setattr(module, attribute, turned(value)),
    )


Roles = Mapping[str, str]  # what it is in torch's terms, and the attribute
AFFINE: Roles = {"weight": "gamma", "bias": "beta"}
WEIGHTS: Roles = {"weight": "weight", "bias": "bias"}
WINDOW: Roles = {"stride": "stride", "padding": "padding"}
KNOWN: list[tuple[type, str, Roles, Roles]] = [
    (nn.Linear, "linear", WEIGHTS, {}),
    (nn.Conv2d, "convolution", WEIGHTS, {**WINDOW, "dilation": "dilation", "groups": "groups"}),
    (
        nn.BatchNormalization,
        "batch normalization",
        {"running mean": "running_mean", "running variance": "running_var"},
        {"eps": "eps", "momentum": "alpha"},
    ),
    (nn.LayerNormalization, "layer normalization", {}, {"eps": "eps"}),
    (nn.GroupNormalization, "group normalization", {}, {"eps": "eps", "groups": "groups"}),
    (nn.Scaling, "Scaling", AFFINE, {}),
    (nn.PReLU, "prelu", {"weight": "slope"}, {}),
    (nn.ReLU, "relu", {}, {}),
    (nn.LeakyReLU, "leaky relu", {}, {"slope": "slope"}),
    (nn.ELU, "elu", {}, {"alpha": "alpha"}),
    (nn.SELU, "selu", {}, {}),
    (nn.SiLU, "silu", {}, {}),
    (nn.GELU, "gelu", {}, {"approximate": "approximate"}),
    (nn.Sigmoid, "sigmoid", {}, {}),
    (nn.HardSigmoid, "hardsigmoid", {}, {}),
    (nn.HardSwish, "hardswish", {}, {}),
    (nn.Tanh, "tanh", {}, {}),
    (nn.Softplus, "softplus", {}, {}),
    (nn.SoftMax, "softmax", {}, {}),
    (nn.LogSoftMax, "log softmax", {}, {}),
    (nn.Dropout, "dropout", {}, {"rate": "p"}),
    (nn.MaxPool2d, "max pooling", {}, {"size": "kernel_size", **WINDOW}),
    (nn.AvgPool2d, "average pooling", {}, {"size": "kernel_size", **WINDOW}),
    (nn.GlobalAveragePool2d, "global average pooling", {}, {}),
    (nn.Flatten, "flatten", {}, {}),
]
