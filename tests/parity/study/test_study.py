"""A study keeps to its registration, decides by it, and says what is wrong with itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from numpynet import SGD, Array, Linear, LogSoftMax, NLLCriterion, Parameter, ReLU, Sequential
from numpynet.datasets import Dataset, Split, blobs
from parity.experiments import run_experiment
from parity.experiments.refused_studies import MISTAKES, leaking, one_model_for_all
from parity.frameworks import available
from parity.report import write_report
from parity.results.code import ROOT, dependencies, digest, origin
from parity.results.packages import installed
from parity.results.store import Results, ResultsError
from parity.statistics import Outcome, Verdict, fewest_seeds, seed_noise
from parity.study import ARMS, COUPLED, Arm, InProcess, Registration, conduct, load, registered, study
from parity.study.registration import description
from parity.training.experiment import Experiment, trainer
from parity.training.studies import STUDIES

SEEDS = 6


def points() -> Dataset:
    return blobs(n=200, centers=3, cluster_std=4.0)


def network(rng: np.random.Generator) -> Sequential:
    return Sequential(Linear(2, 8, rng=rng), ReLU(), Linear(8, 3, rng=rng), LogSoftMax())


def optimizer(parameters: Iterable[Parameter]) -> SGD:
    return SGD(parameters, lr=1 / 64, momentum=0.5)


TINY = Experiment("tiny", "tiny", points, network, NLLCriterion, optimizer, epochs=2, batch_size=20)


def registration(
    experiment: Experiment = TINY,
    seeds: int = SEEDS,
    arms: tuple[str, ...] = (),
    reference: tuple[float, ...] = (0.80, 0.82, 0.84, 0.86),
) -> Registration:
    training = description(experiment) if experiment.data is points else {}
    return Registration("tiny", "tiny", seeds, 0.05, arms, {}, training, reference)


def conducted(
    tmp_path: Path,
    registered: Registration | None = None,
    experiment: Experiment = TINY,
    frameworks: Sequence[str] = (),
    **options: Any,
) -> tuple[Verdict, Results]:
    options = {"executor": InProcess()} | options
    verdict = conduct(registered or registration(), experiment, Results(tmp_path), frameworks=frameworks, **options)
    return verdict, Results(tmp_path)


def in_place_of(framework: str, change: Callable[[Any, int], Any]) -> Arm:
    """The coupled arm, numpynet standing in for `framework`, its trainer changed by `change(trainer, seed)`."""

    def make(experiment: Experiment, implementation: str, seed: int) -> Any:
        made = trainer(experiment, "numpynet", seed)
        return change(made, seed) if implementation == framework else made

    return replace(COUPLED, make=make)


class Shifted:
    """A trainer that gets exactly `rows` more test rows wrong."""

    def __init__(self, trainer: Any, rows: int, test: Split) -> None:
        self.trainer, self.rows, self.test = trainer, rows, test

    def __getattr__(self, name: str) -> Any:
        return getattr(self.trainer, name)

    def predict(self, inputs: Array, batch_size: int) -> Array:
        outputs = self.trainer.predict(inputs, batch_size)
        if len(inputs) == len(self.test) and (inputs == self.test.inputs).all():
            right = np.flatnonzero(outputs.argmax(axis=1) == self.test.targets)
            outputs[right[: self.rows]] *= -1
        return outputs


# Verdicts


def test_every_installed_implementation_is_equivalent_on_a_tiny_task(tmp_path: Path) -> None:
    planned = registration(arms=("rerun", "one-ulp"))
    verdict, results = conducted(tmp_path, planned, frameworks=available())
    [record] = results.read("studies")
    assert verdict.outcome in (Outcome.IDENTICAL, Outcome.EQUIVALENT)
    assert record["verdict"]["outcome"] == verdict.outcome.value
    assert record["arms"]["rerun"]["outcome"] == "identical"
    assert record["preregistration"]["hash"] == planned.hash
    runs = results.read("runs")
    assert {run["status"] for run in runs} == {"ok"}
    assert len(runs) == SEEDS * (3 + len(available()))


def test_the_disjoint_arm_gives_every_implementation_seeds_of_its_own(tmp_path: Path) -> None:
    def on_numpynet(experiment: Experiment, implementation: str, seed: int) -> Any:
        return trainer(experiment, "numpynet", seed)

    arms = {"disjoint": replace(ARMS["disjoint"], make=on_numpynet)}
    _, results = conducted(
        tmp_path,
        registration(arms=("disjoint",)),
        frameworks=["torch", "tensorflow"],
        arms=arms,
        coupled=replace(COUPLED, make=on_numpynet),
    )
    runs = [run for run in results.read("runs") if run["arm"] == "disjoint" or run["implementation"] == "numpynet"]
    assert len({run["initial_weights"] for run in runs}) == len(runs) == 3 * SEEDS
    arm = results.read("studies")[0]["arms"]["disjoint"]
    assert arm["design"] == "disjoint"
    assert arm["problems"] == []
    assert len(arm["pairs"]) == 3


def test_all_differences_zero_is_identical_and_green(tmp_path: Path) -> None:
    verdict, _ = conducted(tmp_path, frameworks=["torch"], coupled=in_place_of("torch", lambda made, seed: made))
    assert verdict.outcome is Outcome.IDENTICAL
    assert verdict.exit_code == 0


def test_a_constant_shift_beyond_the_margin_is_a_material_difference(tmp_path: Path) -> None:
    arm = in_place_of("torch", lambda made, seed: Shifted(made, 40, TINY.dataset.test))
    verdict, _ = conducted(tmp_path, frameworks=["torch"], coupled=arm)
    assert verdict.outcome is Outcome.DIFFERENT
    assert verdict.exit_code == 1
    test = verdict.pairs[0].test
    assert test is not None
    assert test.difference == pytest.approx(40 / 200)


def test_a_shift_in_some_seeds_only_is_inconclusive(tmp_path: Path) -> None:
    arm = in_place_of("torch", lambda made, seed: Shifted(made, 10 * (seed < 2), TINY.dataset.test))
    verdict, _ = conducted(tmp_path, frameworks=["torch"], coupled=arm)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.exit_code == 2


def test_a_run_that_diverges_makes_the_study_invalid_and_stays_on_record(tmp_path: Path) -> None:
    def exploding(made: Any, seed: int) -> Any:
        made.optimizer.lr = 1e30 if seed == 2 else made.optimizer.lr
        return made

    verdict, results = conducted(tmp_path, frameworks=["torch"], coupled=in_place_of("torch", exploding))
    assert verdict.outcome is Outcome.INVALID
    assert verdict.exit_code == 3
    assert "1 of 6 runs of torch diverged" in verdict.reason
    [run] = [run for run in results.read("runs") if run["status"] != "ok"]
    assert run["key"] == "tiny/coupled/torch/2"
    assert run["status"] == "diverged"
    assert run["accuracy"] is None
    assert "training diverged in epoch" in run["message"]


def test_a_run_that_crashes_is_recorded_and_tried_again_by_the_next_call(tmp_path: Path) -> None:
    def crashing(made: Any, seed: int) -> NoReturn:
        raise RuntimeError("no such kernel")

    verdict, results = conducted(tmp_path, frameworks=["torch"], coupled=in_place_of("torch", crashing))
    assert verdict.outcome is Outcome.INVALID
    assert "torch crashed: RuntimeError: no such kernel (seeds [0, 1, 2, 3, 4, 5])" in verdict.reason
    assert "6 of 6 runs of torch diverged or did not finish" in verdict.reason
    assert {run["message"] for run in results.read("runs") if run["status"] == "crashed"} == {
        "RuntimeError: no such kernel"
    }
    verdict, _ = conducted(tmp_path, frameworks=["torch"], coupled=in_place_of("torch", lambda made, seed: made))
    assert verdict.outcome is Outcome.IDENTICAL


def test_runs_that_did_not_finish_stay_in_the_denominator_of_the_report(tmp_path: Path) -> None:
    """One diverges, one runs out of memory: four of six are left, and the report says of six."""

    def failing(made: Any, seed: int) -> Any:
        if seed == 1:
            raise MemoryError("no room for the weights")
        made.optimizer.lr = 1e30 if seed == 2 else made.optimizer.lr
        return made

    conducted(tmp_path / "results", frameworks=["torch"], coupled=in_place_of("torch", failing))
    summary = write_report([tmp_path / "results"], tmp_path / "report")
    [study] = summary.document["studies"]
    assert summary.exit_code == 3
    assert study["outcome"] == "invalid"
    assert (study["accuracies"]["torch"]["runs"], study["accuracies"]["torch"]["finished"]) == (SEEDS, SEEDS - 2)
    unfinished = {(run["implementation"], run["seed"], run["status"]) for run in study["unfinished"]}
    assert unfinished == {("torch", 1, "crashed"), ("torch", 2, "diverged")}
    for report in ("report.md", "report.html", "junit.xml"):
        said = (tmp_path / "report" / report).read_text()
        assert "torch crashed: MemoryError: no room for the weights (seeds [1])" in said
        assert "2 of 6 runs of torch diverged or did not finish" in said


def test_a_control_that_crashed_controls_nothing(tmp_path: Path) -> None:
    def crashing(experiment: Experiment, implementation: str, seed: int) -> NoReturn:
        raise RuntimeError("no such kernel")

    planned, same = registration(arms=("rerun",)), in_place_of("torch", lambda made, seed: made)
    arms = {"rerun": replace(ARMS["rerun"], make=crashing)}
    verdict, _ = conducted(tmp_path, planned, frameworks=["torch"], coupled=same, arms=arms)
    assert verdict.outcome is Outcome.INVALID
    assert "numpynet was not shown to repeat itself: a rerun crashed for seeds [0, 1, 2, 3, 4, 5]" in verdict.reason


def test_a_run_of_other_code_than_the_study_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of a cluster may have another version, or somebody edits while the study runs."""
    monkeypatch.setattr("parity.study.runs.origin", lambda: {**origin(), "packages": "numpy1.0"})
    with pytest.raises(ResultsError, match=r"coupled/numpynet/0 was performed with packages numpy1\.0, not with"):
        conducted(tmp_path, frameworks=["torch"])
    assert Results(tmp_path).read("runs") == []


