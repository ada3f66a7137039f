"""The pair of the fully connected layer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import Array, Linear
from parity.drawing.strategies import batches, sizes
from parity.drawing.tails import rarely
from parity.frameworks.counterpart import Counterpart, transposed
from parity.frameworks.lazy import keras, torch
from parity.mapping.pair import LayerPair, pair

# A matrix; now and then with more axes between the batch and the features.
RANKS: SearchStrategy[list[int]] = rarely("rank", st.just([]), st.lists(st.integers(1, 4), min_size=1, max_size=3))


class LinearFromBias(Linear):
    """torch's sums, which begin with the bias: whatever is added to a large one rounds as much as it does.

    See differences: bias-first.
    """

    def forward(self, input: Array) -> Array:
        if self.bias is None:
            return super().forward(input)
        rows = np.asanyarray(input).reshape(-1, self.in_features)
        terms = np.concatenate([rows, np.ones_like(rows[:, :1])], axis=1)
        factors = np.concatenate([self.weight.value, self.bias.value[:, None]], axis=1)
        return self.remember(np.matmul(terms, factors.T).reshape(*input.shape[:-1], -1), rows)


@pair(Linear)
class LinearPair(LayerPair):
    """Keras calls it Dense and keeps the weight as (in, out); torch as (out, in), like numpynet."""

    formulas: ClassVar = {"torch": LinearFromBias}
    modules = st.builds(Linear, sizes, sizes, st.booleans())

    def shapes(self, module: Linear) -> SearchStrategy[tuple[int, ...]]:
        return st.builds(lambda n, rest: (n, *rest, module.in_features), batches, RANKS)

    def torch(self, module: Linear) -> Any:
        layer = torch.nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
        return Counterpart(layer, weight=layer.weight, bias=layer.bias)

    def tensorflow(self, module: Linear) -> Any:
        layer = keras.layers.Dense(module.out_features, use_bias=module.bias is not None)
        layer.build((None, module.in_features))
        return Counterpart(layer, weight=transposed(layer.kernel), bias=layer.bias)
