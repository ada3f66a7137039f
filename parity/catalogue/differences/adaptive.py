"""Differences of Adam, AdamW, RMSprop and Adagrad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numpynet import Adagrad, Adam, AdamW, Array, Optimizer, Parameter, RMSprop
from parity.catalogue.difference import (
    Claim,
    Demonstration,
    Formula,
    avoided,
    beside,
    claim,
    claims,
    difference,
    exactly,
)
from parity.catalogue.running import keras_following, torch_following
from parity.frameworks.lazy import keras, tf, torch

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.optim."
KERAS = "https://keras.io/api/optimizers/"

rng = np.random.default_rng(0)
START = rng.standard_normal(4)
GRADIENTS = rng.standard_normal((6, 4)) / 8
CONSTANT = (0.125,) * 6
FALLING = (0.5, 0.5, 0.5, 0.0625, 0.0625, 0.0625)


def in_numpynet(kind: type[Optimizer], rule: dict[str, Any], rates: Sequence[float] = CONSTANT) -> Formula:
    """The formula for the weights after a step along each gradient, by numpynet's rule."""

    def run(w: Array, gradients: Array) -> Array:
        parameter = Parameter(w.copy())
        optimizer = kind([parameter], rates[0], **rule)
        for lr, gradient in zip(rates, gradients, strict=True):
            optimizer.lr, parameter.grad = lr, gradient.copy()
            optimizer.step()
        return parameter.value

    return run


def in_torch(make: Callable[[list[Any]], Any], rates: Sequence[float] = CONSTANT) -> Array:
    parameter = torch.from_numpy(START.copy())
    optimizer = make([parameter])
    for lr, gradient in zip(rates, GRADIENTS, strict=True):
        optimizer.param_groups[0]["lr"], parameter.grad = lr, torch.from_numpy(gradient)
        optimizer.step()
    return np.asarray(parameter)


def in_keras(optimizer: Any, rates: Sequence[float] = CONSTANT) -> Array:
    variable = keras.Variable(START, dtype="float64")
    for lr, gradient in zip(rates, GRADIENTS, strict=True):
        optimizer.learning_rate = lr
        optimizer.apply([tf.constant(gradient)], [variable])
    return np.asarray(variable.numpy())


def mapped(kind: type[Optimizer], rule: dict[str, Any], rates: Sequence[float] = CONSTANT) -> dict[str, Claim]:
    """The claims that all implementations, mapped by the pair, follow numpynet's rule."""
    ours, variable = kind([], rates[0], **rule), keras.Variable(START, dtype="float64")
    of_keras = keras_following(ours, [variable])
    for lr, gradient in zip(rates, GRADIENTS, strict=True):
        of_keras.step([tf.constant(gradient)], lr)
    formula = in_numpynet(kind, rule, rates)
    found = {
        "numpynet": formula(START, GRADIENTS),
        "torch": in_torch(lambda parameters: torch_following(ours, parameters), rates),
        "keras": np.asarray(variable.numpy()),
    }
    return claims(found, formula, START, GRADIENTS)


def shown(
    kind: type[Optimizer],
    rule: dict[str, Any],
    of_torch: Callable[[list[Any]], Any],
    of_keras: Any,
    other: dict[str, Any] | Formula,
    rates: Sequence[float] = CONSTANT,
) -> Demonstration:
    """Shows that torch follows numpynet's `rule`, and Keras as it comes the `other` one; mapped, all follow `rule`."""
    formula = in_numpynet(kind, other, rates) if isinstance(other, dict) else other
    naive = {
        "torch": claim(in_torch(of_torch, rates), in_numpynet(kind, rule, rates), START, GRADIENTS),
        "keras": claim(in_keras(of_keras, rates), formula, START, GRADIENTS),
    }
    return Demonstration(naive, mapped(kind, rule, rates))


EPS = 2.0**-5
BETAS = {"beta1": 0.875, "beta2": 1 - 2.0**-10}
TORCH_BETAS = {"betas": tuple(BETAS.values())}
KERAS_BETAS = {"beta_1": BETAS["beta1"], "beta_2": BETAS["beta2"]}


