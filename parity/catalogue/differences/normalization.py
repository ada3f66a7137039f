"""Differences of batch, layer and group normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import Array, BatchNormalization, GroupNormalization, LayerNormalization
from parity.catalogue.difference import (
    Claim,
    Demonstration,
    Formula,
    avoided,
    claim,
    claims,
    difference,
    exactly,
    together,
)
from parity.catalogue.running import numpynet_gradient, tensorflow_gradient, torch_gradient
from parity.frameworks.lazy import keras, torch, torch_layers

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html"
KERAS = "https://keras.io/api/layers/normalization_layers/batch_normalization/"

x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)


def trained(layer: Any, name: str = "", x: Array = x) -> Array:
    """The output of one training step on x or, by `name`, a running statistic after it."""
    if isinstance(layer, torch.nn.Module):
        output = layer.train()(torch.from_numpy(x)).detach()
    else:
        output = layer(x, training=True)
    return np.asarray(getattr(layer, name) if name else output)


def normalized(eps: float) -> Formula:
    return lambda x: (x - np.mean(x, axis=0)) / np.sqrt(np.mean((x - np.mean(x, axis=0)) ** 2, axis=0) + eps)


def running(alpha: float, start: float, statistic: Formula) -> Formula:
    return lambda x: alpha * start + (1 - alpha) * statistic(x)


def mean(x: Array) -> Any:
    return np.mean(x, axis=0)


def unless_refused(run: Callable[[], Array], shape: tuple[int, ...]) -> Array:
    """The array that `run` returns; NaN of this shape where it raises ValueError."""
    try:
        return np.asarray(run())
    except ModuleNotFoundError:  # a framework that is not installed has refused nothing
        raise
    except ValueError:
        return np.full(shape, np.nan, np.float32)


def variance(x: Array) -> Any:
    return np.mean((x - np.mean(x, axis=0)) ** 2, axis=0)


def unbiased(x: Array) -> Any:
    return variance(x) * (len(x) / (len(x) - 1))


@difference(
    "batchnorm-eps",
    does={
        "torch": "1e-5",
        "keras": "1e-3",
        "tensorflow": "tf.nn.batch_normalization has no default",
    },
    mapping="pass eps",
    sources=(TORCH, KERAS),
)
def batchnorm_eps() -> Demonstration:
    """The default eps beneath the root: it matters where the variance is small."""
    small, large = x * np.float32(2**-7), x * np.float32(2**20)

    def shown(x: Array, predicted: float, **of_torch: float) -> dict[str, Claim]:
        return {
            "numpynet": claim(BatchNormalization(3)(x), normalized(1e-3), x),
            "keras": claim(trained(keras.layers.BatchNormalization(), x=x), normalized(1e-3), x),
            "torch": claim(trained(torch.nn.BatchNorm1d(3, **of_torch), x=x), normalized(predicted), x),
        }

    return Demonstration(shown(small, 1e-5), shown(small, 1e-3, eps=1e-3), shown(large, 1e-5))


@difference(
    "batchnorm-momentum",
    does={
        "torch": "momentum 0.1 is the share of the new batch",
        "keras": "momentum 0.99 is the share of the old statistics",
        "tensorflow": "left to the caller",
    },
    mapping="numpynet's alpha = Keras' momentum = 1 - torch's momentum",
    sources=(TORCH, KERAS),
)
def batchnorm_momentum() -> Demonstration:
    """Momentum means the opposite, and has another default: seen unless a batch is as the running statistics are."""

    def shown(x: Array, alpha: float, **of_keras: float) -> dict[str, Claim]:
        layer = BatchNormalization(3)
        layer(x)
        theirs = keras.layers.BatchNormalization(**of_keras)
        return {
            "numpynet": claim(layer.running_mean, running(0.9, 0, mean), x),
            "torch": claim(trained(torch.nn.BatchNorm1d(3), "running_mean", x), running(0.9, 0, mean), x),
            "keras": claim(trained(theirs, "moving_mean", x), running(alpha, 0, mean), x),
        }

    centred = np.concatenate([x, -x])
    return Demonstration(shown(x, 0.99), shown(x, 0.9, momentum=0.9), shown(centred, 0.99))


@difference(
    "batchnorm-running-variance",
    does={
        "torch": "the running variance takes the unbiased variance n/(n-1) var, the output the biased one",
        "keras": "the biased variance for both since Keras 3; in Keras 2 the fused kernel kept the unbiased one",
        "tensorflow": "FusedBatchNormV3 returns the unbiased one",
    },
    mapping="parity.frameworks.torch.layers.BatchNormBiased keeps the biased one",
    sources=(
        TORCH,
        "https://github.com/pytorch/pytorch/issues/1410",
        "https://github.com/pytorch/pytorch/issues/77427",
        "https://github.com/keras-team/keras/pull/9028",
    ),
)
def batchnorm_running_variance() -> Demonstration:
    """The running variance is the unbiased one in torch alone; the output is made of the biased one everywhere."""
    layer = BatchNormalization(3)
    layer(x)
    keeps = running(0.9, 1, variance)
    same = {
        "numpynet": claim(layer.running_var, keeps, x),
        "keras": claim(trained(keras.layers.BatchNormalization(momentum=0.9), "moving_variance"), keeps, x),
    }
    naive, mapped = torch.nn.BatchNorm1d(3, eps=1e-3), torch_layers.BatchNormBiased(3, affine=False)
    outputs = {
        "numpynet": BatchNormalization(3)(x),
        "keras": trained(keras.layers.BatchNormalization()),
        "torch": trained(naive),
    }
    return Demonstration(
        same | {"torch": claim(np.asarray(naive.running_var), running(0.9, 1, unbiased), x)},
        same | {"torch": claim(trained(mapped, "running_var"), keeps, x)},
        claims(outputs, normalized(1e-3), x),
    )


@difference(
    "batchnorm-single-value",
    does={
        "torch": "refuses a training batch with one value for a feature",
        "keras": "returns 0 whatever the input, and moves the running variance towards 0",
        "tensorflow": "as Keras",
    },
    mapping="batches of at least two; numpynet refuses as torch does",
    sources=("https://github.com/pytorch/pytorch/pull/2961",),
)
def batchnorm_single_value() -> Demonstration:
    """A training batch of one is refused (NaN here), or normalised to nothing."""
    of_keras = keras.layers.BatchNormalization(momentum=0.75)

    def on(rows: Array) -> dict[str, Any]:
        return {
            "numpynet": lambda: BatchNormalization(3)(rows),
            "torch": lambda: trained(torch.nn.BatchNorm1d(3, eps=1e-3), x=rows),
            "keras": lambda: trained(of_keras, x=rows),
        }

    naive = {who: unless_refused(run, (1, 3)) for who, run in on(x[:1]).items()}
    moved = exactly(np.asarray(of_keras.moving_variance), 0.75)  # from 1: a quarter of the way to 0
    others = {who: exactly(naive[who], np.nan) for who in ("numpynet", "torch")}
    two = {who: claim(run(), normalized(1e-3), x[:2]) for who, run in on(x[:2]).items()}
    return avoided(
        {who: together(refused, exactly(np.full(3, np.nan), np.nan)) for who, refused in others.items()}
        | {"keras": together(exactly(naive["keras"], 0), moved)},
        two,
    )


@difference(
    "batchnorm-folded",
    does={
        "torch": "y as Keras, the gradient computed from x - mean; in layer and group normalisation as Keras'",
        "keras": "y = x * scale - mean * scale, and the gradient that follows: sums of grad * x, which cancel",
        "tensorflow": "tf.nn.batch_normalization: as Keras",
    },
    mapping="judge with Keras' formula (parity.mapping.normalization.BatchNormalizationFolded), or centre the inputs",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/batch_normalization",),
)
def batchnorm_folded() -> Demonstration:
    """Keras' gradient loses digits where the mean is large beside the deviation."""
    centred = np.array([[-1.0], [1.0]], np.float32)
    grad = np.array([[1.1], [-0.7]], np.float32)
    large, eps = np.float32(2**20), 1.25  # x, its mean and its deviation are exact: what differs is the formula

    def from_scale(z: Array, grad: Array, grad_scale: Any) -> Any:
        """The gradient for the input, given the gradient for scale = 1/sqrt(var + eps)."""
        scale = 1 / np.sqrt(np.mean(z * z) + eps)
        return (grad - np.mean(grad) - scale * scale * grad_scale * z / len(z)) * scale

    def exact(z: Array, grad: Array) -> Any:
        return from_scale(z, grad, np.sum(grad * z))

    def gradients(x: Array) -> dict[str, Array]:
        of_torch, of_keras = (
            torch.nn.BatchNorm1d(1, eps=eps, affine=False),
            keras.layers.BatchNormalization(epsilon=eps),
        )
        return {
            "numpynet": numpynet_gradient(BatchNormalization(1, eps=eps), x, grad),
            "torch": torch_gradient(of_torch, x, grad),
            "keras": tensorflow_gradient(lambda x: of_keras(x, training=True), x, grad),
        }

    x = large + centred
    cancelled = np.sum(grad * x) - large * np.sum(grad)
    naive = {
        who: claim(values, from_scale, centred, grad, cancelled)
        if who == "keras"
        else claim(values, exact, centred, grad)
        for who, values in gradients(x).items()
    }
    return avoided(naive, claims(gradients(centred), exact, centred, grad))


