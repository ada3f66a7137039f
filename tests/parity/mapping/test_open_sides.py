"""Keras' functional models are built before any size is known: no counterpart may compute with sizes that are None."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from numpynet import Array, Graph, Module, Sequential
from parity.case import Case
from parity.ladder.cases import for_all
from parity.ladder.proving import targets
from parity.mapping.containers import COUNTS
from parity.mapping.convert import convert
from parity.mapping.loss import Loss

LAYERS = [target for target in targets() if issubclass(target, Module) and target not in (Sequential, Graph, Loss)]


@pytest.mark.parametrize("target", LAYERS, ids=lambda target: target.__name__)
def test_every_layer_is_built_for_inputs_of_unknown_sizes(target: type[Module]) -> None:
    """All sizes but those that the layer's own configuration fixes; the built model then computes as the layer does."""

    def opened(array: Array, fixed: bool) -> keras.KerasTensor:
        sizes = [None] * (array.ndim - 1)
        return keras.Input((array.shape[1], *sizes[1:]) if fixed else sizes)

    def property_(case: Case, _: bool) -> None:
        layer = convert(case.fresh(), "tensorflow").layer
        input = case.steps[0].input
        fixed = any(name in COUNTS for name in case.module.arguments())
        symbols = tuple(opened(array, fixed) for array in input) if isinstance(input, tuple) else opened(input, fixed)
        model = keras.Model(symbols, layer(symbols))
        expected = convert(case.fresh(), "tensorflow").layer(input, training=False)
        np.testing.assert_array_equal(model(input, training=False), expected)

    for_all(property_, target, "float32", examples=5)
