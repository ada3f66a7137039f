"""Every layer and loss forward and backward, at three sizes, beside torch eager and a tf.function on Keras' layer.

Each is written as its library's users write it: images are (N, C, H, W) in numpynet and torch, (N, H, W, C) in Keras.
Weights are numpynet's in torch too, where the output and the gradient of the input must agree before anything is timed.

    python -m benchmarks.layers ROUNDS
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import numpynet as nn
from benchmarks.step import use_threads
from benchmarks.timing import interleaved, ratios, spread
from numpynet import Array, Criterion, Module
from parity.frameworks import available
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


def in_torch(module: Any, model: Module, x: Array, cotangent: Array) -> Call:
    given, back = torch.tensor(x, requires_grad=True), torch.tensor(cotangent)
    tensors = [given, *module.parameters()]
    with torch.no_grad():
        for parameter, own in zip(module.parameters(), model.parameters(), strict=True):
            parameter.copy_(torch.tensor(own.value).reshape(parameter.shape))

    def call() -> tuple[Any, Any]:
        for tensor in tensors:
            tensor.grad = None
        output = module(given)
        output.backward(back)
        return output.detach(), given.grad

    return call


def in_tensorflow(layer: Any, x: Array, cotangent: Array) -> Call:
    given, back = (tf.constant(np.moveaxis(values, 1, -1)) for values in (x, cotangent))
    layer.build(given.shape)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow's types are not read
    def compiled(given: Any, back: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            output = layer(given, training=True)
        return output, tape.gradient(output, [given, *layer.trainable_variables], back)

    return lambda: compiled(given, back)


def our_loss(criterion: Criterion, x: Array, target: Array) -> Call:
    return lambda: (criterion(x, target), criterion.backward())


def loss_in_torch(criterion: Any, x: Array, target: Array) -> Call:
    given, wanted = torch.tensor(x, requires_grad=True), torch.tensor(target)

    def call() -> tuple[Any, Any]:
        given.grad = None
        loss = criterion(given, wanted)
        loss.backward()
        return loss.detach(), given.grad

    return call


def loss_in_tensorflow(criterion: Any, x: Array, target: Array) -> Call:
    given, wanted = tf.constant(x), tf.constant(target)

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow's types are not read
    def compiled(given: Any, wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(given)
            loss = criterion(wanted, given)
        return loss, tape.gradient(loss, given)

    return lambda: compiled(given, wanted)


def layer_calls(layer: Layer, shape: tuple[int, ...]) -> dict[str, Call]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, np.float32)
    model = layer.ours(shape[1])
    cotangent = rng.standard_normal(model(x).shape, np.float32)
    calls = {"numpynet": ours(model, x, cotangent)}
    if "torch" in available():
        calls["torch"] = in_torch(layer.torch(shape[1]), model, x, cotangent)
    if "tensorflow" in available():
        calls["tensorflow"] = in_tensorflow(layer.keras(shape[1]), x, cotangent)
    return calls


def loss_calls(loss: Loss, shape: tuple[int, ...]) -> dict[str, Call]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, np.float32)
    target = rng.integers(0, shape[1], shape[0]) if loss.classes else rng.standard_normal(shape, np.float32)
    calls = {"numpynet": our_loss(loss.ours(), x, target)}
    if "torch" in available():
        calls["torch"] = loss_in_torch(loss.torch(), x, target)
    if "tensorflow" in available():
        calls["tensorflow"] = loss_in_tensorflow(loss.keras(), x, target)
    return calls


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
        "microseconds": {name: spread([1e6 * value for value in values]) for name, values in seconds.items()},
        "ratios": {peer: ratios(seconds, "numpynet", peer) for peer in calls if peer != "numpynet"},
    }


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    use_threads(1)
    found: dict[str, dict[str, Any]] = {}
    for layer in layers():
        for size, shape in layer.sizes.items():
            calls = layer_calls(layer, shape)
            if not layer.random:
                agree(f"{layer.name}, {size}", calls)
            found.setdefault(layer.name, {})[size] = timed(calls, rounds)
    for loss in LOSSES:
        for size, shape in CLASSES.items():
            calls = loss_calls(loss, shape)
            agree(f"{loss.name}, {size}", calls)
            found.setdefault(loss.name, {})[size] = timed(calls, rounds)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
