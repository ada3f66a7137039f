"""Mistakes in a network of depthwise convolutions: multipliers, bounded activations, pooling with ceil_mode."""

from __future__ import annotations

from typing import Any

from numpynet import Array
from parity.comparison.gallery.mistake import Mistake, Twin, normal, rearranged
from parity.frameworks.lazy import keras, torch


def in_torch() -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 16, 3, padding=1, groups=8, bias=False),
        nn.BatchNorm2d(16),
        nn.Hardswish(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(16, 8, 1),
        nn.Hardsigmoid(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )


def in_keras(
    relu: str = "relu6",
    depthwise: str = "same",
    swish: str = "hard_silu",
    pool: str = "same",
    gate: str = "hard_sigmoid",
    overall: str = "GlobalAveragePooling2D",
    center: bool = True,
) -> Any:
    layers = keras.layers
    batch = {"epsilon": 1e-5, "momentum": 0.9}
    return keras.Sequential(
        [
            keras.Input((7, 7, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(**batch, center=center, name="norm"),
            layers.Activation(relu, name="relu"),
            layers.DepthwiseConv2D(3, padding=depthwise, depth_multiplier=2, use_bias=False, name="depthwise"),
            layers.BatchNormalization(**batch, name="norm_depthwise"),
            layers.Activation(swish, name="swish"),
            layers.MaxPooling2D(2, padding=pool, name="pool"),
            layers.Conv2D(8, 1, activation=gate, name="pointwise"),
            getattr(layers, overall)(name="overall"),
            layers.Dense(4, name="head"),
        ]
    )


TWIN = Twin("depthwise", in_torch, in_keras, normal(4, 3, 7, 7))


def multiplier_first(held: list[Array]) -> list[Array]:
    """The kernel as if torch had the multiples of all channels one after another, not those of each channel."""
    (kernel,) = held
    flat = kernel.reshape(3, 3, 16)  # in torch's order of output channels
    return [flat.reshape(3, 3, 2, 8).swapaxes(2, 3)]


MISTAKES = [
    Mistake(
        "relu-for-relu6",
        TWIN,
        "ReLU for ReLU6",
        "https://github.com/jakc4103/DFQ/issues/34",
        "relu",
        "activation",
        {"relu": "relu"},
    ),
    Mistake(
        "depthwise-not-padded",
        TWIN,
        'A depthwise convolution with Keras\' default padding="valid"',
        "https://github.com/zylo117/Yet-Another-EfficientDet-Pytorch/issues/50",
        "depthwise",
        "padding",
        {"depthwise": "valid"},
    ),
    Mistake(
        "depthwise-multiplier-order",
        TWIN,
        "The kernel of a depthwise convolution reshaped with the multiplier ahead of the channels",
        "https://github.com/gmalivenko/onnx2keras/pull/150",
        "depthwise",
        "weights",
        convert=rearranged("depthwise", multiplier_first),
    ),
    Mistake(
        "swish-for-hard-swish",
        TWIN,
        "Swish for hard swish",
        "https://github.com/joaopauloschuler/neural-api/issues/67",
        "swish",
        "activation",
        {"swish": "silu"},
    ),
    Mistake(
        "sigmoid-for-hard-sigmoid",
        TWIN,
        "Sigmoid for hard sigmoid",
        "https://github.com/tensorflow/tensorflow/issues/65381",
        "pointwise",
        "activation",
        {"gate": "sigmoid"},
    ),
    Mistake(
        "ceil-mode-forgotten",
        TWIN,
        "A max pooling that leaves out the last window, which ceil_mode keeps",
        "https://github.com/tenstorrent/tt-metal/issues/11044",
        "pool",
        "ceil mode",
        {"pool": "valid"},
    ),
    Mistake(
        "global-maximum-for-average",
        TWIN,
        "The maximum of all places for their average",
        "https://github.com/timctho/mobilenet-v2-tensorflow/issues/1",
        "overall",
        "pools",
        {"overall": "GlobalMaxPooling2D"},
    ),
    Mistake(
        "batch-norm-without-shift",
        TWIN,
        "Batch normalisation without its shift",
        "https://keras.io/api/layers/normalization_layers/batch_normalization/",
        "norm",
        "bias",
        {"center": False},
    ),
]
