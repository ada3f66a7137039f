"""The source course's experiments: what they show, and what they say where they cannot be run."""

from __future__ import annotations

import base64
import dataclasses
import functools
import importlib.util
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from numpynet import Array
from numpynet.datasets import Dataset, blobs
from parity.cli import app
from parity.experiments import EXPERIMENTS, run_experiment
from parity.experiments.entry import TrainingEntry, unavailable
from parity.experiments.fashion_mnist import PLAIN
from parity.experiments.fashion_mnist_study import of_pair, of_study
from parity.frameworks import available
from parity.report.pages import write_pages
from parity.results.records.trainings import ExperimentRecord
from parity.results.store import Results
from parity.statistics import Verdict, decide
from parity.training.experiment import Experiment

SMALL = ("blobs-1.0", "blobs-2.5", "circles-linear", "circles-hidden")
NO_NETWORK = "downloading failed: no network. Put the published file in $NUMPYNET_DATA/fashion-mnist/."
LARGEST_PICTURE = 150_000  # bytes; a report embeds dozens
FASHION = [name for name in EXPERIMENTS if name.startswith("fashion-mnist") and name != "fashion-mnist-significance"]
Records = Callable[[str], list[ExperimentRecord]]

needs_matplotlib = pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="pictures need matplotlib")


def ignore(done: int, total: int) -> None: ...


def missing() -> Dataset:
    raise ConnectionError(NO_NETWORK)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The records of an experiment, by its name."""
    store = Results(tmp_path_factory.mktemp("results"))
    return functools.cache(lambda name: run_experiment(name, available(), results=store))


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn, and made into no files, which takes longer than some trainings: nobody looks at them."""
    monkeypatch.setattr("parity.training.pictures._png", lambda figure: "data:,")


@pytest.mark.parametrize("name", SMALL)
def test_every_implementation_shows_what_it_must(records: Records, name: str) -> None:
    assert [record.implementation for record in records(name)] == ["numpynet", *available()]
    assert all(record.passed for record in records(name)), [record.summary for record in records(name)]


@pytest.mark.parametrize("name", SMALL)
@needs_matplotlib
def test_pictures_are_small_png_files(records: Records, name: str) -> None:
    image = pytest.importorskip("PIL.Image")
    for record in records(name):
        (uri,) = record.pictures.values()
        assert len(uri) < LARGEST_PICTURE
        kind, _, data = uri.partition(",")
        assert kind == "data:image/png;base64"
        assert image.open(io.BytesIO(base64.b64decode(data))).format == "PNG"


@pytest.mark.parametrize("std", [1.0, 2.5])
def test_the_loss_on_blobs_is_not_below_the_best_of_all_linear_models(records: Records, std: float) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    train = blobs(cluster_std=std).train
    # C so large that the penalty is nothing; scikit-learn spells "none" differently from version to version.
    model = linear_model.LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(train.inputs, train.targets)
    best = np.mean(-np.log(model.predict_proba(train.inputs)[np.arange(len(train)), train.targets])) + 0.0
    entry = EXPERIMENTS[f"blobs-{std}"]
    assert entry.yardstick.endswith(f"{best:.4f}")
    figures: dict[str, Any] = dict(records(entry.name)[0].figures)
    assert best <= figures["final loss"]


def test_the_smaller_the_learning_rate_the_higher_the_loss_on_blobs(tmp_path: Path) -> None:
    (record,) = run_experiment("blobs-learning-rates", [], results=Results(tmp_path))
    assert record.passed, record.summary
    assert len(record.curves) == 8


def test_more_hidden_units_separate_the_circles(tmp_path: Path) -> None:
    (record,) = run_experiment("circles-hidden-units", [], results=Results(tmp_path))
    assert len(record.accuracies["100 units"]) == len(record.seeds) == 3
    assert record.passed, record.summary


@pytest.mark.parametrize("name", FASHION)
def test_fashion_mnist_without_its_data_is_not_run_and_not_passed(name: str) -> None:
    entry = EXPERIMENTS[name]
    assert isinstance(entry, TrainingEntry)
    trainings = {label: dataclasses.replace(each, data=missing) for label, each in entry.trainings.items()}
    for record in dataclasses.replace(entry, trainings=trainings).run(["torch"], False, ignore, Results("unused")):
        assert record.passed is None
        assert record.summary == f"not run: {NO_NETWORK}"


@pytest.mark.usefixtures("unseen")
def test_one_epoch_is_not_judged(tmp_path: Path) -> None:
    for record in run_experiment("blobs-1.0", [], profile="quick", results=Results(tmp_path)):
        assert record.passed is None
        assert record.summary.startswith("one epoch only, not judged")
        assert len(record.curves["training loss"]) == 1


def test_the_short_study_of_digits_is_no_verdict_on_fashion_mnist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def short(name: str, results: Results, *, frameworks: Sequence[str], progress: object) -> Verdict:
        assert name == "digits-quick"
        accuracies = {"numpynet": [0.95] * 8} | {framework: [0.95] * 8 for framework in frameworks}
        return decide(accuracies, n_test=400, margin=0.005)

    monkeypatch.setattr("parity.experiments.fashion_mnist_study.study", short)
    found = run_experiment("fashion-mnist-significance", ["torch"], profile="quick", results=Results(tmp_path))
    assert [record.implementation for record in found] == ["numpynet", "torch"]
    for record in found:
        assert record.passed is None
        assert record.summary.startswith("digits-quick instead, not judged")


