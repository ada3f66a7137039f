"""numpynet models as models of the frameworks, with the same weights."""

from __future__ import annotations

from typing import Any

from numpynet import Module
from parity.frameworks import framework
from parity.pairing import dtype_of


def to_torch(model: Module) -> Any:
    """A torch.nn.Module with the weights, running statistics and mode of `model`; its dropout draws the same masks."""
    return framework("torch").convert(model, dtype_of(model)).layer


def to_tensorflow(model: Module) -> Any:
    """A Keras model or layer with the weights and running statistics of `model`; its dropout draws the same masks."""
    return framework("tensorflow").convert(model, dtype_of(model)).layer
