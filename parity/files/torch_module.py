"""An ordinary torch module that holds a model's arrays; it computes nothing, and is written to and read from files."""

from __future__ import annotations

from typing import Any

from numpynet import BatchNormalization, GroupNormalization, Module
from numpynet.module import join
from parity.files.ordinary import Part, ordinary, views_of
from parity.frameworks import framework
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.lazy import torch
from parity.mapping.pair import PairsOf, counterpart


class OrdinaryTorch(PairsOf):
    """The pairs of torch, but for the model as a whole, which is an ordinary network's."""

    def __init__(self) -> None:
        super().__init__(framework("torch"))

    def counterpart(self, module: Module) -> Counterpart:
        layer, tensors = _built(ordinary(module))
        return Counterpart(layer, **tensors)


def _built(part: Part) -> tuple[Any, dict[str, Any]]:
    """torch's module for a part, and the tensors in it by numpynet's dotted names."""
    if not part.container:
        return _layer(part)
    layer, tensors = torch.nn.Module(), dict[str, Any]()
    for held in part.parts:
        child, more = _built(held)
        layer.add_module(held.name, child)
        tensors |= more
    return layer, tensors


def _layer(part: Part) -> tuple[Any, dict[str, Any]]:
    if (both := part.affine()) is None:
        ((name, module),) = part.modules.items()
        made = counterpart(module, "torch")
        return made.layer, {join(name, array): view for array, view in made.tensors().items()}
    normalization, scaling = both
    features = scaling.num_features
    if isinstance(normalization, BatchNormalization):
        layer = torch.nn.BatchNorm1d(features)
        statistics = {"running_mean": layer.running_mean, "running_var": layer.running_var}
        return layer, views_of(part, gamma=layer.weight, beta=layer.bias, **statistics)
    if isinstance(normalization, GroupNormalization):
        layer = torch.nn.GroupNorm(normalization.groups, features)
    else:
        layer = torch.nn.LayerNorm(features)
    return layer, views_of(part, gamma=layer.weight, beta=layer.bias)
