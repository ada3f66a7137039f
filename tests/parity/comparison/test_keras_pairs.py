"""Two Keras models: the first is run on Keras' torch backend in another process, where rounding is modelled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import parity
from parity.comparison.elsewhere import OnTorch, Process
from parity.comparison.model import Unfit
from parity.comparison.sides.keras import KerasModel
from parity.frameworks import available
from parity.frameworks.lazy import keras

pytestmark = pytest.mark.skipif(len(available()) < 2, reason="Keras needs torch to run on it")


def model(eps: float = 1e-3, last: Any = "elu") -> Any:
    """One of every kind of layer whose formula in TensorFlow is another one than torch's, and a recurrent one."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6, 5)),
            layers.LSTM(8, return_sequences=True),
            layers.LayerNormalization(epsilon=eps),
            layers.Conv1D(4, 3, padding="same", activation="selu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(3, activation=last),
        ]
    )


def inputs() -> Any:
    return np.random.default_rng(0).standard_normal((4, 6, 5)).astype(np.float32)


def test_two_that_compute_the_same_are_within_what_rounding_allows() -> None:
    found = parity.compare(model(), model(), inputs())
    assert found.passed, str(found)
    assert (found.first, found.second, found.reference) == ("keras", "keras", "keras")
    assert 0 < found.itself <= 1
    assert set(found.judged) == {"evaluation", "training"}
    assert not found.unmodelled
    assert len(found.judged["training"]) > 20


def test_of_two_that_do_not_the_layer_at_fault_and_its_cause_are_named() -> None:
    found = parity.compare(model(), model(eps=1e-5), inputs())
    assert not found.passed
    assert found.fault is not None
    assert found.fault.cause is not None, str(found)
    assert (found.fault.title, found.fault.cause.mend) == ("LayerNormalization", "epsilon=0.001")


def test_two_under_a_policy_of_half_precision_are_judged_by_it() -> None:
    def mixed(activation: str) -> Any:
        layers, dtype = keras.layers, "mixed_bfloat16"
        x = keras.Input((5,), dtype="float32")
        y = layers.LayerNormalization(dtype=dtype)(layers.Dense(8, activation=activation, dtype=dtype)(x))
        return keras.Model(x, layers.Dense(3, dtype=dtype)(y))

    found = parity.compare(mixed("gelu"), mixed("gelu"), inputs()[0])
    assert found.passed, str(found)
    assert 1e-3 < found.itself <= 1  # by allowances of the format: those of float32 would not do
    assert not parity.compare(mixed("gelu"), mixed("relu"), inputs()[0]).passed


def test_a_layer_that_the_other_process_cannot_make_is_a_reason_to_refuse() -> None:
    class Own(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    def with_own() -> Any:
        return keras.Sequential([keras.Input((5,)), Own()])

    with pytest.raises(Unfit, match=r"(?s)It cannot be: .*Own.*compare each of the two with a torch module"):
        parity.compare(with_own(), with_own(), np.ones((2, 5), np.float32))


def test_one_that_computes_something_else_on_torch_is_a_reason_to_refuse() -> None:
    def doubtful() -> Any:
        twofold = keras.layers.Lambda(lambda x: x * (1 + ("torch" in str(type(x)))))
        return keras.Sequential([keras.Input((5,)), keras.layers.Dense(3), twofold])

    with pytest.raises(Unfit, match="computes something else there: it uses"):
        parity.compare(doubtful(), doubtful(), np.ones((2, 5), np.float32))


def test_its_process_is_kept_for_the_next_model_unless_it_was_left_in_the_middle() -> None:
    def one() -> OnTorch:
        dense = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        return OnTorch(dense, KerasModel(dense).layers)

    def output(model: OnTorch) -> Any:
        return model.run([np.ones((1, 2))], training=False).outputs[0]

    first, second = one(), one()
    process = Process.here()
    outputs = [output(model) for model in (first, second, first)]
    assert Process.here() is process
    assert np.array_equal(outputs[0], outputs[2])
    assert not np.array_equal(outputs[0], outputs[1])
    process.owing = True  # as where a comparison was interrupted before it had its answer
    another = Process.here()
    another.end()
    assert another is not process
    assert process.popen.poll() is not None, "it was ended"
