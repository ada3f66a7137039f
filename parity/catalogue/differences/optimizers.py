"""Differences of stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from numpynet import SGD, Array, Parameter
from parity.catalogue.difference import Claim, Demonstration, Formula, avoided, beside, claim, claims, difference
from parity.catalogue.running import keras_following
from parity.frameworks.lazy import keras, tf, torch

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html"
KERAS = "https://keras.io/api/optimizers/sgd/"

rng = np.random.default_rng(0)
START = rng.standard_normal(4)
GRADIENTS = rng.standard_normal((6, 4))
CONSTANT = (0.125,) * 6
FALLING = (0.5, 0.5, 0.5, 0.0625, 0.0625, 0.0625)


def torch_rule(rates: Sequence[float], **rule: Any) -> Formula:
    """torch's rule as a formula: that which `numpynet.SGD` documents."""
    return lambda w, gradients: in_numpynet(rates, w, gradients, **rule)


def keras_rule(
    rates: Sequence[float], momentum: float = 0.0, weight_decay: float = 0.0, nesterov: bool = False
) -> Formula:
    """Keras' rule as a formula: w -= lr weight_decay w, then v = momentum v - lr g, then w += v.

    With Nesterov the last is w += momentum v - lr g.
    """

    def run(w: Array, gradients: Array) -> Array:
        velocity = np.zeros_like(w)
        for lr, gradient in zip(rates, gradients, strict=True):
            w = w - lr * weight_decay * w
            velocity = momentum * velocity - lr * gradient
            w = w + (momentum * velocity - lr * gradient if nesterov else velocity)
        return w

    return run


def in_numpynet(rates: Sequence[float], start: Array, gradients: Array, **rule: Any) -> Array:
    parameter = Parameter(start.copy())
    optimizer = SGD([parameter], rates[0], **rule)
    for lr, gradient in zip(rates, gradients, strict=True):
        optimizer.lr, parameter.grad = lr, gradient.copy()
        optimizer.step()
    return parameter.value


def in_torch(rates: Sequence[float], **rule: Any) -> Array:
    parameter = torch.from_numpy(START.copy())
    optimizer = torch.optim.SGD([parameter], rates[0], **rule)
    for lr, gradient in zip(rates, GRADIENTS[: len(rates)], strict=True):
        optimizer.param_groups[0]["lr"], parameter.grad = lr, torch.from_numpy(gradient)
        optimizer.step()
    return np.asarray(parameter)


def in_keras(rates: Sequence[float], **rule: Any) -> Array:
    variable = keras.Variable(START, dtype="float64")
    optimizer = keras.optimizers.SGD(rates[0], **rule)
    for lr, gradient in zip(rates, GRADIENTS[: len(rates)], strict=True):
        optimizer.learning_rate = lr
        optimizer.apply([tf.constant(gradient)], [variable])
    return np.asarray(variable.numpy())


def in_keras_mapped(rates: Sequence[float], **rule: Any) -> Array:
    variable = keras.Variable(START, dtype="float64")
    optimizer = keras_following(SGD([], rates[0], **rule), [variable])
    for lr, gradient in zip(rates, GRADIENTS[: len(rates)], strict=True):
        optimizer.step([tf.constant(gradient)], lr)
    return np.asarray(variable.numpy())


def shown(
    rates: Sequence[float], rule: dict[str, Any], of_keras: dict[str, Any], mapped: dict[str, Any] | None = None
) -> Demonstration:
    """Shows Keras with the arguments `of_keras` against torch with `rule`, and Keras mapped to `rule` or `mapped`."""

    gradients = GRADIENTS[: len(rates)]

    def follows(values: Array, formula: Formula) -> Claim:
        return claim(values, formula, START, gradients)

    def as_torch(rule: dict[str, Any]) -> dict[str, Claim]:
        return {
            "numpynet": follows(in_numpynet(rates, START, gradients, **rule), torch_rule(rates, **rule)),
            "torch": follows(in_torch(rates, **rule), torch_rule(rates, **rule)),
        }

    final = rule if mapped is None else mapped
    # What Keras computes with its arguments rounded to float32, which leaves dyadic ones alone.
    rounded: dict[str, Any] = {
        name: float(np.float32(value)) if isinstance(value, float) else value for name, value in of_keras.items()
    }
    formula = keras_rule([float(np.float32(lr)) for lr in rates], **rounded)
    return Demonstration(
        as_torch(rule) | {"keras": follows(in_keras(rates, **of_keras), formula)},
        as_torch(final) | {"keras": follows(in_keras_mapped(rates, **final), torch_rule(rates, **final))},
    )


