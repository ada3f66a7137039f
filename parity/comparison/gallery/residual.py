"""Mistakes in a residual network: padding of strided windows, groups, dilation, what is around the sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.comparison.gallery.mistake import Mistake, Twin, normal
from parity.frameworks.lazy import keras, torch


def in_torch() -> Any:
    nn = torch.nn

    class Residual(nn.Module):  # type: ignore[name-defined]
        """A strided stem and one block."""

        def __init__(self) -> None:
            super().__init__()
            self.stem, self.norm, self.relu = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.GroupNorm(4, 8), nn.ReLU()
            self.pool = nn.MaxPool2d(3, stride=2, padding=1)
            self.conv1, self.norm1 = nn.Conv2d(8, 8, 3, padding=2, dilation=2), nn.BatchNorm2d(8)
            self.relu1 = nn.ReLU()
            self.conv2, self.norm2 = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.BatchNorm2d(8)
            self.relu2 = nn.ReLU()
            self.average, self.flatten, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)

        def forward(self, x: Any) -> Any:
            x = self.relu(self.pool(self.norm(self.stem(x))))
            y = self.norm2(self.conv2(self.relu1(self.norm1(self.conv1(x)))))
            return self.head(self.flatten(self.average(self.relu2(x + y))))

    return Residual()


def padded(x: Any) -> Any:
    """The image with what no maximum takes around it, as torch pads it."""
    return keras.ops.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf)


def in_keras(
    stem: str = "padded",
    strides: int = 2,
    groups: int = 4,
    eps: float = 1e-5,
    pool: str = "padded",
    dilation: int = 2,
    relu1: bool = True,
    grouped: int = 2,
    skip: bool = True,
    relu2: bool = True,
) -> Any:
    layers = keras.layers
    batch = {"epsilon": 1e-5, "momentum": 0.9}
    image = keras.Input((16, 16, 3))
    x = image
    if stem != "same":
        x = layers.ZeroPadding2D(1 if stem == "padded" else ((0, 1), (0, 1)), name="pad")(x)
    x = layers.Conv2D(8, 3, strides=strides, padding="same" if stem == "same" else "valid", name="stem")(x)
    x = layers.GroupNormalization(groups, epsilon=eps, name="norm")(x)
    if pool == "zeros":
        x = layers.ZeroPadding2D(1, name="pad_pool")(x)
    elif pool != "same":
        x = layers.Lambda(padded, name="pad_pool")(x)
    x = layers.MaxPooling2D(3, 2, padding="same" if pool == "same" else "valid", name="pool")(x)
    x = layers.ReLU(name="relu")(x)
    y = layers.Conv2D(8, 3, padding="same", dilation_rate=dilation, name="conv1")(x)
    y = layers.BatchNormalization(**batch, name="norm1")(y)
    if relu1:
        y = layers.ReLU(name="relu1")(y)
    y = layers.Conv2D(8, 3, padding="same", groups=grouped, name="conv2")(y)
    y = layers.BatchNormalization(**batch, name="norm2")(y)
    y = layers.Add(name="add")([x, y]) if skip else y
    if relu2:
        y = layers.ReLU(name="relu2")(y)
    return keras.Model(image, layers.Dense(5, name="head")(layers.GlobalAveragePooling2D(name="average")(y)))


TWIN = Twin("residual", in_torch, in_keras, normal(4, 3, 16, 16))
MISTAKES = [
    Mistake(
        "strided-convolution-same",
        TWIN,
        'padding="same" for padding=1 with a stride of 2: Keras pads the end alone',
        "https://github.com/keras-team/keras/issues/19291",
        "stem",
        "padding",
        {"stem": "same"},
    ),
    Mistake(
        "strided-convolution-padded-at-the-end",
        TWIN,
        "ZeroPadding2D(((0, 1), (0, 1))), as in keras.applications' MobileNet, for padding=1",
        "https://github.com/taehoonlee/tensornets/issues/25",
        "pad",
        "padding",
        {"stem": "end"},
    ),
    Mistake(
        "stride-forgotten",
        TWIN,
        "A stride of 1 where the original has 2; what comes after averages over all places",
        "https://github.com/pytorch/vision/issues/191",
        "stem",
        "stride",
        {"strides": 1},
    ),
    Mistake(
        "max-pooling-same",
        TWIN,
        'padding="same" for padding=1 of a strided max pooling',
        "https://github.com/shicai/DenseNet-Caffe/issues/20",
        "pool",
        "padding",
        {"pool": "same"},
    ),
    Mistake(
        "max-pooling-padded-with-zeros",
        TWIN,
        "Zeros around the input of a max pooling, where torch pads with -inf: a negative maximum is lost",
        "https://github.com/tensorflow/tensorflow/issues/48105",
        "pad_pool",
        "fill",
        {"pool": "zeros"},
    ),
    Mistake(
        "group-norm-groups",
        TWIN,
        "Another number of groups, which the shapes do not tell",
        "https://github.com/chengyangfu/pytorch-groupnormalization/issues/7",
        "norm",
        "groups",
        {"groups": 2},
    ),
    Mistake(
        "group-norm-default-eps",
        TWIN,
        "Keras' default epsilon of group normalisation, 1e-3, for torch's 1e-5",
        "https://github.com/keras-team/keras-cv/pull/828",
        "norm",
        "eps",
        {"eps": 1e-3},
    ),
    Mistake(
        "dilation-forgotten",
        TWIN,
        "A convolution without its dilation",
        "https://github.com/nikhilroxtomar/Semantic-Segmentation-Architecture/pull/4",
        "conv1",
        "dilation",
        {"dilation": 1},
    ),
    Mistake(
        "relu-in-block-forgotten",
        TWIN,
        "No ReLU between the two convolutions of a block",
        "https://github.com/zzw922cn/Automatic_Speech_Recognition/issues/27",
        "norm1",
        "activation",
        {"relu1": False},
    ),
    Mistake(
        "groups-forgotten",
        TWIN,
        "A grouped convolution without its groups",
        "https://github.com/fastai/imagenet-fast/issues/18",
        "conv2",
        "groups",
        {"grouped": 1},
    ),
    Mistake(
        "shortcut-forgotten",
        TWIN,
        "A block without the sum that makes it residual",
        "https://github.com/delira-dev/delira/issues/91",
        "",
        "",
        {"skip": False},
    ),
    Mistake(
        "relu-behind-sum-forgotten",
        TWIN,
        "No ReLU behind the sum",
        "https://github.com/yakhyo/darknet-pytorch/issues/2",
        "relu2",
        "missing",
        {"relu2": False},
    ),
]
