"""The optimizers that are compared: the rule that each follows, in numpynet's terms, and the steps that it takes."""

from __future__ import annotations

import functools
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numpynet import SGD, Adagrad, Adam, Array, ClipByGlobalNorm, ClipByNorm, ClipByValue, Optimizer, Parameter, RMSprop
from numpynet.optimizers import State
from parity.comparison.model import Unfit
from parity.frameworks.lazy import keras, torch
from parity.mapping.pair import optimizer_pair
from parity.rounding.allowance import Perturb

Setting = float | bool | None
Steps = list[list[tuple[Array, State]]]  # by step and parameter: its value, and the state of the optimizer by slot
PLACES = {Adam: "eps_hat", RMSprop: "eps_inside", Adagrad: "eps_inside"}  # the argument that says where eps is added
CLIPS = {"clipvalue": ClipByValue, "clipnorm": ClipByNorm, "global_clipnorm": ClipByGlobalNorm}


@dataclass(frozen=True)
class Rule:
    """The rule of an optimizer.

    kind: the class of numpynet's rules that it is one of
    settings: numpynet's arguments, and those of `CLIPS`
    eps_inside: whether eps is added beneath the root, or before the root is corrected, as Keras does
    decoupled: whether weight decay is taken off apart from the gradient
    """

    kind: type[Optimizer]
    settings: Mapping[str, Setting]
    eps_inside: bool = False
    decoupled: bool = False

    def steps(
        self, start: Sequence[Array], gradients: Sequence[Sequence[Array]], perturb: Perturb, formula: str = ""
    ) -> Steps:
        """The steps along these gradients, on the arrays that `perturb` makes, by the `formula` of a framework."""
        made = optimizer_pair(self.kind).formulas.get(formula, self.kind)
        made = _decoupled(made) if self.decoupled else made
        parameters = [Parameter(perturb(values.copy())) for values in start]
        arguments = {name: value for name, value in self.settings.items() if name not in CLIPS}
        clips: list[Any] = [CLIPS[name](value) for name, value in self.settings.items() if name in CLIPS and value]
        place = {PLACES[self.kind]: self.eps_inside} if self.kind in PLACES else {}
        optimizer = made(parameters, **arguments, **place, clip=clips[0] if clips else None)
        found: Steps = []
        for step in gradients:
            for parameter, gradient in zip(parameters, step, strict=True):
                parameter.grad = perturb(gradient.copy())
            optimizer.step()
            found.append(
                [
                    (np.array(one.value), {slot: np.array(held) for slot, held in state.items()})
                    for one, state in zip(parameters, optimizer.state, strict=True)
                ]
            )
        return found


class _Decoupled(Optimizer):
    """Mixin that shrinks weights before the step, unseen by what the rule keeps."""

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        parameter.value *= 1 - self.lr * self.weight_decay
        return gradient


@functools.cache
def _decoupled(rule: Any) -> Any:
    return type(f"Decoupled{rule.__name__}", (_Decoupled, rule), {})


class Stepper(ABC):
    """An optimizer of some framework, made anew for each sequence of steps.

    framework: what the pairs call it
    title: the name of its class
    names: what it calls numpynet's arguments, as far as there are such
    form: the number format of the parameters that it moves
    """

    framework: str
    title: str
    names: Mapping[str, str]
    form = "float32"

    @property
    @abstractmethod
    def rule(self) -> Rule:
        """Returns what it says that it does."""

    @abstractmethod
    def changed(self, settings: Mapping[str, Setting]) -> Stepper:
        """The same with these of numpynet's arguments; raises KeyError for one that it does not have."""

    @abstractmethod
    def of(self, parameters: Sequence[Any]) -> Any:
        """A fresh one of these parameters of its framework."""

    @abstractmethod
    def steps(self, start: Sequence[Array], gradients: Sequence[Sequence[Array]]) -> Steps:
        """The steps along these gradients, in its format; the arrays are float32, which has all numbers of 16 bits."""

    def written(self, name: str, value: Setting) -> str:
        return f"{self.names.get(name, name)}={value!r}"


OF_TORCH: dict[str, tuple[type[Optimizer], dict[str, str]]] = {
    "SGD": (SGD, {"momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov"}),
    "Adam": (Adam, {"beta1": "betas", "beta2": "betas", "eps": "eps", "amsgrad": "amsgrad"}),
    "AdamW": (Adam, {"beta1": "betas", "beta2": "betas", "eps": "eps", "amsgrad": "amsgrad"}),
    "RMSprop": (RMSprop, {"alpha": "alpha", "eps": "eps", "momentum": "momentum", "centered": "centered"}),
    "Adagrad": (Adagrad, {"eps": "eps", "initial_accumulator": "initial_accumulator_value"}),
}
SHARED = {"lr": "lr", "weight_decay": "weight_decay"}


