"""Optimizers that scale each weight's step by the gradients it has seen.

torch adds eps to the root; Keras adds it beneath the root, or before the root is corrected. `eps_inside` and `eps_hat`
choose Keras' place.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from numpynet.clipping import Clip
from numpynet.module import Array, Parameter
from numpynet.optimizers import Optimizer, State


class Adaptive(Optimizer):
    """Base of the optimizers whose steps are divided by a root."""

    def descend(self, parameter: Parameter, direction: Array, root: Array, rate: float) -> None:
        """Take the step of length `rate` along direction / root, downwards; `root` is overwritten."""
        np.divide(direction, root, out=root)
        root *= rate
        parameter.value -= root


class Adam(Adaptive):
    """Adam as torch.optim.Adam computes it, t counting the steps from 1:

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g^2
        w = w - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    g is the gradient, clipped and with weight_decay * w added; m and v have the shape and dtype of w. `eps_hat` adds
    eps to sqrt(v) before that is corrected, as Keras does. `amsgrad` takes the largest v so far in place of v. Raises
    ValueError unless both betas are in [0, 1) and lr, eps and weight_decay are not negative.
    Kingma and Ba 2015, where eps has a hat at the end of section 2; Reddi, Kale and Kumar 2018 for AMSGrad.
    """

    slots = ("first_moment", "second_moment", "largest_second_moment")

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        eps_hat: bool = False,
        clip: Clip | None = None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay=weight_decay, clip=clip)
        self.beta1 = beta1
        self.beta2 = beta2
        self.eps = eps
        self.amsgrad = amsgrad
        self.eps_hat = eps_hat
        self.check("0 <= beta1 < 1 and 0 <= beta2 < 1", 0 <= beta1 < 1 and 0 <= beta2 < 1)
        self.check("eps >= 0", eps >= 0)

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        scratch = parameter.scratch
        first = self.average(state, "first_moment", gradient, self.beta1, scratch)
        np.multiply(gradient, gradient, out=scratch)
        second = self.average(state, "second_moment", scratch, self.beta2, scratch)
        if self.amsgrad:
            largest = kept(state, "largest_second_moment", second)
            second = np.maximum(largest, second, out=largest)
        of_first, of_second = self.corrections(parameter)
        root = np.sqrt(second, out=scratch)
        if not self.eps_hat:
            root /= of_second**0.5
        root += self.eps
        rate = self.lr / of_first
        self.descend(parameter, first, root, rate * of_second**0.5 if self.eps_hat else rate)

    def average(self, state: State, slot: str, values: Array, decay: float, scratch: Array) -> Array:
        """Take `values` into the moving average in `slot`, of which the share `decay` stays; returns the average."""
        return moving_average(state, slot, values, decay, scratch)

    def corrections(self, parameter: Parameter) -> tuple[Any, Any]:
        """1 - beta1^t and 1 - beta2^t: the share of their full weight that the moments have gathered, from zero."""
        return 1 - self.beta1**self.steps, 1 - self.beta2**self.steps


class AdamW(Adam):
    """Adam with decoupled weight decay: w shrinks by lr * weight_decay * w before the step, unseen by the moments.

    Raises ValueError as `Adam` does. Loshchilov and Hutter 2019.
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
        eps_hat: bool = False,
        clip: Clip | None = None,
    ) -> None:
        super().__init__(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, eps_hat, clip)

    def decayed(self, parameter: Parameter, gradient: Array) -> Array:
        parameter.value *= 1 - self.lr * self.weight_decay
        return gradient


