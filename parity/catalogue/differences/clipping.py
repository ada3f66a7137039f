"""Differences of gradient clipping."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import SGD, Array, ClipByGlobalNorm, ClipByNorm, Parameter
from numpynet.clipping import Clip
from parity.catalogue.difference import Claim, Demonstration, claim, claims, difference, exactly
from parity.catalogue.running import keras_following, torch_following
from parity.frameworks.lazy import keras, tf, torch

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch."
KERAS = "https://keras.io/api/optimizers/"

rng = np.random.default_rng(0)
LONG = rng.standard_normal((2, 4))  # the gradients of two parameters that start at zero
SHORT = LONG * 2.0**-10


def in_numpynet(clip: Clip, gradients: Array) -> Array:
    """The clipped gradients by numpynet: what one step of length 1 along them takes off."""
    parameters = [Parameter(np.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    SGD(parameters, 1.0, clip=clip).step()
    return -np.stack([parameter.value for parameter in parameters])


def torch_s_own(gradients: Array, limit: float) -> Array:
    parameters = [torch.zeros(4, dtype=torch.float64, requires_grad=True) for _ in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.from_numpy(gradient.copy())
    torch.nn.utils.clip_grad_norm_(parameters, limit)
    return np.stack([np.asarray(parameter.grad) for parameter in parameters])


def keras_s_own(gradients: Array, **limit: float) -> Array:
    variables = [keras.Variable(np.zeros(4), dtype="float64") for _ in gradients]
    keras.optimizers.SGD(1.0, **limit).apply([tf.constant(gradient) for gradient in gradients], variables)
    return -np.stack([variable.numpy() for variable in variables])


def mapped(clip: Clip, gradients: Array) -> dict[str, Claim]:
    """The claims that all implementations, mapped by the pair, clip as numpynet does."""
    rule = SGD([], 1.0, clip=clip)
    parameters = [torch.zeros(4, dtype=torch.float64, requires_grad=True) for _ in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.from_numpy(gradient.copy())
    torch_following(rule, parameters).step()
    variables = [keras.Variable(np.zeros(4), dtype="float64") for _ in gradients]
    keras_following(rule, variables).step([tf.constant(gradient) for gradient in gradients], 1.0)
    found = {
        "numpynet": in_numpynet(clip, gradients),
        "torch": -np.stack([parameter.detach().numpy() for parameter in parameters]),
        "keras": -np.stack([variable.numpy() for variable in variables]),
    }
    return claims(found, lambda g: in_numpynet(clip, g), gradients)


def raised(limit: float, eps: float) -> Any:
    """The formula for clipping by the global norm with eps added to it."""
    return lambda gradients: gradients * (limit / (np.sqrt(np.sum(gradients * gradients)) + eps))


@difference(
    "clip-norm-scope",
    does={
        "torch": "clip_grad_norm_ bounds the norm of all gradients together",
        "keras": "clipnorm bounds the norm of each variable's gradient; global_clipnorm that of all together",
        "tensorflow": "tf.clip_by_norm and tf.clip_by_global_norm",
    },
    mapping="numpynet's ClipByNorm and ClipByGlobalNorm; torch: clip_grad_norm_ for each parameter",
    sources=(f"{TORCH}nn.utils.clip_grad_norm_.html", f"{KERAS}sgd/"),
)
def clip_norm_scope() -> Demonstration:
    """Clipping by norm is global in torch, for each variable in Keras; short gradients are left alone by both."""
    naive = {
        "torch": claim(torch_s_own(LONG, 1.0), raised(1.0, 1e-6), LONG),
        "keras": claim(keras_s_own(LONG, clipnorm=1.0), lambda g: in_numpynet(ClipByNorm(1.0), g), LONG),
    }
    within = {"torch": torch_s_own(SHORT, 1.0), "keras": keras_s_own(SHORT, clipnorm=1.0)}
    return Demonstration(
        naive, mapped(ClipByNorm(1.0), LONG), {who: exactly(values, SHORT) for who, values in within.items()}
    )


@difference(
    "clip-norm-eps",
    does={
        "torch": "gradients longer than the limit are multiplied by limit / (norm + 1e-6)",
        "keras": "by limit / norm",
        "tensorflow": "as Keras",
    },
    mapping="torch is given the limit times 1 + 1e-6 / norm",
    sources=(f"{TORCH}nn.utils.clip_grad_norm_.html", f"{KERAS}sgd/"),
)
def clip_norm_eps() -> Demonstration:
    """torch adds 1e-6 to the norm that it clips by; gradients within the limit are left alone by both."""
    short, limit = SHORT, 2.0**-11
    clip = ClipByGlobalNorm(limit)
    naive = {
        "torch": claim(torch_s_own(short, limit), raised(limit, 1e-6), short),
        "keras": claim(keras_s_own(short, global_clipnorm=limit), lambda g: in_numpynet(clip, g), short),
    }
    within = {"torch": torch_s_own(short, 1.0), "keras": keras_s_own(short, global_clipnorm=1.0)}
    return Demonstration(naive, mapped(clip, short), {who: exactly(values, short) for who, values in within.items()})
