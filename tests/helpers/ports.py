"""Models in torch and right ports of them to Keras, with places where a port goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.gallery.mistake import move_statistics
from parity.frameworks.lazy import keras, torch


@dataclass(frozen=True)
class Port:
    """A model in torch, and its port; arguments of `keras` change a part of it.

    inputs: makes an input of a generator
    there: the input as the port takes it
    """

    torch: Callable[[], Any]
    keras: Callable[..., Any]
    inputs: Callable[[np.random.Generator], Array]
    there: Callable[[Array], Array] = np.asarray

    def both(self, **changes: Any) -> tuple[Any, Any]:
        """The model and its port, with weights of their own, which are random."""
        torch.manual_seed(1)
        keras.utils.set_random_seed(2)
        model, port = self.torch(), self.keras(**changes)
        move_statistics(model)
        return model, port


def images(shape: tuple[int, ...]) -> Callable[[np.random.Generator], Array]:
    return lambda rng: rng.standard_normal(shape).astype(np.float32)


def mlp() -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 3))


def mlp_in_keras(
    eps: float = 1e-5, gelu: Any = None, twist: Callable[[Any], Any] | None = None, silu: str = "silu"
) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16, activation=gelu or keras.activations.gelu),
            layers.LayerNormalization(epsilon=eps),
            layers.Dense(16, activation=silu),
            *([layers.Lambda(twist)] if twist else []),
            layers.Dense(3),
        ]
    )


def convolutional() -> Any:
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.LeakyReLU(0.25),
        nn.AvgPool2d(2),
        nn.Dropout2d(0.25),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8 * 2 * 2, 5),
    )


def convolutional_in_keras(eps: float = 1e-5, momentum: float = 0.9, slope: float = 0.25, rate: float = 0.5) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(epsilon=eps, momentum=momentum),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.LeakyReLU(negative_slope=slope),
            layers.AveragePooling2D(2),
            layers.SpatialDropout2D(0.25),
            layers.Flatten(),
            layers.Dropout(rate),
            layers.Dense(5),
        ]
    )


def residual() -> Any:
    nn = torch.nn

    class Residual(nn.Module):  # type: ignore[name-defined]
        """A strided stem, a residual sum, and a head that averages."""

        def __init__(self) -> None:
            super().__init__()
            self.stem, self.norm, self.relu = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.GroupNorm(2, 8), nn.ReLU()
            self.pool = nn.MaxPool2d(3, 2)
            self.inner, self.elu = nn.Conv2d(8, 8, 3, padding="same"), nn.ELU(0.5)
            self.average, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
            self.head = nn.Linear(8, 5)

        def forward(self, x: Any) -> Any:
            x = self.pool(self.relu(self.norm(self.stem(x))))
            return self.head(self.flatten(self.average(x + self.elu(self.inner(x)))))

    return Residual()


def residual_in_keras(
    same: bool = False,
    groups: int = 2,
    eps: float = 1e-5,
    dilation: int = 1,
    alpha: float = 0.5,
    pool: int = 3,
    last: str | None = None,
    skip: bool = True,
    active: bool = True,
) -> Any:
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = image if same else layers.ZeroPadding2D(1)(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same" if same else "valid")(x)
    x = layers.GroupNormalization(groups, epsilon=eps)(x)
    if active:
        x = layers.ReLU()(x)
    x = layers.MaxPooling2D(pool, 2)(x)
    y = layers.Conv2D(8, 3, padding="same", dilation_rate=dilation)(x)
    y = layers.ELU(alpha)(y)
    y = layers.GlobalAveragePooling2D()(x + y if skip else y)
    return keras.Model(image, layers.Dense(5, activation=last)(y))


def transformer() -> Any:
    nn = torch.nn

    class Encoder(nn.Module):  # type: ignore[name-defined]
        """One block, with normalisation ahead."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(11, 8)
            self.ahead = nn.LayerNorm(8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.behind = nn.LayerNorm(8)
            self.wide, self.gelu, self.narrow = nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8)

        def forward(self, tokens: Any) -> Any:
            x = self.embedding(tokens)
            y = self.ahead(x)
            x = x + self.attention(y, y, y, need_weights=False)[0]
            return x + self.narrow(self.gelu(self.wide(self.behind(x))))

    return Encoder()


def transformer_in_keras(eps: float = 1e-5, gelu: Any = None) -> Any:
    layers = keras.layers
    tokens = keras.Input((7,), dtype="int64")
    x = layers.Embedding(11, 8)(tokens)
    y = layers.LayerNormalization(epsilon=1e-5)(x)
    x = x + layers.MultiHeadAttention(2, 4)(y, y)
    y = layers.LayerNormalization(epsilon=eps)(x)
    y = layers.Dense(32, activation=gelu or keras.activations.gelu)(y)
    return keras.Model(tokens, x + layers.Dense(8)(y))


def recurrent() -> Any:
    nn = torch.nn

    class Recurrent(nn.Module):  # type: ignore[name-defined]
        """An LSTM, a GRU and a head on the last step; the time comes first."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.gru, self.head = nn.LSTM(4, 6), nn.GRU(6, 5), nn.Linear(5, 2)

        def forward(self, x: Any) -> Any:
            return self.head(self.gru(self.lstm(x)[0])[0][-1])

    return Recurrent()


def recurrent_in_keras(reset_after: bool = True) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((9, 4)),
            layers.LSTM(6, return_sequences=True),
            layers.GRU(5, reset_after=reset_after),
            layers.Dense(2),
        ]
    )


PORTS = {
    "mlp": Port(mlp, mlp_in_keras, images((5, 6))),
    "convolutional": Port(
        convolutional, convolutional_in_keras, images((4, 3, 8, 8)), lambda x: x.transpose(0, 2, 3, 1)
    ),
    "residual": Port(residual, residual_in_keras, images((4, 3, 16, 16)), lambda x: x.transpose(0, 2, 3, 1)),
    "transformer": Port(transformer, transformer_in_keras, lambda rng: rng.integers(0, 11, (3, 7))),
    "recurrent": Port(recurrent, recurrent_in_keras, images((9, 3, 4)), lambda x: x.transpose(1, 0, 2)),
}
