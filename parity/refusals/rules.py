"""Settings of optimizers and criteria that make no sense, and how each implementation is tried on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import (
    SGD,
    Adagrad,
    Adam,
    AdamW,
    CrossEntropyCriterion,
    HuberCriterion,
    MSECriterion,
    Optimizer,
    Parameter,
    RMSprop,
)
from parity.frameworks.lazy import keras, torch

Tries = dict[str, Callable[[], Any]]

x = np.linspace(0.25, 0.75, 4, dtype=np.float32).reshape(2, 2)
labels = np.array([0, 1])


def _rule(
    kind: type[Optimizer], ours: dict[str, Any], of_torch: dict[str, Any] | None, of_keras: dict[str, Any] | None
) -> Tries:
    """The calls that make the rule in each implementation, with their own arguments.

    Arguments are None where there is no such setting.
    """
    tries: Tries = {"numpynet": lambda: kind([Parameter(np.ones(1))], **{"lr": 0.5, **ours})}
    if of_torch is not None:
        tries["torch"] = lambda: getattr(torch.optim, kind.__name__)([torch.ones(1)], **{"lr": 0.5, **of_torch})
    if of_keras is not None:
        tries["tensorflow"] = lambda: getattr(keras.optimizers, kind.__name__)(**{"learning_rate": 0.5, **of_keras})
    return tries


def _alike(kind: type[Optimizer], **arguments: Any) -> Tries:
    """The calls that make the rule with the same arguments everywhere, but for dampening, which Keras does not know."""
    return _rule(kind, arguments, arguments, {name: value for name, value in arguments.items() if name != "dampening"})


def _of_every_rule(kind: type[Optimizer]) -> dict[str, Tries]:
    return {
        "a negative learning rate": _rule(kind, {"lr": -0.5}, {"lr": -0.5}, {"learning_rate": -0.5}),
        "a negative weight decay": _alike(kind, weight_decay=-0.5),
        "a negative eps": _rule(kind, {"eps": -0.5}, {"eps": -0.5}, {"epsilon": -0.5}),
    }


def _loss(ours: Callable[[], Any], in_torch: Callable[[], Any], in_keras: Callable[[], Any], target: Any = x) -> Tries:
    return {
        "numpynet": lambda: ours()(x, target),
        "torch": lambda: in_torch()(torch.from_numpy(x), torch.from_numpy(target)),
        "tensorflow": lambda: in_keras()(target, x),
    }


def _smoothed(share: float) -> Tries:
    return _loss(
        lambda: CrossEntropyCriterion(label_smoothing=share),
        lambda: torch.nn.CrossEntropyLoss(label_smoothing=share),
        lambda: keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=share),
        np.eye(2, dtype=np.float32),
    )


def _weighted(*weights: float) -> Tries:
    """The calls of the loss with class weights; Keras takes weights of rows beside the data."""
    of_rows = np.array(weights)[labels]
    return _loss(
        lambda: CrossEntropyCriterion(class_weights=weights),
        lambda: torch.nn.CrossEntropyLoss(torch.tensor(weights)),
        lambda: lambda target, x: keras.losses.SparseCategoricalCrossentropy(from_logits=True)(target, x, of_rows),
        labels,
    )


SETTINGS: dict[str, dict[str, Tries]] = {
    "SGD": {
        "a negative learning rate": _of_every_rule(SGD)["a negative learning rate"],
        "a negative momentum": _alike(SGD, momentum=-0.5),
        "a momentum above 1": _alike(SGD, momentum=1.5),
        "a negative weight decay": _of_every_rule(SGD)["a negative weight decay"],
        "Nesterov without momentum": _alike(SGD, nesterov=True),
        "Nesterov with dampening": _alike(SGD, momentum=0.5, nesterov=True, dampening=0.5),
    },
    **{
        kind.__name__: {
            **_of_every_rule(kind),
            "a first beta of 1": _rule(kind, {"beta1": 1.0}, {"betas": (1.0, 0.5)}, {"beta_1": 1.0}),
            "a negative second beta": _rule(kind, {"beta2": -0.5}, {"betas": (0.5, -0.5)}, {"beta_2": -0.5}),
        }
        for kind in (Adam, AdamW)
    },
    "RMSprop": {
        **_of_every_rule(RMSprop),
        "a smoothing above 1": _rule(RMSprop, {"alpha": 1.5}, {"alpha": 1.5}, {"rho": 1.5}),
        "a negative momentum": _alike(RMSprop, momentum=-0.5),
    },
    "Adagrad": {
        **_of_every_rule(Adagrad),
        "a negative accumulator": _rule(
            Adagrad,
            {"initial_accumulator": -0.5},
            {"initial_accumulator_value": -0.5},
            {"initial_accumulator_value": -0.5},
        ),
    },
    "MSECriterion": {
        "an unknown reduction": _loss(
            lambda: MSECriterion("average"),  # type: ignore[arg-type]
            lambda: torch.nn.MSELoss(reduction="average"),
            lambda: keras.losses.MeanSquaredError(reduction="average"),
        )
    },
    "HuberCriterion": {
        f"delta={delta}": _loss(
            lambda delta=delta: HuberCriterion(delta=delta),  # type: ignore[misc]
            lambda delta=delta: torch.nn.HuberLoss(delta=delta),  # type: ignore[misc]
            lambda delta=delta: keras.losses.Huber(delta),  # type: ignore[misc]
        )
        for delta in (0.0, -1.0)
    },
    "CrossEntropyCriterion": {
        "a label smoothing above 1": _smoothed(1.5),
        "a negative label smoothing": _smoothed(-0.5),
        "a negative weight": _weighted(1.0, -1.0),
    },
}