def test_too_few_seeds_are_invalid(tmp_path: Path) -> None:
    few = registration(seeds=fewest_seeds() - 1)
    arm = in_place_of("torch", lambda made, seed: made)
    verdict, _ = conducted(tmp_path, few, frameworks=["torch"], coupled=arm)
    assert verdict.outcome is Outcome.INVALID
    assert "too few" in verdict.reason


def test_a_missing_framework_is_said_and_the_others_are_compared(tmp_path: Path) -> None:
    arm = in_place_of("torch", lambda made, seed: made)
    verdict, results = conducted(tmp_path, frameworks=["torch"], coupled=arm)
    assert [(pair.first, pair.second) for pair in verdict.pairs] == [("numpynet", "torch")]
    assert results.read("studies")[0]["not_compared"] == ["tensorflow"]


def test_with_no_framework_there_is_nothing_to_compare(tmp_path: Path) -> None:
    verdict, results = conducted(tmp_path)
    assert verdict.outcome is Outcome.INVALID
    assert "nothing to compare" in verdict.reason
    assert results.read("studies")[0]["not_compared"] == ["torch", "tensorflow"]


# Provenance


def test_five_repeats_on_one_model_are_no_study(tmp_path: Path) -> None:
    arm = replace(COUPLED, make=one_model_for_all())
    verdict, _ = conducted(tmp_path, registration(seeds=5), frameworks=available()[:1], coupled=arm)
    assert verdict.outcome is Outcome.INVALID
    assert "the model was trained before (repeats of one model are pseudo-replication)" in verdict.reason
    assert "the optimizer had already made steps at the start of seeds [1, 2, 3, 4]" in verdict.reason
    assert "5 seeds are too few" in verdict.reason


