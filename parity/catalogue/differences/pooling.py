"""Differences of pooling."""

from __future__ import annotations

import numpy as np

from numpynet import Array, AvgPool2d, MaxPool2d, Module
from parity.catalogue.difference import Claim, Demonstration, Formula, avoided, claim, claims, difference, exactly
from parity.catalogue.running import on_image
from parity.frameworks.lazy import tf

PADDING = "https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2"
NAN = np.nan

eight = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)


def sums(padded: Array) -> Array:
    """The sums of windows of 3 by 3, moved by 1."""
    size = len(padded) - 2
    return np.asanyarray(sum(padded[u : u + size, v : v + size] for u in range(3) for v in range(3)))


def pooled_mean(counted: bool) -> Formula:
    """The formula for the means of windows of 3 by 3, moved by 1, on pixels and a frame of zeros.

    The frame counts if it is `counted`.
    """

    def formula(x: Array) -> Array:
        return sums(np.pad(x, 1)) / sums(np.pad(np.ones(x.shape), 1, constant_values=float(counted)))

    return formula


@difference(
    "avgpool-padding",
    does={
        "torch": "the zeros of the padding count (count_include_pad=True)",
        "keras": "padding='same' leaves them out of the mean",
        "tensorflow": "as Keras",
    },
    mapping="count_include_pad=False",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html",
        "https://www.tensorflow.org/api_docs/python/tf/nn/avg_pool",
    ),
)
def avgpool_padding() -> Demonstration:
    """The mean of a window at the edge."""
    same = tf.nn.avg_pool2d(eight[None, ..., None], 3, 1, "SAME").numpy()[0, ..., 0]
    of_keras = {"keras": claim(same, pooled_mean(False), eight)}

    def net(counted: bool) -> Module:
        return AvgPool2d(3, 1, 1, count_include_pad=counted)

    return Demonstration(
        claims(on_image(net(True), eight), pooled_mean(True), eight) | of_keras,
        claims(on_image(net(False), eight), pooled_mean(False), eight) | of_keras,
    )


def pooled_maximum(image: Array, before: int, after: int) -> Array:
    """The largest elements of windows of 3 by 3, moved by 2.

    `before` and `after` are the widths of what is put around the image, which is never the largest.
    """
    padded = np.pad(image, (before, after), constant_values=-np.inf)
    return np.array(
        [[padded[r : r + 3, c : c + 3].max() for c in range(0, len(image), 2)] for r in range(0, len(image), 2)]
    )


@difference(
    "maxpool-same-stride",
    does={
        "torch": "pads alike on both sides, with minus infinity",
        "keras": "padding='same' pads with minus infinity too, but like a convolution's: more on the right and below",
        "tensorflow": "as Keras",
    },
    mapping="pad with minus infinity by hand: torch.nn.functional.pad(value=-inf), numpy.pad",
    sources=(PADDING, "https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html"),
)
def maxpool_same_stride() -> Demonstration:
    """SAME with a stride of two begins one pixel further in an image of even size."""

    def shown(net: Module, x: Array, image: Array, before: int, before_same: int) -> dict[str, Claim]:
        """The claims on numpynet's layer, and what it is mapped to, for x, and on SAME for `image`."""
        same = tf.nn.max_pool2d(image[None, ..., None], 3, 2, "SAME").numpy()[0, ..., 0]
        found = {who: exactly(values, pooled_maximum(image, before, 1)) for who, values in on_image(net, x).items()}
        return found | {"keras": exactly(same, pooled_maximum(image, before_same, 1))}

    framed, seven = np.pad(eight, (0, 1), constant_values=-np.inf), eight[:7, :7]
    return Demonstration(
        shown(MaxPool2d(3, 2, 1), eight, eight, 1, 0),
        shown(MaxPool2d(3, 2), framed, eight, 0, 0),
        shown(MaxPool2d(3, 2, 1), seven, seven, 1, 1),
    )


@difference(
    "maxpool-nan",
    does={
        "torch": "a window with a NaN gives NaN",
        "keras": "as TensorFlow",
        "tensorflow": "the largest of the numbers",
    },
    mapping="finite inputs",
    sources=(
        "https://github.com/tensorflow/tensorflow/issues/125965",
        "https://github.com/pytorch/pytorch/issues/7645",
    ),
)
def maxpool_nan() -> Demonstration:
    """A NaN in a window of float32."""
    broken = np.array([[1, NAN], [4, 2]], np.float32)
    finite = np.array([[1, 0], [4, 2]], np.float32)
    return avoided(
        {who: exactly(v, 4.0 if who == "tensorflow" else NAN) for who, v in on_image(MaxPool2d(2), broken).items()},
        {who: exactly(v, 4.0) for who, v in on_image(MaxPool2d(2), finite).items()},
    )
