"""The pairs of the optimizers that scale each weight's step.

torch and Keras add eps in different places; numpynet's rules have each of these.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numpynet import SGD, Adagrad, Adam, AdamW, Array, Optimizer, Parameter, RMSprop
from numpynet.optimizers import State
from parity.drawing.strategies import dyadic
from parity.drawing.tails import ends
from parity.frameworks.lazy import keras, keras_optimizers, torch, torch_optimizers
from parity.mapping.optimizers import clips, decays
from parity.mapping.pair import OptimizerPair, pair

eps = ends(st.integers(-20, -4).map(lambda exponent: 2.0**exponent), 1e-8, 1e-7, 2.0**-40)


class _RateFirst:
    """Both frameworks' step, whose root divides the rate times the direction: a small one underflows sooner."""

    def descend(self, parameter: Parameter, direction: Array, root: Array, rate: float) -> None:
        parameter.value -= rate * direction / root


class _KerasMoments(_RateFirst, Adam):
    """Keras' moments, which move by (1 - beta) of what they are off, and Keras' corrections of their bias.

    Keras raises the betas to the power of the step in the dtype of the weights: near 1, most digits of what is then
    taken from 1 are lost (differences, adam-bias-correction). The root is not corrected, but rate and eps.
    """

    def average(self, state: State, slot: str, values: Array, decay: float, scratch: Array) -> Array:
        old = state.get(slot, np.zeros_like(values))
        state[slot] = old + (values - old) * (1 - decay)
        return state[slot]

    def corrections(self, parameter: Parameter) -> tuple[Any, Any]:
        ones = np.ones_like(parameter.value, shape=())
        return 1 - (ones * self.beta1) ** self.steps, 1 - (ones * self.beta2) ** self.steps

    def descend(self, parameter: Parameter, direction: Array, root: Array, rate: Any) -> None:
        if not self.eps_hat:
            share = self.corrections(parameter)[1] ** 0.5
            root, rate = root * share, rate * share
        super().descend(parameter, direction, root, rate)


class AdamOfTorch(_RateFirst, Adam):
    pass


class AdamWOfTorch(_RateFirst, AdamW):
    pass


class AdamOfKeras(_KerasMoments):
    pass


class AdamWOfKeras(_KerasMoments, AdamW):
    pass


adam_arguments: SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "beta1": ends(dyadic(0, 15 / 16), 0.9, 0.0),
        "beta2": ends(st.integers(1, 10).map(lambda exponent: 1 - 2.0**-exponent), 0.999, 0.0),
        "eps": eps,
        "weight_decay": decays,
        "amsgrad": st.booleans(),
        "eps_hat": st.booleans(),
        "clip": clips,
    }
)


@pair(Adam)
class AdamPair(OptimizerPair):
    """eps is where torch or Keras adds it: the other one gets another eps in every step (differences, adam-eps)."""

    arguments = adam_arguments
    formulas: ClassVar = {"torch": AdamOfTorch, "tensorflow": AdamOfKeras}
    slots: ClassVar = {
        "torch": {
            "first_moment": "exp_avg",
            "second_moment": "exp_avg_sq",
            "largest_second_moment": "max_exp_avg_sq",
        },
        "tensorflow": {
            "first_moment": "_momentums",
            "second_moment": "_velocities",
            "largest_second_moment": "_velocity_hats",
        },
    }

    def torch(self, rule: Adam, parameters: list[Any]) -> Any:
        made = self.of_torch(rule)(
            parameters,
            lr=rule.lr,
            betas=(rule.beta1, rule.beta2),
            eps=rule.eps,
            weight_decay=rule.weight_decay,
            amsgrad=rule.amsgrad,
        )
        return torch_optimizers.eps_hat(made, rule) if rule.eps_hat else made

    def tensorflow(self, rule: Adam) -> Any:
        arguments = {"beta_1": rule.beta1, "beta_2": rule.beta2, "epsilon": rule.eps, "amsgrad": rule.amsgrad}
        made = self.of_keras(rule)(
            rule.lr, **arguments, **({"weight_decay": rule.weight_decay} if self.decoupled else {})
        )
        made.eps = rule.eps
        return made

    def of_torch(self, rule: Adam) -> Any:
        return torch.optim.Adam

    def of_keras(self, rule: Adam) -> Any:
        return keras.optimizers.Adam if rule.eps_hat else keras_optimizers.Adam