@difference(
    "batchnorm-without-eps",
    does={
        "torch": "refuses eps=0 in training since 2.10; its kernel makes 0 of a constant feature",
        "keras": "NaN: 0 times infinity",
        "tensorflow": "as Keras",
    },
    mapping="written out as (x - mean) / sqrt(var): parity.frameworks.torch.layers.BatchNormBiased",
    sources=(
        "https://github.com/pytorch/pytorch/issues/173337",
        "https://github.com/pytorch/pytorch/pull/175508",
    ),
)
def batchnorm_without_eps() -> Demonstration:
    """A constant feature, normalised without eps; of one that varies all make the same."""
    constant, varying = np.zeros((4, 1), np.float32), x[:4, :1]

    def on(x: Array) -> dict[str, Array]:
        kernel = torch.batch_norm(torch.from_numpy(x), None, None, None, None, True, 0.0, 0.0, False)
        return {
            "numpynet": BatchNormalization(1, eps=0)(x),
            "keras": trained(keras.layers.BatchNormalization(epsilon=0), x=x),
            "torch": kernel.numpy(),
        }

    found = on(constant)
    mapped = found | {"torch": trained(torch_layers.BatchNormBiased(1, eps=0, affine=False), x=constant)}
    return Demonstration(
        {who: exactly(values, 0 if who == "torch" else np.nan) for who, values in found.items()},
        {who: exactly(values, np.nan) for who, values in mapped.items()},
        claims(on(varying), normalized(0), varying),
    )


