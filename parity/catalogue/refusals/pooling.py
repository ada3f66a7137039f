"""Refusals of pooling and padding."""

from __future__ import annotations

from numpynet import AvgPool2d, MaxPool2d, ZeroPad2d
from numpynet.pooling import Pool2d
from parity.catalogue.known import FLOATING, GRADIENT, IMAGE, Known
from parity.catalogue.settings import Settings, Tries, on_image
from parity.frameworks.lazy import keras, torch

KNOWN = [
    Known("integer input", "MaxPool2d AvgPool2d", "numpynet tensorflow", FLOATING),
    Known("integer input", "GlobalAveragePool2d", "numpynet torch", FLOATING),
    Known("integer input", "ZeroPad2d", "numpynet", FLOATING),
    Known("boolean input", "GlobalAveragePool2d", "numpynet torch", FLOATING),
    Known("boolean input", "ZeroPad2d", "numpynet", FLOATING),
    Known("complex input", "GlobalAveragePool2d ZeroPad2d", "numpynet", FLOATING, "keras>=3.6"),
    Known("complex input", "GlobalAveragePool2d ZeroPad2d", "numpynet tensorflow", FLOATING, "keras<3.6"),
    Known("gradient of another precision", "MaxPool2d AvgPool2d", "tensorflow", GRADIENT),
    Known("gradient of integers", "MaxPool2d AvgPool2d", "tensorflow", GRADIENT),
    Known("no features", "MaxPool2d AvgPool2d", "torch", "torch's pooling wants a channel at least"),
    Known("one dimension too few", "MaxPool2d AvgPool2d GlobalAveragePool2d ZeroPad2d", "numpynet tensorflow", IMAGE),
    Known(
        "one dimension too many",
        "GlobalAveragePool2d ZeroPad2d",
        "numpynet tensorflow",
        "torch averages and pads the last two axes, whatever is before them",
    ),
    Known(
        "windows larger than the image",
        "MaxPool2d",
        "numpynet torch",
        "TensorFlow's own kernel (Eigen) returns an image without pixels; oneDNN's, which it takes on some processors, "
        "refuses as the others do",
        by="Eigen",
    ),
    Known("windows larger than the image", "AvgPool2d", "numpynet torch", "Keras returns an image without pixels"),
    Known("a negative width", "ZeroPad2d", "numpynet tensorflow", "torch crops by a negative width"),
]


def _pool(ours: type[Pool2d], theirs: str, of_keras: str) -> dict[str, Tries]:
    def tried(kernel: int, stride: int | None = None) -> Tries:
        return on_image(
            lambda: ours(kernel, stride),
            lambda: getattr(torch.nn, theirs)(kernel, stride),
            lambda: getattr(keras.layers, of_keras)(kernel, stride),
        )

    return {
        "windows of no size": tried(0),
        "windows larger than the image": tried(5),
        "a stride of zero": tried(2, 0),
    }


SETTINGS: Settings = {
    "MaxPool2d": _pool(MaxPool2d, "MaxPool2d", "MaxPooling2D"),
    "AvgPool2d": _pool(AvgPool2d, "AvgPool2d", "AveragePooling2D"),
    "ZeroPad2d": {
        "a negative width": on_image(
            lambda: ZeroPad2d((-1, 0, 0, 0)),
            lambda: torch.nn.ZeroPad2d((-1, 0, 0, 0)),
            lambda: keras.layers.ZeroPadding2D(((0, 0), (-1, 0))),
        )
    },
}
