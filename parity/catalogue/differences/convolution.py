"""Differences of convolution."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from numpynet import Array, Conv2d, Module, Sequential, ZeroPad2d
from parity.catalogue.difference import (
    Claim,
    Demonstration,
    Formula,
    accepts,
    claim,
    claims,
    difference,
    exactly,
    refuses,
    together,
)
from parity.catalogue.kernels import onednn
from parity.catalogue.running import on_image, outputs
from parity.frameworks.lazy import keras, tf, torch
from parity.mapping.convert import to_tensorflow, to_torch

PADDING = "https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2"

rng = np.random.default_rng(0)
eight = rng.standard_normal((8, 8)).astype(np.float32)
kernel = rng.standard_normal((3, 3)).astype(np.float32)


def convolution(size: int | tuple[int, int] = 1, **geometry: Any) -> Conv2d:
    return Conv2d(1, 1, size, bias=False, rng=np.random.default_rng(0), **geometry)


def correlation(before: int, after: int, stride: int) -> Formula:
    """The formula for an image and a kernel of 3 by 3, with so many zeros `before` and `after` the image."""

    def formula(x: Array, weight: Array) -> Any:
        padded = np.pad(x, (before, after))
        count = (len(padded) - 3) // stride + 1
        reach = stride * (count - 1) + 1
        return sum(
            weight[u, v] * padded[u : u + reach : stride, v : v + reach : stride] for u in range(3) for v in range(3)
        )

    return formula


@difference(
    "conv-weight-layout",
    does={
        "torch": "weight of shape (out, in, rows, columns), images (N, C, H, W)",
        "keras": "kernel of shape (rows, columns, in, out), images (N, H, W, C); neither turns the kernel round",
        "tensorflow": "as Keras",
    },
    mapping="transpose(2, 3, 1, 0) for the weight, transpose(0, 2, 3, 1) for images",
    sources=(
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html",
        "https://keras.io/api/layers/convolution_layers/convolution2d/",
    ),
)
def conv_weight_layout() -> Demonstration:
    """If all sizes are equal, weight and image fit both layouts, and give another function unless all is constant."""
    net = Conv2d(3, 3, 3, bias=False)

    def shown(x: Array, weight: Array) -> tuple[dict[str, Any], Any]:
        """The claims of the three with the axes where they belong, and that of TensorFlow with torch's axes."""
        net.load_state_dict({"weight": weight})
        same = claims(
            outputs(net, x), lambda x, weight: np.einsum("ncij,ocij->no", x, weight)[..., None, None], x, weight
        )
        naive = tf.nn.conv2d(x, weight, 1, "VALID").numpy().reshape(3, 3, 1, 1)
        return same, claim(naive, lambda x, weight: np.einsum("nijc,ijco->no", x, weight)[..., None, None], x, weight)

    same, swapped = shown(
        *(np.random.default_rng(seed).standard_normal((3, 3, 3, 3)).astype(np.float32) for seed in (0, 1))
    )
    constant, alike = shown(*(np.full((3, 3, 3, 3), value, np.float32) for value in (0.3, 0.7)))
    return Demonstration(same | {"tensorflow": swapped}, same, constant | {"tensorflow": alike})


@difference(
    "conv-same-stride",
    does={
        "torch": "pads alike on both sides; padding='same' is refused beside a stride",
        "keras": "padding='same' pads for ceil(H / stride) windows: beside a stride often more on the right and below",
        "tensorflow": "as Keras",
    },
    mapping="ZeroPad2d((left, right, top, bottom)) before a convolution without padding",
    sources=(PADDING, "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html"),
)
def conv_same_stride() -> Demonstration:
    """SAME with a stride of two begins one pixel further in an image of even size."""
    symmetric = convolution(3, stride=2, padding=1)
    shifted = Sequential(ZeroPad2d((0, 1, 0, 1)), convolution(3, stride=2))
    for conv in (symmetric, shifted[1]):
        conv.load_state_dict({"weight": kernel[None, None]})

    def shown(net: Module, x: Array, before: int, before_same: int) -> dict[str, Any]:
        same = tf.nn.conv2d(x[None, ..., None], kernel[..., None, None], 2, "SAME").numpy()[0, ..., 0]
        of_keras = claim(same, correlation(before_same, 1, 2), x, kernel)
        return claims(on_image(net, x), correlation(before, 1, 2), x, kernel) | {"keras": of_keras}

    return Demonstration(
        shown(symmetric, eight, 1, 0), shown(shifted, eight, 0, 0), shown(symmetric, eight[:7, :7], 1, 1)
    )


