"""Settings of layers on images that make no sense, and how each implementation is tried on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import AvgPool2d, Conv2d, MaxPool2d, Module, ZeroPad2d
from numpynet.pooling import Pool2d
from parity.frameworks.lazy import keras, torch

Tries = dict[str, Callable[[], Any]]

x = np.linspace(0.25, 0.75, 32, dtype=np.float32).reshape(1, 2, 4, 4)


def _layer(ours: Callable[[], Module], in_torch: Callable[[], Any], in_keras: Callable[[], Any]) -> Tries:
    return {
        "numpynet": lambda: ours()(x),
        "torch": lambda: in_torch()(torch.from_numpy(x)),
        "tensorflow": lambda: in_keras()(x.transpose(0, 2, 3, 1)),
    }


def _convolution(kernel: int, of_keras: dict[str, Any], **ours: Any) -> Tries:
    return _layer(
        lambda: Conv2d(2, 2, kernel, **ours),
        lambda: torch.nn.Conv2d(2, 2, kernel, **ours),
        lambda: keras.layers.Conv2D(2, kernel, **of_keras),
    )


def _pool(ours: type[Pool2d], theirs: str, of_keras: str) -> dict[str, Tries]:
    def tried(kernel: int, stride: int | None = None) -> Tries:
        return _layer(
            lambda: ours(kernel, stride),
            lambda: getattr(torch.nn, theirs)(kernel, stride),
            lambda: getattr(keras.layers, of_keras)(kernel, stride),
        )

    return {
        "windows of no size": tried(0),
        "windows larger than the image": tried(5),
        "a stride of zero": tried(2, 0),
    }


SETTINGS: dict[str, dict[str, Tries]] = {
    "Conv2d": {
        "groups that do not divide the channels": _convolution(1, {"groups": 3}, groups=3),
        "a kernel of no size": _convolution(0, {}),
        "a kernel larger than the image": _convolution(5, {}),
        "a stride of zero": _convolution(2, {"strides": 0}, stride=0),
        "a dilation of zero": _convolution(2, {"dilation_rate": 0}, dilation=0),
        "a stride beside a dilation": _convolution(2, {"strides": 2, "dilation_rate": 2}, stride=2, dilation=2),
    },
    "MaxPool2d": _pool(MaxPool2d, "MaxPool2d", "MaxPooling2D"),
    "AvgPool2d": _pool(AvgPool2d, "AvgPool2d", "AveragePooling2D"),
    "ZeroPad2d": {
        "a negative width": _layer(
            lambda: ZeroPad2d((-1, 0, 0, 0)),
            lambda: torch.nn.ZeroPad2d((-1, 0, 0, 0)),
            lambda: keras.layers.ZeroPadding2D(((0, 0), (-1, 0))),
        )
    },
}
