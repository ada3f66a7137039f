"""Random models in torch with their right ports to Keras: drawn from the layers that both have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.formats import NARROW
from parity.frameworks.lazy import keras, torch

Shape = tuple[int, ...]  # of one example, as torch has it: (C, H, W), (T, D) or (D,)
Port = Callable[[Any], Any]  # applies Keras layers to a tensor of Keras
TOKENS, BATCH = 13, 4
EXACT_ROOT = 4  # whose root is a float32
ACTIVATIONS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "relu": (lambda: torch.nn.ReLU(), lambda: keras.layers.ReLU()),
    "tanh": (lambda: torch.nn.Tanh(), lambda: keras.layers.Activation("tanh")),
    "gelu": (lambda: torch.nn.GELU(), lambda: keras.layers.Activation("gelu")),
    "elu": (lambda: torch.nn.ELU(), lambda: keras.layers.ELU()),
    "silu": (lambda: torch.nn.SiLU(), lambda: keras.layers.Activation("silu")),
    "sigmoid": (lambda: torch.nn.Sigmoid(), lambda: keras.layers.Activation("sigmoid")),
    "softplus": (lambda: torch.nn.Softplus(), lambda: keras.layers.Activation("softplus")),
    "leaky relu": (lambda: torch.nn.LeakyReLU(0.25), lambda: keras.layers.LeakyReLU(0.25)),
}


@dataclass(frozen=True)
class Part:
    """A part of a model, its port, and the shape that comes out of it."""

    module: Any
    port: Port
    shape: Shape


@dataclass(frozen=True)
class Pair:
    """A model, its right port with weights of its own, and inputs, as the model takes them."""

    model: Any
    port: Any
    inputs: Array


def drawn(seed: int, dtype: str = "float32") -> Pair:
    """The pair of this seed, in a format, or under a policy of half precision in Keras and in float32 in torch."""
    arrays = "float32" if dtype.startswith("mixed") else dtype
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        given = _inputs(rng)
        shape = given.shape[1:] if given.dtype.kind == "f" else (*given.shape[1:], TOKENS)
        parts = _several(rng, shape, int(rng.integers(2, 8)))
        if given.dtype.kind != "f":
            parts.insert(0, _embedding(shape))
        entered = keras.Input(_there(given).shape[1:], dtype=arrays if given.dtype.kind == "f" else "int64")
        left = _ported(parts, entered)
        model = torch.nn.Sequential(*(part.module for part in parts)).to(getattr(torch, arrays))
        _settle(model, rng)
        return Pair(model, keras.Model(entered, left), given)
    finally:
        keras.config.set_dtype_policy(before)


def _inputs(rng: np.random.Generator) -> Array:
    """Images, sequences, tokens or rows: of normal numbers of any size, of few numbers, or equal ones."""
    kind = rng.choice(["images", "images", "sequences", "tokens", "rows"])
    if kind == "tokens":
        return rng.integers(0, TOKENS, (BATCH, int(rng.integers(3, 7))))
    sides = {"images": (3, 8, 8), "sequences": (int(rng.integers(3, 7)), 6), "rows": (6,)}[str(kind)]
    values = rng.standard_normal((BATCH, *sides)) * 2.0 ** rng.integers(-6, 7) + rng.choice([0, 0, 1, 100])
    look = rng.random()
    if look < 1 / 8:
        values = np.rint(values).clip(-2, 2)
    elif look < 2 / 8:
        values = np.broadcast_to(values[:1], values.shape)
    return np.ascontiguousarray(values)


def _there(values: Array) -> Array:
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


def _settle(model: Any, rng: np.random.Generator) -> None:
    """Give the model running statistics that are not 0 and 1, and weights of other sizes than fresh ones."""
    with torch.no_grad():
        for name, held in model.named_buffers():
            if name.endswith("running_mean"):
                held.normal_()
            elif name.endswith("running_var"):
                held.uniform_(0.5, 2)
        for parameter in model.parameters():
            parameter.mul_(2.0 ** int(rng.integers(-2, 3)))
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) / 4)


def _other_there() -> tuple[str, ...]:
    """What differs in float64, where Keras rounds its constants to float32.

    They are sqrt(2) in GELU (differences, gelu-float32-constants), and 1 / sqrt(key_dim) in attention. And bilinear
    resizing, which TensorFlow computes in float32 whatever the format.
    """
    return ("gelu", "attention", "bilinear") if keras.config.dtype_policy().compute_dtype == "float64" else ()


def _several(rng: np.random.Generator, shape: Shape, number: int) -> list[Part]:
    parts: list[Part] = []
    for _ in range(number):
        parts.append(_part(rng, shape))
        shape = parts[-1].shape
    return parts


def _part(rng: np.random.Generator, shape: Shape, keeps: bool = False) -> Part:
    """A part that takes this shape, and hands it on if it `keeps` it."""
    of_any: list[Callable[..., Part]] = [_activation, _activation, _dropout]
    kept = {1: [_batch_norm, _layer_norm], 2: [_layer_norm, _attention], 3: [_batch_norm, _group_norm, _convolution]}
    images = [_convolution, _pooling, _padding, _larger, _flat, _mean]
    moved = {1: [_dense, _dense], 2: [_dense, _lstm, _gru, _flat], 3: images}
    if keras.config.dtype_policy().variable_dtype in NARROW:
        moved[2] = [_dense, _flat]  # Keras cannot draw the orthogonal weights of recurrent layers in these formats
    choices = of_any + kept[len(shape)] + ([] if keeps else [*moved[len(shape)], _residual, _branches])
    return choices[int(rng.integers(len(choices)))](rng, shape, keeps)


def _activation(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    ours, theirs = ACTIVATIONS[str(rng.choice([name for name in ACTIVATIONS if name not in _other_there()]))]
    return Part(ours(), theirs(), shape)


def _dropout(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    rate = float(rng.choice([0.25, 0.5]))
    return Part(torch.nn.Dropout(rate), keras.layers.Dropout(rate), shape)


def _batch_norm(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    eps, momentum = float(rng.choice([1e-3, 1e-5])), float(rng.choice([0.1, 0.25]))
    kind = torch.nn.BatchNorm2d if len(shape) == 3 else torch.nn.BatchNorm1d
    port = keras.layers.BatchNormalization(epsilon=eps, momentum=1 - momentum)
    return Part(kind(shape[0], eps=eps, momentum=momentum), port, shape)


def _layer_norm(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    eps = float(rng.choice([1e-3, 1e-5]))
    return Part(torch.nn.LayerNorm(shape[-1], eps=eps), keras.layers.LayerNormalization(epsilon=eps), shape)


def _group_norm(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    groups = int(rng.choice([number for number in (1, 2, 3) if shape[0] % number == 0]))
    port = keras.layers.GroupNormalization(groups, epsilon=1e-5)
    return Part(torch.nn.GroupNorm(groups, shape[0]), port, shape)


def _dense(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    width, bias = int(rng.integers(3, 9)), bool(rng.random() < 0.75)
    module = torch.nn.Linear(shape[-1], width, bias=bias)
    return Part(module, keras.layers.Dense(width, use_bias=bias), (*shape[:-1], width))


def _convolution(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    channels, height, width = shape
    size = int(rng.choice([one for one in (1, 3) if keeps or one <= min(height, width)]))
    same, stride = keeps or rng.random() < 0.5, 1
    if not same and min(height, width) > size:
        stride = int(rng.integers(1, 3))
    made = channels if keeps else int(rng.choice([2, 4, 6]))
    module = torch.nn.Conv2d(channels, made, size, stride, padding=size // 2 if same else 0)
    port = keras.layers.Conv2D(made, size, stride, padding="same" if same else "valid")
    sides = [one if same else (one - size) // stride + 1 for one in (height, width)]
    return Part(module, port, (made, *sides))


def _pooling(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    if min(shape[1:]) < 2:
        return _activation(rng, shape, keeps)
    average = rng.random() < 0.5
    module = torch.nn.AvgPool2d(2) if average else torch.nn.MaxPool2d(2)
    port = keras.layers.AveragePooling2D(2) if average else keras.layers.MaxPooling2D(2)
    return Part(module, port, (shape[0], shape[1] // 2, shape[2] // 2))


def _padding(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    left, right, top, bottom = widths = [int(width) for width in rng.integers(0, 3, 4)]
    port = keras.layers.ZeroPadding2D(((top, bottom), (left, right)))
    channels, height, width = shape
    return Part(torch.nn.ZeroPad2d(widths), port, (channels, height + top + bottom, width + left + right))


def _larger(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    if max(shape[1:]) > 8:
        return _activation(rng, shape, keeps)
    how = str(rng.choice([name for name in ("nearest", "bilinear") if name not in _other_there()]))
    port = keras.layers.UpSampling2D(2, interpolation=how)
    return Part(torch.nn.Upsample(scale_factor=2, mode=how), port, (shape[0], 2 * shape[1], 2 * shape[2]))


def _flat(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    return Part(torch.nn.Flatten(), keras.layers.Flatten(), (int(np.prod(shape)),))


def _mean(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    return Part(module, keras.layers.GlobalAveragePooling2D(), shape[:1])


def _lstm(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    module = torch.nn.LSTM(shape[1], 5, batch_first=True)
    return Part(_classes().First(module), keras.layers.LSTM(5, return_sequences=True), (shape[0], 5))


def _gru(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    module = torch.nn.GRU(shape[1], 5, batch_first=True)
    return Part(_classes().First(module), keras.layers.GRU(5, return_sequences=True), (shape[0], 5))


def _attention(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    choices = [number for number in (1, 2, 3) if _takes(shape[1], number)]
    if not choices:
        return _activation(rng, shape, keeps)
    heads = int(rng.choice(choices))
    module = torch.nn.MultiheadAttention(shape[1], heads, batch_first=True)
    layer = keras.layers.MultiHeadAttention(heads, shape[1] // heads)
    return Part(_classes().ToItself(module), lambda x: layer(x, x), shape)


def _takes(width: int, heads: int) -> bool:
    """Whether attention of this width and number of heads is the same function in Keras.

    Of heads of one number, Keras 3.15 adds the biases along the time where there are as many steps as heads.
    """
    size, rest = divmod(width, heads)
    return not rest and size > 1 and ("attention" not in _other_there() or size == EXACT_ROOT)


def _embedding(shape: Shape) -> Part:
    return Part(torch.nn.Embedding(TOKENS, shape[-1]), keras.layers.Embedding(TOKENS, shape[-1]), shape)


def _residual(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    parts = [_part(rng, shape, keeps=True) for _ in range(int(rng.integers(1, 4)))]

    def port(x: Any) -> Any:
        return x + _ported(parts, x)

    return Part(_classes().Residual(_modules(parts)), port, shape)


def _branches(rng: np.random.Generator, shape: Shape, keeps: bool) -> Part:
    """Several parts side by side, concatenated; the port computes them in an order of its own."""
    branches = [
        [_part(rng, shape, keeps=True) for _ in range(int(rng.integers(1, 3)))] for _ in range(int(rng.integers(2, 4)))
    ]
    order = [int(number) for number in rng.permutation(len(branches))]

    def port(x: Any) -> Any:
        left = {number: _ported(branches[number], x) for number in order}
        return keras.layers.Concatenate()([left[number] for number in range(len(branches))])

    axis = 0 if len(shape) == 3 else -1  # of one example
    joined = list(shape)
    joined[axis] *= len(branches)
    module = _classes().Branches([_modules(parts) for parts in branches], 1 if axis == 0 else -1)
    return Part(module, port, tuple(joined))


def _ported(parts: Sequence[Part], x: Any) -> Any:
    """What the ports of several parts make of a tensor, one after another."""
    return functools.reduce(lambda left, part: part.port(left), parts, x)


def _modules(parts: Sequence[Part]) -> Any:
    return torch.nn.Sequential(*(part.module for part in parts))


@dataclass(frozen=True)
class Classes:
    """Modules of torch: one that hands on the first of what another returns, self-attention, a sum, and branches."""

    First: type
    ToItself: type
    Residual: type
    Branches: type


@functools.cache
def _classes() -> Any:
    """The classes, made once; torch is not imported before."""

    class Around(torch.nn.Module):
        def __init__(self, inside: Any) -> None:
            super().__init__()
            self.inside = inside

    class First(Around):
        def forward(self, x: Any) -> Any:
            return self.inside(x)[0]

    class ToItself(Around):
        def forward(self, x: Any) -> Any:
            return self.inside(x, x, x, need_weights=False)[0]

    class Residual(Around):
        def forward(self, x: Any) -> Any:
            return x + self.inside(x)

    class Branches(torch.nn.Module):
        def __init__(self, branches: Sequence[Any], axis: int) -> None:
            super().__init__()
            self.branches, self.axis = torch.nn.ModuleList(branches), axis

        def forward(self, x: Any) -> Any:
            return torch.cat([branch(x) for branch in self.branches], self.axis)

    return Classes(First, ToItself, Residual, Branches)
