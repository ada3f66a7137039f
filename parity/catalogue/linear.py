"""Differences of layers that multiply or rearrange."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, Linear
from parity.catalogue.difference import Claim, Demonstration, claim, difference, exactly
from parity.frameworks.lazy import keras, tf, torch
from parity.mapping.convert import to_tensorflow, to_torch


@difference(
    "dense-weight-layout",
    torch="weight of shape (out, in): x W^T + b",
    keras="kernel of shape (in, out): x K + b",
    tensorflow="tf.matmul(x, K): as Keras",
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

    def claims(weight: Array) -> tuple[dict[str, Claim], Claim]:
        """The claims of the three with the weight where it belongs, and that of Keras with torch's weight as it is."""
        layer.load_state_dict({"weight": weight})
        dense.kernel.assign(weight)
        values = {
            "numpynet": layer(x),
            "torch": to_torch(layer)(torch.from_numpy(x)).detach().numpy(),
            "tensorflow": to_tensorflow(layer)(x).numpy(),
        }
        mapped = {who: claim(found, product, x, weight) for who, found in values.items()}
        return mapped, claim(dense(x).numpy(), lambda x, weight: x @ weight, x, weight)

    mapped, naive = claims(weight)
    symmetric, alike = claims(weight + weight.T)
    return Demonstration(mapped | {"tensorflow": naive}, mapped, symmetric | {"tensorflow": alike})


@difference(
    "flatten-channels-first",
    torch="(N, C, H, W) flattens in the order C, H, W",
    keras='Flatten(data_format="channels_first") first moves the channels last: order H, W, C',
    tensorflow="tf.reshape keeps the order",
    mapping='plain Flatten(), without data_format="channels_first", on NCHW',
    sources=(
        "https://keras.io/api/layers/reshaping_layers/flatten/",
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html",
    ),
)
def flatten_channels_first() -> Demonstration:
    """Keras' Flatten for channels_first reorders the features, unless there is one channel."""

    def claims(x: Array, of_keras: Any, order: tuple[int, ...]) -> dict[str, Claim]:
        rows = x.reshape(2, -1)
        return {
            "torch": exactly(torch.nn.Flatten()(torch.from_numpy(x)).numpy(), rows),
            "tensorflow": exactly(tf.reshape(x, (2, -1)).numpy(), rows),
            "keras": exactly(of_keras(x).numpy(), x.transpose(order).reshape(2, -1)),
        }

    kept, moved = (0, 1, 2, 3), (0, 2, 3, 1)
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    naive = keras.layers.Flatten(data_format="channels_first")
    return Demonstration(
        claims(x, naive, moved), claims(x, keras.layers.Flatten(), kept), claims(x[:, :1], naive, kept)
    )
