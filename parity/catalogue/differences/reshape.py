"""Differences of layers that rearrange."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array
from parity.catalogue.difference import Claim, Demonstration, difference, exactly
from parity.frameworks.lazy import keras, tf, torch


@difference(
    "flatten-channels-first",
    does={
        "torch": "(N, C, H, W) flattens in the order C, H, W",
        "keras": 'Flatten(data_format="channels_first") first moves the channels last: order H, W, C',
        "tensorflow": "tf.reshape keeps the order",
    },
    mapping='plain Flatten(), without data_format="channels_first", on NCHW',
    sources=(
        "https://keras.io/api/layers/reshaping_layers/flatten/",
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html",
    ),
)
def flatten_channels_first() -> Demonstration:
    """Keras' Flatten for channels_first reorders the features, unless there is one channel."""

    def shown(x: Array, of_keras: Any, order: tuple[int, ...]) -> dict[str, Claim]:
        rows = x.reshape(2, -1)
        return {
            "torch": exactly(torch.nn.Flatten()(torch.from_numpy(x)).numpy(), rows),
            "tensorflow": exactly(tf.reshape(x, (2, -1)).numpy(), rows),
            "keras": exactly(of_keras(x).numpy(), x.transpose(order).reshape(2, -1)),
        }

    kept, moved = (0, 1, 2, 3), (0, 2, 3, 1)
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    naive = keras.layers.Flatten(data_format="channels_first")
    return Demonstration(shown(x, naive, moved), shown(x, keras.layers.Flatten(), kept), shown(x[:, :1], naive, kept))
