"""Special values in pooling and padding."""

from __future__ import annotations

from numpynet import AvgPool2d, GlobalAveragePool2d, MaxPool2d, ZeroPad2d
from parity.catalogue.deviation import Deviation
from parity.catalogue.example import IMAGES, layer

EXAMPLES = [
    layer(MaxPool2d(3, 2), IMAGES),
    layer(AvgPool2d(3, 2, 1), IMAGES, name="zeros counted"),
    layer(AvgPool2d(3, 2, 1, count_include_pad=False), IMAGES, name="zeros left out"),
    layer(GlobalAveragePool2d(), IMAGES),
    layer(ZeroPad2d(1), IMAGES),
]

KNOWN: list[Deviation] = [
    Deviation(
        "MaxPool2d",
        "NaN",
        "tensorflow",
        {"output": "NaN to finite"},
        "TensorFlow returns the largest of the numbers (see maxpool-nan)",
        source="https://github.com/tensorflow/tensorflow/issues/125965",
    ),
    Deviation(
        "MaxPool2d",
        "NaN",
        "tensorflow",
        {"input gradient": "finite to zero, zero to finite"},
        "the gradient goes to the largest of the numbers, unless the NaN is the first that TensorFlow looks at",
        ("last",),
        source="https://github.com/tensorflow/tensorflow/issues/125965",
    ),
]