def test_repeats_from_one_set_of_weights_are_no_study(tmp_path: Path) -> None:
    def same_weights(experiment: Experiment, implementation: str, seed: int) -> Any:
        return trainer(experiment, "numpynet", 0)

    verdict, _ = conducted(tmp_path, frameworks=["torch"], coupled=replace(COUPLED, make=same_weights))
    assert verdict.outcome is Outcome.INVALID
    assert "repeats share their initial weights" in verdict.reason


def test_implementations_that_start_from_different_weights_are_not_coupled(tmp_path: Path) -> None:
    def uncoupled(experiment: Experiment, implementation: str, seed: int) -> Any:
        return trainer(experiment, "numpynet", seed + 100 * (implementation == "torch"))

    verdict, _ = conducted(tmp_path, frameworks=["torch"], coupled=replace(COUPLED, make=uncoupled))
    assert "seed 0: implementations started from different weights" in verdict.reason
    assert verdict.exit_code == 3


def test_a_split_that_leaks_makes_the_study_invalid_before_any_run(tmp_path: Path) -> None:
    experiment = replace(TINY, data=leaking)
    verdict, results = conducted(tmp_path, registration(experiment), experiment)
    assert verdict.outcome is Outcome.INVALID
    assert "100 of the validation rows occur in train" in verdict.reason
    assert results.read("runs") == []
    assert results.read("studies")[0]["verdict"]["outcome"] == "invalid"