@difference(
    "sgd-velocity",
    does={
        "torch": "v = m v + g; w -= lr v: a new learning rate counts for the whole velocity",
        "keras": "v = m v - lr g; w += v: what has gathered keeps the old learning rate",
        "tensorflow": "as Keras",
    },
    mapping="multiply Keras' velocity by lr_new / lr_old (parity.frameworks.tensorflow.optimizers.Rule)",
    sources=("https://github.com/pytorch/pytorch/issues/1099", TORCH, KERAS),
)
def sgd_velocity() -> Demonstration:
    """Momentum when the learning rate changes; with a constant one all agree."""
    rule = {"momentum": 0.875}
    return beside(shown(FALLING, rule, rule), shown(CONSTANT, rule, rule))


@difference(
    "sgd-nesterov-velocity",
    does={
        "torch": "w -= lr (g + m v)",
        "keras": "w += m v - lr g, v holding the old learning rate",
        "tensorflow": "as Keras",
    },
    mapping="as for sgd-velocity",
    sources=("https://github.com/pytorch/pytorch/issues/1099", TORCH, KERAS),
)
def sgd_nesterov_velocity() -> Demonstration:
    """Nesterov's momentum when the learning rate changes; with a constant one all agree."""
    rule = {"momentum": 0.875, "nesterov": True}
    return beside(shown(FALLING, rule, rule), shown(CONSTANT, rule, rule))


@difference(
    "sgd-weight-decay",
    does={
        "torch": "weight_decay * w joins the gradient, and so the velocity",
        "keras": "lr * weight_decay * w is taken off before the step: decoupled",
        "tensorflow": "as Keras",
    },
    mapping="add weight_decay * w to the gradient",
    sources=(TORCH, KERAS, "https://arxiv.org/abs/1711.05101"),
)
def sgd_weight_decay() -> Demonstration:
    """Weight decay with momentum; without momentum it is the same."""
    rule = {"momentum": 0.5, "weight_decay": 0.25}
    plain = {"weight_decay": 0.25}
    return beside(shown(CONSTANT, rule, rule), shown(CONSTANT, plain, plain))


@difference(
    "sgd-dampening",
    does={
        "torch": "v = m v + (1 - dampening) g, but v = g at the first step",
        "keras": "has none",
        "tensorflow": "has none",
    },
    mapping="multiply every gradient but the first by 1 - dampening",
    sources=(TORCH, KERAS),
)
def sgd_dampening() -> Demonstration:
    """Dampening, which begins with the second step: one step alone is the same."""
    rule, of_keras = {"momentum": 0.5, "dampening": 0.5}, {"momentum": 0.5}
    return beside(shown(CONSTANT, rule, of_keras), shown(CONSTANT[:1], rule, of_keras))


@difference(
    "keras-float32",
    does={
        "torch": "the hyper-parameters in double precision",
        "keras": "rounded to float32, also for float64 variables: 0.9 becomes 0.89999998",
        "tensorflow": "as Keras",
    },
    mapping="hyper-parameters that float32 represents",
    sources=("https://github.com/tensorflow/tensorflow/issues/57779",),
)
def keras_float32() -> Demonstration:
    """Keras' optimizers round hyper-parameters to float32, for float64 variables too."""
    near, dyadic = {"momentum": 0.9}, {"momentum": 0.875}
    return beside(shown(CONSTANT, near, near, mapped=dyadic), shown(CONSTANT, dyadic, dyadic))


@difference(
    "sgd-learning-rate",
    does={
        "torch": "0.001",
        "keras": "0.01",
        "tensorflow": "as Keras",
    },
    mapping="pass it; numpynet has no default",
    sources=(TORCH, KERAS),
)
def sgd_learning_rate() -> Demonstration:
    """The default learning rate."""

    def step(lr: float) -> Formula:
        return lambda w, gradient: w - lr * gradient

    def run(*lr: float) -> dict[str, Array]:
        parameter = torch.from_numpy(START.copy())
        parameter.grad = torch.from_numpy(GRADIENTS[0])
        torch.optim.SGD([parameter], *lr).step()
        variable = keras.Variable(START, dtype="float64")
        keras.optimizers.SGD(*lr).apply([tf.constant(GRADIENTS[0])], [variable])
        return {"torch": np.asarray(parameter), "keras": np.asarray(variable.numpy())}

    defaults = {"torch": 0.001, "keras": float(np.float32(0.01))}
    return avoided(
        {who: claim(values, step(defaults[who]), START, GRADIENTS[0]) for who, values in run().items()},
        claims(run(0.125), step(0.125), START, GRADIENTS[0]),
    )
