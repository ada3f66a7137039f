"""Curves agree within what one unit in the last place does to them, and planted defects leave that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_origin

import numpy as np
import pytest

import numpynet
from numpynet import Array, Criterion, Module, Schedule
from numpynet.datasets import Dataset, batch_order
from numpynet.training import History, fit
from parity.frameworks import available
from parity.mapping.adaptive import OPTIMIZERS
from parity.results.store import plain
from parity.training import curves
from parity.training.curves import CHAOS, FACTOR, SEEDS, Curve, compare_curves, confirmed, judge_losses
from parity.training.experiment import Experiment, Moved, run, trainer, weights_hash
from parity.training.recipes import CURVES

DIGITS = {experiment.name: experiment for experiment in CURVES if experiment.name.startswith("digits")}
PLAIN = DIGITS["digits-plain"]


@pytest.fixture
def without_fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> Dataset:
        raise ConnectionError("no network")

    fashion = [replace(e, data=unreachable) for e in CURVES if e.name == "fashion-mnist-plain"]
    monkeypatch.setattr(curves, "CURVES", [PLAIN, *fashion])


def test_the_networks_hold_every_layer_and_criterion() -> None:
    experiments = DIGITS.values()
    used: set[type] = {type(module) for e in experiments for _, module in e.model(0).named_modules()}
    used |= {type(e.criterion()) for e in experiments}
    public = {value for name in numpynet.__all__ if isinstance(value := getattr(numpynet, name), type)}
    classes = {value for value in public if get_origin(value) is None}  # Python 3.10 calls types of arrays classes, too
    assert {c for c in classes if issubclass(c, Module | Criterion)} - {Module, Criterion} == used


def test_optimizers_differ_and_every_hyper_parameter_is_a_float32() -> None:
    rules = [e.optimizer([]) for e in CURVES]
    numbers = [number for rule in rules for number in vars(rule).values() if isinstance(number, float)]
    for e in CURVES:
        assert isinstance(e.schedule, Schedule)
        numbers += [e.schedule(step) for step in range(250)]
    assert all(float(np.float32(number)) == number for number in numbers)
    assert {type(rule) for rule in rules} == set(OPTIMIZERS)
    for name in ("momentum", "dampening", "weight_decay", "nesterov", "amsgrad", "eps_hat", "centered", "eps_inside"):
        assert any(getattr(rule, name, False) for rule in rules)


# One of each dtype: the main job, which CI runs in full, trains all of them.
@pytest.mark.parametrize(("name", "dtype"), [("digits-plain", "float32"), ("digits-normalized", "float64")])
def test_every_implementation_trains_alike_for_200_steps_and_numpynet_repeats_itself(name: str, dtype: str) -> None:
    # TensorFlow in float64 is left to `parity curves`: each of its steps is compiled anew.
    frameworks = [f for f in available() if (f, dtype) != ("tensorflow", "float64")]
    curve = compare_curves(replace(DIGITS[name], dtype=dtype), frameworks)
    assert curve.passed
    assert curve.training is not None
    assert curve.training.compared == len(curve.training.envelope) >= 200
    assert curve.used["numpynet"] == 0
    assert set(curve.used) == {"numpynet", *frameworks}
    assert curve.training.losses["numpynet"][-1] < curve.training.losses["numpynet"][0] / 2


@pytest.mark.parametrize("implementation", ["numpynet", *available()])
def test_trainers_of_one_seed_hold_the_same_weights_and_a_fresh_optimizer(implementation: str) -> None:
    experiment = replace(DIGITS["digits-normalized"], epochs=1)
    made, reference = trainer(experiment, implementation, 3), trainer(experiment, "numpynet", 3)
    assert weights_hash(made.state()) == weights_hash(reference.state())
    assert made.steps == 0
    found = run(experiment, implementation, 3)
    assert found.trainer.steps > 0
    assert found.initial_weights == weights_hash(reference.state()) != found.final_weights
    assert (
        found.accuracy
        == np.unpackbits(np.frombuffer(__import__("base64").b64decode(found.correct), np.uint8))[:400].mean()
    )


class Altered:
    """A trainer with a defect: overrides what it gets wrong."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)


class GradientsKept(Altered):
    def step(self, inputs: Array, targets: Array) -> float:
        for parameter in self.model.parameters():
            parameter.zero_grad = lambda: None
        return self.trainer.step(inputs, targets)


class RateKept(Altered):
    def __init__(self, trainer: Any) -> None:
        super().__init__(trainer)
        self.optimizer = type("Elsewhere", (), {"lr": 0.0})()


class DropoutAlways(Altered):
    def predict(self, inputs: Array, batch_size: int) -> Array:
        self.model.train()
        return self.model(inputs)


class LastRowLost(Altered):
    def step(self, inputs: Array, targets: Array) -> float:
        return self.trainer.step(inputs[:-1], targets[:-1])


@pytest.mark.parametrize("defect", [GradientsKept, RateKept, LastRowLost])
def test_a_defect_of_the_training_step_leaves_the_envelope(defect: type[Altered]) -> None:
    assert compare_curves(replace(DIGITS["digits-normalized"], epochs=3), alter=defect).passed is False


