"""Refusals of convolution."""

from __future__ import annotations

from typing import Any

from numpynet import Conv2d
from parity.catalogue.known import EXACT_DTYPE, GRADIENT, IMAGE, Known
from parity.catalogue.settings import Settings, Tries, on_image
from parity.frameworks.lazy import keras, torch

KNOWN = [
    Known("input of another precision", "Conv2d", "numpynet torch", EXACT_DTYPE),
    Known("gradient of another precision", "Conv2d", "tensorflow", GRADIENT),
    Known("gradient of integers", "Conv2d", "tensorflow", GRADIENT),
    Known("one dimension too few", "Conv2d", "numpynet tensorflow", IMAGE),
    Known("a stride beside a dilation", "Conv2d", "tensorflow", "see conv-stride-dilation"),
    # Keras itself refuses it since 3.14; in 3.13 its kernels decide.
    Known(
        "a kernel larger than the image", "Conv2d", "numpynet torch", "an image without pixels", "keras<3.13", "Eigen"
    ),
    Known(
        "a kernel larger than the image", "Conv2d", "numpynet torch", "an image without pixels", "keras<3.14", "oneDNN"
    ),
]


def _convolution(kernel: int, of_keras: dict[str, Any], **ours: Any) -> Tries:
    return on_image(
        lambda: Conv2d(2, 2, kernel, **ours),
        lambda: torch.nn.Conv2d(2, 2, kernel, **ours),
        lambda: keras.layers.Conv2D(2, kernel, **of_keras),
    )


SETTINGS: Settings = {
    "Conv2d": {
        "groups that do not divide the channels": _convolution(1, {"groups": 3}, groups=3),
        "a kernel of no size": _convolution(0, {}),
        "a kernel larger than the image": _convolution(5, {}),
        "a stride of zero": _convolution(2, {"strides": 0}, stride=0),
        "a dilation of zero": _convolution(2, {"dilation_rate": 0}, dilation=0),
        "a stride beside a dilation": _convolution(2, {"strides": 2, "dilation_rate": 2}, stride=2, dilation=2),
    },
}
