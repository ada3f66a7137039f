"""Optimizers: rules that move parameters along their gradients.

`numpynet.adaptive` has those that scale the step of every weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np

from numpynet.clipping import Clip
from numpynet.module import Array, Parameter, described

State = dict[str, Array]


class Optimizer:
    """Base of every optimizer: a subclass gives `move`, and names in `slots` the arrays it keeps for each parameter.

    `lr` may be set between steps. `clip` bounds the gradients (see `numpynet.clipping`); then `weight_decay * w` is
    added to them: the L2 penalty weight_decay / 2 * sum(w^2). The stored gradients are not changed, frozen parameters
    are left alone, and `steps` counts the steps so far. Raises ValueError for a negative lr or weight_decay.
    """

    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, parameters: Iterable[Parameter], lr: float, *, weight_decay: float = 0.0, clip: Clip | None = None
    ) -> None:
        self.parameters = list(parameters)
        self.lr = lr
        self.weight_decay = weight_decay
        self.clip = clip
        self.steps = 0
        self.state: list[State] = [{} for _ in self.parameters]
        self.check("lr >= 0", lr >= 0)
        self.check("weight_decay >= 0", weight_decay >= 0)

    def check(self, needs: str, holds: bool) -> None:
        """Raise ValueError, saying that the optimizer needs `needs`, unless it `holds`."""
        if not holds:
            raise ValueError(f"{self!r} needs {needs}")

    def zero_grad(self) -> None:
        """Forget the accumulated gradient of every parameter."""
        for parameter in self.parameters:
            parameter.zero_grad()

    def step(self) -> None:
        """Move every trainable parameter once, along its accumulated gradient."""
        moved = [(p, state) for p, state in zip(self.parameters, self.state, strict=True) if p.trainable]
        gradients = [parameter.grad for parameter, _ in moved]
        if self.clip is not None:
            gradients = self.clip(gradients)
        self.steps += 1
        for (parameter, state), gradient in zip(moved, gradients, strict=True):
            self.move(parameter, self.decayed(parameter, gradient) if self.weight_decay else gradient, state)

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        """The gradient with weight decay applied: gradient + weight_decay * w."""
        return gradient + self.weight_decay * parameter.value

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        """Move one parameter in place, and bring its `state` up to date; the gradient is not written to."""
        raise NotImplementedError(f"{type(self).__name__} defines no move")

    def state_dict(self) -> State:
        """Copies of the state arrays, named "<slot>.<position of the parameter>", and the number of "steps"."""
        kept = {f"{slot}.{i}": state[slot].copy() for i, state in enumerate(self.state) for slot in state}
        return {"steps": np.array(self.steps), **kept}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy the arrays of a `state_dict` in, cast to the parameters' dtypes.

        Raises ValueError where "steps" is missing, or a name or shape does not fit; nothing has changed then.
        """
        places = {f"{slot}.{i}": (slot, i) for i in range(len(self.parameters)) for slot in self.slots}
        if "steps" not in state or (unknown := sorted(state.keys() - places.keys() - {"steps"})):
            problem = f"has {', '.join(unknown)}" if "steps" in state else "has no steps"
            raise ValueError(f"{self!r} of {len(self.parameters)} parameters: the state {problem}")
        loaded: list[State] = [{} for _ in self.parameters]
        for name in state.keys() - {"steps"}:
            slot, index = places[name]
            value = self.parameters[index].value
            if np.shape(state[name]) != value.shape:
                raise ValueError(f"{name} has shape {np.shape(state[name])}, its parameter {value.shape}")
            loaded[index][slot] = np.array(state[name], dtype=value.dtype)
        self.state, self.steps = loaded, int(state["steps"])

    def __repr__(self) -> str:
        arguments = {name: value for name, value in vars(self).items() if name != "parameters"}
        return described(self, arguments, named=True)


class SGD(Optimizer):
    """Stochastic gradient descent as torch.optim.SGD computes it:

        g = grad + weight_decay * w
        v = momentum * v + (1 - dampening) * g          (v = g at the first step)
        w = w - lr * (g + momentum * v if nesterov else v)

    grad is the clipped gradient; the velocity v has the shape and dtype of w and holds no learning rate. Raises
    ValueError for a negative lr, momentum or weight_decay, and for Nesterov without momentum or with dampening.
    Sutskever et al. 2013 for momentum and Nesterov, in PyTorch's form.
    """

    slots = ("velocity",)

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        clip: Clip | None = None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay=weight_decay, clip=clip)
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov
        self.check("momentum >= 0", momentum >= 0)
        self.check("a momentum and no dampening for Nesterov", not nesterov or (momentum > 0 and dampening == 0))

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        scratch = parameter.scratch
        if self.momentum:
            gradient = self.advance(gradient, state, scratch)
        parameter.value -= np.multiply(gradient, self.lr, out=scratch)

    def advance(self, gradient: Array, state: State, scratch: Array) -> Array:
        """Bring the velocity up to date with `gradient`; returns the direction to move along."""
        velocity = state.get("velocity")
        if velocity is None:
            velocity = state["velocity"] = gradient.copy()
        else:
            velocity *= self.momentum
            velocity += np.multiply(gradient, 1 - self.dampening, out=scratch) if self.dampening else gradient
        if not self.nesterov:
            return velocity
        np.multiply(velocity, self.momentum, out=scratch)
        scratch += gradient
        return scratch
