"""The other notebooks' experiments on digits of 28 by 28 pixels: everything but the accuracies of the real data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpynet import SGD
from numpynet.datasets import Dataset, Split, digits
from parity.experiments import EXPERIMENTS
from parity.experiments.entry import TrainingEntry, brief
from parity.experiments.mnist_factors import effect, effects
from parity.frameworks import available
from parity.report.pages import write_pages
from parity.results.store import Results

FRAMEWORKS = available()


def ignore(done: int, total: int) -> None: ...


def enlarged() -> Dataset:
    """scikit-learn's digits in the middle of 28 by 28 pixels, 3 by 3 for each."""
    whole = digits(flat=False)

    def split(part: Split) -> Split:
        large = np.kron(part.inputs[:, 0], np.ones((3, 3), np.float32))
        return Split(np.pad(large, ((0, 0), (2, 2), (2, 2))).reshape(-1, 784), part.targets)

    return Dataset("enlarged", split(whole.train), split(whole.validation), split(whole.test), whole.classes)


def enlarged_raw() -> Dataset:
    whole = enlarged()
    train, validation, test = (Split(s.inputs * 255, s.targets) for s in whole.splits.values())
    return Dataset("enlarged", train, validation, test, whole.classes)


def with_data(name: str, data: Callable[[], Dataset] = enlarged, **options: Any) -> TrainingEntry:
    """The experiment on these digits, shortened."""
    entry = EXPERIMENTS[name]
    assert isinstance(entry, TrainingEntry)
    trainings = {label: replace(each, data=data, **options) for label, each in entry.trainings.items()}
    return replace(entry, trainings=trainings)


def test_the_flawed_layer_is_named_in_the_first_epoch_by_every_implementation(tmp_path: Path) -> None:
    entry = with_data("mnist-batchnorm-flawed")
    found = entry.run(FRAMEWORKS, False, ignore, Results(tmp_path))
    assert [record.passed for record in found] == [True] * (1 + len(FRAMEWORKS))
    assert len({record.summary for record in found}) == 1
    assert "first appeared in the output of layer 2 (BatchNormFlawed)" in found[0].summary


@pytest.mark.parametrize("name", ["mnist-batchnorm-repaired", "mnist-layer-normalisation"])
def test_a_watched_training_comes_with_pictures_and_event_files(name: str, tmp_path: Path) -> None:
    (record,) = with_data(name, epochs=2).run([], False, ignore, Results(tmp_path))
    figures: dict[str, Any] = dict(record.figures)
    assert figures["final loss"] < figures["loss of the first batch"]
    assert list(record.pictures) == ["distributions while it trains"]
    assert (tmp_path / "tensorboard" / name / "numpynet-0").is_dir()


def test_raw_pixels_leave_no_gradient(tmp_path: Path) -> None:
    (record,) = with_data("mnist-raw", enlarged_raw).run([], False, ignore, Results(tmp_path))
    assert record.passed
    figures: dict[str, Any] = dict(record.figures)
    assert figures["gradients that are zero, mean"] > 0.3
    assert len(record.curves["gradients/zero"]) == len(record.curves["loss/train"]) == 2


def test_a_setting_that_hurts_every_seed_is_called_worse(tmp_path: Path) -> None:
    entry = with_data("mnist-settings", epochs=2)
    lame = {
        label: replace(each, optimizer=partial(SGD, lr=0)) if label == "sigmoid inside" else each
        for label, each in entry.trainings.items()
    }
    chosen = {label: lame[label] for label in ("baseline", "sigmoid inside", "four hidden layers", "128 units")}
    chosen |= {"four hidden layers of 128 units": lame["four hidden layers of 128 units"]}
    (record,) = replace(entry, trainings=chosen).run([], False, ignore, Results(tmp_path), seeds=range(3))
    found = {each.factor: each for each in record.effects}
    assert found["sigmoid inside"].conclusion == "worse"
    assert len(found["interaction of layers and units"].differences) == 3
    assert list(record.accuracies) == list(chosen)
    store = Results(tmp_path / "page")
    store.append("experiments", record.key, record)
    (path,) = write_pages(store, tmp_path / "docs")
    page = path.read_text(encoding="utf-8")
    assert "| sigmoid inside | -" in page
    assert "| baseline | 0.9713 |" in page