class RMSprop(Adaptive):
    """RMSprop as torch.optim.RMSprop computes it:

        v = alpha * v + (1 - alpha) * g^2
        m = alpha * m + (1 - alpha) * g                   (0 unless `centered`)
        b = momentum * b + g / (sqrt(v - m^2) + eps)      (sqrt(v - m^2 + eps) if `eps_inside`)
        w = w - lr * b

    g is the gradient, clipped and with weight_decay * w added; v, m and b have the shape and dtype of w and start at 0.
    Raises ValueError unless alpha is in [0, 1) and lr, eps, weight_decay and momentum are not negative.
    Hinton's lecture 6e; Graves 2013 (arXiv:1308.0850) for the centred form.
    """

    slots = ("second_moment", "first_moment", "velocity")

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        eps_inside: bool = False,
        clip: Clip | None = None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay=weight_decay, clip=clip)
        self.alpha = alpha
        self.eps = eps
        self.momentum = momentum
        self.centered = centered
        self.eps_inside = eps_inside
        self.check("0 <= alpha < 1", 0 <= alpha < 1)
        self.check("eps >= 0", eps >= 0)
        self.check("momentum >= 0", momentum >= 0)

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        scratch = parameter.scratch
        np.multiply(gradient, gradient, out=scratch)
        second = moving_average(state, "second_moment", scratch, self.alpha, scratch)
        if self.centered:
            first = moving_average(state, "first_moment", gradient, self.alpha, scratch)
            second = second - first * first
        root = raised_root(second, self.eps, self.eps_inside, scratch)
        if self.momentum:
            velocity = self.advance(gradient, root, state)
            parameter.value -= np.multiply(velocity, self.lr, out=scratch)
        else:
            self.descend(parameter, gradient, root, self.lr)

    def advance(self, gradient: Array, root: Array, state: State) -> Array:
        """Bring the velocity up to date with gradient / root; returns it. `root` is overwritten."""
        velocity = kept(state, "velocity", gradient)
        velocity *= self.momentum
        velocity += np.divide(gradient, root, out=root)
        return velocity


class Adagrad(Adaptive):
    """Adagrad as torch.optim.Adagrad computes it:

        s = s + g^2                                       (s = `initial_accumulator` before the first step)
        w = w - lr * g / (sqrt(s) + eps)                  (sqrt(s + eps) if `eps_inside`)

    g is the gradient, clipped and with weight_decay * w added; s has the shape and dtype of w. Raises ValueError unless
    lr, eps, weight_decay and `initial_accumulator` are not negative.
    Duchi, Hazan and Singer 2011.
    """

    slots = ("accumulator",)

    def __init__(
        self,
        parameters: Iterable[Parameter],
        lr: float = 1e-2,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
        initial_accumulator: float = 0.0,
        eps_inside: bool = False,
        clip: Clip | None = None,
    ) -> None:
        super().__init__(parameters, lr, weight_decay=weight_decay, clip=clip)
        self.eps = eps
        self.initial_accumulator = initial_accumulator
        self.eps_inside = eps_inside
        self.check("eps >= 0", eps >= 0)
        self.check("initial_accumulator >= 0", initial_accumulator >= 0)

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        scratch = parameter.scratch
        squares = kept(state, "accumulator", parameter.value, self.initial_accumulator)
        squares += np.multiply(gradient, gradient, out=scratch)
        self.descend(parameter, gradient, raised_root(squares, self.eps, self.eps_inside, scratch), self.lr)


def kept(state: State, slot: str, like: Array, start: float = 0.0) -> Array:
    """The array in `slot` of `state`; where there is none yet, one of `like`'s shape and dtype, full of `start`."""
    if slot not in state:
        state[slot] = np.full_like(like, start)
    return state[slot]


def moving_average(state: State, slot: str, values: Array, decay: float, scratch: Array) -> Array:
    """Take `values` into the exponential moving average in `slot`, which starts at zero; returns the average.

    `scratch` is overwritten; `values` may be the scratch itself.
    """
    weighted = np.multiply(values, 1 - decay, out=scratch)
    if slot not in state:
        state[slot] = weighted.copy()
    else:
        state[slot] *= decay
        state[slot] += weighted
    return state[slot]


def raised_root(squares: Array, eps: float, inside: bool, out: Array) -> Array:
    """sqrt(squares) + eps or, where eps is `inside`, sqrt(squares + eps); written to `out`."""
    if inside:
        return np.sqrt(np.add(squares, eps, out=out), out=out)
    return np.add(np.sqrt(squares, out=out), eps, out=out)
