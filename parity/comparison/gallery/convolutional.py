"""Mistakes in a convolutional network with batch normalisation: statistics, pooling, flattening, kernels."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.gallery.mistake import Mistake, Twin, normal, rearranged
from parity.frameworks.lazy import keras, torch


def in_torch() -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.Dropout2d(0.25),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 5),
    )


def in_keras(
    bias: bool = False,
    slope: float = 0.01,
    pool: str = "MaxPooling2D",
    active: bool = True,
    counted: bool = True,
    dropout: str = "SpatialDropout2D",
    trainable: bool = True,
    **norm: Any,
) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=bias, name="conv1"),
            layers.BatchNormalization(**({"epsilon": 1e-5, "momentum": 0.9} | norm), name="norm1"),
            layers.LeakyReLU(negative_slope=slope, name="leaky"),
            getattr(layers, pool)(2, name="pool"),
            layers.Conv2D(8, 3, padding="same", name="conv2"),
            layers.BatchNormalization(epsilon=1e-5, momentum=0.9, trainable=trainable, name="norm2"),
            *([layers.ReLU(name="relu")] if active else []),
            *([layers.ZeroPadding2D(1, name="pad")] if counted else []),
            layers.AveragePooling2D(3, strides=1, padding="valid" if counted else "same", name="average"),
            getattr(layers, dropout)(0.25, name="dropout"),
            layers.Flatten(),
            layers.Dense(5, name="head"),
        ]
    )


TWIN = Twin("convolutional", in_torch, in_keras, normal(4, 3, 8, 8))


def flattened_as_in_torch(held: list[Array]) -> list[Array]:
    """The rows of the matrix in the order of torch's channels, heights and widths."""
    kernel, bias = held
    return [kernel.reshape(4, 4, 8, -1).transpose(2, 0, 1, 3).reshape(kernel.shape), bias]


MISTAKES = [
    Mistake(
        "batch-norm-default-eps",
        TWIN,
        "Keras' default epsilon of batch normalisation, 1e-3, for torch's 1e-5",
        "https://github.com/qqwweee/keras-yolo3/issues/451",
        "norm1",
        "eps",
        {"epsilon": 1e-3},
    ),
    Mistake(
        "batch-norm-momentum-of-torch",
        TWIN,
        "torch's momentum, 0.1, which is what Keras calls 0.9",
        "https://github.com/fastestimator/fastestimator/pull/1201",
        "norm1",
        "momentum",
        {"momentum": 0.1},
    ),
    Mistake(
        "batch-norm-default-momentum",
        TWIN,
        "Keras' default momentum, 0.99, which torch would call 0.01",
        "https://github.com/vlawhern/arl-eegmodels/issues/39",
        "norm1",
        "momentum",
        {"momentum": 0.99},
    ),
    Mistake(
        "batch-norm-axis-1",
        TWIN,
        "Batch normalisation over axis 1, where torch has the channels and Keras the rows",
        "https://github.com/gzuidhof/nn-transfer/issues/7",
        "norm1",
        "axis",
        {"axis": 1},
    ),
    Mistake(
        "batch-norm-without-gain",
        TWIN,
        "Batch normalisation without its gain, as behind it something else scales",
        "https://keras.io/api/layers/normalization_layers/batch_normalization/",
        "norm1",
        "weight",
        {"scale": False},
    ),
    Mistake(
        "batch-norm-frozen",
        TWIN,
        "A frozen batch normalisation, which normalises by its running statistics in training, too",
        "https://github.com/keras-team/keras/pull/13892",
        "norm2",
        "trainable",
        {"trainable": False},
    ),
    Mistake(
        "batch-norm-mean-for-variance",
        TWIN,
        "The running variance set as the mean, and the mean as the variance",
        "https://github.com/gmalivenko/pytorch2keras/issues/120",
        "norm2",
        "weights",
        convert=rearranged("norm2", lambda held: [held[0], held[1], held[3], np.abs(held[2])]),
    ),
    Mistake(
        "batch-norm-statistics-not-copied",
        TWIN,
        "Gain and shift copied, and the running statistics left as a fresh layer has them",
        "https://github.com/pytorch/pytorch/issues/1725",
        "norm2",
        "weights",
        convert=rearranged("norm2", lambda held: [*held[:2], np.zeros_like(held[2]), np.ones_like(held[3])]),
    ),
    Mistake(
        "convolution-with-bias",
        TWIN,
        "A convolution with a bias where the original has none",
        "https://github.com/gmalivenko/pytorch2keras/issues/127",
        "conv1",
        "bias",
        {"bias": True},
    ),
    Mistake(
        "leaky-relu-default-slope",
        TWIN,
        "Keras' default slope of LeakyReLU, 0.3, for torch's 0.01",
        "https://github.com/jinyu121/DW2TF/issues/2",
        "leaky",
        "slope",
        {"slope": 0.3},
    ),
    Mistake(
        "average-for-maximum",
        TWIN,
        "The average of a window for its maximum",
        "https://github.com/titu1994/Fully-Connected-DenseNets-Semantic-Segmentation/pull/9",
        "pool",
        "pools",
        {"pool": "AveragePooling2D"},
    ),
    Mistake(
        "average-pooling-same",
        TWIN,
        'padding="same", which leaves the padding out of the average, where torch counts it',
        "https://github.com/apache/tvm/issues/1144",
        "average",
        "counted",
        {"counted": False},
    ),
    Mistake(
        "relu-forgotten",
        TWIN,
        "No ReLU behind a batch normalisation",
        "https://github.com/Cadene/pretrained-models.pytorch/issues/79",
        "norm2",
        "activation",
        {"active": False},
    ),
    Mistake(
        "dropout-of-elements",
        TWIN,
        "Dropout of elements where the original drops whole channels",
        "https://github.com/tjiagoM/stochastic-YOLO/issues/2",
        "dropout",
        "channels",
        {"dropout": "Dropout"},
    ),
    Mistake(
        "flatten-order",
        TWIN,
        "The matrix behind Flatten copied as it is, though its input lies with the channels last",
        "https://github.com/gzuidhof/nn-transfer/issues/16",
        "head",
        "weights",
        convert=rearranged("head", flattened_as_in_torch),
    ),
    Mistake(
        "kernel-channels-exchanged",
        TWIN,
        "A kernel transposed by (2, 3, 0, 1), not (2, 3, 1, 0): as many channels in as out",
        "https://github.com/hyseob/PyMDNet/issues/3",
        "conv2",
        "weights",
        convert=rearranged("conv2", lambda held: [held[0].transpose(0, 1, 3, 2), held[1]]),
    ),
    Mistake(
        "kernel-flipped",
        TWIN,
        "A kernel flipped, as Theano's true convolution wants it",
        "https://github.com/coxlab/prednet/issues/46",
        "conv2",
        "weights",
        convert=rearranged("conv2", lambda held: [held[0][::-1, ::-1], held[1]]),
    ),
]
