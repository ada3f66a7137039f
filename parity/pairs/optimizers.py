"""Optimizers: each pair builds the framework's rule for given variables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import SGD, Array, Scaling
from parity.lazy import keras, tf, torch
from parity.pairing import Pair, pair, pair_of
from parity.strategies import sizes


class KerasSGD:
    """keras.optimizers.SGD brought to torch's rule.

    Keras keeps -lr * velocity: when lr changes, its velocity is rescaled. It has no coupled weight decay and no
    dampening: both go into the gradient (differences, sgd-velocity, sgd-weight-decay, sgd-dampening).
    """

    def __init__(self, rule: SGD, variables: list[Any]) -> None:
        self.rule, self.variables, self.lr = rule, variables, rule.lr
        self.keras = keras.optimizers.SGD(rule.lr, momentum=rule.momentum, nesterov=rule.nesterov)
        self.keras.build(variables)
        self.factor = tf.Variable(1.0, dtype=variables[0].dtype) if rule.dampening else None

    def set_lr(self, lr: float) -> None:
        if lr != self.lr:
            for velocity in self._velocities():
                velocity.assign(velocity * (lr / self.lr))
            self.keras.learning_rate = self.lr = lr

    def apply(self, gradients: Iterable[Any]) -> None:
        """One step; may be traced by tf.function."""
        if self.rule.weight_decay:
            gradients = [
                g + self.rule.weight_decay * tf.convert_to_tensor(w)
                for g, w in zip(gradients, self.variables, strict=True)
            ]
        if self.factor is not None:
            gradients = [g * self.factor for g in gradients]
            self.factor.assign(1 - self.rule.dampening)  # the first step is not dampened
        self.keras.apply(list(gradients), self.variables)

    def step(self, gradients: Iterable[Any], lr: float) -> None:
        self.set_lr(lr)
        self.apply(gradients)

    def velocities(self) -> list[Array]:
        """torch's velocities, in the order of the variables; none without momentum."""
        return [-velocity.numpy() / self.lr for velocity in self._velocities()]

    def _velocities(self) -> list[Any]:
        return list(self.keras.momentums) if self.rule.momentum else []


@pair(SGD)
class SGDPair(Pair):
    """Proven on the layer whose parameter gradients are the simplest; every layer with parameters is trained too."""

    modules = st.builds(Scaling, sizes)

    def shapes(self, module: Scaling) -> SearchStrategy[tuple[int, ...]]:
        return pair_of(module).shapes(module)

    def torch(self, module: Scaling) -> Any:
        return pair_of(module).torch(module)

    def tensorflow(self, module: Scaling) -> Any:
        return pair_of(module).tensorflow(module)

    def torch_optimizer(self, rule: SGD, parameters: Iterable[Any]) -> Any:
        return torch.optim.SGD(
            list(parameters),
            lr=rule.lr,
            momentum=rule.momentum,
            dampening=rule.dampening,
            weight_decay=rule.weight_decay,
            nesterov=rule.nesterov,
        )

    def tensorflow_optimizer(self, rule: SGD, variables: list[Any]) -> KerasSGD:
        return KerasSGD(rule, variables)