@pytest.mark.usefixtures("unseen")
def test_a_diverged_training_falls_short_and_says_where(tmp_path: Path) -> None:
    entry = EXPERIMENTS["blobs-1.0"]
    assert isinstance(entry, TrainingEntry)
    wild = {label: dataclasses.replace(each, schedule={1: float("inf")}) for label, each in entry.trainings.items()}
    (record,) = dataclasses.replace(entry, trainings=wild).run([], False, ignore, Results(tmp_path))
    assert record.passed is False
    assert "diverged" in record.summary


@pytest.mark.usefixtures("unseen")
def test_an_uncoupled_training_falls_short(tmp_path: Path) -> None:
    entry = EXPERIMENTS["blobs-1.0"]
    assert isinstance(entry, TrainingEntry)
    generator = np.random.default_rng(0)  # shared: every implementation is given other weights

    def continued(each: Experiment) -> Experiment:
        return dataclasses.replace(each, network=lambda rng: each.network(generator))

    forgetful = {label: continued(each) for label, each in entry.trainings.items()}
    framework = available()[:1]
    for record in dataclasses.replace(entry, trainings=forgetful).run(framework, False, ignore, Results(tmp_path))[1:]:
        assert record.passed is False
        assert "other weights or batches" in record.summary


@pytest.mark.usefixtures("unseen")
def test_progress_counts_every_epoch(tmp_path: Path) -> None:
    seen = []
    run_experiment("blobs-1.0", [], results=Results(tmp_path), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 30) for done in range(31)]


@pytest.mark.usefixtures("unseen")
def test_what_was_trained_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_experiment("circles-hidden-units", [], results=Results(tmp_path), seeds=[0])
    monkeypatch.setattr("parity.experiments.entry.run", None)
    seen = []
    again = run_experiment(
        "circles-hidden-units", [], results=Results(tmp_path), seeds=[0], progress=lambda *done: seen.append(done)
    )
    assert again == first
    assert seen[-1] == (270, 270)


@pytest.mark.usefixtures("unseen")
def test_a_training_of_other_code_or_of_another_experiment_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EXPERIMENTS["blobs-1.0"]
    assert isinstance(entry, TrainingEntry)
    longer = {label: dataclasses.replace(each, epochs=31) for label, each in entry.trainings.items()}
    entry.run([], False, ignore, Results(tmp_path))
    (record,) = dataclasses.replace(entry, trainings=longer).run([], False, ignore, Results(tmp_path))
    assert len(record.curves["training loss"]) == 31
    monkeypatch.setattr("parity.results.code.origin", lambda: {"code": "other"})
    monkeypatch.setattr("parity.experiments.entry.run", None)
    with pytest.raises(TypeError):
        entry.run([], False, ignore, Results(tmp_path))


@pytest.mark.usefixtures("unseen")
def test_an_interrupted_experiment_keeps_the_trainings_that_had_ended(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_experiment("circles-hidden-units", [], results=Results(tmp_path), progress=interrupt)
    assert len(Results(tmp_path).read("trainings")) == 3


@pytest.mark.parametrize(
    ("noise", "passed"), [(0.0, True), (0.0005, True), (0.02, False)], ids=["identical", "equivalent", "inconclusive"]
)
def test_a_study_is_passed_when_it_was_decided(noise: float, passed: bool) -> None:
    shift = np.random.default_rng(3).normal(0, noise, 8)
    accuracies: Array = np.linspace(0.855, 0.869, 8).round(4)
    verdict = decide(
        {"numpynet": accuracies, "torch": (accuracies + shift).round(4)}, n_test=10_000, margin=0.002, coupled=True
    )
    assert of_study(verdict).passed is passed
    finding = of_pair(verdict.pairs[0])
    assert finding.passed is passed
    assert finding.figures["seeds"] == 8
    assert finding.figures["90% interval, low"] <= finding.figures["numpynet minus this one"]


def test_an_unknown_experiment_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match="no experiment is called 'blob'; there are blobs"):
        run_experiment("blob", [])


def test_the_page_shows_every_experiment_and_its_pictures(records: Records, tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    for record in records("blobs-1.0"):
        results.append("experiments", record.key, record)
    (path,) = write_pages(results, tmp_path / "docs")
    page = path.read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in EXPERIMENTS)
    for record in records("blobs-1.0"):
        file = f"blobs-1.0-{record.implementation}.png"
        assert (file in page) == (tmp_path / "docs" / file).exists() == bool(record.pictures)


@needs_matplotlib
def test_fashion_mnist_runs_where_its_data_is(tmp_path: Path) -> None:
    if problem := unavailable([PLAIN]):
        pytest.skip(problem.summary)
    (record,) = run_experiment("fashion-mnist-five-images", [], profile="quick", results=Results(tmp_path))
    figures: dict[str, Any] = dict(record.figures)
    assert figures["right"] >= 1
    assert all(len(uri) < LARGEST_PICTURE for uri in record.pictures.values())


@pytest.mark.usefixtures("unseen")
def test_the_command_resumes_and_exits_cleanly_when_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*options: str) -> Result:
        return CliRunner().invoke(app, ["experiment", "blobs-1.0", "--results", str(tmp_path), *options])

    def interrupted(*job: object) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("parity.items.experiments.run", interrupted)
        found = command()
        assert found.exit_code == 130
        assert "run it again to go on" in found.output
    for _ in range(2):
        found = command("--seeds", "2", "--framework", available()[0])
        assert found.exit_code == 0, found.output
    assert len(Results(tmp_path).read("trainings")) == 4
    assert [record["seeds"] for record in Results(tmp_path).read("experiments")] == [[0, 1]] * 2
    assert command("--quick").exit_code == 0
