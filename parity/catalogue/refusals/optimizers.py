"""Refusals of stochastic gradient descent."""

from __future__ import annotations

from numpynet import SGD
from parity.catalogue.known import ARGUMENT, Known
from parity.catalogue.settings import Settings, alike, negative_rate

KNOWN = [
    Known("a negative learning rate", "SGD", "numpynet torch", ARGUMENT),
    Known("a negative weight decay", "SGD", "numpynet torch", ARGUMENT),
    Known("a momentum above 1", "SGD", "tensorflow", ARGUMENT),
    Known("Nesterov without momentum", "SGD", "numpynet torch", "Keras then steps without momentum"),
    Known("Nesterov with dampening", "SGD", "numpynet torch", "Keras has no dampening: see sgd-dampening"),
]

SETTINGS: Settings = {
    "SGD": {
        "a negative learning rate": negative_rate(SGD),
        "a negative momentum": alike(SGD, momentum=-0.5),
        "a momentum above 1": alike(SGD, momentum=1.5),
        "a negative weight decay": alike(SGD, weight_decay=-0.5),
        "Nesterov without momentum": alike(SGD, nesterov=True),
        "Nesterov with dampening": alike(SGD, momentum=0.5, nesterov=True, dampening=0.5),
    },
}