@difference(
    "layernorm-eps",
    does={
        "torch": "1e-5 in LayerNorm and GroupNorm",
        "keras": "1e-3 in LayerNormalization and GroupNormalization, whose groups are 32 by default",
        "tensorflow": "has none",
    },
    mapping="pass eps",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html",
        "https://keras.io/api/layers/normalization_layers/layer_normalization/",
        "https://keras.io/api/layers/normalization_layers/group_normalization/",
    ),
)
def layernorm_eps() -> Demonstration:
    """The default eps of layer and group normalisation."""
    small, large = x * np.float32(2**-7), x * np.float32(2**20)

    def by_rows(eps: float) -> Formula:
        return lambda x: normalized(eps)(x.T).T

    def shown(x: Array, predicted: float, **of_torch: float) -> dict[str, Claim]:
        others = {
            "numpynet": LayerNormalization()(x),
            "numpynet's groups": GroupNormalization(1)(x),
            "keras": trained(keras.layers.LayerNormalization(), x=x),
            "keras' groups": trained(keras.layers.GroupNormalization(1), x=x),
        }
        theirs = {"torch": torch.nn.LayerNorm(3, **of_torch), "torch's groups": torch.nn.GroupNorm(1, 3, **of_torch)}
        return claims(others, by_rows(1e-3), x) | {
            who: claim(trained(layer, x=x), by_rows(predicted), x) for who, layer in theirs.items()
        }

    return Demonstration(shown(small, 1e-5), shown(small, 1e-3, eps=1e-3), shown(large, 1e-5))


@difference(
    "groupnorm-single-value",
    does={
        "torch": "refuses a batch of one with one value for a group, as if statistics were the batch's",
        "keras": "0, as numpynet",
        "tensorflow": "has none",
    },
    mapping="batches of at least two",
    sources=("https://github.com/pytorch/pytorch/blob/main/torch/nn/functional.py",),
)
def groupnorm_single_value() -> Demonstration:
    """A batch of one, of which every group has one value: refused (NaN here), or normalised to nothing."""

    def on(rows: Array) -> dict[str, Array]:
        tries = {
            "numpynet": lambda: GroupNormalization(3)(rows),
            "torch": lambda: trained(torch.nn.GroupNorm(3, 3, eps=1e-3), x=rows),
            "keras": lambda: trained(keras.layers.GroupNormalization(3), x=rows),
        }
        return {who: unless_refused(run, rows.shape) for who, run in tries.items()}

    def nothing(values: Array, rows: Array) -> Claim:
        """The claim that values are 0 but for rounding: torch multiplies value and mean by the scale, one by one."""
        scale = 1 / np.sqrt(1e-3)
        return claim(values, lambda x: x * scale - x * scale, rows)

    naive = on(x[:1])
    return avoided(
        {who: nothing(naive[who], x[:1]) for who in ("numpynet", "keras")} | {"torch": exactly(naive["torch"], np.nan)},
        {who: nothing(values, x[:2]) for who, values in on(x[:2]).items()},
    )
