"""The pairs of layers that only rearrange."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from numpynet import Flatten
from parity.frameworks.lazy import keras, torch
from parity.mapping.pair import LayerPair, pair


@pair(Flatten)
class FlattenPair(LayerPair):
    """Plain Flatten on NCHW is torch's order; with data_format="channels_first" Keras would transpose first."""

    modules = st.builds(Flatten)

    def torch(self, module: Flatten) -> Any:
        return torch.nn.Flatten()

    def tensorflow(self, module: Flatten) -> Any:
        return keras.layers.Flatten()
