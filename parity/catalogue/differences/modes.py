"""Differences between ways of running the same model; the table of modes has the rows (see parity.modes)."""

from __future__ import annotations

import numpy as np

from numpynet import Array, Scaling
from parity.catalogue.difference import Demonstration, claim, difference, exactly
from parity.frameworks import framework
from parity.frameworks.lazy import keras, tf, torch
from parity.mapping.convert import convert

LANES = [2**exponent for exponent in range(8)]  # numbers that a processor adds at once, in one or several registers


def in_lanes(values: Array, lanes: int) -> Array:
    """The sum of `values` that keeps one running sum for each lane, and then adds these in pairs."""
    sums = np.add.accumulate(values.reshape(-1, lanes), axis=0, dtype=values.dtype)[-1]
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return sums


@difference(
    "compiled-sums",
    does={
        "torch": "pairs of blocks; compiled by torch.compile, larger blocks, and before 2.9 as XLA",
        "keras": "as TensorFlow",
        "tensorflow": "pairs of blocks; compiled by XLA, one running sum for each of the processor's lanes (2.16: a "
        "tree)",
    },
    mapping="sum in float64, or leave long sums uncompiled",
    sources=(
        "https://github.com/jax-ml/jax/issues/585",
        "https://github.com/pytorch/pytorch/issues/154703",
        "https://github.com/pytorch/pytorch/pull/156296",
    ),
    when="tensorflow>=2.21",
)
def compiled_sums() -> Demonstration:
    """The sum of a million equal numbers; of powers of two every partial sum is exact, in whatever order."""
    x, powers = np.full(2**20, 0.1, np.float32), np.full(2**20, 0.125, np.float32)
    compiled = tf.function(tf.reduce_sum, jit_compile=True)
    naive = compiled(tf.constant(x)).numpy()
    predictions = [in_lanes(x, lanes)[0] for lanes in LANES]
    closest = min(predictions, key=lambda predicted: abs(float(predicted) - float(naive)))
    mapped = np.float32(compiled(tf.constant(x, tf.float64)).numpy())
    of_torch = {"torch": claim(torch.from_numpy(x).sum().numpy(), np.sum, x)}
    of_powers = {"torch": torch.from_numpy(powers).sum().numpy(), "tensorflow": compiled(tf.constant(powers)).numpy()}
    return Demonstration(
        of_torch | {"tensorflow": exactly(naive, closest)},
        of_torch | {"tensorflow": claim(mapped, np.sum, x)},
        {who: exactly(values, 2.0**17) for who, values in of_powers.items()},
    )


@difference(
    "fit-in-floatx",
    does={
        "torch": "has none: data keep their dtype",
        "keras": "fit, evaluate and predict cast their data to floatx, by default float32, whatever the dtype of the "
        "model",
        "tensorflow": "a loop of one's own casts nothing",
    },
    mapping='keras.config.set_floatx("float64") (parity.frameworks.tensorflow.framework.precision)',
    sources=(
        "https://keras.io/api/utils/config_utils/",
        "https://github.com/keras-team/keras/blob/master/keras/src/trainers/data_adapters/array_slicing.py",
    ),
)
def fit_in_floatx() -> Demonstration:
    """The numbers that a float64 model is given to predict: the same where float32 holds them."""
    x, fitting = np.array([[1 + 2.0**-30]]), np.array([[1 + 2.0**-10]])
    home = framework("tensorflow")
    counterpart = convert(Scaling(1, dtype=np.float64), "tensorflow")
    with home.precision(x.dtype):
        model = keras.Sequential([counterpart.layer])
        mapped = model.predict(x, verbose=0)
    same = {"tensorflow": exactly(counterpart.layer(x).numpy(), x)}
    return Demonstration(
        same | {"keras": exactly(model.predict(x, verbose=0), 1.0)},
        same | {"keras": exactly(mapped, x)},
        {
            "tensorflow": exactly(counterpart.layer(fitting).numpy(), fitting),
            "keras": exactly(model.predict(fitting, verbose=0), fitting),
        },
    )
