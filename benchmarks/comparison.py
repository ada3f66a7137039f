"""The cost of `parity.compare`, of two right ports: its time against one plain step of both models, and its memory.

python -m benchmarks.comparison MODEL
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn

import parity
from benchmarks.memory import resident_megabytes
from numpynet import Array

STEPS = 5  # plain steps of each model, of which the fastest counts: the first ones pay for buffers
BATCH = 4
BLOCKS = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # of ResNet-50: width, number, stride of the first
TOKENS, WIDTH, HEADS, DEPTH, LENGTH = 1000, 320, 8, 8, 32  # of a transformer of ten million parameters


class Bottleneck(nn.Module):
    """A block of `keras.applications.ResNet50`."""

    def __init__(self, given: int, width: int, stride: int, first: bool) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.Conv2d(given, 4 * width, 1, stride), norm(4 * width)) if first else None
        self.layers = nn.Sequential(
            *(nn.Conv2d(given, width, 1, stride), norm(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1), norm(width), nn.ReLU()),
            *(nn.Conv2d(width, 4 * width, 1), norm(4 * width)),
        )
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beside = x if self.shortcut is None else self.shortcut(x)
        return self.relu(beside + self.layers(x))


def norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, eps=1.001e-5, momentum=0.01)


def resnet() -> tuple[Any, Any, Array]:
    """ResNet-50 in torch, that of keras.applications, and images of 64 by 64."""
    blocks, given = [], 64
    for width, number, stride in BLOCKS:
        for place in range(number):
            blocks.append(Bottleneck(given, width, 1 if place else stride, not place))
            given = 4 * width
    model = nn.Sequential(
        *(nn.ZeroPad2d(3), nn.Conv2d(3, 64, 7, 2), norm(64), nn.ReLU(), nn.ZeroPad2d(1), nn.MaxPool2d(3, 2)),
        *blocks,
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(given, 1000)),
    )
    port = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classifier_activation=None)
    return model, port, np.random.default_rng(0).standard_normal((BATCH, 3, 64, 64)).astype(np.float32)


class Encoder(nn.Module):
    """A block of a transformer, with normalisation ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead, self.behind = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.wide, self.gelu, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.ahead(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.narrow(self.gelu(self.wide(self.behind(x))))


def transformer() -> tuple[Any, Any, Array]:
    """A transformer's encoder in torch and in Keras, and tokens."""
    layers = keras.layers
    model = nn.Sequential(nn.Embedding(TOKENS, WIDTH), *(Encoder() for _ in range(DEPTH)), nn.Linear(WIDTH, TOKENS))
    tokens = keras.Input((LENGTH,), dtype="int64")
    x = layers.Embedding(TOKENS, WIDTH)(tokens)
    for _ in range(DEPTH):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y)
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        x = x + layers.Dense(WIDTH)(layers.Dense(4 * WIDTH, activation="gelu")(y))
    port = keras.Model(tokens, layers.Dense(TOKENS)(x))
    return model, port, np.random.default_rng(0).integers(0, TOKENS, (BATCH, LENGTH))


MODELS: dict[str, Callable[[], tuple[Any, Any, Array]]] = {"ResNet-50, 64x64": resnet, "transformer": transformer}


def step_in_torch(model: Any, inputs: Sequence[Array]) -> None:
    model.zero_grad()
    model(*map(torch.tensor, inputs)).sum().backward()


def step_in_keras(model: Any, inputs: Sequence[Array]) -> None:
    tensors = list(map(tf.constant, inputs))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(tensors if len(tensors) > 1 else tensors[0], training=True))
    tape.gradient(total, model.trainable_variables)


def seconds(call: Callable[[], object]) -> float:
    """The seconds of the processor that a call takes: what else runs on the machine does not count."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(name: str) -> dict[str, float]:
    """The seconds of one comparison and of one plain step of each model; raises ParityError where it sees a fault."""
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)
    model, port, x = MODELS[name]()
    there = x.transpose(0, 2, 3, 1) if x.ndim == 4 else x
    plain = {
        "torch": min(seconds(lambda: step_in_torch(model, [x])) for _ in range(STEPS)),
        "keras": min(seconds(lambda: step_in_keras(port, [there])) for _ in range(STEPS)),
    }
    reports: list[parity.Comparison] = []
    taken = seconds(lambda: reports.append(parity.compare(model, port, x)))
    reports[0].check()
    return {
        "parameters": sum(one.numel() for one in model.parameters()),
        **plain,
        "comparison": taken,
        "ratio": taken / sum(plain.values()),
        "share": reports[0].worst.share,
        "megabytes": resident_megabytes(),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
