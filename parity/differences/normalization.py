"""Batch, layer and group normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from numpynet import Array, BatchNormalization, GroupNormalization, LayerNormalization
from parity.differences.difference import Demonstration, Formula, accepts, claim, difference, exactly, refuses
from parity.lazy import keras, tf, torch, torch_layers

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html"
KERAS = "https://keras.io/api/layers/normalization_layers/batch_normalization/"

x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)


def trained(layer: Any, name: str = "", x: Array = x) -> Array:
    """The output of one training step on x, or a running statistic after it."""
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


def variance(x: Array) -> Any:
    return np.mean((x - np.mean(x, axis=0)) ** 2, axis=0)


def unbiased(x: Array) -> Any:
    return variance(x) * (len(x) / (len(x) - 1))


@difference(
    "batchnorm-eps",
    torch="1e-5",
    keras="1e-3",
    tensorflow="tf.nn.batch_normalization has no default",
    mapping="pass eps",
    sources=(TORCH, KERAS),
)
def batchnorm_eps() -> Demonstration:
    """The default eps beneath the root: it matters where the variance is small."""
    small = x * np.float32(2**-7)
    same = {
        "numpynet": claim(BatchNormalization(3)(small), normalized(1e-3), small),
        "keras": claim(trained(keras.layers.BatchNormalization(), x=small), normalized(1e-3), small),
    }
    naive, mapped = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3, eps=1e-3)
    return Demonstration(
        same | {"torch": claim(trained(naive, x=small), normalized(1e-5), small)},
        same | {"torch": claim(trained(mapped, x=small), normalized(1e-3), small)},
    )


@difference(
    "batchnorm-momentum",
    torch="momentum 0.1 is the share of the new batch",
    keras="momentum 0.99 is the share of the old statistics",
    tensorflow="left to the caller",
    mapping="numpynet's alpha = Keras' momentum = 1 - torch's momentum",
    sources=(TORCH, KERAS),
)
def batchnorm_momentum() -> Demonstration:
    """Momentum means the opposite, and has another default."""

    def keeps(alpha: float) -> Formula:
        return running(alpha, 0, mean)

    layer = BatchNormalization(3)
    layer(x)
    same = {
        "numpynet": claim(layer.running_mean, keeps(0.9), x),
        "torch": claim(trained(torch.nn.BatchNorm1d(3), "running_mean"), keeps(0.9), x),
    }
    naive, mapped = keras.layers.BatchNormalization(), keras.layers.BatchNormalization(momentum=0.9)
    return Demonstration(
        same | {"keras": claim(trained(naive, "moving_mean"), keeps(0.99), x)},
        same | {"keras": claim(trained(mapped, "moving_mean"), keeps(0.9), x)},
    )


@difference(
    "batchnorm-running-variance",
    torch="the running variance takes the unbiased variance n/(n-1) var, the output the biased one",
    keras="the biased variance for both since Keras 3; in Keras 2 the fused kernel kept the unbiased one",
    tensorflow="FusedBatchNormV3 returns the unbiased one",
    mapping="parity.frameworks.torch_layers.BatchNormBiased keeps the biased one",
    sources=(
        TORCH,
        "https://github.com/pytorch/pytorch/issues/1410",
        "https://github.com/pytorch/pytorch/issues/77427",
        "https://github.com/keras-team/keras/pull/9028",
    ),
)
def batchnorm_running_variance() -> Demonstration:
    """The running variance is the unbiased one in torch alone."""
    layer = BatchNormalization(3)
    layer(x)
    keeps = running(0.9, 1, variance)
    same = {
        "numpynet": claim(layer.running_var, keeps, x),
        "keras": claim(trained(keras.layers.BatchNormalization(momentum=0.9), "moving_variance"), keeps, x),
    }
    naive, mapped = torch.nn.BatchNorm1d(3), torch_layers.BatchNormBiased(3, affine=False)
    return Demonstration(
        same | {"torch": claim(trained(naive, "running_var"), running(0.9, 1, unbiased), x)},
        same | {"torch": claim(trained(mapped, "running_var"), keeps, x)},
    )


@difference(
    "batchnorm-single-value",
    torch="refuses a training batch with one value for a feature",
    keras="returns 0 whatever the input, and moves the running variance towards 0",
    tensorflow="as Keras",
    mapping="batches of at least two; numpynet refuses as torch does",
    sources=("https://github.com/pytorch/pytorch/pull/2961",),
)
def batchnorm_single_value() -> Demonstration:
    """A training batch of one is refused, or normalised to nothing."""

    def on(rows: Array) -> dict[str, Any]:
        return {
            "numpynet": lambda: BatchNormalization(3)(rows),
            "torch": lambda: torch.nn.BatchNorm1d(3)(torch.from_numpy(rows)),
            "keras": lambda: keras.layers.BatchNormalization()(rows, training=True),
        }

    one = on(x[:1])
    return Demonstration(
        {who: accepts(run) if who == "keras" else refuses(run) for who, run in one.items()},
        {who: accepts(run) for who, run in on(x[:2]).items()},
    )


@difference(
    "batchnorm-folded",
    torch="the gradient is computed from x - mean; in layer and group normalisation folded, as Keras'",
    keras="y = x * scale - mean * scale, and the gradient that follows: sums of grad * x, which cancel",
    tensorflow="tf.nn.batch_normalization: as Keras",
    mapping="judge with Keras' formula (parity.pairs.normalization.BatchNormalizationFolded), or centre the inputs",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/batch_normalization",),
)
def batchnorm_folded() -> Demonstration:
    """Keras' gradient loses digits where the mean is large beside the deviation."""
    centred = np.array([[-1.0], [1.0]], np.float32)
    grad = np.array([[1.1], [-0.7]], np.float32)
    large, eps = np.float32(2**20), 1.25  # x, its mean and its deviation are exact: what differs is the formula

    def from_scale(z: Array, grad: Array, grad_scale: Any) -> Any:
        """The gradient, given that of scale = 1/sqrt(var + eps)."""
        scale = 1 / np.sqrt(np.mean(z * z) + eps)
        return (grad - np.mean(grad) - scale * scale * grad_scale * z / len(z)) * scale

    def exact(z: Array, grad: Array) -> Any:
        return from_scale(z, grad, np.sum(grad * z))

    def gradients(x: Array) -> dict[str, Array]:
        ours, layer = BatchNormalization(1, eps=eps), torch.nn.BatchNorm1d(1, eps=eps, affine=False)
        ours(x)
        tensor = torch.from_numpy(x).requires_grad_()
        layer(tensor).backward(torch.from_numpy(grad))
        with tf.GradientTape() as tape:
            watched = tf.constant(x)
            tape.watch(watched)
            output = keras.layers.BatchNormalization(epsilon=eps)(watched, training=True)
        return {
            "numpynet": ours.backward(grad),
            "torch": tensor.grad.numpy(),
            "keras": tape.gradient(output, watched, tf.constant(grad)).numpy(),
        }

    x = large + centred
    cancelled = np.sum(grad * x) - large * np.sum(grad)
    naive = {
        who: claim(values, from_scale, centred, grad, cancelled)
        if who == "keras"
        else claim(values, exact, centred, grad)
        for who, values in gradients(x).items()
    }
    return Demonstration(
        naive, {who: claim(values, exact, centred, grad) for who, values in gradients(centred).items()}
    )


