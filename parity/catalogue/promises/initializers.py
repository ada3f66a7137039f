"""The distributions of first weights: ours beside the frameworks' own, and the generator that is given is the one used.

Two large samples are compared by Kolmogorov and Smirnov's test, at a level at which chance alone would show once in a
thousand million tests; both are drawn from fixed seeds, so that what passes today passes tomorrow. Of uniform
distributions the smallest and the largest element tell the bounds. Fan-in and fan-out differ, in every shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import numpynet as nn
from numpynet import initializers
from numpynet.initializers import Initializer
from numpynet.module import Array
from parity.case import Shape
from parity.catalogue.promises.promise import Promise, judged
from parity.discovery import Lazy
from parity.frameworks.lazy import keras, torch

TOPIC = "initializers"
LEVEL = 1e-9  # of one test
SHORT = 20  # the ends of n elements of a uniform distribution fall short of its bounds by more than 20/n once in e^20
SHAPES = ((600, 200), (40, 8, 25, 10))
TALL = ((60_000, 3), (20_000, 2, 3, 2))  # of a layer with many biases
stats: Any = Lazy("scipy.stats")

Draw = Callable[[Shape], Array]


def _in_torch(fill: Callable[[Any], object]) -> Draw:
    """Draws a weight of our shape by what fills a tensor of torch."""

    def draw(shape: Shape) -> Array:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            tensor = torch.empty(shape)
            fill(tensor)
            values: Array = tensor.numpy()
            return values

    return draw


def _of_torch(part: str) -> Draw:
    """Draws a part, "weight" or "bias", of torch's own layer whose weight has the shape."""

    def draw(shape: Shape) -> Array:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            sizes = (shape[1], shape[0], *([shape[2:]] if len(shape) > 2 else []))
            layer = (torch.nn.Conv2d if len(shape) > 2 else torch.nn.Linear)(*sizes)
            values: Array = getattr(layer, part).detach().numpy()
            return values

    return draw


def _in_keras(make: Callable[[], Any]) -> Draw:
    """Draws a weight of our shape by an initializer of Keras, whose weights have the output's channels last."""

    def draw(shape: Shape) -> Array:
        drawn = keras.ops.convert_to_numpy(make()((*shape[2:], shape[1], shape[0])))
        return np.moveaxis(drawn, (-1, -2), (0, 1))

    return draw


@dataclass(frozen=True)
class Start:
    """How first weights are drawn: by numpynet, and by each framework that has the same.

    uniform: whether the distribution has bounds
    """

    name: str
    said: str
    ours: Callable[[Shape, np.random.Generator], Array]
    theirs: Mapping[str, Draw]
    shapes: tuple[Shape, ...] = SHAPES
    uniform: bool = False

    def lines(self, frameworks: list[str]) -> Iterator[str]:
        """Yields a line for each comparison: empty where the two are alike."""
        for shape in self.shapes:
            own = self.ours(shape, np.random.default_rng(0))
            for name in frameworks:
                if name in self.theirs:
                    yield self._apart(name, shape, own, self.theirs[name](shape))

    def _apart(self, name: str, shape: Shape, own: Array, other: Array) -> str:
        there = f"for a weight of {shape}, in {name}"
        if own.shape != other.shape:
            return f"has shape {own.shape}; {there}, {other.shape}"
        if not np.ptp(other):
            same = bool(np.all(own == other))
            return "" if same else f"is {own.min():.6g} to {own.max():.6g}; {there}, {other.flat[0]:.6g}"
        found = stats.ks_2samp(own.ravel(), other.ravel(), method="asymp")
        if found.pvalue < LEVEL:
            return f"is distributed otherwise than {there}: D = {found.statistic:.4f}, p = {found.pvalue:.0e}"
        ends = [(float(values.min()), float(values.max())) for values in (own, other)]
        if self.uniform and not np.allclose(ends[0], ends[1], rtol=2 * SHORT / own.size, atol=0):  # SHORT says why
            return "is {:.6g} to {:.6g}; ".format(*ends[0]) + there + ", {:.6g} to {:.6g}".format(*ends[1])
        return ""


def _drawn(init: Initializer) -> Callable[[Shape, np.random.Generator], Array]:
    return lambda shape, rng: init(shape, rng, np.float32)


def _layer(shape: Shape, **options: Any) -> nn.Linear | nn.Conv2d:
    """The layer whose weight has this shape."""
    if len(shape) == 2:
        return nn.Linear(shape[1], shape[0], **options)
    return nn.Conv2d(shape[1], shape[0], shape[2:], **options)


def _part(part: str, **options: Any) -> Callable[[Shape, np.random.Generator], Array]:
    """Draws a part of our layer whose weight has the shape."""

    def draw(shape: Shape, rng: np.random.Generator) -> Array:
        value: Array = getattr(_layer(shape, rng=rng, **options), part).value
        return value

    return draw


