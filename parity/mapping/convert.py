"""Conversion of numpynet models to the frameworks, with the same weights: to be used, run as a case, or trained."""

from __future__ import annotations

from typing import Any

from numpynet import Criterion, Module, Optimizer
from parity.case import Case, dtype_of
from parity.frameworks import framework
from parity.frameworks.counterpart import Counterpart
from parity.frameworks.framework import FrameworkTrainer, Subject
from parity.mapping.pair import pairs_of


def convert(model: Module, name: str) -> Counterpart:
    """The counterpart of `model` in the framework called `name`, with its weights, running statistics and masks.

    Raises LookupError for a layer without a pair, NotImplementedError for one without a counterpart there.
    """
    return framework(name).convert(model, dtype_of(model), pairs_of(name))


def subject(case: Case, name: str) -> Subject:
    """The module of the case in the implementation called `name`, ready to run; raises as `convert`."""
    return framework(name).subject(case, pairs_of(name))


def trainer(model: Module, criterion: Criterion, optimizer: Optimizer, name: str) -> FrameworkTrainer:
    """The model, criterion and optimizer in the implementation called `name`, ready to train; raises as `convert`."""
    return framework(name).trainer(model, criterion, optimizer, pairs_of(name))


def to_torch(model: Module) -> Any:
    """A torch.nn.Module that computes what `model` computes, with a copy of its weights and running statistics.

    It has the model's dtype and mode, takes inputs of the same shapes, and its dropout draws the same masks. Raises
    LookupError for a layer without a pair, NotImplementedError for one without a counterpart in PyTorch.
    """
    return convert(model, "torch").layer


def to_tensorflow(model: Module) -> Any:
    """A Keras model or layer that computes what `model` computes, with a copy of its weights and running statistics.

    It has the model's dtype, takes inputs of the same shapes (images as (N, C, H, W)), and its dropout draws the same
    masks; the mode is the argument `training` of the call. Raises LookupError for a layer without a pair,
    NotImplementedError for one without a counterpart in Keras.
    """
    return convert(model, "tensorflow").layer