def gradients(net: Conv2d, function: Callable[..., Any], *watched: Array, taken: bool = True) -> dict[str, Claim]:
    """The claims on who has a gradient of the convolution: numpynet, torch, and TensorFlow if it is `taken`.

    TensorFlow computes it as `function` of the watched arrays.
    """
    x = np.ones((1, net.in_channels, 5, 5), net.weight.value.dtype)

    def of_torch() -> Any:
        output = to_torch(net)(torch.from_numpy(x).requires_grad_())
        return output.sum().backward()

    def of_tensorflow() -> Any:
        variables = [tf.Variable(values) for values in watched]
        with tf.GradientTape() as tape:
            output = function(*variables)
        return tape.gradient(output, variables)

    return {
        "numpynet": accepts(lambda: net.backward(net(x))),
        "torch": accepts(of_torch),
        "tensorflow": (accepts if taken else refuses)(of_tensorflow),
    }


def without_gradient(groups: int = 1, dilation: int = 1) -> Demonstration:
    """Shows who has a gradient of a convolution with groups or a dilation; a plain one has one everywhere.

    It is tried in float64, in float32, and in float32 with a padding: only in the second has TensorFlow a gradient, by
    oneDNN.
    """
    naive, mapped, plain = [], [], []
    for dtype, padding in ((np.float64, 0), (np.float32, 0), (np.float32, 1)):
        explicit = [[0, 0], [1, 1], [1, 1], [0, 0]] if padding else "VALID"
        x = np.ones((1, 5, 5, 4), dtype)
        for special in (True, False):
            geometry = (groups, dilation) if special else (1, 1)
            net = Conv2d(4, 2, 3, padding=padding, groups=geometry[0], dilation=geometry[1], dtype=dtype)
            weight = np.ones((3, 3, 4 // net.groups, 2), dtype)
            op = functools.partial(tf.nn.conv2d, strides=1, padding=explicit, dilations=net.dilation)
            if special:
                by_onednn = onednn() and dtype is np.float32 and not padding
                naive.append(gradients(net, op, x, weight, taken=by_onednn))
                mapped.append(gradients(net, to_tensorflow(net), np.moveaxis(x, 3, 1)))
            else:
                plain.append(gradients(net, op, x, weight))
    return Demonstration(*map(of_each, (naive, mapped, plain)))


def of_each(found: list[dict[str, Claim]]) -> dict[str, Claim]:
    """Several claims of each implementation, put together into one."""
    return {who: together(*(claims[who] for claims in found)) for who in found[0]}


@difference(
    "conv-groups",
    does={
        "torch": "groups and their gradient",
        "keras": "leaves groups to XLA, which compiles for every shape: 50 to 150 ms",
        "tensorflow": "tf.nn.conv2d has no gradient for groups on the CPU, but in float32 by oneDNN without explicit "
        "padding",
    },
    mapping="a convolution for each group, and tf.concat",
    sources=("https://github.com/tensorflow/tensorflow/issues/51825",),
)
def conv_groups() -> Demonstration:
    """The gradient of a grouped convolution."""
    return without_gradient(groups=2)


@difference(
    "conv-dilation-gradient",
    does={
        "torch": "dilation and its gradient",
        "keras": "tf.nn.convolution: as dense convolutions of images taken apart (space to batch)",
        "tensorflow": "tf.nn.conv2d has no gradient for dilations on the CPU, but in float32 by oneDNN, as for groups",
    },
    mapping="tf.nn.convolution, as Keras",
    sources=("https://github.com/tensorflow/tensorflow/issues/28264",),
)
def conv_dilation_gradient() -> Demonstration:
    """The gradient of a dilated convolution."""
    return without_gradient(dilation=2)


@difference(
    "conv-stride-dilation",
    does={
        "torch": "stride and dilation together",
        "keras": "refuses a stride beside a dilation",
        "tensorflow": "tf.nn.convolution refuses it too; tf.nn.conv2d takes it, without a gradient on the CPU",
    },
    mapping="the dilated convolution without the stride, then every stride-th row and column of it",
    sources=("https://github.com/keras-team/keras/issues/23028", "https://github.com/keras-team/keras/pull/23181"),
)
def conv_stride_dilation() -> Demonstration:
    """A stride beside a dilation; one of the two alone is taken by all."""
    x = np.ones((1, 1, 5, 5), np.float32)

    def tried(stride: int, dilation: int, of_keras: Claim) -> dict[str, Claim]:
        net = convolution(2, stride=stride, dilation=dilation)
        return {
            "numpynet": accepts(lambda: net(x)),
            "torch": accepts(lambda: to_torch(net)(torch.from_numpy(x))),
            "keras": of_keras,
        }

    def of_keras(stride: int, dilation: int) -> Any:
        return keras.layers.Conv2D(1, 2, strides=stride, dilation_rate=dilation)(x.transpose(0, 2, 3, 1))

    mapped = accepts(lambda: to_tensorflow(convolution(2, stride=2, dilation=2))(x))
    alone = [tried(*geometry, accepts(functools.partial(of_keras, *geometry))) for geometry in ((2, 1), (1, 2))]
    return Demonstration(tried(2, 2, refuses(lambda: of_keras(2, 2))), tried(2, 2, mapped), of_each(alone))


def single_column(x: Array, stride: int = 3) -> Array:
    """TensorFlow's convolution of two images `x` with (1, 2) windows, one column of them, each its left pixel."""
    kernels = np.array([1, 0], np.float32).reshape(1, 2, 1, 1)
    batch = np.stack([x, x])[..., None]  # of one image alone another kernel takes care
    return np.asarray(tf.nn.conv2d(batch, kernels, (1, stride), "VALID"))[0, :, 0, 0]


def rows_are_skipped() -> bool:
    """Tells whether the convolution takes the wrong rows here, measured on another image than the entry's.

    oneDNN does so with AVX-512; which kernel it takes depends on the processor, on ONEDNN_MAX_CPU_ISA and on
    TF_ENABLE_ONEDNN_OPTS.
    """
    x = np.array([[1, 0], [0, 0], [3, 0], [0, 0], [5, 0], [0, 0]], np.float32)
    return bool(np.any(single_column(x) != x[:, 0]))


@difference(
    "conv-single-column",
    does={
        "torch": "right in its own layout; wrong in torch.channels_last, which takes the same kernel",
        "keras": "as TensorFlow",
        "tensorflow": "float32 on AVX-512: oneDNN takes row 2 of the image for row 1, and beyond the image what memory "
        "holds",
    },
    mapping="stride 1, then every stride-th column (there is one)",
    sources=(
        "https://github.com/uxlfoundation/oneDNN/issues/5080",
        "https://github.com/uxlfoundation/oneDNN/pull/5494",
        "https://github.com/uxlfoundation/oneDNN/blob/main/src/cpu/x64/jit_brgemm_conv_utils.cpp",
    ),
    applies=rows_are_skipped,
)
def conv_single_column() -> Demonstration:
    """One input channel, one column of windows and a stride along the columns: oneDNN reads the wrong rows."""
    x = np.arange(16, dtype=np.float32).reshape(8, 2)

    def second(stride: int) -> dict[str, Claim]:
        net = convolution((1, 2), stride=(1, stride))
        net.load_state_dict({"weight": np.array([[[[1, 0]]]], np.float32)})
        return {who: exactly(values[1], 2.0) for who, values in on_image(net, x).items()}

    return Demonstration(
        second(3) | {"tensorflow": exactly(single_column(x)[1:2], 4.0)},
        second(3),
        second(1) | {"tensorflow": exactly(single_column(x, stride=1)[1:2], 2.0)},
    )


LARGE = 2.0**53  # the next number of float64 is 2 more, so that every 1 that is added to it is lost


def of_ones(size: int, bias: float = LARGE) -> Conv2d:
    """A float64 convolution whose every term is 1 for an image of ones, beside this bias."""
    net = Conv2d(1, 1, size, dtype=np.float64)
    net.load_state_dict({"weight": np.ones((1, 1, size, size)), "bias": np.full(1, bias)})
    return net


def begins_with_bias() -> bool:
    """Tells whether torch's product of matrices adds to what is there term by term, measured on another size."""
    return bool(np.all(to_torch(of_ones(3))(torch.ones(1, 1, 6, 5, dtype=torch.float64)).detach().numpy() == LARGE))


@difference(
    "bias-first",
    does={
        "torch": "begins a convolution's sum with the bias in float64: whatever is added to a large one is rounded as "
        "much as it is. So does Linear, in some columns of a matrix",
        "keras": "as TensorFlow",
        "tensorflow": "adds the bias to the finished sum",
    },
    mapping="bias=False, and the bias added afterwards",
    sources=(
        "https://github.com/pytorch/pytorch/blob/v2.2.2/aten/src/ATen/native/ConvolutionMM2d.cpp",
        "https://www.tensorflow.org/api_docs/python/tf/nn/bias_add",
    ),
    applies=begins_with_bias,
)
def bias_first() -> Demonstration:
    """A sum of small terms beside a large bias: torch loses every one, where the others lose nothing."""
    net, x = of_ones(4), np.ones((1, 1, 6, 5))
    sums = torch.nn.functional.conv2d(torch.from_numpy(x), torch.from_numpy(net.weight.value)).numpy()
    found = outputs(net, x)
    right = {who: exactly(found[who], LARGE + 16) for who in ("numpynet", "tensorflow")}
    return Demonstration(
        right | {"torch": exactly(found["torch"], LARGE)},
        right | {"torch": exactly(sums + LARGE, LARGE + 16)},
        {who: exactly(values, 17.0) for who, values in outputs(of_ones(4, 1.0), x).items()},
    )
