"""An optimizer of one's own, proven by `pytest examples/adadelta.py` or `parity check examples/adadelta.py`."""

from collections.abc import Iterable
from typing import Any, ClassVar

import keras
import numpy as np
import torch
from hypothesis import strategies as st

import parity
from numpynet import Array, Optimizer, Parameter
from numpynet.optimizers import State
from parity.drawing.strategies import dyadic


class Adadelta(Optimizer):
    """Adadelta: each weight's step is as large, against its gradient, as its steps were against theirs.

    Zeiler 2012, with a learning rate that multiplies the step, as in PyTorch and Keras.
    """

    slots = ("square", "square_of_steps")

    def __init__(self, parameters: Iterable[Parameter], lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6) -> None:
        super().__init__(parameters, lr)
        self.rho = rho
        self.eps = eps

    def move(self, parameter: Parameter, gradient: Array, state: State) -> None:
        nothing = np.zeros_like(parameter.value)
        square = self.rho * state.get("square", nothing) + (1 - self.rho) * gradient**2
        before = state.get("square_of_steps", nothing)
        step = np.sqrt(before + self.eps) / np.sqrt(square + self.eps) * gradient
        state["square"] = square
        state["square_of_steps"] = self.rho * before + (1 - self.rho) * step**2
        parameter.value -= self.lr * step


@parity.pair(Adadelta)
class AdadeltaPair(parity.OptimizerPair):
    arguments = st.fixed_dictionaries(
        {"rho": dyadic(0, 15 / 16), "eps": st.integers(-20, -4).map(lambda exponent: 2.0**exponent)}
    )
    slots: ClassVar = {
        "torch": {"square": "square_avg", "square_of_steps": "acc_delta"},
        "tensorflow": {"square": "_accumulated_grads", "square_of_steps": "_accumulated_delta_vars"},
    }

    def torch(self, rule: Adadelta, parameters: list[Any]) -> Any:
        return torch.optim.Adadelta(parameters, rule.lr, rho=rule.rho, eps=rule.eps)

    def tensorflow(self, rule: Adadelta) -> Any:
        return keras.optimizers.Adadelta(rule.lr, rho=rule.rho, epsilon=rule.eps)


def test_adadelta() -> None:
    parity.check(Adadelta)
