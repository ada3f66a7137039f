"""How far two models that were matched are apart: what comes out, and what their layers are given."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from parity.comparison.layout import closest, distance
from parity.comparison.model import Layer, Run


@dataclass(frozen=True)
class Nearness:
    """A run of either model, on the same inputs; what is nearer than `near`, of its size, is taken for equal."""

    ran: Run
    theirs: Run
    near: float

    def inputs(self, first: Layer, second: Layer) -> float:
        """How far the inputs of two layers are apart, of their size; infinity where they are others."""
        ours, other = self.ran.given.get(first.name), self.theirs.given.get(second.name)
        return math.inf if ours is None or other is None else distance(ours, other, self.ran.unflattened)

    def outputs(self) -> float:
        """How far outputs are apart, of their size; infinity where they are others."""
        if len(self.ran.outputs) != len(self.theirs.outputs):
            return math.inf
        found = [0.0]
        for one, other in zip(self.ran.outputs, self.theirs.outputs, strict=True):
            if (layout := closest(one, other, self.ran.unflattened)) is None:
                return math.inf
            size = float(np.max(np.abs(one), initial=0)) or 1.0
            found.append(float(np.max(np.abs(one - layout.back(other)), initial=0)) / size)
        return max(found)

    def everywhere(self, layers: Iterable[tuple[Layer, Layer]]) -> bool:
        """Tells whether outputs and what each two layers are given are near.

        Outputs alone tell too little: they may be a bias to which what a layer does adds next to nothing.
        """
        inputs = (self.inputs(*both) for both in layers)
        return self.outputs() < self.near and all(apart < self.near or apart == math.inf for apart in inputs)