@difference(
    "adam-eps",
    does={
        "torch": "eps is added to the corrected root: sqrt(v / (1 - beta2^t)) + eps",
        "keras": "eps is added before the correction, the paper's 'epsilon hat': as if it were eps / sqrt(1 - beta2^t)",
        "tensorflow": "as Keras",
    },
    mapping="numpynet's eps_hat; in step t torch is given eps / sqrt(1 - beta2^t), or Keras eps * sqrt(1 - beta2^t)",
    sources=(f"{KERAS}adam/", f"{TORCH}Adam.html", "https://github.com/tensorflow/tensorflow/issues/9047"),
)
def adam_eps() -> Demonstration:
    """Where Adam adds eps: the same without one."""

    def with_eps(eps: float) -> Demonstration:
        return shown(
            Adam,
            BETAS | {"eps": eps},
            lambda parameters: torch.optim.Adam(parameters, eps=eps, **TORCH_BETAS),
            keras.optimizers.Adam(epsilon=eps, **KERAS_BETAS),
            BETAS | {"eps": eps, "eps_hat": True},
        )

    return beside(with_eps(EPS), with_eps(0.0))


@difference(
    "adam-weight-decay",
    does={
        "torch": "Adam's weight_decay is an L2 penalty: it joins the gradient, and so the moments",
        "keras": "Adam's weight_decay is decoupled: lr * weight_decay * w is taken off before the step, as in AdamW",
        "tensorflow": "as Keras",
    },
    mapping="Adam: add weight_decay * w to Keras' gradient; or AdamW in both",
    sources=(f"{TORCH}Adam.html", f"{TORCH}AdamW.html", f"{KERAS}adam/", "https://arxiv.org/abs/1711.05101"),
)
def adam_weight_decay() -> Demonstration:
    """Adam's weight decay is an L2 penalty in torch and decoupled in Keras: the same without one."""

    def decayed(decay: float) -> Demonstration:
        rule: dict[str, Any] = BETAS | {"eps": EPS, "weight_decay": decay, "eps_hat": True}
        return shown(
            Adam,
            rule,
            lambda parameters: torch_following(Adam([], **rule), parameters),
            keras.optimizers.Adam(epsilon=EPS, weight_decay=decay, **KERAS_BETAS),
            in_numpynet(AdamW, rule),
        )

    return beside(decayed(0.25), decayed(0.0))


@difference(
    "adam-bias-correction",
    does={
        "torch": "1 - beta2^t in double precision",
        "keras": "1 - beta2^t in the precision of the weights: of 0.99999 float32 leaves 1.00136e-5, not 1e-5",
        "tensorflow": "as Keras",
    },
    mapping="betas that float32 represents, as 1 - 2^-10",
    sources=("https://github.com/keras-team/keras/blob/v3.3.3/keras/src/optimizers/adam.py",),
)
def adam_bias_correction() -> Demonstration:
    """Keras corrects the bias of Adam's moments in the precision of the weights."""
    start, gradient = START.astype(np.float32), GRADIENTS[0].astype(np.float32)

    def step(beta2: float, corrected: float) -> Formula:
        """The formula of the first step without eps: its second moment, (1 - beta2) g^2, is divided by `corrected`."""
        return lambda w, g: w - 0.125 * g * np.sqrt(corrected) / np.sqrt((1 - beta2) * g * g)

    def run(beta2: float) -> dict[str, Array]:
        parameter = torch.from_numpy(start.copy())
        parameter.grad = torch.from_numpy(gradient)
        torch.optim.Adam([parameter], 0.125, (0.875, beta2), eps=0.0).step()
        variable = keras.Variable(start, dtype="float32")
        keras.optimizers.Adam(0.125, 0.875, beta2, 0.0).apply([tf.constant(gradient)], [variable])
        return {"torch": np.asarray(parameter), "keras": np.asarray(variable.numpy())}

    near, dyadic = 0.99999, 1 - 2.0**-10
    corrected = {"torch": 1 - near, "keras": float(1 - np.float32(near))}
    return avoided(
        {who: claim(values, step(near, corrected[who]), start, gradient) for who, values in run(near).items()},
        claims(run(dyadic), step(dyadic, 1 - dyadic), start, gradient),
    )


@difference(
    "rmsprop-eps",
    does={
        "torch": "eps is added to the root: sqrt(v) + eps",
        "keras": "eps is added beneath the root: sqrt(v + eps)",
        "tensorflow": "as Keras; the legacy optimizer outside, unless it had a momentum",
    },
    mapping="numpynet's eps_inside; no eps of the one makes the other: the step is written anew",
    sources=(f"{TORCH}RMSprop.html", f"{KERAS}rmsprop/"),
)
def rmsprop_eps() -> Demonstration:
    """Where RMSprop adds eps: the same without one."""

    def with_eps(eps: float) -> Demonstration:
        rule = {"alpha": 0.875, "eps": eps}
        return shown(
            RMSprop,
            rule,
            lambda parameters: torch.optim.RMSprop(parameters, **rule),
            keras.optimizers.RMSprop(rho=0.875, epsilon=eps),
            rule | {"eps_inside": True},
        )

    return beside(with_eps(EPS), with_eps(0.0))


