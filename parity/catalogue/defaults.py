"""The defaults of every argument, ours beside those of the frameworks: what a layer built with no argument is.

A framework's default is read from its signature, in the release that is installed, and told in our terms: Keras' rho is
our alpha, torch's momentum of batch normalisation one minus it. Where it is another number than ours, `other` says so,
and why; a default that is not as stated, another one or ours again, is off.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpynet as nn
from parity.frameworks import available, framework
from parity.results.records.facts import DefaultRecord

NONE = inspect.Parameter.empty


@dataclass(frozen=True)
class There:
    """Where a framework has an argument: in `what`, a class or function of `package`, called `name`.

    told: what its default is in our terms
    """

    package: str
    what: str
    name: str
    told: Callable[[Any], Any] = lambda value: value

    @functools.cached_property
    def default(self) -> Any:
        """The default of the installed release, in our terms; `NONE` where it has to be given."""
        module, _, called = f"{self.package}.{self.what}".rpartition(".")
        parameter = inspect.signature(getattr(importlib.import_module(module), called)).parameters[self.name]
        return NONE if parameter.default is NONE else self.told(parameter.default)

    def __str__(self) -> str:
        return f"{self.package}.{self.what}({self.name})"


@dataclass(frozen=True)
class Default:
    """The default of one argument of a numpynet class, and where others have the same argument.

    other: by package, why its default is another one
    """

    of: type
    argument: str
    there: tuple[There, ...]
    other: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.of.__name__}.{self.argument}"

    @property
    def ours(self) -> Any:
        return inspect.signature(self.of).parameters[self.argument].default

    def installed(self) -> list[There]:
        """Those of `there` whose package is installed."""
        present = {package for name in available() for package in framework(name).distributions}
        return [there for there in self.there if there.package in present]

    def as_record(self) -> DefaultRecord:
        """The default as a record of the results store."""
        said = self.wrong()
        return DefaultRecord(
            key=self.key,
            passed=not said,
            ours=repr(self.ours),
            theirs={str(there): repr(there.default) for there in self.installed()},
            reasons=dict(self.other),
            message="\n".join(said),
        )

    def wrong(self) -> list[str]:
        """Returns what is not as stated: a line for each package whose default is another one, or ours, unannounced."""
        said = []
        for there in self.installed():
            same = bool(there.default == self.ours)
            if same == (there.package in self.other):
                what = "the same as ours" if same else "another one"
                said.append(f"{self.key} is {self.ours!r}, and {there} {there.default!r}: {what}, which is not stated")
        return said


def _torch(what: str, name: str, told: Callable[[Any], Any] = lambda value: value) -> There:
    return There("torch", what, name, told)


def _keras(what: str, name: str, told: Callable[[Any], Any] = lambda value: value) -> There:
    return There("keras", what, name, told)


def _nothing(value: Any) -> Any:
    """Keras says None of a weight decay that is none."""
    return 0.0 if value is None else value


def _one(value: Any) -> Any:
    """The number of a pair of equal ones."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


EPS = "the framework's eps is another one: give it (differences, layernorm-eps)"
OPTIMIZERS = "Keras chose another number than the paper and torch"

