"""Models that are trained, each as its own framework does it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from numpynet import Array
from parity.comparison.given import Batches
from parity.comparison.masks import Masks, Unshared
from parity.comparison.model import STATE, Held, Model, Unfit
from parity.comparison.sides.keras import KerasModel
from parity.comparison.sides.numpynet import NumpynetModel, packed
from parity.comparison.sides.recorded import RecordedModel
from parity.comparison.sides.torch import TorchModel
from parity.frameworks.lazy import keras, tf, torch
from parity.training.curves import MOVED_RUNS

Described = tuple[str, dict[str, str]]  # the name of a class, and what is set, as code
Maker = Callable[[Sequence[Any]], Any]  # of an optimizer, of the framework's own parameters
Move = Callable[[Array], Array]
Done = Callable[[], None]


class Training(ABC):
    """A model that is trained; its weights are as before afterwards.

    loss: of output and target in torch; of target and output in Keras; a criterion in numpynet
    make: makes its optimizer, anew for each training
    masks: of dropout, by the sites of the calls, for each batch; where there are none, nothing may drop
    done: is called after each training
    """

    optimizer: Any

    def __init__(self, model: Any, loss: Any, make: Maker, masks: Sequence[Masks], done: Done) -> None:
        self.model, self.loss, self.make, self.masks, self.done = model, loss, make, masks, done

    @property
    def drops(self) -> bool:
        """Tells whether any of its layers drops at random."""
        return any(layer.drops for layer in self.model.layers.values())

    @property
    def trained(self) -> list[Held]:
        """The arrays that are no running statistics."""
        return [one for layer in self.model.layers.values() for role, one in layer.held.items() if role not in STATE]

    def losses(self, batches: Batches, move: Move | None = None) -> list[float]:
        """The loss of each batch before the step along its gradient; `move` changes every weight before each step."""
        held = [one for layer in self.model.layers.values() for one in layer.held.values()]
        before = [(one, self.model.read(one)) for one in held]
        try:
            self.begin()
            found: list[float] = []
            for number, (inputs, target) in enumerate(batches):
                if move is not None:
                    for one in self.trained:
                        self.model.write(one, move(self.model.read(one)))
                with self.model.masked(self.masks[number]) if self.masks else nullcontext():
                    found.append(self.step(inputs, target))
            self.done()
            return found
        finally:
            for one, values in before:
                self.model.write(one, values)

    def refuses(self, inputs: list[Array], target: Array) -> Exception | None:
        """What is raised where the model is to be trained on this batch; None where nothing is."""
        try:
            self.losses([(inputs, target)])
        except Exception as error:  # whatever is raised, it is the model's verdict, or the loss'
            return error
        return None

    def moved_losses(self, batches: Batches) -> list[list[float]]:
        """The losses of as many trainings as rounding is known by, every weight moved by a unit before each step."""
        return [self.losses(batches, _mover(np.random.default_rng([0, run]))) for run in range(MOVED_RUNS)]

    @abstractmethod
    def begin(self) -> None:
        """Make the optimizer anew."""

    def described(self) -> tuple[Described, Described]:
        """The optimizer and the loss, once it has begun."""
        return (
            (type(self.optimizer).__name__, _written(self.optimizer_settings())),
            (getattr(self.loss, "__name__", type(self.loss).__name__), _written(self.loss_settings())),
        )

    @abstractmethod
    def optimizer_settings(self) -> Mapping[str, Any]:
        """Returns what is set of the optimizer, by the framework's names."""

    @abstractmethod
    def loss_settings(self) -> Mapping[str, Any]:
        """Returns what is set of the loss; nothing of a function."""

    @abstractmethod
    def step(self, inputs: list[Array], target: Array) -> float:
        """Take one step; returns the loss before it."""


class TorchTraining(Training):
    def begin(self) -> None:
        self.optimizer = self.make(list(self.model.module.parameters()))
        self.model.module.train()

    def step(self, inputs: list[Array], target: Array) -> float:
        self.optimizer.zero_grad()
        loss = self.loss(self.model.module(*map(torch.tensor, inputs)), torch.tensor(target))
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def optimizer_settings(self) -> Mapping[str, Any]:
        groups = enumerate(self.optimizer.param_groups)
        return {
            f"{name}, group {number}" if number else name: value
            for number, group in groups
            for name, value in group.items()
            if name != "params"
        }

    def loss_settings(self) -> Mapping[str, Any]:
        settings = _own(self.loss) if isinstance(self.loss, torch.nn.Module) else {}
        return {name: value for name, value in settings.items() if name != "training"}


class KerasTraining(Training):
    def begin(self) -> None:
        self.optimizer = self.make(self.model.model.trainable_variables)

    def step(self, inputs: list[Array], target: Array) -> float:
        model = self.model.model
        given = [tf.constant(values) for values in inputs]
        with tf.GradientTape() as tape:
            output = model(given[0] if len(given) == 1 else given, training=True)
            loss = keras.ops.mean(self.loss(tf.constant(target), output)) + sum(model.losses)
        weights = model.trainable_variables
        self.optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return float(loss)

    def optimizer_settings(self) -> Mapping[str, Any]:
        # Keras numbers the names.
        return {name: value for name, value in self.optimizer.get_config().items() if name != "name"}

    def loss_settings(self) -> Mapping[str, Any]:
        settings = self.loss.get_config() if isinstance(self.loss, keras.Loss) else {}
        return {name: value for name, value in settings.items() if name != "name"}


class NumpynetTraining(Training):
    def begin(self) -> None:
        self.optimizer = self.make(list(self.model.module.parameters()))
        self.model.module.train()

    def step(self, inputs: list[Array], target: Array) -> float:
        module = self.model.module
        module.zero_grad()
        loss = self.loss(module(packed(inputs)), target)
        module.backward(self.loss.backward())
        self.optimizer.step()
        return float(loss)

    def optimizer_settings(self) -> Mapping[str, Any]:
        return {name: value for name, value in _own(self.optimizer).items() if name != "steps"}

    def loss_settings(self) -> Mapping[str, Any]:
        return _own(self.loss)


def _own(thing: Any) -> dict[str, Any]:
    """The public attributes of a thing that are numbers, words, truth values or None."""
    told = (bool, int, float, str, type(None))
    return {name: value for name, value in vars(thing).items() if not name.startswith("_") and isinstance(value, told)}


def _written(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{name}={value!r}" for name, value in settings.items()}


def training(model: Model, loss: Callable[..., Any], make: Maker, done: Done, masks: Sequence[Masks] = ()) -> Training:
    kinds: dict[type[Model], type[Training]] = {
        TorchModel: TorchTraining,
        KerasModel: KerasTraining,
        NumpynetModel: NumpynetTraining,
    }
    if isinstance(model, RecordedModel):
        raise Unshared("curves were not looked at: a recording cannot be trained")
    kind = next((kind for of, kind in kinds.items() if isinstance(model, of)), None)
    if kind is None:
        raise Unfit(f"batches: {model.framework} models are not trained here")
    return kind(model, loss, make, masks, done)


def _mover(rng: np.random.Generator) -> Callable[[Array], Array]:
    """Moves every weight by one unit in the last place, in either direction."""

    def move(values: Array) -> Array:
        towards = np.where(rng.random(values.shape) < 0.5, -np.inf, np.inf).astype(values.dtype)
        return np.nextafter(values, towards)

    return move
