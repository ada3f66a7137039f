"""Every layer and loss forward and backward, at three sizes, beside torch eager and a tf.function on Keras' layer.

Each is written as its library's users write it: images are (N, C, H, W) in numpynet and torch, (N, H, W, C) in Keras.
Weights are numpynet's in torch too, where the output and the gradient of the input must agree before anything is timed.

    python -m benchmarks.layers ROUNDS
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

import numpynet as nn
from benchmarks.step import use_threads
from benchmarks.timing import interleaved, microseconds, ratios
from numpynet import Array, Criterion, Module
from parity.frameworks import NUMPYNET, available
from parity.frameworks.lazy import keras, tf, torch

FEATURES = {"small": (8, 16), "usual": (128, 256), "large": (512, 2048)}  # examples, features
IMAGES = {"small": (2, 4, 8, 8), "usual": (32, 16, 28, 28), "large": (64, 64, 32, 32)}  # examples, channels, rows, ...
CLASSES = {"small": (8, 4), "usual": (128, 10), "large": (512, 1000)}  # examples, classes
SECONDS = 0.004  # that the calls of one contender take in one round, at least one call
MOST_CALLS = 200

Make = Callable[[int], Any]
Call = Callable[[], object]


@dataclass(frozen=True)
class Layer:
    """A layer in the three libraries, each made for a number of features, channels or classes."""

    name: str
    ours: Callable[[int], Module]
    torch: Make
    keras: Make
    sizes: Mapping[str, tuple[int, ...]]
    random: bool = False  # draws a mask of its own: nothing to agree on


@dataclass(frozen=True)
class Loss:
    """A mean loss in the three libraries, and what its targets are: classes, or values like the predictions'."""

    name: str
    ours: Callable[[], Criterion]
    torch: Callable[[], Any]
    keras: Callable[[], Any]
    classes: bool = False
    sizes: ClassVar[Mapping[str, tuple[int, ...]]] = CLASSES
    random: ClassVar[bool] = False


def _activations() -> Iterator[tuple[str, Callable[[int], Module], Make, Make]]:
    layers, act = keras.layers, keras.layers.Activation
    yield "ReLU", lambda n: nn.ReLU(), lambda n: torch.nn.ReLU(), lambda n: layers.ReLU()
    yield "LeakyReLU", lambda n: nn.LeakyReLU(0.1), lambda n: torch.nn.LeakyReLU(0.1), lambda n: layers.LeakyReLU(0.1)
    yield "PReLU", nn.PReLU, torch.nn.PReLU, lambda n: layers.PReLU()
    yield "ELU", lambda n: nn.ELU(), lambda n: torch.nn.ELU(), lambda n: layers.ELU()
    yield "SELU", lambda n: nn.SELU(), lambda n: torch.nn.SELU(), lambda n: act("selu")
    yield "GELU", lambda n: nn.GELU(), lambda n: torch.nn.GELU(), lambda n: act("gelu")
    yield (
        "GELU, tanh",
        lambda n: nn.GELU("tanh"),
        lambda n: torch.nn.GELU("tanh"),
        lambda n: act(lambda x: keras.ops.gelu(x, approximate=True)),
    )
    yield "SiLU", lambda n: nn.SiLU(), lambda n: torch.nn.SiLU(), lambda n: act("silu")
    yield "HardSigmoid", lambda n: nn.HardSigmoid(), lambda n: torch.nn.Hardsigmoid(), lambda n: act("hard_sigmoid")
    yield "HardSwish", lambda n: nn.HardSwish(), lambda n: torch.nn.Hardswish(), lambda n: act("hard_silu")
    yield "Softplus", lambda n: nn.Softplus(), lambda n: torch.nn.Softplus(), lambda n: act("softplus")
    yield "Sigmoid", lambda n: nn.Sigmoid(), lambda n: torch.nn.Sigmoid(), lambda n: act("sigmoid")
    yield "Tanh", lambda n: nn.Tanh(), lambda n: torch.nn.Tanh(), lambda n: act("tanh")
    yield "SoftMax", lambda n: nn.SoftMax(), lambda n: torch.nn.Softmax(1), lambda n: act("softmax")
    yield "LogSoftMax", lambda n: nn.LogSoftMax(), lambda n: torch.nn.LogSoftmax(1), lambda n: act("log_softmax")


def _convolution(size: int, both: dict[str, Any], theirs: dict[str, Any]) -> tuple[Callable[[int], Module], Make, Make]:
    """A convolution of n to n channels: its arguments in numpynet and torch, and in Keras."""
    return (
        lambda n: nn.Conv2d(n, n, size, **both),
        lambda n: torch.nn.Conv2d(n, n, size, **both),
        lambda n: keras.layers.Conv2D(n, size, **theirs),
    )


