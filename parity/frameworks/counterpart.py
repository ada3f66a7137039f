"""What stands for a numpynet module in a framework: a layer, and views of the tensors that hold the module's arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array
from numpynet.module import join

Layout = Callable[[Array], Array]
Index = tuple[slice | int, ...]


def _same_layout(values: Array) -> Array:
    return values


@dataclass(frozen=True)
class TensorView:
    """A framework's tensor that holds a numpynet array, in a layout of its own, or in a part of itself.

    `to_framework` takes an array in numpynet's layout and returns it in the tensor's; `to_numpynet` does the opposite.
    Without them the layouts are the same. `part` is the index of the array in a tensor that holds several (torch's
    packed `in_proj_weight`); without it the whole tensor is the array's.
    """

    tensor: Any
    to_framework: Layout = _same_layout
    to_numpynet: Layout = _same_layout
    part: Index | None = None

    def read(self, held: Array) -> Array:
        """The numpynet array in `held`, the values of the whole tensor, or of anything of its shape."""
        return self.to_numpynet(held if self.part is None else held[self.part])

    def written(self, values: Array, to_array: Callable[[Any], Array]) -> Array:
        """The values of the whole tensor once it holds the numpynet array `values`.

        `to_array` copies the tensor's present values, which are looked at where only a part of them changes.
        """
        values = np.ascontiguousarray(self.to_framework(values))
        if self.part is None:
            return values
        whole = to_array(self.tensor)
        whole[self.part] = values
        return whole


def transposed(tensor: Any) -> TensorView:
    """A `TensorView` that holds the transpose of the numpynet matrix."""
    return TensorView(tensor, np.transpose, np.transpose)


class Counterpart:
    """A framework's layer, with the tensors that hold the numpynet module's arrays, and its parts if it has any.

    `Counterpart(layer, weight=layer.weight)` says that the layer's weight holds the array called "weight". A tensor in
    a layout of its own is given as a `TensorView`; None is left out. `parts` are the counterparts of the module's
    children, by name.
    """

    def __init__(self, layer: Any, *, parts: dict[str, Counterpart] | None = None, **tensors: Any) -> None:
        self.layer = layer
        self.parts = parts or {}
        self.own = {
            name: tensor if isinstance(tensor, TensorView) else TensorView(tensor)
            for name, tensor in tensors.items()
            if tensor is not None
        }

    def tensors(self, prefix: str = "") -> dict[str, TensorView]:
        """Every tensor of the layer and its parts, by the dotted numpynet name of its array, below `prefix`."""
        found = {join(prefix, name): view for name, view in self.own.items()}
        for name, part in self.parts.items():
            found |= part.tensors(join(prefix, name))
        return found

    def leaves(self, prefix: str = "") -> dict[str, Any]:
        """Every layer without parts, by the dotted numpynet name of its module, below `prefix`."""
        if not self.parts:
            return {prefix: self.layer}
        found: dict[str, Any] = {}
        for name, part in self.parts.items():
            found |= part.leaves(join(prefix, name))
        return found


def distinct(views: Mapping[str, TensorView]) -> list[Any]:
    """The tensors of these views, each once, in the order of the views."""
    return list({id(view.tensor): view.tensor for view in views.values()}.values())
