"""The models that are written in many ways: the notebooks' networks, sized down, and two on which the ways part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numpynet import (
    SGD,
    Array,
    Criterion,
    CrossEntropyCriterion,
    Linear,
    MSECriterion,
    NLLCriterion,
    NLLCriterionUnstable,
    Parameter,
    Scaling,
    Sequential,
    SoftMax,
)
from numpynet.initializers import uniform_fan_in
from parity.case import Case
from parity.frameworks.lazy import keras
from parity.mapping.pair import computed_by, pairs_of
from parity.training import networks

STEPS, BATCH, CLASSES = 3, 8, 10
LossFunction = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Model:
    """A network with its weights, the batches that it is trained on, one a step, and how it is trained.

    target: an array of the output's shape, the same at every step
    losses: by framework, a loss (output, target) that stands in for the counterpart of the criterion
    """

    name: str
    network: Sequential
    criterion: Criterion
    batches: list[Array]
    target: Array
    losses: Mapping[str, LossFunction] = field(default_factory=dict)
    optimizer: type[SGD] = SGD

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.target.dtype

    def astype(self, dtype: np.dtype[Any]) -> Model:
        """The same model with its weights, batches and target cast to another format."""
        batches = [batch.astype(dtype) for batch in self.batches]
        return replace(self, network=self.network.astype(dtype), batches=batches, target=self.target.astype(dtype))

    def rule(self, parameters: Iterable[Parameter] = ()) -> SGD:
        """The optimizer of the notebook's second half, whose hyper-parameters are float32 numbers."""
        return self.optimizer(parameters, lr=2**-4, momentum=0.875, nesterov=True)

    def computed_by(self, framework: str) -> Model | None:
        """The same model by the framework's own formulas; None where they are numpynet's."""
        case = Case(self.network, [], arguments={}, optimizer=self.optimizer)
        found: Any = computed_by(case, framework)
        return None if found is None else replace(self, network=found.module, optimizer=found.optimizer)

    def loss(self, framework: str) -> LossFunction:
        """The framework's loss function, which takes (output, target)."""
        return self.losses.get(framework) or pairs_of(framework).loss(self.criterion)


def classifier(name: str, *layers: Any, shape: tuple[int, ...], criterion: Criterion, dtype: np.dtype[Any]) -> Model:
    """A model of `layers` on normal inputs (N, *shape), with classes drawn at random."""
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((BATCH, *shape)).astype(dtype) for _ in range(STEPS)]
    target = np.eye(CLASSES, dtype=dtype)[rng.integers(0, CLASSES, BATCH)]
    return Model(name, Sequential(*layers).astype(dtype), criterion, batches, target)


def mlp(dtype: np.dtype[Any]) -> Model:
    """The source course's 784-128-10, sized down to 64-32-10."""
    network = networks.plain(np.random.default_rng(1), 64)
    return classifier("mlp", *network.modules, shape=(1, 8, 8), criterion=NLLCriterion(), dtype=dtype)


def normalized(dtype: np.dtype[Any]) -> Model:
    """A network 64-32-10 with batch normalisation, whose running statistics are state without a gradient."""
    network = networks.normalized_once(np.random.default_rng(2))
    return classifier("normalized", *network.modules, shape=(64,), criterion=CrossEntropyCriterion(), dtype=dtype)


def conv(dtype: np.dtype[Any]) -> Model:
    """The TensorFlow notebook's three layers, two convolutions and a linear one, sized down."""
    network = networks.cifar10_convolutional(8, 4, np.random.default_rng(3), side=8, init=uniform_fan_in)
    return classifier("conv", *network.modules, shape=(3, 8, 8), criterion=CrossEntropyCriterion(), dtype=dtype)


def probabilities(dtype: np.dtype[Any]) -> Model:
    """A model with one answer that is sure and wrong, judged by Keras' own loss on probabilities in TensorFlow."""
    linear = Linear(2, 2, bias=False, dtype=dtype)
    linear.weight.map(lambda values: np.eye(2, dtype=values.dtype))
    batch, target = np.array([[0, 50]], dtype), np.array([[1, 0]], dtype)
    losses = {"tensorflow": lambda output, target: keras.losses.CategoricalCrossentropy()(target, output)}
    criterion = NLLCriterionUnstable(eps=2.0**-100)
    return Model("probabilities", Sequential(linear, SoftMax()), criterion, [batch], target, losses=losses)


def million(dtype: np.dtype[Any]) -> Model:
    """A model of a million pixels of sixteen grey levels.

    The loss and the gradients of gamma and beta are sums of as many numbers, few of them different, so that errors of
    rounding do not average out.
    """
    scaling = Scaling(1, dtype=dtype)
    scaling.gamma.map(lambda values: np.full_like(values, 0.1))
    batch = (np.random.default_rng(4).integers(1, 17, (2**20, 1)) / 16).astype(dtype)
    return Model("million", Sequential(scaling), MSECriterion(), [batch], np.zeros_like(batch))


MODELS: dict[str, Callable[[np.dtype[Any]], Model]] = {
    make.__name__: make for make in (mlp, normalized, conv, probabilities, million)
}
ANY_DTYPE = ("probabilities", "million")  # what they show depends on no dtype: float32 is enough
