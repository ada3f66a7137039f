"""The pair of dropout, whose masks are shared."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from numpynet import Dropout
from parity.drawing.strategies import dyadic, seeds
from parity.drawing.tails import ends
from parity.frameworks.lazy import keras_layers, torch_layers
from parity.mapping.pair import AnyShapePair, pair


@pair(Dropout)
class DropoutPair(AnyShapePair):
    """The frameworks' generators draw other masks from equal seeds: the counterparts draw NumPy's instead."""

    modules = st.builds(
        lambda p, seed: Dropout(p, rng=np.random.default_rng(seed)),
        ends(dyadic(0, 15 / 16), 0.5, 0.0, 1 - 2.0**-10),
        seeds,
    )

    def torch(self, module: Dropout) -> Any:
        return torch_layers.SharedDropout(module.p, module.rng)

    def tensorflow(self, module: Dropout) -> Any:
        return keras_layers.SharedDropout(module.p, module.rng)
