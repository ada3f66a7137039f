"""Refusals of Adam, AdamW, RMSprop and Adagrad."""

from __future__ import annotations

from numpynet import Adagrad, Adam, AdamW, Optimizer, RMSprop
from parity.catalogue.known import ARGUMENT, Known
from parity.catalogue.settings import Settings, Tries, alike, negative_rate, rule

ALL = "Adam AdamW RMSprop Adagrad"

KNOWN = [
    Known("a negative learning rate", ALL, "numpynet torch", ARGUMENT),
    Known("a negative weight decay", ALL, "numpynet torch", ARGUMENT),
    Known("a negative eps", ALL, "numpynet torch", ARGUMENT),
    Known("a first beta of 1", "Adam AdamW", "numpynet torch", ARGUMENT),
    Known("a negative second beta", "Adam AdamW", "numpynet torch", ARGUMENT),
    Known("a negative momentum", "RMSprop", "numpynet torch", ARGUMENT),
    Known("a smoothing above 1", "RMSprop", "numpynet", "the squares' average then is negative, its root NaN"),
    Known("a negative accumulator", "Adagrad", "numpynet torch", ARGUMENT),
]


def of_every_rule(kind: type[Optimizer]) -> dict[str, Tries]:
    return {
        "a negative learning rate": negative_rate(kind),
        "a negative weight decay": alike(kind, weight_decay=-0.5),
        "a negative eps": rule(kind, {"eps": -0.5}, {"eps": -0.5}, {"epsilon": -0.5}),
    }


SETTINGS: Settings = {
    **{
        kind.__name__: {
            **of_every_rule(kind),
            "a first beta of 1": rule(kind, {"beta1": 1.0}, {"betas": (1.0, 0.5)}, {"beta_1": 1.0}),
            "a negative second beta": rule(kind, {"beta2": -0.5}, {"betas": (0.5, -0.5)}, {"beta_2": -0.5}),
        }
        for kind in (Adam, AdamW)
    },
    "RMSprop": {
        **of_every_rule(RMSprop),
        "a smoothing above 1": rule(RMSprop, {"alpha": 1.5}, {"alpha": 1.5}, {"rho": 1.5}),
        "a negative momentum": alike(RMSprop, momentum=-0.5),
    },
    "Adagrad": {
        **of_every_rule(Adagrad),
        "a negative accumulator": rule(
            Adagrad,
            {"initial_accumulator": -0.5},
            {"initial_accumulator_value": -0.5},
            {"initial_accumulator_value": -0.5},
        ),
    },
}
