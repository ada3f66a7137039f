"""numpynet calls its callbacks as Keras calls its own: the same hooks, in the same order, with the same values."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pytest

from numpynet import SGD, Array, CrossEntropyCriterion, Linear, Sequential, Tanh
from numpynet.datasets import Dataset, Split, batch_order, digits
from numpynet.training import Callback, Steps, Trainer, evaluate, fit, predict
from parity import to_tensorflow
from parity.training.curves import MOVED_RUNS, judge_losses
from parity.training.experiment import Moved

pytestmark = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="needs Keras")

HOOKS = [hook for hook in vars(Callback) if hook.startswith("on_")]
EPOCHS, BATCH, SEED = 3, 100, 0
RULE: dict[str, Any] = {"momentum": 0.875, "nesterov": True}

C = TypeVar("C")
Calls = list[tuple[Any, ...]]  # name, epoch or batch where there is one, logs


def data() -> Dataset:
    """230 training and 150 validation rows: neither a multiple of the batch size."""
    whole = digits()
    train, validation = (Split(s.inputs[:n], s.targets[:n]) for s, n in ((whole.train, 230), (whole.validation, 150)))
    return Dataset(whole.name, train, validation, whole.test, whole.classes)


def network() -> Sequential:
    rng = np.random.default_rng(SEED)
    return Sequential(Linear(64, 32, rng=rng), Tanh(), Linear(32, 10, rng=rng)).astype("float64")


def recorder(base: type[C]) -> tuple[C, Calls]:
    """A callback of class `base`, and the calls of its hooks."""
    calls: Calls = []

    def hook(name: str) -> Callable[..., None]:
        def called(self: object, *position: Any, logs: Any = None) -> None:
            *place, logs = position if logs is None else (*position, logs)
            calls.append((name, *place, logs))

        return called

    return type("Recorder", (base,), {name: hook(name) for name in HOOKS})(), calls


def of_numpynet(change: Callable[[Trainer], Steps] = lambda trainer: trainer) -> Calls:
    model = network()
    trainer = change(Trainer(model, CrossEntropyCriterion(), SGD(model.parameters(), 0.125, **RULE)))
    callback, calls = recorder(Callback)
    fit(trainer, data(), epochs=EPOCHS, batch_size=BATCH, seed=SEED, callbacks=[callback], progress=False)
    evaluate(trainer, data().test, BATCH, [callback])
    predict(trainer, data().test.inputs, BATCH, [callback])
    return calls


def batches() -> Iterator[tuple[Array, Array]]:
    """The training batches of all epochs, in numpynet's order."""
    train = data().train
    for epoch in range(EPOCHS):
        for rows in batch_order(len(train), BATCH, SEED, epoch):
            yield train.inputs[rows], train.targets[rows]


def of_keras() -> Calls:
    import keras

    from parity.frameworks.tensorflow.framework import precision

    callback, calls = recorder(keras.callbacks.Callback)
    with precision(np.dtype(np.float64)):
        model = to_tensorflow(network())
        model.compile(
            keras.optimizers.SGD(0.125, **RULE),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        held_out, test = data().validation, data().test
        model.fit(
            batches(),
            steps_per_epoch=3,
            shuffle=False,
            epochs=EPOCHS,
            validation_data=(held_out.inputs, held_out.targets),
            validation_batch_size=BATCH,
            callbacks=[callback],
            verbose=0,
        )
        model.evaluate(test.inputs, test.targets, batch_size=BATCH, callbacks=[callback], verbose=0)
        model.predict(test.inputs, batch_size=BATCH, callbacks=[callback], verbose=0)
    return calls


def losses(calls: Calls) -> list[float]:
    return [float(value) for *_, logs in calls for name, value in sorted(logs.items()) if name.endswith("loss")]


@pytest.fixture(scope="module")
def sides() -> tuple[Calls, Calls]:
    return of_numpynet(), of_keras()


def test_the_same_hooks_are_called_in_the_same_order_at_the_same_epochs_and_batches(sides: tuple[Calls, Calls]) -> None:
    ours, theirs = ([call[:-1] for call in calls] for calls in sides)
    assert {hook for hook, *_ in ours} == set(HOOKS)
    assert ours == theirs


def test_the_same_values_are_logged(sides: tuple[Calls, Calls]) -> None:
    ours, theirs = ([call[-1] for call in calls] for calls in sides)
    assert [set(logs) for logs in ours] == [set(logs) for logs in theirs]


def test_accuracies_are_equal(sides: tuple[Calls, Calls]) -> None:
    ours, theirs = (
        [float(value) for *_, logs in calls for name, value in sorted(logs.items()) if name.endswith("accuracy")]
        for calls in sides
    )
    assert len(set(ours)) > 10
    assert ours == theirs


def test_losses_differ_by_no_more_than_a_unit_in_the_last_place_of_the_weights_makes_them(
    sides: tuple[Calls, Calls],
) -> None:
    ours, theirs = map(losses, sides)
    generators = [np.random.default_rng([SEED, index]) for index in range(MOVED_RUNS)]
    moved = [losses(of_numpynet(partial(Moved, rng=rng))) for rng in generators]
    series = judge_losses({"keras": theirs}, ours, moved, "float64")
    assert series.compared == len(ours)
    assert series.used["keras"] <= 1


def test_predictions_are_handed_over_batch_by_batch(sides: tuple[Calls, Calls]) -> None:
    ours, theirs = ([logs["outputs"] for hook, *_, logs in calls if hook == "on_predict_batch_end"] for calls in sides)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == np.shape(other)
        assert (mine.argmax(axis=1) == np.argmax(other, axis=1)).all()