class TorchStepper(Stepper):
    """An optimizer of torch.optim, with its own settings; of several groups of parameters nothing is known."""

    framework = "torch"

    def __init__(self, optimizer: Any) -> None:
        made = optimizer([torch.nn.Parameter(torch.zeros(1))]) if not _is(optimizer, "torch.optim") else optimizer
        self.kind, self.title = type(made), type(made).__name__
        if self.title not in OF_TORCH or self.kind.__module__.split(".")[:2] != ["torch", "optim"]:
            raise _unknown(made, OF_TORCH)
        if len(made.param_groups) > 1:
            raise Unfit("optimizers: torch's has several groups of parameters: compare one group's at a time")
        group = {name: value for name, value in made.param_groups[0].items() if name in made.defaults}
        if group.get("maximize") or group.get("lr_decay"):
            raise Unfit("optimizers: torch's maximizes or has an lr_decay, which no rule of others has")
        self.arguments = group
        self.names = SHARED | OF_TORCH[self.title][1]

    @property
    def rule(self) -> Rule:
        settings = {
            name: self.arguments[theirs][0 if name == "beta1" else 1] if theirs == "betas" else self.arguments[theirs]
            for name, theirs in self.names.items()
        }
        decoupled = self.title == "AdamW" or bool(self.arguments.get("decoupled_weight_decay"))
        known = {name: _number(value) for name, value in settings.items()} | dict.fromkeys(CLIPS)
        return Rule(OF_TORCH[self.title][0], known, False, decoupled)

    def changed(self, settings: Mapping[str, Setting]) -> Stepper:
        other: TorchStepper = object.__new__(type(self))
        vars(other).update(vars(self), arguments=dict(self.arguments))
        for name, value in settings.items():
            theirs = self.names[name]
            other.arguments[theirs] = other._betas(name, value) if theirs == "betas" else value
        return other

    def of(self, parameters: Sequence[Any]) -> Any:
        taken = inspect.signature(self.kind).parameters
        return self.kind(parameters, **{name: value for name, value in self.arguments.items() if name in taken})

    def steps(self, start: Sequence[Array], gradients: Sequence[Sequence[Array]]) -> Steps:
        dtype = getattr(torch, self.form)
        parameters = [torch.nn.Parameter(torch.tensor(values, dtype=dtype)) for values in start]
        optimizer = self.of(parameters)
        slots = optimizer_pair(self.rule.kind).slots["torch"]
        found: Steps = []
        for step in gradients:
            for parameter, gradient in zip(parameters, step, strict=True):
                parameter.grad = torch.tensor(gradient, dtype=dtype)
            optimizer.step()
            states = [optimizer.state[parameter] for parameter in parameters]
            kept = [
                {ours: _copied(state[theirs]) for ours, theirs in slots.items() if state.get(theirs) is not None}
                for state in states
            ]
            found.append([(_copied(each), held) for each, held in zip(parameters, kept, strict=True)])
        return found

    def written(self, name: str, value: Setting) -> str:
        return (
            f"betas={self._betas(name, value)!r}" if self.names.get(name) == "betas" else super().written(name, value)
        )

    def _betas(self, name: str, value: Setting) -> tuple[Setting, Setting]:
        """Its two betas, with this one in the place that it has there."""
        first, second = self.arguments["betas"]
        return (value, second) if name == "beta1" else (first, value)


def _copied(tensor: Any) -> Array:
    found: Array = tensor.detach().float().numpy().copy()
    return found


OF_KERAS: dict[str, tuple[type[Optimizer], dict[str, str]]] = {
    "SGD": (SGD, {"momentum": "momentum", "nesterov": "nesterov"}),
    "Adam": (Adam, {"beta1": "beta_1", "beta2": "beta_2", "eps": "epsilon", "amsgrad": "amsgrad"}),
    "AdamW": (Adam, {"beta1": "beta_1", "beta2": "beta_2", "eps": "epsilon", "amsgrad": "amsgrad"}),
    "RMSprop": (RMSprop, {"alpha": "rho", "eps": "epsilon", "momentum": "momentum", "centered": "centered"}),
    "Adagrad": (Adagrad, {"eps": "epsilon", "initial_accumulator": "initial_accumulator_value"}),
}
NEVER = ("use_ema", "loss_scale_factor", "gradient_accumulation_steps")