def _convolutions() -> Iterator[tuple[str, Callable[[int], Module], Make, Make]]:
    yield "Conv2d 1x1", *_convolution(1, {}, {})
    yield "Conv2d 3x3", *_convolution(3, {"padding": 1}, {"padding": "same"})
    yield "Conv2d 5x5", *_convolution(5, {"padding": 2}, {"padding": "same"})
    yield "Conv2d 3x3, stride 2", *_convolution(3, {"stride": 2}, {"strides": 2})
    dilated = {"padding": "same", "dilation_rate": 2}
    yield "Conv2d 3x3, dilation 2", *_convolution(3, {"padding": 2, "dilation": 2}, dilated)
    yield (
        "Conv2d 3x3, depthwise",
        lambda n: nn.Conv2d(n, n, 3, padding=1, groups=n),
        lambda n: torch.nn.Conv2d(n, n, 3, padding=1, groups=n),
        lambda n: keras.layers.DepthwiseConv2D(3, padding="same"),
    )


def _images() -> Iterator[tuple[str, Callable[[int], Module], Make, Make]]:
    layers = keras.layers
    yield from _convolutions()
    yield (
        "MaxPool2d 2x2",
        lambda n: nn.MaxPool2d(2),
        lambda n: torch.nn.MaxPool2d(2),
        lambda n: layers.MaxPooling2D(2),
    )
    yield (
        "MaxPool2d 3x3, stride 2",
        lambda n: nn.MaxPool2d(3, 2),
        lambda n: torch.nn.MaxPool2d(3, 2),
        lambda n: layers.MaxPooling2D(3, 2),
    )
    yield (
        "AvgPool2d 2x2",
        lambda n: nn.AvgPool2d(2),
        lambda n: torch.nn.AvgPool2d(2),
        lambda n: layers.AveragePooling2D(2),
    )
    yield (
        "GlobalAveragePool2d",
        lambda n: nn.GlobalAveragePool2d(),
        lambda n: torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
        lambda n: layers.GlobalAveragePooling2D(),
    )
    yield "ZeroPad2d", lambda n: nn.ZeroPad2d(1), lambda n: torch.nn.ZeroPad2d(1), lambda n: layers.ZeroPadding2D(1)
    yield (
        "BatchNormalization, images",
        nn.BatchNormalization,
        lambda n: torch.nn.BatchNorm2d(n, eps=1e-3, affine=False),
        lambda n: layers.BatchNormalization(center=False, scale=False),
    )
    yield (
        "GroupNormalization, images",
        lambda n: nn.GroupNormalization(2),
        lambda n: torch.nn.GroupNorm(2, n, eps=1e-3, affine=False),
        lambda n: layers.GroupNormalization(2, center=False, scale=False),
    )


def _features() -> Iterator[tuple[str, Callable[[int], Module], Make, Make]]:
    layers = keras.layers
    yield "Linear", lambda n: nn.Linear(n, n), lambda n: torch.nn.Linear(n, n), lambda n: layers.Dense(n)
    yield from _activations()
    yield (
        "BatchNormalization",
        nn.BatchNormalization,
        lambda n: torch.nn.BatchNorm1d(n, eps=1e-3, affine=False),
        lambda n: layers.BatchNormalization(center=False, scale=False),
    )
    yield (
        "LayerNormalization",
        lambda n: nn.LayerNormalization(),
        lambda n: torch.nn.LayerNorm(n, eps=1e-3, elementwise_affine=False),
        lambda n: layers.LayerNormalization(center=False, scale=False),
    )


def layers() -> list[Layer]:
    """All layers, those of features first."""
    return [
        *(Layer(*each, sizes=FEATURES) for each in _features()),
        Layer("Dropout", lambda n: nn.Dropout(), lambda n: torch.nn.Dropout(), lambda n: keras.layers.Dropout(0.5),
              sizes=FEATURES, random=True),
        *(Layer(*each, sizes=IMAGES) for each in _images()),
    ]  # fmt: skip


LOSSES = [
    Loss("MSECriterion", nn.MSECriterion, lambda: torch.nn.MSELoss(), lambda: keras.losses.MeanSquaredError()),
    Loss("L1Criterion", nn.L1Criterion, lambda: torch.nn.L1Loss(), lambda: keras.losses.MeanAbsoluteError()),
    Loss("HuberCriterion", nn.HuberCriterion, lambda: torch.nn.HuberLoss(), lambda: keras.losses.Huber()),
    Loss(
        "CrossEntropyCriterion",
        nn.CrossEntropyCriterion,
        lambda: torch.nn.CrossEntropyLoss(),
        lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        classes=True,
    ),
]


def ours(module: Module, x: Array, cotangent: Array) -> Call:
    parameters = module.parameters()

    def call() -> tuple[Array, Array]:
        for parameter in parameters:
            parameter.zero_grad()
        return module(x), module.backward(cotangent)

    return call


