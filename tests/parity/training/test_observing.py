"""What is observed inside a training: the implementation's own numbers, under the same tags, in event files too."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Callable, Sized
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from numpynet import SGD, CrossEntropyCriterion, Linear, Module, NLLCriterionUnstable, ReLU, Sequential, SoftMax
from numpynet.datasets import digits
from numpynet.training import Divergence
from parity.experiments.batchnorm_flawed import BatchNormFlawed
from parity.frameworks import available
from parity.training.experiment import Experiment, Run, run
from parity.training.observing import QUANTILES, Observation, Observer, Watch, locate
from parity.training.tensorboard import EventFiles

IMPLEMENTATIONS = ["numpynet", *available()]
needs_tensorboard = pytest.mark.skipif(importlib.util.find_spec("tensorboardX") is None, reason="needs tensorboardX")


def network(rng: np.random.Generator, *between: Module) -> Sequential:
    return Sequential(Linear(64, 16, rng=rng), ReLU(), *between, Linear(16, 10, rng=rng))


def flawed(rng: np.random.Generator) -> Sequential:
    # The first unit is dead: it never varies.
    net = Sequential(*network(rng, BatchNormFlawed()).modules, SoftMax())
    first = net[0]
    assert isinstance(first, Linear)
    assert first.bias is not None
    first.bias.value[0] = -1000
    return net


PLAIN = Experiment(
    name="observed",
    title="Digits",
    data=digits,
    network=network,
    criterion=CrossEntropyCriterion,
    optimizer=partial(SGD, lr=2**-3),
    epochs=2,
    batch_size=128,
)
FLAWED = replace(PLAIN, network=flawed, criterion=NLLCriterionUnstable, dtype="float64")


def observed(
    implementation: str, due: Callable[[int], bool], experiment: Experiment = PLAIN
) -> tuple[Run, list[Observation]]:
    seen: list[Observation] = []
    done = run(experiment, implementation, callbacks=[Observer(experiment, implementation, 0, due, seen.append)])
    return done, seen


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_training_goes_on_as_if_it_were_not_observed(implementation: str) -> None:
    alone = run(PLAIN, implementation)
    watched = run(PLAIN, implementation, callbacks=[Watch(PLAIN, implementation, 0, every=3)])
    assert watched.history.step_losses == alone.history.step_losses
    assert watched.final_weights == alone.final_weights


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_gradients_are_those_that_the_step_goes_down(implementation: str) -> None:
    _, (before, after) = observed(implementation, {11, 12}.__contains__)
    gradients = {f"{key.layer[2:]}.{key.tensor}": v for key, v in before.trace.items() if "parameter" in key.quantity}
    assert gradients.keys() == before.state.keys()
    for name, gradient in gradients.items():
        # The rate is a power of two: one rounding, in whatever order.
        np.testing.assert_array_equal(after.state[name], before.state[name] - np.float32(2**-3) * gradient)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_loss_and_outputs_are_those_of_the_batch(implementation: str) -> None:
    done, (seen,) = observed(implementation, {7}.__contains__)
    assert seen.loss == done.history.step_losses[7]
    assert seen.outputs.shape == (128, 10)


def test_tags_are_the_same_for_every_implementation() -> None:
    tags = [[tag for tag, _ in observed(name, {0}.__contains__)[1][0].tensors()] for name in IMPLEMENTATIONS]
    assert all(set(each) == set(tags[0]) for each in tags)
    assert {"weights/0.Linear", "biases/2.Linear", "pre-activations/0.Linear", "activations/1.ReLU"} < set(tags[0])
    assert {"weight-gradients/0.Linear", "output-gradients/1.ReLU"} < set(tags[0])


def test_a_watch_keeps_quantiles_and_scores_of_every_so_many_steps() -> None:
    watch = Watch(PLAIN, "numpynet", 0, every=6)
    done = run(PLAIN, "numpynet", callbacks=[watch])
    assert watch.steps == [0, 6, 12, 18]
    assert watch.scalars["loss/train"] == [done.history.step_losses[step] for step in watch.steps]
    low, *_, high = watch.quantiles["weights/0.Linear"][0]
    first = PLAIN.model(0).children()["0"]
    assert isinstance(first, Linear)
    initial = first.weight.value
    assert (low, high) == tuple(float(f"{limit:.6g}") for limit in (initial.min(), initial.max()))
    assert all(len(each) == len(QUANTILES) for found in watch.quantiles.values() for each in found)
    kept: list[Sized] = [*watch.scalars.values(), *watch.quantiles.values()]
    assert {len(values) for values in kept} == {4}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_first_layer_that_computes_a_nan_is_named(implementation: str) -> None:
    done = run(FLAWED, implementation)
    assert done.divergence is not None
    divergence = Divergence(np.nan, step=done.divergence.step, epoch=0)
    locate(FLAWED, implementation, 0, divergence)
    assert (divergence.tensor, divergence.layer) == ("output", "layer 2 (BatchNormFlawed)")
    assert (divergence.epoch, divergence.step) == (0, 0)


def test_the_repaired_layer_is_what_it_is_written_out_as_elsewhere() -> None:
    parity.check(BatchNormFlawed, examples=10)


def events(folder: Path) -> list[Any]:
    """The events of the one file in `folder`: records of length, its checksum, the data, their checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (file,) = folder.iterdir()
    data, start, found = file.read_bytes(), 0, []
    while start < len(data):
        (length,) = struct.unpack("<Q", data[start : start + 8])
        found.append(Event.FromString(data[start + 12 : start + 12 + length]))
        start += length + 16
    return found