def test_entries_of_one_family_share_their_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short: dict[str, Any] = {"epochs": 6}
    (upside_down,) = with_data("mnist-upside-down", **short).run([], False, ignore, Results(tmp_path), seeds=range(2))
    assert [row[0] for row in upside_down.tables["by digit"].rows] == list(range(10))
    figures: dict[str, Any] = dict(upside_down.figures)
    assert figures["accuracy upside down"] < figures["accuracy upright"]
    entry = with_data("mnist-permuted", **short)
    baseline = replace(entry, trainings={"baseline": entry.trainings["baseline"]})
    monkeypatch.setattr("parity.experiments.entry.run", None)
    with pytest.raises(KeyError, match="permuted"):
        baseline.run([], False, ignore, Results(tmp_path), seeds=range(2))


def test_permuted_pixels_and_first_weights_are_the_same_function(tmp_path: Path) -> None:
    entry = EXPERIMENTS["mnist-permuted-exactly"]
    assert isinstance(entry, TrainingEntry)

    def permuted() -> Dataset:
        from parity.training.datasets import PERMUTATION

        whole = enlarged()
        train, validation, test = (
            Split(np.ascontiguousarray(s.inputs[:, PERMUTATION]), s.targets) for s in whole.splits.values()
        )
        return Dataset("permuted", train, validation, test, whole.classes)

    trainings = {x: replace(e, data=permuted if x == "permuted" else enlarged) for x, e in entry.trainings.items()}
    for record in replace(entry, trainings=trainings).run(FRAMEWORKS, False, ignore, Results(tmp_path)):
        assert record.passed, record.summary
    mismatched = {x: replace(e, data=enlarged) for x, e in entry.trainings.items()}
    (record,) = replace(entry, trainings=mismatched).run([], False, ignore, Results(tmp_path / "mismatched"))
    assert not record.passed


def test_an_effect_is_concluded_where_its_interval_leaves_out_zero() -> None:
    assert effect("up", [0.01, 0.012, 0.011], 1).conclusion == "better"
    assert effect("down", [-0.01, -0.012, -0.011], 1).conclusion == "worse"
    assert effect("either", [-0.01, 0.012, 0.011], 1).conclusion == "undecided"
    assert effect("without spread", [0.01, 0.01, 0.01], 1).conclusion == "undecided"
    one, eight = (effect("up", [0.01, 0.012, 0.011], comparisons) for comparisons in (1, 8))
    assert eight.level == pytest.approx(1 - 0.05 / 8)
    assert eight.interval[0] < one.interval[0] < one.estimate < one.interval[1] < eight.interval[1]


def test_an_interaction_is_what_both_do_beyond_each() -> None:
    accuracies = {"none": [0.5, 0.6], "a": [0.6, 0.7], "b": [0.7, 0.8], "both": [0.75, 0.9]}
    found = effects(accuracies, "none", {"together": ("a", "b", "both")})
    assert [each.factor for each in found] == ["a", "b", "both", "together"]
    assert found[-1].differences == pytest.approx([-0.05, 0.0])


def test_a_brief_experiment_is_one_epoch_of_a_few_rows() -> None:
    entry = EXPERIMENTS["mnist-normal"]
    assert isinstance(entry, TrainingEntry)
    short = brief(replace(entry.trainings["watched"], data=enlarged))
    assert short.epochs == 1
    assert [len(s) for s in short.dataset.splits.values()] == [1197, 200, 400]
    assert short.data is brief(replace(short, data=enlarged)).data