DEFAULTS = (
    Default(
        nn.BatchNormalization,
        "alpha",
        (
            _torch("nn.BatchNorm2d", "momentum", lambda momentum: 1 - momentum),
            _keras("layers.BatchNormalization", "momentum"),
        ),
        {"keras": "the running statistics keep 0.99 of themselves"},
    ),
    Default(
        nn.BatchNormalization,
        "eps",
        (_torch("nn.BatchNorm2d", "eps"), _keras("layers.BatchNormalization", "epsilon")),
        {"torch": EPS},
    ),
    Default(
        nn.LayerNormalization,
        "eps",
        (_torch("nn.LayerNorm", "eps"), _keras("layers.LayerNormalization", "epsilon")),
        {"torch": EPS},
    ),
    Default(
        nn.GroupNormalization,
        "eps",
        (_torch("nn.GroupNorm", "eps"), _keras("layers.GroupNormalization", "epsilon")),
        {"torch": EPS},
    ),
    Default(
        nn.LeakyReLU,
        "slope",
        (_torch("nn.LeakyReLU", "negative_slope"), _keras("layers.LeakyReLU", "negative_slope")),
        {"keras": "Keras' slope is 0.3 (differences, leaky-relu-slope)"},
    ),
    Default(nn.PReLU, "num_features", (_torch("nn.PReLU", "num_parameters"),)),
    Default(nn.ELU, "alpha", (_torch("nn.ELU", "alpha"), _keras("layers.ELU", "alpha"))),
    Default(
        nn.GELU,
        "approximate",
        (
            _torch("nn.GELU", "approximate"),
            _keras("activations.gelu", "approximate", lambda value: "tanh" if value else "none"),
        ),
    ),
    Default(nn.Dropout, "p", (_torch("nn.Dropout", "p"),)),
    Default(nn.Linear, "bias", (_torch("nn.Linear", "bias"), _keras("layers.Dense", "use_bias"))),
    Default(nn.Conv2d, "bias", (_torch("nn.Conv2d", "bias"), _keras("layers.Conv2D", "use_bias"))),
    Default(nn.Conv2d, "stride", (_torch("nn.Conv2d", "stride"), _keras("layers.Conv2D", "strides", _one))),
    Default(
        nn.Conv2d,
        "padding",
        (
            _torch("nn.Conv2d", "padding"),
            _keras("layers.Conv2D", "padding", lambda value: {"valid": 0}.get(value, value)),
        ),
    ),
    Default(nn.Conv2d, "dilation", (_torch("nn.Conv2d", "dilation"), _keras("layers.Conv2D", "dilation_rate", _one))),
    Default(nn.Conv2d, "groups", (_torch("nn.Conv2d", "groups"), _keras("layers.Conv2D", "groups"))),
    Default(nn.MaxPool2d, "stride", (_torch("nn.MaxPool2d", "stride"), _keras("layers.MaxPooling2D", "strides"))),
    Default(nn.MaxPool2d, "padding", (_torch("nn.MaxPool2d", "padding"),)),
    Default(nn.AvgPool2d, "stride", (_torch("nn.AvgPool2d", "stride"), _keras("layers.AveragePooling2D", "strides"))),
    Default(nn.AvgPool2d, "padding", (_torch("nn.AvgPool2d", "padding"),)),
    Default(nn.AvgPool2d, "count_include_pad", (_torch("nn.AvgPool2d", "count_include_pad"),)),
    *(
        Default(criterion, "reduction", (_torch(f"nn.{name}", "reduction"),))
        for criterion, name in (
            (nn.MSECriterion, "MSELoss"),
            (nn.L1Criterion, "L1Loss"),
            (nn.HuberCriterion, "HuberLoss"),
            (nn.BinaryCrossEntropyCriterion, "BCEWithLogitsLoss"),
            (nn.BinaryCrossEntropyCriterionUnstable, "BCELoss"),
            (nn.NLLCriterion, "NLLLoss"),
            (nn.CrossEntropyCriterion, "CrossEntropyLoss"),
        )
    ),
    Default(nn.HuberCriterion, "delta", (_torch("nn.HuberLoss", "delta"), _keras("losses.Huber", "delta"))),
    Default(
        nn.CrossEntropyCriterion,
        "label_smoothing",
        (_torch("nn.CrossEntropyLoss", "label_smoothing"), _keras("losses.CategoricalCrossentropy", "label_smoothing")),
    ),
    Default(nn.CrossEntropyCriterion, "class_weights", (_torch("nn.CrossEntropyLoss", "weight"),)),
    Default(nn.NLLCriterion, "class_weights", (_torch("nn.NLLLoss", "weight"),)),
    *(
        Default(nn.SGD, name, (_torch("optim.SGD", name), *there))
        for name, there in (
            ("momentum", (_keras("optimizers.SGD", "momentum"),)),
            ("dampening", ()),
            ("nesterov", (_keras("optimizers.SGD", "nesterov"),)),
            ("weight_decay", (_keras("optimizers.SGD", "weight_decay", _nothing),)),
        )
    ),
    *(
        Default(
            rule,
            name,
            (_torch(f"optim.{there}", theirs, told), _keras(f"optimizers.{there}", keras, told_by_keras)),
            why,
        )
        for rule, there, decay in (
            (nn.Adam, "Adam", {}),
            (nn.AdamW, "AdamW", {"keras": "Keras' AdamW decays by 0.004"}),
        )
        for name, theirs, told, keras, told_by_keras, why in (
            ("lr", "lr", float, "learning_rate", float, {}),
            ("beta1", "betas", lambda betas: betas[0], "beta_1", float, {}),
            ("beta2", "betas", lambda betas: betas[1], "beta_2", float, {}),
            ("eps", "eps", float, "epsilon", float, {"keras": OPTIMIZERS}),
            ("amsgrad", "amsgrad", bool, "amsgrad", bool, {}),
            ("weight_decay", "weight_decay", float, "weight_decay", _nothing, decay),
        )
    ),
    *(
        Default(nn.RMSprop, name, (_torch("optim.RMSprop", theirs), _keras("optimizers.RMSprop", keras, _nothing)), why)
        for name, theirs, keras, why in (
            ("lr", "lr", "learning_rate", {"keras": OPTIMIZERS}),
            ("alpha", "alpha", "rho", {"keras": OPTIMIZERS}),
            ("eps", "eps", "epsilon", {"keras": OPTIMIZERS}),
            ("momentum", "momentum", "momentum", {}),
            ("centered", "centered", "centered", {}),
            ("weight_decay", "weight_decay", "weight_decay", {}),
        )
    ),
    *(
        Default(nn.Adagrad, name, (_torch("optim.Adagrad", theirs), _keras("optimizers.Adagrad", keras, _nothing)), why)
        for name, theirs, keras, why in (
            ("lr", "lr", "learning_rate", {"keras": OPTIMIZERS}),
            ("eps", "eps", "epsilon", {"keras": OPTIMIZERS}),
            (
                "initial_accumulator",
                "initial_accumulator_value",
                "initial_accumulator_value",
                {"keras": "Keras' accumulator begins at 0.1"},
            ),
            ("weight_decay", "weight_decay", "weight_decay", {}),
        )
    ),
)