@pair(AdamW)
class AdamWPair(AdamPair):
    formulas: ClassVar = {"torch": AdamWOfTorch, "tensorflow": AdamWOfKeras}
    decoupled = True

    def of_torch(self, rule: Adam) -> Any:
        return torch.optim.AdamW

    def of_keras(self, rule: Adam) -> Any:
        return keras.optimizers.AdamW if rule.eps_hat else keras_optimizers.AdamW


class RMSpropOfTorch(_RateFirst, RMSprop):
    pass


class RMSpropOfKeras(_RateFirst, RMSprop):
    """RMSprop with Keras' velocity, which holds the learning rate and so underflows sooner."""

    def advance(self, gradient: Array, root: Array, state: State) -> Array:
        held = self.lr * state.get("velocity", np.zeros_like(gradient))
        state["velocity"] = (self.momentum * held + self.lr * gradient / root) / self.lr
        return state["velocity"]


@pair(RMSprop)
class RMSpropPair(OptimizerPair):
    """eps is where torch or Keras adds it (differences, rmsprop-eps); for the other one the step is written out."""

    arguments = st.fixed_dictionaries(
        {
            "alpha": ends(
                dyadic(1 / 2, 15 / 16), 0.99, 0.9
            ),  # of 0, centering leaves a rounding, whose root torch takes
            "eps": eps,
            "weight_decay": decays,
            "momentum": st.just(0.0) | dyadic(0, 15 / 16),
            "centered": st.booleans(),
            "eps_inside": st.booleans(),
            "clip": clips,
        }
    )
    formulas: ClassVar = {"torch": RMSpropOfTorch, "tensorflow": RMSpropOfKeras}
    slots: ClassVar = {
        "torch": {
            "second_moment": "square_avg",
            "first_moment": "grad_avg",
            "velocity": "momentum_buffer",
        },
        "tensorflow": {
            "second_moment": "_velocities",
            "first_moment": "_average_gradients",
            "velocity": "_momentums",
        },
    }
    rate_inside: ClassVar = {"tensorflow": {"velocity": 1}}

    def torch(self, rule: RMSprop, parameters: list[Any]) -> Any:
        if rule.eps_inside:
            return torch_optimizers.RMSpropEpsInside(parameters, rule)
        return torch.optim.RMSprop(
            parameters,
            lr=rule.lr,
            alpha=rule.alpha,
            eps=rule.eps,
            weight_decay=rule.weight_decay,
            momentum=rule.momentum,
            centered=rule.centered,
        )

    def tensorflow(self, rule: RMSprop) -> Any:
        made = keras.optimizers.RMSprop if rule.eps_inside else keras_optimizers.RMSpropEpsOutside
        return made(rule.lr, rho=rule.alpha, momentum=rule.momentum, epsilon=rule.eps, centered=rule.centered)


class AdagradOfBoth(_RateFirst, Adagrad):
    pass


@pair(Adagrad)
class AdagradPair(OptimizerPair):
    """eps is where torch or Keras adds it (differences, adagrad-eps); for the other one the step is written out."""

    formulas: ClassVar = {"torch": AdagradOfBoth, "tensorflow": AdagradOfBoth}
    arguments = st.fixed_dictionaries(
        {
            "eps": eps,
            "weight_decay": decays,
            "initial_accumulator": ends(dyadic(0, 1), 0.1, 16.0),
            "eps_inside": st.booleans(),
            "clip": clips,
        }
    )
    slots: ClassVar = {"torch": {"accumulator": "sum"}, "tensorflow": {"accumulator": "_accumulators"}}

    def torch(self, rule: Adagrad, parameters: list[Any]) -> Any:
        if rule.eps_inside:
            return torch_optimizers.AdagradEpsInside(parameters, rule)
        return torch.optim.Adagrad(
            parameters,
            lr=rule.lr,
            weight_decay=rule.weight_decay,
            initial_accumulator_value=rule.initial_accumulator,
            eps=rule.eps,
        )

    def tensorflow(self, rule: Adagrad) -> Any:
        made = keras.optimizers.Adagrad if rule.eps_inside else keras_optimizers.AdagradEpsOutside
        return made(rule.lr, initial_accumulator_value=rule.initial_accumulator, epsilon=rule.eps)


OPTIMIZERS: tuple[type[Optimizer], ...] = (SGD, Adam, AdamW, RMSprop, Adagrad)