@pytest.mark.parametrize("name", ["five-repeats", "leaking-split"])
def test_the_mistakes_of_the_source_notebooks_are_experiments_that_pass_when_they_are_refused(
    name: str, tmp_path: Path
) -> None:
    records = run_experiment(name, [], results=Results(tmp_path))
    assert [record.passed for record in records] == [True]
    assert records[0].summary.startswith("invalid: ")
    assert Results(tmp_path).kinds() == []


def test_a_mistake_that_is_not_made_is_not_refused(tmp_path: Path) -> None:
    [repeats] = [entry for entry in MISTAKES if entry.name == "five-repeats"]
    sound = replace(repeats, make=lambda: trainer, experiment=TINY)
    [record] = sound.run([], False, lambda done, total: None, Results(tmp_path))
    assert record.passed is False


# Controls


def test_numpynet_that_does_not_repeat_itself_makes_the_study_invalid(tmp_path: Path) -> None:
    def drifting(experiment: Experiment, implementation: str, seed: int) -> Any:
        made = trainer(experiment, "numpynet", seed)
        made.optimizer.lr *= 1 + 1e-6
        return made

    arms = ARMS | {"rerun": replace(ARMS["rerun"], make=drifting)}
    verdict, _ = conducted(
        tmp_path,
        registration(arms=("rerun",)),
        frameworks=["torch"],
        arms=arms,
        coupled=in_place_of("torch", lambda made, seed: made),
    )
    assert verdict.outcome is Outcome.INVALID
    assert "numpynet does not repeat itself" in verdict.reason


def test_a_planted_defect_that_goes_unseen_makes_the_study_invalid(tmp_path: Path) -> None:
    arms = ARMS | {"frozen-layer": replace(ARMS["frozen-layer"], make=trainer)}
    verdict, _ = conducted(
        tmp_path,
        registration(arms=("frozen-layer",)),
        frameworks=["torch"],
        arms=arms,
        coupled=in_place_of("torch", lambda made, seed: made),
    )
    assert verdict.outcome is Outcome.INVALID
    assert "cannot tell implementations apart" in verdict.reason


# Registration


def test_runs_of_another_registration_are_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    arm = in_place_of("torch", lambda made, seed: made)
    _, results = conducted(tmp_path, frameworks=["torch"], coupled=arm)
    before = results.read("runs")
    for other in (registration(seeds=SEEDS + 1), registration(reference=(0.7, 0.8, 0.9))):
        with pytest.raises(ResultsError, match="under another registration"):
            conducted(tmp_path, other, frameworks=["torch"], coupled=arm)
    assert results.read("runs") == before


@pytest.mark.parametrize("epochs", [1, 3])
def test_an_experiment_that_is_not_the_registered_one_is_refused(epochs: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"registers the epochs 2, the experiment has {epochs}"):
        conducted(tmp_path, registration(), replace(TINY, epochs=epochs))