@difference(
    "batchnorm-without-eps",
    torch="refuses eps=0 in training since 2.10; its kernel makes 0 of a constant feature",
    keras="NaN: 0 times infinity",
    tensorflow="as Keras",
    mapping="written out as (x - mean) / sqrt(var): parity.frameworks.torch_layers.BatchNormBiased",
    sources=(
        "https://github.com/pytorch/pytorch/issues/173337",
        "https://github.com/pytorch/pytorch/pull/175508",
    ),
)
def batchnorm_without_eps() -> Demonstration:
    """A constant feature, normalised without eps."""
    constant = np.zeros((4, 1), np.float32)
    same = {
        "numpynet": exactly(BatchNormalization(1, eps=0)(constant), np.nan),
        "keras": exactly(trained(keras.layers.BatchNormalization(epsilon=0), x=constant), np.nan),
    }
    kernel = torch.batch_norm(torch.from_numpy(constant), None, None, None, None, True, 0.0, 0.0, False)
    return Demonstration(
        same | {"torch": exactly(kernel.numpy(), 0)},
        same | {"torch": exactly(trained(torch_layers.BatchNormBiased(1, eps=0, affine=False), x=constant), np.nan)},
    )


@difference(
    "layernorm-eps",
    torch="1e-5 in LayerNorm and GroupNorm",
    keras="1e-3 in LayerNormalization and GroupNormalization, whose groups are 32 by default",
    tensorflow="has none",
    mapping="pass eps",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html",
        "https://keras.io/api/layers/normalization_layers/layer_normalization/",
        "https://keras.io/api/layers/normalization_layers/group_normalization/",
    ),
)
def layernorm_eps() -> Demonstration:
    """The default eps of layer and group normalisation."""
    small = x * np.float32(2**-7)

    def by_rows(eps: float) -> Formula:
        return lambda x: normalized(eps)(x.T).T

    same = {
        "numpynet": claim(LayerNormalization()(small), by_rows(1e-3), small),
        "numpynet's groups": claim(GroupNormalization(1)(small), by_rows(1e-3), small),
        "keras": claim(trained(keras.layers.LayerNormalization(), x=small), by_rows(1e-3), small),
        "keras' groups": claim(trained(keras.layers.GroupNormalization(1), x=small), by_rows(1e-3), small),
    }
    naive = {"torch": torch.nn.LayerNorm(3), "torch's groups": torch.nn.GroupNorm(1, 3)}
    mapped = {"torch": torch.nn.LayerNorm(3, eps=1e-3), "torch's groups": torch.nn.GroupNorm(1, 3, eps=1e-3)}
    return Demonstration(
        same | {who: claim(trained(layer, x=small), by_rows(1e-5), small) for who, layer in naive.items()},
        same | {who: claim(trained(layer, x=small), by_rows(1e-3), small) for who, layer in mapped.items()},
    )


@difference(
    "groupnorm-single-value",
    torch="refuses a batch of one with one value for a group, as if statistics were the batch's",
    keras="0",
    tensorflow="has none",
    mapping="batches of at least two",
    sources=("https://github.com/pytorch/pytorch/blob/main/torch/nn/functional.py",),
)
def groupnorm_single_value() -> Demonstration:
    """A batch of one, of which every group has one value."""

    def on(rows: Array) -> dict[str, Any]:
        return {
            "numpynet": lambda: GroupNormalization(3)(rows),
            "torch": lambda: torch.nn.GroupNorm(3, 3)(torch.from_numpy(rows)),
            "keras": lambda: keras.layers.GroupNormalization(3)(rows),
        }

    return Demonstration(
        {who: refuses(run) if who == "torch" else accepts(run) for who, run in on(x[:1]).items()},
        {who: accepts(run) for who, run in on(x[:2]).items()},
    )