def in_torch(function: Any, x: Array, cotangent: Array | None = None, parameters: Sequence[Any] = ()) -> Call:
    """A call of the function of `x`, and its backward pass; without a cotangent the function's value is a scalar."""
    given = torch.tensor(x, requires_grad=True)
    back = None if cotangent is None else torch.tensor(cotangent)
    tensors = [given, *parameters]

    def call() -> tuple[Any, Any]:
        for tensor in tensors:
            tensor.grad = None
        output = function(given)
        output.backward(back)
        return output.detach(), given.grad

    return call


def in_tensorflow(function: Any, x: Array, cotangent: Array | None = None, variables: Sequence[Any] = ()) -> Call:
    """The same in TensorFlow, compiled by tf.function."""
    given, back = tf.constant(x), None if cotangent is None else tf.constant(cotangent)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow's types are not read
    def compiled(given: Any, back: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            output = function(given)
        return output, tape.gradient(output, [given, *variables], back)

    return lambda: compiled(given, back)


def layer_in_torch(layer: Layer, model: Module, x: Array, cotangent: Array) -> Call:
    module = layer.torch(x.shape[1])
    with torch.no_grad():
        for parameter, own in zip(module.parameters(), model.parameters(), strict=True):
            parameter.copy_(torch.tensor(own.value).reshape(parameter.shape))
    return in_torch(module, x, cotangent, list(module.parameters()))


def layer_in_tensorflow(layer: Layer, x: Array, cotangent: Array) -> Call:
    made = layer.keras(x.shape[1])
    given, back = (np.moveaxis(values, 1, -1) for values in (x, cotangent))
    made.build(given.shape)
    return in_tensorflow(lambda given: made(given, training=True), given, back, made.trainable_variables)


def layer_calls(layer: Layer, shape: tuple[int, ...]) -> dict[str, Call]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, np.float32)
    model = layer.ours(shape[1])
    cotangent = rng.standard_normal(model(x).shape, np.float32)
    return _installed(
        numpynet=lambda: ours(model, x, cotangent),
        torch=lambda: layer_in_torch(layer, model, x, cotangent),
        tensorflow=lambda: layer_in_tensorflow(layer, x, cotangent),
    )


def loss_calls(loss: Loss, shape: tuple[int, ...]) -> dict[str, Call]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, np.float32)
    target = rng.integers(0, shape[1], shape[0]) if loss.classes else rng.standard_normal(shape, np.float32)
    criterion = loss.ours()

    def torchs() -> Call:
        theirs, wanted = loss.torch(), torch.tensor(target)
        return in_torch(lambda given: theirs(given, wanted), x)

    def tensorflows() -> Call:
        theirs, wanted = loss.keras(), tf.constant(target)
        return in_tensorflow(lambda given: theirs(wanted, given), x)

    return _installed(
        numpynet=lambda: lambda: (criterion(x, target), criterion.backward()), torch=torchs, tensorflow=tensorflows
    )


def _installed(**contenders: Callable[[], Call]) -> dict[str, Call]:
    """The calls of the contenders that are here, made; others are not made."""
    return {name: make() for name, make in contenders.items() if name in (NUMPYNET, *available())}


def agree(name: str, calls: dict[str, Call]) -> None:
    """Raise AssertionError where torch's output, or gradient of the input, is another one than numpynet's."""
    if "torch" in calls:
        found: Any = calls["numpynet"]()
        wanted: Any = calls["torch"]()
        for what, mine, other in zip(("output", "gradient"), found, wanted, strict=True):
            if not np.allclose(mine, other, rtol=1e-3, atol=1e-3):
                raise AssertionError(f"{name}: numpynet and torch do not compute the same {what}")


def timed(calls: dict[str, Call], rounds: int) -> dict[str, Any]:
    """The microseconds of every contender, and numpynet's ratios to its peers."""
    for call in calls.values():
        call()
    start = time.perf_counter()
    calls["numpynet"]()
    number = round(SECONDS / (time.perf_counter() - start))
    seconds = interleaved(calls, rounds, min(max(number, 1), MOST_CALLS))
    return {
        "microseconds": microseconds(seconds),
        "ratios": {peer: ratios(seconds, "numpynet", peer) for peer in calls if peer != "numpynet"},
    }


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    use_threads(1)
    found: dict[str, dict[str, Any]] = {}
    subjects: list[Layer | Loss] = [*layers(), *LOSSES]
    for subject in subjects:
        for size, shape in subject.sizes.items():
            calls = layer_calls(subject, shape) if isinstance(subject, Layer) else loss_calls(subject, shape)
            if not subject.random:
                agree(f"{subject.name}, {size}", calls)
            found.setdefault(subject.name, {})[size] = timed(calls, rounds)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
