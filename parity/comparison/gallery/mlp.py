"""Mistakes in a multilayer perceptron: activations, layer normalisation, dropout, and matrices that are square."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.comparison.gallery.mistake import Mistake, Twin, normal, rearranged
from parity.frameworks.lazy import keras, torch


def in_torch() -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(6, 16),
        nn.GELU(),
        nn.LayerNorm(16),
        nn.Linear(16, 16),
        nn.SiLU(),
        nn.Dropout(0.25),
        nn.Linear(16, 16),
        nn.ELU(0.5),
        nn.Linear(16, 4),
        nn.Softmax(dim=1),
    )


def in_keras(
    gelu: Any = None,
    doubled: bool = False,
    eps: float = 1e-5,
    silu: str | None = "silu",
    rate: float = 0.25,
    alpha: float = 0.5,
    bias: bool = True,
    last: str | None = None,
    softmax: Any = None,
) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, activation=gelu or keras.activations.gelu, name="first"),
            *([layers.Activation(keras.activations.gelu, name="again")] if doubled else []),
            layers.LayerNormalization(epsilon=eps, name="norm"),
            layers.Dense(16, activation=silu, name="second"),
            layers.Dropout(rate, name="dropout"),
            layers.Dense(16, use_bias=bias, name="third"),
            layers.ELU(alpha, name="elu"),
            layers.Dense(4, activation=last, name="head"),
            softmax() if softmax else layers.Softmax(name="softmax"),
        ]
    )


TWIN = Twin("MLP", in_torch, in_keras, normal(5, 6))


def tanh_gelu(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=True)


MISTAKES = [
    Mistake(
        "gelu-approximated",
        TWIN,
        "GELU by its tanh approximation for the exact one",
        "https://github.com/goodfire-ai/spd/issues/624",
        "first",
        "approximate",
        {"gelu": tanh_gelu},
    ),
    Mistake(
        "gelu-twice",
        TWIN,
        "An activation both in the layer and behind it",
        "https://github.com/edvardHua/PoseEstimationForMobile/issues/12",
        "again",
        "activation",
        {"doubled": True},
    ),
    Mistake(
        "layer-norm-default-eps",
        TWIN,
        "Keras' default epsilon of layer normalisation, 1e-3, for torch's 1e-5",
        "https://github.com/keras-team/keras-hub/issues/642",
        "norm",
        "eps",
        {"eps": 1e-3},
    ),
    Mistake(
        "layer-norm-eps-1e-6",
        TWIN,
        "An epsilon of 1e-6 for one of 1e-5",
        "https://github.com/mindspore-lab/mindone/pull/219",
        "norm",
        "eps",
        {"eps": 1e-6},
    ),
    Mistake(
        "layer-norm-gain-for-shift",
        TWIN,
        "The gain and the shift of a normalisation exchanged in the conversion of weights",
        "https://github.com/keras-team/keras/issues/2772",
        "norm",
        "weights",
        convert=rearranged("norm", lambda held: [held[1], held[0]]),
    ),
    Mistake(
        "silu-forgotten",
        TWIN,
        "An activation that torch has as a layer, forgotten in the port's layer",
        "https://github.com/XuJiacong/PIDNet/issues/20",
        "second",
        "activation",
        {"silu": None},
    ),
    Mistake(
        "silu-hard",
        TWIN,
        "Hard swish for swish, or the other way round",
        "https://github.com/Bisonai/mobilenetv3-tensorflow/issues/11",
        "second",
        "activation",
        {"silu": "hard_silu"},
    ),
    Mistake(
        "dropout-keep-probability",
        TWIN,
        "The probability to keep for the one to drop",
        "https://github.com/titu1994/Inception-v4/issues/5",
        "dropout",
        "rate",
        {"rate": 0.75},
    ),
    Mistake(
        "elu-default-alpha",
        TWIN,
        "The default alpha of ELU for the model's",
        "https://keras.io/api/layers/activation_layers/elu/",
        "elu",
        "alpha",
        {"alpha": 1.0},
    ),
    Mistake(
        "dense-without-bias",
        TWIN,
        "A linear layer without its bias",
        "https://github.com/onnx/keras-onnx/pull/36",
        "third",
        "bias",
        {"bias": False},
    ),
    Mistake(
        "dense-bias-not-copied",
        TWIN,
        "A bias left at zero in the conversion of weights",
        "https://github.com/gmalivenko/pytorch2keras/issues/124",
        "second",
        "weights",
        convert=rearranged("second", lambda held: [held[0], np.zeros_like(held[1])]),
    ),
    Mistake(
        "dense-not-transposed",
        TWIN,
        "A square matrix copied as it is, though Keras has it transposed",
        "https://github.com/tinygrad/tinygrad/pull/18103",
        "third",
        "weights",
        convert=rearranged("third", lambda held: [held[0].T, held[1]]),
    ),
    Mistake(
        "softmax-twice",
        TWIN,
        "Softmax in the last layer and behind it",  # either is one too many: the latter is said to be
        "https://github.com/tflearn/tflearn/pull/562",
        "softmax",
        "activation",
        {"last": "softmax"},
    ),
    Mistake(
        "softmax-over-batch",
        TWIN,
        "Softmax over the batch",
        "https://github.com/perone/euclidesdb/issues/2",
        "softmax",
        "axis",
        {"softmax": lambda: keras.layers.Softmax(axis=0, name="softmax")},
    ),
    Mistake(
        "log-softmax-for-softmax",
        TWIN,
        "Log-probabilities for probabilities",
        "https://github.com/DSKSD/DeepNLP-models-Pytorch/issues/2",
        "softmax",
        "activation",
        {"softmax": lambda: keras.layers.Activation("log_softmax", name="softmax")},
    ),
]
