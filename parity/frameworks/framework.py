"""What parity must know of a framework: one interface, which each folder of this package implements."""

from __future__ import annotations

import contextlib
import importlib.util
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from numpynet import Array, Criterion, Module, Optimizer
from parity.case import Case
from parity.frameworks.counterpart import Counterpart

LossFunction = Callable[[Any, Any], Any]


class Translation(Protocol):
    """The words of the pairs on one framework: the counterparts of modules, criteria and optimizers there."""

    def counterpart(self, module: Module) -> Counterpart:
        """The counterpart of `module`, without its weights."""

    def loss(self, criterion: Criterion) -> LossFunction:
        """The loss function (input, target) -> scalar that computes what `criterion` does."""

    def optimizer(self, rule: Optimizer) -> OptimizerTranslation:
        """The pair of the optimizer `rule`."""


class OptimizerTranslation(Protocol):
    """The words of an optimizer's pair besides the method that is called as the framework is.

    slots: by framework, what it calls our slots
    rate_inside: by framework, those of our slots that hold the learning rate there, with the sign that it has in them
    decoupled: whether weight decay is no L2 penalty
    """

    @property
    def slots(self) -> Mapping[str, Mapping[str, str]]: ...
    @property
    def rate_inside(self) -> Mapping[str, Mapping[str, int]]: ...
    @property
    def decoupled(self) -> bool: ...


class Subject(Protocol):
    """One implementation of a case's module, ready to run.

    observed: by call site, the output of each leaf in the last forward pass and, after backward, its gradient. Outputs
        may be tuples, nested ones too; gradients are of the same structure, None where something has none

    `backward` may be called several times after one forward pass. It returns the input's gradient of this pass alone,
    and adds the parameters' to those that there are.
    """

    name: str

    @property
    def observed(self) -> Mapping[str, Sequence[Any]]: ...
    def mode(self, training: bool) -> None: ...
    def zero_grad(self) -> None: ...
    def forward(self, input: Any) -> Any: ...
    def backward(self, cotangent: Any) -> Any: ...
    def gradients(self) -> dict[str, Array]: ...
    def state(self) -> dict[str, Array]: ...
    def step(self, lr: float) -> None: ...
    def slots(self) -> dict[str, dict[str, Array]]: ...


class FrameworkTrainer(Protocol):
    """A model, criterion and optimizer that `numpynet.training.fit` drives as it drives numpynet's `Trainer`.

    optimizer: the numpynet optimizer whose learning rate the trainer follows
    outputs: those of the last step
    """

    optimizer: Optimizer
    outputs: Array

    @property
    def steps(self) -> int:
        """The number of steps that the optimizer remembers; 1 stands for any number where it keeps no count."""

    def step(self, inputs: Any, targets: Array) -> float: ...
    def predict(self, inputs: Any, batch_size: int = 1024) -> Array: ...
    def loss(self, outputs: Array, targets: Array) -> float: ...
    def state(self) -> dict[str, Array]: ...


@dataclass(frozen=True)
class Look:
    """How plots draw an implementation: a colour, as CSS says it, a dash, a symbol, and a width in pixels."""

    colour: str
    dash: str
    symbol: str
    width: float


class Framework(ABC):
    """A framework as parity knows it. Nothing of it is imported before it is used.

    name: of its folder, of its Python module, and of the methods of the pairs that say what something is called there
    title: its name in sentences
    place: where it stands among the others
    distributions: by package that computes in it, the distributions that provide the package
    short: what the name of a stack calls these packages
    baseline: whether it has an assertion with tolerances of its own, by which people test
    """

    name: str
    title: str
    place: int
    look: Look
    distributions: Mapping[str, tuple[str, ...]]
    short: Mapping[str, str]
    baseline = False

    def installed(self) -> bool:
        """Tells whether it is installed; it is not imported to find out."""
        return importlib.util.find_spec(self.name) is not None

    def precision(self, dtype: np.dtype[Any]) -> contextlib.AbstractContextManager[None]:
        """A context in which it builds layers and computes losses in this dtype."""
        return contextlib.nullcontext()

    @abstractmethod
    def convert(self, module: Module, dtype: np.dtype[Any], translation: Translation) -> Counterpart:
        """The counterpart of `module`, with its weights, running statistics, and a copy of its random state."""

    @abstractmethod
    def arrays(self, counterpart: Counterpart) -> dict[str, Array]:
        """The values of the counterpart's tensors, by numpynet's names and in its layout."""

    @abstractmethod
    def subject(self, case: Case, translation: Translation) -> Subject:
        """The counterpart of the case's module, ready to run."""

    @abstractmethod
    def trainer(
        self, model: Module, criterion: Criterion, optimizer: Optimizer, translation: Translation
    ) -> FrameworkTrainer:
        """The counterparts of a model, a criterion and an optimizer, ready to be trained."""

    @abstractmethod
    def with_target(self, function: LossFunction, target: Array) -> Any:
        """A layer that computes `function` of its input and of `target`."""

    @abstractmethod
    def attempt(self, layer: Any, input: Any, gradient: Array | None, dtype: np.dtype[Any]) -> None:
        """Apply the layer, in training, to an input or a tuple of them, and send the gradient back unless it is None.

        Whatever the framework refuses, it raises.
        """

    def sample(self, matrix: Array, filters: Array) -> list[Array]:
        """A product, an exponential, a sum and a convolution, whose bits tell which kernels compute them.

        The matrix is square, and is convolved as a single image; the filters have shape (C, 1, height, width).
        """
        return []

    def switches(self) -> dict[str, str]:
        """Returns what the framework says of the switches by which its kernels are chosen, by environment variable."""
        return {}

    def traced(self) -> contextlib.AbstractContextManager[None]:
        """A context in which what the framework raises has its own frames in the traceback."""
        return contextlib.nullcontext()

    def assert_close(self, actual: Array, expected: Array) -> None:
        """Raise AssertionError where the framework's own way of testing finds the two apart.

        Raises NotImplementedError where it has none.
        """
        raise NotImplementedError(f"{self.title} has no assertion of its own")


class CallSites:
    """Tells the calls of a layer apart: its first call in a forward pass is at its first call site in the module."""

    def __init__(self, module: Module) -> None:
        layers = {layer: name for name, layer in module.named_modules()}
        self.names: dict[str, list[str]] = {}
        for site, layer in module.named_call_sites():
            self.names.setdefault(layers[layer], []).append(site)
        self.calls: Counter[str] = Counter()

    def of_call(self, layer: str) -> str:
        """The name of the call site where `layer` is called this time, which counts as one more call."""
        names = self.names.get(layer, [layer])
        self.calls[layer] += 1
        return names[(self.calls[layer] - 1) % len(names)]
