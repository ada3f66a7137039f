"""Differences of dense layers."""

from __future__ import annotations

import numpy as np

from numpynet import Array, Linear
from parity.catalogue.difference import Claim, Demonstration, claim, claims, difference
from parity.catalogue.running import outputs
from parity.frameworks.lazy import keras


@difference(
    "dense-weight-layout",
    does={
        "torch": "weight of shape (out, in): x W^T + b",
        "keras": "kernel of shape (in, out): x K + b",
        "tensorflow": "tf.matmul(x, K): as Keras",
    },
    mapping="K = W^T",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
        "https://keras.io/api/layers/core_layers/dense/",
    ),
)
def dense_weight_layout() -> Demonstration:
    """A square weight fits both layouts, and gives another function unless it is symmetric."""
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal((4, 4)).astype(np.float32) for _ in range(2))
    layer = Linear(4, 4, bias=False)
    dense = keras.layers.Dense(4, use_bias=False)
    dense.build((None, 4))

    def product(x: Array, weight: Array) -> Array:
        return x @ weight.T

    def shown(weight: Array) -> tuple[dict[str, Claim], Claim]:
        """The claims of the three with the weight where it belongs, and that of Keras with torch's weight as it is."""
        layer.load_state_dict({"weight": weight})
        dense.kernel.assign(weight)
        mapped = claims(outputs(layer, x), product, x, weight)
        return mapped, claim(dense(x).numpy(), lambda x, weight: x @ weight, x, weight)

    mapped, naive = shown(weight)
    symmetric, alike = shown(weight + weight.T)
    return Demonstration(mapped | {"tensorflow": naive}, mapped, symmetric | {"tensorflow": alike})
