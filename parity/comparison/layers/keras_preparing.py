"""What Keras' layers that prepare inputs do, which in torch is done before a model is called."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.comparison.layers.keras_settings import Settings, tried
from parity.comparison.model import NOT_PREPARED


def rescaling(layer: Any) -> Settings:
    return _of_inputs(layer, f"times {layer.scale:.6g} plus {layer.offset:.6g}" if _single(layer) else "rescaled")


def _single(layer: Any) -> bool:
    """Tells whether a rescaling has one factor and one offset for all channels."""
    return np.ndim(layer.scale) == np.ndim(layer.offset) == 0


def normalization(layer: Any) -> Settings:
    mean, variance = (np.asarray(values).ravel().tolist() for values in (layer.mean, layer.variance))
    return _of_inputs(layer, f"normalised by a mean of {mean} and a variance of {variance}")


def _of_inputs(layer: Any, told: str) -> Settings:
    """Returns what is done to inputs, which the other model may have left to who calls it."""

    def written(done: str) -> str:
        return f"leave {layer.name} out, or do the same to the other's inputs" if done == NOT_PREPARED else done

    return {"preprocessing": tried(layer, told, written, lambda call, _: lambda x, *args, **kwargs: x)}