@needs_tensorboard
def test_event_files_hold_histograms_and_scalars_under_the_same_tags(tmp_path: Path) -> None:
    tags = {}
    for name in IMPLEMENTATIONS:
        with EventFiles(tmp_path / name) as files:
            watch = Watch(PLAIN, name, 0, every=10, see=files.write)
            run(PLAIN, name, callbacks=[watch])
        values = [
            (e.step, value) for e in events(tmp_path / name) if e.HasField("summary") for value in e.summary.value
        ]
        tags[name] = {value.tag for _, value in values}
        scalars = {(value.tag, step): value.simple_value for step, value in values if not value.HasField("histo")}
        for tag, expected in watch.scalars.items():
            assert [scalars[tag, step] for step in (0, 10)] == [np.float32(each) for each in expected]
        histograms = {(value.tag, step): value.histo for step, value in values if value.HasField("histo")}
        assert {step for _, step in histograms} == {0, 10}
        assert histograms["weights/0.Linear", 0].num == 64 * 16
        assert histograms["activations/1.ReLU", 10].min == 0
        low, *_, high = watch.quantiles["weights/0.Linear"][1]
        found = histograms["weights/0.Linear", 10]
        assert (float(f"{found.min:.6g}"), float(f"{found.max:.6g}")) == (low, high)
    assert all(each == tags["numpynet"] for each in tags.values())


@needs_tensorboard
def test_values_that_are_not_finite_do_not_spoil_an_event_file(tmp_path: Path) -> None:
    with EventFiles(tmp_path) as files:
        run(FLAWED, "numpynet", callbacks=[Watch(FLAWED, "numpynet", 0, see=files.write)])
    histograms = {v.tag: v.histo for e in events(tmp_path) for v in e.summary.value if v.HasField("histo")}
    assert histograms["pre-activations/0.Linear"].num == 128 * 16
    finite = histograms["pre-activations/2.BatchNormFlawed"]
    assert 0 < finite.num < 128 * 16
    assert np.isfinite([finite.min, finite.max]).all()


def test_without_tensorboardx_a_warning_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboardX" else find(name))
    with pytest.warns(UserWarning, match="pip install tensorboardX"), EventFiles(tmp_path / "x") as files:
        run(PLAIN, "numpynet", callbacks=[Watch(PLAIN, "numpynet", 0, see=files.write)])
    assert not (tmp_path / "x").exists()