# Arguments that no framework has, or of which it has no default: why they are not compared.
APART = {
    "dtype": "every framework has a default dtype of its own, and parity builds in the case's",
    "rng": "frameworks have one generator for all",
    "init": "a distribution, compared as such",
    "clip": "clipping is a function in torch, and three arguments in Keras",
    "Scaling.axis": "torch has no such layer; Keras' axis is the last",
    "Concatenate.axis": "torch's function takes dim=0, Keras' layer the last axis",
    "LayerNormalization.axes": "torch takes the sides of the axes, Keras the axes",
    "Adam.eps_hat": "chooses between torch's eps and Keras'",
    "AdamW.eps_hat": "chooses between torch's eps and Keras'",
    "RMSprop.eps_inside": "chooses between torch's eps and Keras'",
    "Adagrad.eps_inside": "chooses between torch's eps and Keras'",
    "BinaryCrossEntropyCriterionUnstable.eps": "the course's own clip; the frameworks have theirs inside",
    "NLLCriterionUnstable.eps": "the course's own clip",
    "NLLCriterionUnstable.reduction": "the course's own criterion",
    "NLLCriterionUnstable.class_weights": "the course's own criterion",
    "NLLCriterionUnstable.label_smoothing": "the course's own criterion",
    "NLLCriterion.label_smoothing": "torch smooths in CrossEntropyLoss alone",
}
