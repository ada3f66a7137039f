"""Mistakes in a decoder: transposed convolutions and upsampling."""

from __future__ import annotations

from typing import Any

from parity.comparison.gallery.mistake import Mistake, Twin, normal
from parity.frameworks.lazy import keras, tf, torch


def in_torch() -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.ConvTranspose2d(4, 8, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(8, 4, 3, padding=1),
        nn.UpsamplingBilinear2d(scale_factor=2),
        nn.Conv2d(4, 3, 3, padding=1),
        nn.Tanh(),
    )


def by_corners(x: Any) -> Any:
    return tf.compat.v1.image.resize_bilinear(x, [2 * side for side in x.shape[1:-1]], align_corners=True)


def in_keras(
    transposed: str = "valid", interpolation: str = "bilinear", corners: bool = True, last: str = "tanh"
) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((3, 5, 4)),
            layers.Conv2DTranspose(8, 3, strides=2, padding=transposed, name="transposed"),
            *([layers.Cropping2D(((1, 0), (1, 0)), name="crop")] if transposed == "valid" else []),
            layers.ReLU(name="relu"),
            layers.UpSampling2D(2, interpolation=interpolation, name="up1"),
            layers.Conv2D(4, 3, padding="same", name="conv1"),
            layers.Lambda(by_corners, output_shape=(24, 40, 4), name="up2")
            if corners
            else layers.UpSampling2D(2, interpolation="bilinear", name="up2"),
            layers.Conv2D(3, 3, padding="same", activation=last, name="conv2"),
        ]
    )


TWIN = Twin("decoder", in_torch, in_keras, normal(2, 4, 3, 5))
MISTAKES = [
    Mistake(
        "transposed-convolution-same",
        TWIN,
        'padding="same" for padding=1 and output_padding=1: Keras crops the other end',
        "https://github.com/keras-team/keras/pull/22876",
        "transposed",
        "cropping",
        {"transposed": "same"},
    ),
    Mistake(
        "upsampling-nearest",
        TWIN,
        "Keras' default interpolation, the nearest, for bilinear",
        "https://github.com/aurora95/Keras-FCN/issues/1",
        "up1",
        "interpolation",
        {"interpolation": "nearest"},
    ),
    Mistake(
        "upsampling-corners",
        TWIN,
        "Bilinear upsampling by half pixels for one that aligns corners",
        "https://github.com/bonlime/keras-deeplab-v3-plus/issues/49",
        "up2",
        "corners",
        {"corners": False},
    ),
    Mistake(
        "sigmoid-for-tanh",
        TWIN,
        "Sigmoid for the tanh in the end",
        "https://github.com/carpedm20/DCGAN-tensorflow/issues/163",
        "conv2",
        "activation",
        {"last": "sigmoid"},
    ),
]
