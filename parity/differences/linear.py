"""Layers that multiply or rearrange."""

from __future__ import annotations

import numpy as np

from numpynet import Array, Linear
from parity.convert import to_tensorflow, to_torch
from parity.differences.difference import Demonstration, claim, difference, exactly
from parity.lazy import keras, tf, torch


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
    """A square weight fits both layouts, and gives another function."""
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal((4, 4)).astype(np.float32) for _ in range(2))
    layer = Linear(4, 4, bias=False)
    layer.load_state_dict({"weight": weight})
    dense = keras.layers.Dense(4, use_bias=False)
    dense.build((None, 4))
    dense.kernel.assign(weight)

    def product(x: Array, weight: Array) -> Array:
        return x @ weight.T

    values = {
        "numpynet": layer(x),
        "torch": to_torch(layer)(torch.from_numpy(x)).detach().numpy(),
        "tensorflow": to_tensorflow(layer)(x).numpy(),
    }
    mapped = {who: claim(found, product, x, weight) for who, found in values.items()}
    return Demonstration(
        mapped | {"tensorflow": claim(dense(x).numpy(), lambda x, weight: x @ weight, x, weight)}, mapped
    )


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
    """Keras' Flatten for channels_first reorders the features."""
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    rows = x.reshape(2, -1)
    ours = {
        "torch": exactly(torch.nn.Flatten()(torch.from_numpy(x)).numpy(), rows),
        "tensorflow": exactly(tf.reshape(x, (2, -1)).numpy(), rows),
    }
    naive = keras.layers.Flatten(data_format="channels_first")(x).numpy()
    return Demonstration(
        ours | {"keras": exactly(naive, x.transpose(0, 2, 3, 1).reshape(2, -1))},
        ours | {"keras": exactly(keras.layers.Flatten()(x).numpy(), rows)},
    )