class KerasStepper(Stepper):
    """A Keras optimizer, by its configuration."""

    framework = "tensorflow"

    def __init__(self, optimizer: Any) -> None:
        made = optimizer() if not _is(optimizer, "keras") else optimizer
        if isinstance(made, keras.optimizers.LossScaleOptimizer):
            made = made.inner_optimizer  # which is handed gradients that are no longer scaled
        self.kind, self.title = type(made), type(made).__name__
        if self.title not in OF_KERAS or not self.kind.__module__.startswith("keras."):
            raise _unknown(made, OF_KERAS)
        self.config = made.get_config()
        if not isinstance(self.config["learning_rate"], float):
            raise Unfit("optimizers: Keras' has a schedule: give it the learning rate that is to be compared")
        if wrong := [name for name in NEVER if self.config.get(name)]:
            raise Unfit(f"optimizers: Keras' has {wrong[0]}, which no rule of others has")
        # As it was written: Keras rounds it to float32.
        self.config["learning_rate"] = float(str(np.float32(self.config["learning_rate"])))
        self.names = {"lr": "learning_rate", "weight_decay": "weight_decay"} | OF_KERAS[self.title][1]
        self.names = {**self.names, **{name: name for name in CLIPS}}

    @property
    def rule(self) -> Rule:
        settings = {ours: _number(self.config[theirs]) for ours, theirs in self.names.items()}
        kind = OF_KERAS[self.title][0]
        dampening = {"dampening": 0.0} if kind is SGD else {}
        settings |= {"weight_decay": settings["weight_decay"] or 0.0, **dampening}
        return Rule(kind, settings, kind in PLACES, True)

    def changed(self, settings: Mapping[str, Setting]) -> Stepper:
        other: KerasStepper = object.__new__(type(self))
        config = self.config | {self.names[name]: value for name, value in settings.items()}
        vars(other).update(vars(self), config=config)
        return other

    def of(self, parameters: Sequence[Any]) -> Any:
        optimizer = self.kind.from_config(self.config)
        optimizer.build(parameters)
        return optimizer

    def steps(self, start: Sequence[Array], gradients: Sequence[Sequence[Array]]) -> Steps:
        variables = [keras.Variable(values, dtype=self.form) for values in start]
        optimizer = self.of(variables)
        pair = optimizer_pair(self.rule.kind)
        slots = {ours: list(getattr(optimizer, theirs, ())) for ours, theirs in pair.slots["tensorflow"].items()}
        lr = self.config["learning_rate"]
        rates = {slot: sign * lr for slot, sign in pair.rate_inside.get("tensorflow", {}).items()}
        found: Steps = []
        for step in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient, self.form) for gradient in step], variables)
            kept = [
                {
                    slot: _values(held[place]) / np.float32(rates.get(slot, 1))
                    for slot, held in slots.items()
                    if place < len(held) and held[place] is not None
                }
                for place in range(len(variables))
            ]
            found.append([(_values(variable), held) for variable, held in zip(variables, kept, strict=True)])
        return found


def _values(variable: Any) -> Array:
    return np.array(keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32")))


def stepper(optimizer: Any, framework: str, form: str = "float32") -> Stepper:
    """The optimizer of a model of this framework, whose parameters are in this format.

    Raises `Unfit` where it is none, or nothing is known of it.
    """
    kinds = {"torch": TorchStepper, "keras": KerasStepper}
    if framework not in kinds:
        raise Unfit(f"optimizers: those of {framework} models are not compared")
    if not callable(optimizer) and not _is(optimizer, "torch.optim" if framework == "torch" else "keras"):
        raise Unfit(
            f"optimizers: {optimizer!r} is none of {framework}'s: give torch.optim's, or a function of the parameters "
            "that makes one, for a torch model; keras.optimizers', or a function that makes one, for a Keras model"
        )
    made: Stepper = kinds[framework](optimizer)
    made.form = form
    return made


def maker(optimizer: Any, framework: str) -> Callable[[Sequence[Any]], Any]:
    """Returns what makes the optimizer of a model of this framework anew, of its own parameters; any optimizer will do.

    Raises `Unfit` where it is none, nor a function that makes one.
    """
    if framework == "keras":
        return _of_config(optimizer if _is(optimizer, "keras") else _called(optimizer))
    if _is(optimizer, "torch.optim"):
        try:
            return TorchStepper(optimizer).of
        except Unfit as error:
            raise Unfit(f"{error}; or give a function of the parameters that makes it") from error
    if not callable(optimizer):
        raise Unfit(
            f"optimizer: {optimizer!r} makes none of {framework}: give a function of the parameters that makes one"
        )
    made: Callable[[Sequence[Any]], Any] = optimizer
    return made


def _called(optimizer: Any) -> Any:
    if not (callable(optimizer) and _is(made := optimizer(), "keras")):
        raise Unfit(f"optimizer: {optimizer!r} is none of keras.optimizers', nor a function that makes one")
    return made


def _of_config(optimizer: Any) -> Callable[[Sequence[Any]], Any]:
    kind, config = type(optimizer), optimizer.get_config()

    def make(variables: Sequence[Any]) -> Any:
        made = kind.from_config(config)
        made.build(variables)
        return made

    return make


def _is(optimizer: Any, package: str) -> bool:
    if package not in sys.modules:
        return False
    base = torch.optim.Optimizer if package == "torch.optim" else keras.optimizers.Optimizer
    return isinstance(optimizer, base)


def _unknown(made: Any, known: Mapping[str, Any]) -> Unfit:
    return Unfit(f"optimizers: {type(made).__module__}.{type(made).__qualname__} is none of {', '.join(known)}")


def _number(value: Any) -> Setting:
    """The setting as a Python number, a truth value or None."""
    return value if value is None or isinstance(value, bool) else float(value)