@pytest.mark.parametrize("code", ["", "~"], ids=["first by the alphabet", "last"])
def test_runs_of_other_code_are_repeated(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arm = in_place_of("torch", lambda made, seed: made)
    conducted(tmp_path, frameworks=["torch"], coupled=arm)
    seen: list[tuple[int, int]] = []
    conducted(tmp_path, frameworks=["torch"], coupled=arm, progress=lambda *done: seen.append(done))
    assert seen == [(12, 12)]
    for user in ("conducting", "runs"):
        monkeypatch.setattr(f"parity.study.{user}.origin", lambda: {"code": code, "packages": code})
    conducted(tmp_path, frameworks=["torch"], coupled=arm, progress=lambda *done: seen.append(done))
    assert seen[1:] == [(n, 12) for n in range(13)]


def test_after_keras_was_upgraded_in_place_no_run_is_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arm = in_place_of("torch", lambda made, seed: made)
    conducted(tmp_path, frameworks=["torch"], coupled=arm)
    before = installed()
    monkeypatch.setattr("parity.results.packages.installed", lambda: before | {"keras": "99.0"})
    origin.cache_clear()
    seen = []
    conducted(tmp_path, frameworks=["torch"], coupled=arm, progress=lambda *done: seen.append(done))
    assert seen == [(n, 12) for n in range(13)]
    assert "packages" in Results(tmp_path).read("runs")[0]
    origin.cache_clear()


@pytest.mark.parametrize(
    ("source", "alike"),
    [
        ('"""Said otherwise."""\n\n\ndef double(x):\n    # as is\n    return (2 *\n        x)\n', True),
        ('def double(x):\n    """Twice."""\n    return 2 * x\n', True),
        ("def double(x):\n    return 2.0 * x\n", False),
        ("def double(y):\n    return 2 * y\n", False),
    ],
)
def test_comments_docstrings_and_layout_are_no_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, alike: bool
) -> None:
    monkeypatch.setattr("parity.results.code.ROOT", tmp_path)
    file = tmp_path / "module.py"
    file.write_text("def double(x):\n    return 2 * x\n")
    before = digest([file])
    file.write_text(source)
    assert (digest([file]) == before) is alike


def test_the_code_of_a_run_is_everything_that_it_imports() -> None:
    """A sample: what was forgotten in a list of files once, and what a run has nothing to do with."""
    files = {path.relative_to(ROOT).as_posix() for path in dependencies()}
    for computes in (
        *("frameworks/lazy", "frameworks/tensorflow/layers", "mapping/convert", "mapping/loss", "mapping/pair"),
        *("mapping/containers", "training/networks"),
    ):
        assert f"parity/{computes}.py" in files
    assert {"numpynet/training/loop.py", "parity/frameworks/tensorflow/layers.py"} <= files
    assert not [file for file in files if file.startswith(("parity/report", "parity/defects", "parity/cli"))]


def test_an_unknown_study_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="digits, digits-convolutional, digits-quick, fashion-mnist"):
        study("cifar", Results(tmp_path))


def test_data_that_cannot_be_had_are_recorded_as_such(tmp_path: Path) -> None:
    def unreachable() -> Dataset:
        raise ConnectionError("no network")

    with pytest.raises(LookupError, match="was not run: no network"):
        conducted(tmp_path, registration(replace(TINY, data=unreachable)), replace(TINY, data=unreachable))
    assert Results(tmp_path).read("studies")[0]["message"] == "not run: no network"


@pytest.mark.parametrize("name", registered())
def test_every_registration_has_enough_seeds_arms_and_a_reference_set_of_its_own(name: str) -> None:
    registration = load(name)
    assert registration.seeds >= fewest_seeds()
    assert {"rerun", "one-ulp", "frozen-layer"} <= set(registration.arms)
    assert len(registration.reference) == 30
    assert registration.sigma_lower == seed_noise(registration.reference) > 0
    for n_test in (400, 10_000):
        expected = max(min(0.005, 0.5 * registration.sigma_lower), 2 / n_test)
        assert math.isclose(registration.margin_for(n_test), expected)


@pytest.mark.parametrize("name", ["digits", "digits-convolutional", "digits-quick"])
def test_registrations_describe_the_experiment_as_it_is(name: str) -> None:
    registration = load(name)
    assert description(STUDIES[registration.experiment]) == registration.training