STARTS = [
    Start(
        "zeros",
        "an array of zeros",
        _drawn(initializers.zeros),
        {
            "torch": _in_torch(lambda w: torch.nn.init.zeros_(w)),
            "tensorflow": _in_keras(lambda: keras.initializers.Zeros()),
        },
    ),
    Start(
        "standard_normal",
        "N(0, 1)",
        _drawn(initializers.standard_normal),
        {
            "torch": _in_torch(lambda w: torch.nn.init.normal_(w)),
            "tensorflow": _in_keras(lambda: keras.initializers.RandomNormal(0.0, 1.0, seed=1)),
        },
    ),
    Start(
        "he_normal",
        "N(0, 2 / fan_in)",
        _drawn(initializers.he_normal),
        {
            "torch": _in_torch(lambda w: torch.nn.init.kaiming_normal_(w)),
            "tensorflow": _in_keras(
                # Keras' HeNormal is truncated (differences, he-normal-truncated).
                lambda: keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=1)
            ),
        },
    ),
    Start(
        "glorot_uniform",
        "b = sqrt(6 / (fan_in + fan_out))",
        _drawn(initializers.glorot_uniform),
        {
            "torch": _in_torch(lambda w: torch.nn.init.xavier_uniform_(w)),
            "tensorflow": _in_keras(lambda: keras.initializers.GlorotUniform(seed=1)),
        },
        uniform=True,
    ),
    Start(
        "uniform_fan_in",
        "b = 1 / sqrt(fan_in)",
        _drawn(initializers.uniform_fan_in),
        {
            "torch": _of_torch("weight"),
            "tensorflow": _in_keras(lambda: keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=1)),
        },
        uniform=True,
    ),
    Start(
        "weight of a layer", "what torch.nn.Linear draws", _part("weight"), {"torch": _of_torch("weight")}, TALL, True
    ),
    Start("bias of a layer", "as in torch.nn.Linear", _part("bias"), {"torch": _of_torch("bias")}, TALL, True),
    Start(
        "bias beside he_normal",
        "at zero beside any other, as in Keras",
        _part("bias", init=initializers.he_normal),
        {
            "tensorflow": lambda shape: np.array(
                keras.initializers.get(keras.layers.Dense(1).bias_initializer)(shape[:1])
            )
        },
        TALL,
    ),
]
CHOSEN = {"sigmoid": "glorot_uniform", "relu": "he_normal", "ReLU": "he_normal", "tanh": "standard_normal"}
GENERATED: dict[str, Callable[[np.random.Generator | None], Array]] = {
    **{
        init.__name__: lambda rng, init=init: init((3, 2), rng or np.random.default_rng(), np.float64)  # type: ignore[misc]
        for init in (
            initializers.standard_normal,
            initializers.he_normal,
            initializers.glorot_uniform,
            initializers.uniform_fan_in,
        )
    },
    "Linear": lambda rng: _part("weight")((3, 2), rng),  # type: ignore[arg-type]  # None is the layer's default
    "Conv2d": lambda rng: _part("weight")((3, 2, 2, 2), rng),  # type: ignore[arg-type]
    "Linear's bias": lambda rng: _part("bias")((3, 2), rng),  # type: ignore[arg-type]
    "Conv2d's bias": lambda rng: _part("bias")((3, 2, 2, 2), rng),  # type: ignore[arg-type]
    "Dropout": lambda rng: nn.Dropout(rng=rng)(np.ones(100)),
}


def _of_generator(draw: Callable[[np.random.Generator | None], Array]) -> Iterator[str]:
    """Yields a line for each way in which a generator should count: empty where it does."""
    rng = np.random.default_rng(5)
    first, again = draw(rng), draw(rng)
    yield "" if np.array_equal(first, draw(np.random.default_rng(5))) else "draws others from an equal generator"
    yield "draws the same from another generator" if np.array_equal(first, draw(np.random.default_rng(6))) else ""
    yield "draws the same from the same generator again" if np.array_equal(first, again) else ""
    yield "draws the same without a generator, again" if np.array_equal(draw(None), draw(None)) else ""


def _promise(key: str, said: str, lines: list[str]) -> Promise:
    return judged(TOPIC, key, said, [line and f"{key} {line}" for line in lines])


def promises(frameworks: list[str]) -> Iterator[Promise]:
    """Yields a promise for each distribution that a framework here has too, and for each use of a generator."""
    for start in STARTS:
        if set(start.theirs) & set(frameworks):
            yield _promise(start.name, start.said, list(start.lines(frameworks)))
    for name, draw in GENERATED.items():
        yield _promise(f"generator of {name}", "drawn with `rng`", list(_of_generator(draw)))
    chosen = {activation: initializers.smart(activation).__name__ for activation in CHOSEN}
    wrong = [f"chooses {chosen[name]} before {name}" if chosen[name] != CHOSEN[name] else "" for name in CHOSEN]
    yield _promise("smart", "by the activation that follows the layer", wrong)
