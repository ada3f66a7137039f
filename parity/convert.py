"""Conversion of numpynet models to models of the frameworks, with the same weights."""

from __future__ import annotations

from typing import Any

from numpynet import Module
from parity.frameworks import framework
from parity.pairing import dtype_of


def to_torch(model: Module) -> Any:
    """A torch.nn.Module that computes what `model` computes, with a copy of its weights and running statistics.

    It has the model's dtype and mode, takes inputs of the same shapes, and its dropout draws the same masks. Raises
    LookupError for a layer without a pair, NotImplementedError for one without a counterpart in PyTorch.
    """
    return framework("torch").convert(model, dtype_of(model)).layer


def to_tensorflow(model: Module) -> Any:
    """A Keras model or layer that computes what `model` computes, with a copy of its weights and running statistics.

    It has the model's dtype, takes inputs of the same shapes (images as (N, C, H, W)), and its dropout draws the same
    masks; the mode is the argument `training` of the call. Raises LookupError for a layer without a pair,
    NotImplementedError for one without a counterpart in Keras.
    """
    return framework("tensorflow").convert(model, dtype_of(model)).layer