@difference(
    "rmsprop-velocity",
    does={
        "torch": "b = m b + g / root; w -= lr b: a new learning rate counts for the whole velocity",
        "keras": "b = m b + lr g / root; w -= b: what has gathered keeps the old learning rate",
        "tensorflow": "as Keras",
    },
    mapping="multiply Keras' momentum by lr_new / lr_old (parity.frameworks.tensorflow.optimizers.Rule)",
    sources=(f"{TORCH}RMSprop.html", f"{KERAS}rmsprop/", "https://github.com/pytorch/pytorch/issues/1099"),
)
def rmsprop_velocity() -> Demonstration:
    """RMSprop's momentum when the learning rate changes: the same with a constant one."""
    rule: dict[str, Any] = {"alpha": 0.875, "eps": EPS, "momentum": 0.5, "eps_inside": True}

    def at_rates(rates: Sequence[float]) -> Demonstration:
        def inside(w: Array, gradients: Array) -> Array:
            second = velocity = np.zeros_like(w)
            for lr, gradient in zip(rates, gradients, strict=True):
                second = 0.875 * second + 0.125 * gradient * gradient
                velocity = 0.5 * velocity + lr * gradient / np.sqrt(second + EPS)
                w = w - velocity
            return w

        return shown(
            RMSprop,
            rule,
            lambda parameters: torch_following(RMSprop([], **rule), parameters),
            keras.optimizers.RMSprop(rho=0.875, momentum=0.5, epsilon=EPS),
            inside,
            rates,
        )

    return beside(at_rates(FALLING), at_rates(CONSTANT))


def one_step(gradient: float, alpha: float) -> dict[str, Array]:
    """The weight 1 after one step of centred RMSprop along a gradient: numpynet's, and torch's."""
    rule: dict[str, Any] = {"lr": 0.125, "alpha": alpha, "eps": 1.0, "centered": True}
    slope = np.full(1, gradient, np.float32)
    ours, theirs = Parameter(np.ones(1, np.float32)), torch.ones(1, requires_grad=True)
    ours.grad, theirs.grad = slope, torch.from_numpy(slope.copy())
    RMSprop([ours], **rule).step()
    torch.optim.RMSprop([theirs], **rule).step()
    return {"numpynet": ours.value, "torch": theirs.detach().numpy()}


def squares_are_fused() -> bool:
    """Tells whether torch subtracts a square that was not rounded, which its kernels without FMA do not."""
    return bool(np.isnan(one_step(1.1, 0.0)["torch"]).all())


@difference(
    "rmsprop-centered-fused",
    does={
        "torch": "v - m^2 is one fused operation: where nothing is left of it, the rounding of v is, and the root of a "
        "negative one is NaN",
        "keras": "as numpynet, which rounds m^2 as it rounds v",
        "tensorflow": "as Keras",
    },
    mapping="an alpha above 0, or no centring",
    sources=(
        f"{TORCH}RMSprop.html",
        "https://github.com/pytorch/pytorch/blob/v2.2.2/torch/optim/rmsprop.py",
    ),
    applies=squares_are_fused,
)
def rmsprop_centered_fused() -> Demonstration:
    """Centred RMSprop that forgets everything at each step: a gradient's variance is 0, or what rounding left of it."""
    lost, exact = one_step(0.3, 0.0), one_step(0.5, 0.0)

    def stepped(w: Array, gradient: Array) -> Any:
        second, first = 0.5 * gradient * gradient, 0.5 * gradient
        return w - 0.125 * (gradient / (np.sqrt(second - first * first) + 1))

    one, slope = np.ones(1, np.float32), np.full(1, 0.3, np.float32)
    moved = claim(lost["numpynet"], lambda w, gradient: w - 0.125 * gradient, one, slope)
    return Demonstration(
        {"numpynet": moved, "torch": exactly(lost["torch"], np.nan)},
        claims(one_step(0.3, 0.5), stepped, one, slope),
        {who: exactly(values, 1 - 0.125 * 0.5) for who, values in exact.items()},
    )


