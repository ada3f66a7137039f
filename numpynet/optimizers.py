"""Optimizers: rules that move parameters along their gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from numpynet.module import Array, Parameter


class SGD:
    """Stochastic gradient descent as torch.optim.SGD computes it:

        g = grad + weight_decay * w
        v = momentum * v + (1 - dampening) * g          (v = g at the first step)
        w = w - lr * (g + momentum * v if nesterov else v)

    `lr` may be set between steps; the velocity holds no learning rate. Frozen parameters are left alone.
    Raises ValueError on negative hyper-parameters, and on Nesterov without momentum or with dampening.
    Sutskever et al. 2013 for momentum and Nesterov, in PyTorch's form.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.lr = lr
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        for name in ("lr", "momentum", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"SGD needs {name} >= 0, got {getattr(self, name)}")
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("SGD: Nesterov needs a momentum and no dampening")
        self.velocities: list[Array | None] = [None] * len(self.parameters)
        self._scratch: list[Array | None] = [None] * len(self.parameters)

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.zero_grad()

    def step(self) -> None:
        """Move every trainable parameter once."""
        for index, parameter in enumerate(self.parameters):
            if parameter.trainable:
                self._move(index, parameter)

    def _move(self, index: int, parameter: Parameter) -> None:
        # Everything is written into one scratch array: new ones cost more than the arithmetic.
        if self._scratch[index] is None:
            self._scratch[index] = np.empty_like(parameter.value)
        scratch: Array = self._scratch[index]  # type: ignore[assignment]
        gradient = parameter.grad
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter.value
        if self.momentum:
            gradient = self._advance(index, gradient, scratch)
        parameter.value -= np.multiply(gradient, self.lr, out=scratch)

    def _advance(self, index: int, gradient: Array, scratch: Array) -> Array:
        velocity = self.velocities[index]
        if velocity is None:
            self.velocities[index] = velocity = gradient.copy()
        else:
            velocity *= self.momentum
            velocity += np.multiply(gradient, 1 - self.dampening, out=scratch) if self.dampening else gradient
        if not self.nesterov:
            return velocity
        np.multiply(velocity, self.momentum, out=scratch)
        scratch += gradient
        return scratch

    def state_dict(self) -> dict[str, Array]:
        """Copies of the velocities, by the parameter's position; empty before the first step with momentum."""
        return {str(i): velocity.copy() for i, velocity in enumerate(self.velocities) if velocity is not None}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy velocities in; raises ValueError where a position or shape does not fit."""
        velocities: list[Array | None] = [None] * len(self.parameters)
        for key, velocity in state.items():
            if not key.isdigit() or int(key) >= len(velocities):
                raise ValueError(f"SGD holds {len(velocities)} parameters, the state names {key!r}")
            value = self.parameters[int(key)].value
            if np.shape(velocity) != value.shape:
                raise ValueError(f"velocity {key} has shape {np.shape(velocity)}, its parameter {value.shape}")
            velocities[int(key)] = np.array(velocity, dtype=value.dtype)
        self.velocities = velocities

    def __repr__(self) -> str:
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov")
        shown = [f"{name}={getattr(self, name)!r}" for name in names if name == "lr" or getattr(self, name)]
        return f"SGD({', '.join(shown)})"
