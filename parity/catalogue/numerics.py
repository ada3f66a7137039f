"""Differences of arithmetic at the edge of the format."""

from __future__ import annotations

import numpy as np

from numpynet import Array, ReLU, SoftMax
from parity.catalogue.difference import Claim, Demonstration, avoided, claim, difference, exactly, together
from parity.catalogue.kernels import onednn
from parity.frameworks.lazy import tf, torch

NAN = np.nan


@difference(
    "subnormals-flushed",
    torch="kept, as in NumPy (torch.set_flush_denormal is off)",
    keras="as TensorFlow",
    tensorflow="inputs and results below the smallest normal number become 0, in float32 and float64",
    mapping="keep numbers and their products normal: draws stay within 2^-10 .. 2^10",
    sources=(
        "https://github.com/tensorflow/tensorflow/issues/62399",
        "https://github.com/tensorflow/tensorflow/issues/127905",
        "https://github.com/openxla/xla/pull/35740",
    ),
)
def subnormals_flushed() -> Demonstration:
    """Products below the smallest normal number, and of a number below it."""

    def times(x: Array, factor: float) -> dict[str, Array]:
        return {
            "numpynet": ReLU()(x) * x.dtype.type(factor),
            "torch": (torch.from_numpy(x) * factor).numpy(),
            "tensorflow": (tf.constant(x) * factor).numpy(),
        }

    naive: dict[str, list[Claim]] = {"numpynet": [], "torch": [], "tensorflow": []}
    mapped: dict[str, list[Claim]] = {"numpynet": [], "torch": [], "tensorflow": []}
    for dtype in (np.float32, np.float64):
        tiny: Array = np.full(1, np.finfo(dtype).tiny, dtype)
        for who in naive:
            flushed = who == "tensorflow"
            naive[who].append(exactly(times(tiny, 0.5)[who], 0.0 if flushed else tiny / 2))
            naive[who].append(exactly(times(tiny / 2, 2.0)[who], 0.0 if flushed else tiny))
            mapped[who].append(exactly(times(2 * tiny, 0.5)[who], tiny))
            mapped[who].append(exactly(times(tiny, 2.0)[who], 2 * tiny))
    return avoided(
        {who: together(*claims) for who, claims in naive.items()},
        {who: together(*claims) for who, claims in mapped.items()},
    )


@difference(
    "softmax-nan",
    torch="a NaN makes its whole row NaN",
    keras="as tf.nn.softmax",
    tensorflow="oneDNN's float32 kernel keeps the NaN where it is and gives 0 elsewhere, but of one at the end NaN to "
    "its neighbours, too, as many as the instruction set says; Eigen's, and float64: NaN",
    mapping="finite inputs; the training loop reports where a NaN first appeared",
    sources=("https://github.com/openvinotoolkit/openvino/issues/33456",),
    applies=onednn,
)
def softmax_nan() -> Demonstration:
    """A NaN among the logits, in float32 and in float64."""

    def on(x: Array) -> dict[str, Array]:
        return {
            "numpynet": SoftMax()(x),
            "torch": torch.softmax(torch.from_numpy(x), -1).numpy(),
            "tensorflow": tf.nn.softmax(x).numpy(),
        }

    broken, finite = np.array([[NAN, 0, 1]], np.float32), np.array([[2, 0, 1]], np.float32)
    kept = np.where(np.isnan(broken), broken, 0)
    wide = on(broken.astype(np.float64))
    return avoided(
        {
            who: together(exactly(v, kept if who == "tensorflow" else NAN), exactly(wide[who], NAN))
            for who, v in on(broken).items()
        },
        {who: claim(values, SoftMax().forward, finite) for who, values in on(finite).items()},
    )


@difference(
    "argmax-nan",
    torch="the index of the NaN",
    keras="as TensorFlow",
    tensorflow="the index of the largest number: a NaN is never larger",
    mapping="finite outputs; an accuracy over NaN is meaningless",
    sources=("https://github.com/tensorflow/tensorflow/issues/13046",),
)
def argmax_nan() -> Demonstration:
    """The predicted class of a row with a NaN: before the largest number, and after it."""

    def on(x: Array) -> dict[str, Array]:
        return {
            "numpynet": np.argmax(x, axis=1),
            "torch": torch.from_numpy(x).argmax(1).numpy(),
            "tensorflow": tf.argmax(x, 1).numpy(),
        }

    broken, finite = np.array([[NAN, 0, 1], [1, 0, NAN]], np.float32), np.array([[-1, 0, 1], [1, 0, -1]], np.float32)
    return avoided(
        {who: exactly(v, [2, 0] if who == "tensorflow" else [0, 2]) for who, v in on(broken).items()},
        {who: exactly(v, [2, 0]) for who, v in on(finite).items()},
    )


@difference(
    "relu-gradient-nan",
    torch="passes the gradient where the input is NaN",
    keras="as TensorFlow",
    tensorflow="stops it: NaN is not above 0, and so does numpynet",
    mapping="finite inputs",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/relu",),
)
def relu_gradient_nan() -> Demonstration:
    """The gradient of ReLU at NaN."""

    def on(x: Array) -> dict[str, Array]:
        layer, tensor = ReLU(), torch.from_numpy(x.copy()).requires_grad_()
        layer(x)
        torch.relu(tensor).sum().backward()
        with tf.GradientTape() as tape:
            watched = tf.constant(x)
            tape.watch(watched)
            output = tf.nn.relu(watched)
        return {
            "numpynet": layer.backward(np.ones_like(x)),
            "torch": tensor.grad.numpy(),
            "tensorflow": tape.gradient(output, watched).numpy(),
        }

    return avoided(
        {who: exactly(v, 1.0 if who == "torch" else 0.0) for who, v in on(np.array([NAN], np.float32)).items()},
        {who: exactly(v, 1.0) for who, v in on(np.array([2.0], np.float32)).items()},
    )


@difference(
    "relu-gradient-infinite",
    torch="selects: 0 where the input is negative",
    keras="as TensorFlow",
    tensorflow="multiplies by 0: NaN",
    mapping="finite gradients; numpynet multiplies, which is faster",
    sources=("https://www.tensorflow.org/api_docs/python/tf/nn/relu",),
)
def relu_gradient_infinite() -> Demonstration:
    """An infinite gradient that ReLU stops."""

    def sent(value: float) -> dict[str, Array]:
        x, grad = np.array([-1.0], np.float32), np.array([value], np.float32)
        tensor = torch.from_numpy(x).requires_grad_()
        torch.relu(tensor).backward(torch.from_numpy(grad))
        with tf.GradientTape() as tape:
            watched = tf.constant(x)
            tape.watch(watched)
            output = tf.nn.relu(watched)
        return {
            "torch": tensor.grad.numpy(),
            "tensorflow": tape.gradient(output, watched, tf.constant(grad)).numpy(),
        }

    return avoided(
        {who: exactly(values, 0 if who == "torch" else NAN) for who, values in sent(np.inf).items()},
        {who: exactly(values, 0) for who, values in sent(1.0).items()},
    )