def test_a_defect_of_the_evaluation_shows_in_the_validation_losses() -> None:
    curve = compare_curves(replace(DIGITS["digits-normalized"], epochs=1), alter=DropoutAlways)
    assert curve.training is not None
    assert curve.validation is not None
    assert curve.training.used["numpynet"] == 0
    assert curve.validation.used["numpynet"] > 1
    assert curve.passed is False


def test_a_stale_batch_order_leaves_the_envelope_when_the_second_epoch_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*args: Any, **kwargs: Any) -> History:
        with monkeypatch.context() as patch:
            patch.setattr(
                "numpynet.training.loop.batch_order", lambda n, size, seed, epoch: batch_order(n, size, seed, 0)
            )
            return fit(*args, **kwargs)

    experiment = replace(PLAIN, epochs=2)
    curve, right = compare_curves(experiment, loop=stale), compare_curves(experiment)
    assert curve.training is not None
    assert right.training is not None
    off = np.asarray(np.array(curve.training.losses["numpynet"]) != right.training.losses["numpynet"])
    assert curve.passed is False
    assert np.flatnonzero(off)[0] == len(off) // 2


def test_a_diverging_implementation_uses_infinitely_much_and_its_curve_ends_there() -> None:
    class Exploding(Altered):
        def step(self, inputs: Array, targets: Array) -> float:
            return self.trainer.step(inputs * np.float32(1e20), targets)

    curve = compare_curves(replace(PLAIN, epochs=1), alter=Exploding)
    assert curve.used["numpynet"] == np.inf
    assert curve.training is not None
    assert len(curve.training.losses["numpynet"]) < len(curve.training.envelope)


def test_the_allowance_is_a_multiple_of_the_running_envelope_and_of_one_unit_in_the_last_place() -> None:
    reference, moved = [1.0, 1.0, 1.0], [[1.0, 1.125, 1.0], [1.0, 1.0, 1.0625]]
    unit = float(np.spacing(np.float32(1)))
    judged = judge_losses({"x": [1 + FACTOR * unit, 1.0, 1.0]}, reference, moved, "float32")
    assert judged.envelope == pytest.approx([0, 0.125 / 2**0.5, 0.125 / 2**0.5])
    assert judged.compared == 1  # an eighth of the loss is chaos
    assert judged.used == {"x": 1.0}
    small = [[1.0, 1 + CHAOS / 4, 1.0]]
    judged = judge_losses({"x": [1.0, 1.0, 1 + FACTOR * CHAOS / 4], "y": [1.0] * 3}, reference, small, "float64")
    assert judged.compared == 3
    assert judged.worst["x"] == 2
    assert judged.used["x"] == pytest.approx(1)
    assert judged.used["y"] == 0


def test_weights_are_moved_by_a_unit_before_every_step_and_zeros_stay() -> None:
    made = trainer(PLAIN)
    seen: list[list[Array]] = []

    class Seen(Altered):
        def step(self, inputs: Array, targets: Array) -> float:
            seen.append([p.value.copy() for p in self.trainer.model.parameters()])
            return 0.0

    moved = Moved(Seen(made), np.random.default_rng(0))
    before = [p.value.copy() for p in made.model.parameters()]
    nothing = np.empty(0)
    for _ in range(2):
        moved.step(nothing, nothing)
    for old, once, twice in zip(before, *seen, strict=True):
        assert (np.abs(once - old) == np.where(old == 0, 0, np.spacing(np.abs(old)))).mean() > 0.9  # but at powers of 2
        assert (once != old).sum() == (old != 0).sum()
        assert 0 < (twice == old).mean() < 1 or not old.any()


def test_nothing_passes_where_chaos_rules_from_the_start() -> None:
    series = judge_losses({"numpynet": [1.0]}, [1.0], [[2.0]], "float32")
    assert series.compared == 0
    assert Curve("chaos", "", "float32", series, series).passed is None


def test_what_could_not_be_compared_is_recorded_with_its_reason(without_fashion_mnist: None) -> None:
    absent = plain(confirmed("fashion-mnist-plain", "float32", []).as_record())
    assert absent["passed"] is None
    assert absent["message"] == "not compared: no network"
    record = plain(confirmed("digits-plain", "float64", []).as_record())
    assert record["passed"] is True
    assert record["not_compared"] == ["torch", "tensorflow"]
    assert record["steps"] == len(record["envelope"]) == len(record["losses"]["numpynet"])
    assert record["used"].keys() == record["worst_step"].keys() == {"numpynet"}
    assert len(record["validation"]["losses"]["numpynet"]) == PLAIN.epochs


@pytest.mark.parametrize("times", [1, SEEDS - 1, SEEDS])
def test_a_curve_is_off_where_it_leaves_its_allowance_from_every_seed(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def flipped(experiment: Experiment, frameworks: Sequence[str], seed: int = 0) -> Curve:
        asked.append(seed)
        series = judge_losses({"numpynet": [1.0 + (seed < times)]}, [1.0], [[1.0]], "float64")
        return Curve(experiment.name, experiment.title, experiment.dtype, series, series)

    monkeypatch.setattr(curves, "compare_curves", flipped)
    first = confirmed(PLAIN.name, "float64", [])
    assert asked[: min(times + 1, SEEDS)] == list(range(min(times + 1, SEEDS)))
    assert first.passed is (times < SEEDS)
    assert first.message.startswith("left the allowance from seed 0 (numpynet used")
    assert first.message.endswith(f"judged from seed {times}") is (times < SEEDS)