@difference(
    "rmsprop-defaults",
    does={
        "torch": "alpha 0.99, eps 1e-8, lr 0.01",
        "keras": "rho 0.9, epsilon 1e-7, learning_rate 0.001",
        "tensorflow": "as Keras",
    },
    mapping="pass them; numpynet's are torch's",
    sources=(f"{TORCH}RMSprop.html", f"{KERAS}rmsprop/"),
)
def rmsprop_defaults() -> Demonstration:
    """RMSprop forgets ten times sooner in Keras, unless it is told otherwise."""
    defaults = {"alpha": 0.9, "eps": 1e-7, "eps_inside": True}
    naive = shown(RMSprop, {}, torch.optim.RMSprop, keras.optimizers.RMSprop(), defaults).naive
    said = {"alpha": 0.875, "eps": 0.0}
    told = shown(
        RMSprop,
        said,
        lambda parameters: torch.optim.RMSprop(parameters, **said),
        keras.optimizers.RMSprop(rho=0.875, epsilon=0.0),
        said,
    ).naive
    return Demonstration(naive, mapped(RMSprop, {"alpha": 0.875, "eps": EPS}), told)


@difference(
    "adagrad-eps",
    does={
        "torch": "eps is added to the root: sqrt(s) + eps",
        "keras": "eps is added beneath the root: sqrt(s + eps)",
        "tensorflow": "as Keras; the legacy optimizer outside",
    },
    mapping="numpynet's eps_inside; no eps of the one makes the other: the step is written anew",
    sources=(f"{TORCH}Adagrad.html", f"{KERAS}adagrad/"),
)
def adagrad_eps() -> Demonstration:
    """Where Adagrad adds eps: the same without one."""
    return beside(started(0.0, 0.0, EPS), started(0.0, 0.0, 0.0))


def started(in_torch: float, in_keras: float, eps: float) -> Demonstration:
    """Shows what Adagrad does in torch and in Keras, when their accumulators start at these numbers."""
    rule = {"eps": eps, "initial_accumulator": in_torch}
    return shown(
        Adagrad,
        rule,
        lambda parameters: torch.optim.Adagrad(parameters, eps=eps, initial_accumulator_value=in_torch),
        keras.optimizers.Adagrad(initial_accumulator_value=in_keras, epsilon=eps),
        {"eps": eps, "eps_inside": True, "initial_accumulator": in_keras},
    )


@difference(
    "adagrad-start",
    does={
        "torch": "the accumulator starts at 0: the first step is lr long, whatever the gradient",
        "keras": "the accumulator starts at 0.1",
        "tensorflow": "as Keras",
    },
    mapping="the same initial accumulator",
    sources=(f"{TORCH}Adagrad.html", f"{KERAS}adagrad/"),
)
def adagrad_start() -> Demonstration:
    """The start of Adagrad's accumulator, unless it is told."""
    start = float(np.float32(0.1))
    by_default = shown(
        Adagrad,
        {"eps": EPS},
        lambda parameters: torch.optim.Adagrad(parameters, eps=EPS),
        keras.optimizers.Adagrad(epsilon=EPS),
        {"eps": EPS, "eps_inside": True, "initial_accumulator": start},
    )
    return beside(by_default, started(0.125, 0.125, 0.0))


@difference(
    "adamw-default-decay",
    does={
        "torch": "weight_decay 0.01",
        "keras": "weight_decay 0.004",
        "tensorflow": "as Keras",
    },
    mapping="pass it; numpynet's is torch's",
    sources=(f"{TORCH}AdamW.html", f"{KERAS}adamw/"),
)
def adamw_default_decay() -> Demonstration:
    """AdamW's default weight decay: the same where it is given."""
    rule: dict[str, Any] = BETAS | {"eps": EPS, "eps_hat": True}

    def decayed(in_torch: float, in_keras: float, **said: float) -> dict[str, Claim]:
        return shown(
            AdamW,
            rule | {"weight_decay": in_torch},
            lambda parameters: torch_following(AdamW([], weight_decay=in_torch, **rule), parameters),
            keras.optimizers.AdamW(epsilon=EPS, **KERAS_BETAS, **said),
            rule | {"weight_decay": in_keras},
        ).naive

    return Demonstration(
        decayed(0.01, float(np.float32(0.004))),
        mapped(AdamW, rule | {"weight_decay": 0.25}),
        decayed(0.25, 0.25, weight_decay=0.25),
    )
