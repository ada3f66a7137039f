"""Differences of arithmetic at the edge of the format."""

from __future__ import annotations

import numpy as np

from numpynet import Array, ReLU
from parity.catalogue.difference import Claim, Demonstration, avoided, difference, exactly, together
from parity.frameworks.lazy import tf, torch

NAN = np.nan


@difference(
    "subnormals-flushed",
    does={
        "torch": "kept, as in NumPy (torch.set_flush_denormal is off)",
        "keras": "as TensorFlow",
        "tensorflow": "inputs and results below the smallest normal number become 0, in float32 and float64",
    },
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
    "argmax-nan",
    does={
        "torch": "the index of the NaN",
        "keras": "as TensorFlow",
        "tensorflow": "the index of the largest number: a NaN is never larger",
    },
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
