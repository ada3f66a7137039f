"""Settings of layers on vectors that make no sense, and how each implementation is tried on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import GELU, BatchNormalization, Dropout, GroupNormalization, LayerNormalization, Linear, Module
from parity.frameworks.lazy import keras, torch

Tries = dict[str, Callable[[], Any]]

x = np.linspace(0.25, 0.75, 4, dtype=np.float32).reshape(2, 2)


def _layer(ours: Callable[[], Module], in_torch: Callable[[], Any], in_keras: Callable[[], Any]) -> Tries:
    return {
        "numpynet": lambda: ours()(x),
        "torch": lambda: in_torch()(torch.from_numpy(x)),
        "tensorflow": lambda: in_keras()(x, training=True),
    }


SETTINGS: dict[str, dict[str, Tries]] = {
    "Linear": {
        "no output features": _layer(
            lambda: Linear(2, 0), lambda: torch.nn.Linear(2, 0), lambda: keras.layers.Dense(0)
        ),
        "negative output features": _layer(
            lambda: Linear(2, -1), lambda: torch.nn.Linear(2, -1), lambda: keras.layers.Dense(-1)
        ),
    },
    "Dropout": {
        f"p={p}": _layer(
            lambda p=p: Dropout(p),  # type: ignore[misc]
            lambda p=p: torch.nn.Dropout(p),  # type: ignore[misc]
            lambda p=p: keras.layers.Dropout(p),  # type: ignore[misc]
        )
        for p in (-0.5, 1.0, 1.5)
    },
    "BatchNormalization": {
        f"eps={eps}": _layer(
            lambda eps=eps: BatchNormalization(2, eps=eps),  # type: ignore[misc]
            lambda eps=eps: torch.nn.BatchNorm1d(2, eps=eps),  # type: ignore[misc]
            lambda eps=eps: keras.layers.BatchNormalization(epsilon=eps),  # type: ignore[misc]
        )
        for eps in (0.0, -1.0)
    },
    "LayerNormalization": {
        "eps=-1.0": _layer(
            lambda: LayerNormalization(eps=-1),
            lambda: torch.nn.LayerNorm(2, eps=-1),
            lambda: keras.layers.LayerNormalization(epsilon=-1),
        )
    },
    "GroupNormalization": {
        "eps=-1.0": _layer(
            lambda: GroupNormalization(1, eps=-1),
            lambda: torch.nn.GroupNorm(1, 2, eps=-1),
            lambda: keras.layers.GroupNormalization(1, epsilon=-1),
        ),
        "groups that do not divide the features": _layer(
            lambda: GroupNormalization(3),
            lambda: torch.nn.GroupNorm(3, 2),
            lambda: keras.layers.GroupNormalization(3),
        ),
    },
    "GELU": {
        "an unknown approximation": _layer(
            lambda: GELU("sigmoid"),  # type: ignore[arg-type]
            lambda: torch.nn.GELU("sigmoid"),
            lambda: keras.layers.Activation(lambda x: keras.activations.gelu(x, approximate="sigmoid")),
        )
    },
}
