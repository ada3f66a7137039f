"""Architectures as packages have them: torch's from torchvision and timm, Keras' from keras.applications.

Beside them stand a transformer's encoder and decoder, an LSTM and a GRU, written in both. Weights are drawn at random;
where dropout and stochastic depth can be set, they are 0, so that training mode can be looked at.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from numpynet import Array

BATCH, CLASSES, SIDE = 2, 10, 64
TOKENS, WIDTH, HEADS, DEPTH, LENGTH = 100, 64, 4, 2, 12
Both = tuple[Any, Any]


@dataclass(frozen=True)
class Architecture:
    """Two models that are said to be of one architecture.

    source: where the first comes from, and the second
    make: makes them, with random weights
    inputs: draws what the first takes
    """

    source: str
    make: Callable[[], Both]
    inputs: Callable[[np.random.Generator], list[Array]]


def _images(side: int) -> Callable[[np.random.Generator], list[Array]]:
    return lambda rng: [rng.standard_normal((BATCH, 3, side, side)).astype(np.float32)]


def _sequences(number: int) -> Callable[[np.random.Generator], list[Array]]:
    return lambda rng: [rng.standard_normal((BATCH, LENGTH, WIDTH)).astype(np.float32) for _ in range(number)]


def _tokens(rng: np.random.Generator) -> list[Array]:
    return [rng.integers(0, TOKENS, (BATCH, LENGTH))]


def _package(name: str) -> Any:
    """Torchvision or timm, which uses it.

    Torchvision's compiled operators fail to register beside a build of torch that is another one than theirs. Its
    models do not use them.
    """
    registering = "torchvision._meta_registrations"
    sys.modules.setdefault(registering, types.ModuleType(registering))
    return importlib.import_module(name)


def _of_packages(first: str, second: str, side: int = SIDE, there: Any = None, **options: Any) -> Architecture:
    """An architecture of this name in torchvision or timm, made with `options`, and in keras.applications."""
    package, name = first.split(".")

    def make() -> Both:
        if package == "timm":
            model = _package(package).create_model(name, pretrained=False, num_classes=CLASSES, **options)
        else:
            model = getattr(_package(package).models, name)(weights=None, num_classes=CLASSES, **options)
        port = getattr(keras.applications, second)(
            weights=None, classes=CLASSES, input_shape=(side, side, 3), classifier_activation=None, **(there or {})
        )
        return model, port

    return Architecture(f"{first}, {second}", make, _images(side))


def _vgg(name: str, second: str) -> Architecture:
    """The convolutions of a VGG alone: the matrices behind them belong to images of 224 by 224."""

    def make() -> Both:
        port = getattr(keras.applications, second)(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3))
        return getattr(_package("torchvision").models, name)(weights=None).features, port

    return Architecture(f"torchvision.{name}, {second}, without their classifiers", make, _images(SIDE))


def _encoder() -> Both:
    layers = keras.layers
    block = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(block, DEPTH, enable_nested_tensor=False), nn.Linear(WIDTH, CLASSES))
    given = keras.Input((LENGTH, WIDTH))
    x = given
    for _ in range(DEPTH):
        x = _normed(x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(x, x))
        x = _normed(x + layers.Dense(WIDTH)(layers.Dense(4 * WIDTH, activation="gelu")(x)))
    return model, keras.Model(given, layers.Dense(CLASSES)(x))


def _normed(x: Any) -> Any:
    return keras.layers.LayerNormalization(epsilon=1e-5)(x)


class Decoder(nn.Module):
    """A transformer's decoder, which looks at what came before alone, and at all of a memory."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.TransformerDecoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "relu", batch_first=True, norm_first=True)
        self.blocks, self.head = nn.TransformerDecoder(block, DEPTH, nn.LayerNorm(WIDTH)), nn.Linear(WIDTH, CLASSES)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        later = torch.triu(torch.ones(LENGTH, LENGTH, dtype=torch.bool), 1)
        return self.head(self.blocks(x, memory, tgt_mask=later))


def _decoder() -> Both:
    layers = keras.layers
    given, memory = keras.Input((LENGTH, WIDTH)), keras.Input((LENGTH, WIDTH))
    x = given
    for _ in range(DEPTH):
        y = _normed(x)
        x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, use_causal_mask=True)
        x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(_normed(x), memory)
        x = x + layers.Dense(WIDTH)(layers.Dense(4 * WIDTH, activation="relu")(_normed(x)))
    return Decoder(), keras.Model([given, memory], layers.Dense(CLASSES)(_normed(x)))


class Recurrent(nn.Module):
    """Two recurrent layers over embedded tokens; the last step is classified."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(TOKENS, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.first, self.second = (getattr(nn, kind)(WIDTH, WIDTH, batch_first=True) for _ in range(2))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.first(self.embedding(tokens))[0])[0][:, -1])


def _recurrent(kind: str) -> Both:
    layers, tokens = keras.layers, keras.Input((LENGTH,), dtype="int64")
    x = getattr(layers, kind)(WIDTH, return_sequences=True)(layers.Embedding(TOKENS, WIDTH)(tokens))
    return Recurrent(kind), keras.Model(tokens, layers.Dense(CLASSES)(getattr(layers, kind)(WIDTH)(x)))


WRITTEN = "written in both"
AS_TAKEN = {"include_preprocessing": False}
ZOO: dict[str, Architecture] = {
    "VGG16": _vgg("vgg16", "VGG16"),
    "VGG19": _vgg("vgg19", "VGG19"),
    "ResNet-50": _of_packages("torchvision.resnet50", "ResNet50"),
    "ResNet-50 V2": _of_packages("timm.resnetv2_50", "ResNet50V2"),
    "DenseNet-121": _of_packages("torchvision.densenet121", "DenseNet121"),
    "Inception V3": _of_packages(
        "torchvision.inception_v3", "InceptionV3", 75, aux_logits=False, init_weights=False, dropout=0.0
    ),
    "Xception": _of_packages("timm.legacy_xception", "Xception", 71),
    "MobileNet": _of_packages("timm.mobilenetv1_100", "MobileNet", there={"dropout": 0.0}),
    "MobileNet V2": _of_packages("torchvision.mobilenet_v2", "MobileNetV2", dropout=0.0),
    "MobileNet V3 small": _of_packages(
        "torchvision.mobilenet_v3_small", "MobileNetV3Small", there=AS_TAKEN | {"dropout_rate": 0.0}, dropout=0.0
    ),
    "EfficientNet-B0": _of_packages("timm.efficientnet_b0", "EfficientNetB0"),
    "EfficientNet V2-B0": _of_packages("timm.tf_efficientnetv2_b0", "EfficientNetV2B0", there=AS_TAKEN),
    "ConvNeXt tiny": _of_packages(
        "torchvision.convnext_tiny", "ConvNeXtTiny", there=AS_TAKEN, stochastic_depth_prob=0.0
    ),
    "transformer encoder": Architecture(WRITTEN, _encoder, _sequences(1)),
    "transformer decoder": Architecture(WRITTEN, _decoder, _sequences(2)),
    "LSTM": Architecture(WRITTEN, lambda: _recurrent("LSTM"), _tokens),
    "GRU": Architecture(WRITTEN, lambda: _recurrent("GRU"), _tokens),
}
