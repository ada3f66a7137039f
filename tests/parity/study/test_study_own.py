"""A study of one's own: registered from a training in a file, found by its path, and bound to what it says."""

from __future__ import annotations

import importlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from numpynet.datasets import digits
from parity.cli import app
from parity.results.records import Json
from parity.study import conducting, load, own, registering
from parity.study.runs import Job
from parity.training.experiment import Experiment

EXAMPLE = Path(__file__).parents[3] / "examples" / "training.py"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a training of one's own, in which the command is given; its reference set is made up."""
    shutil.copy(EXAMPLE, tmp_path / "my_training.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_training", raising=False)
    importlib.invalidate_caches()

    def instant(jobs: list[Job], workers: int) -> list[tuple[Job, Json]]:
        return [(job, {"status": "ok", "message": "", "accuracy": 0.9 + job.seed % 7 / 400}) for job in jobs]

    monkeypatch.setattr(registering, "performed", instant)
    return tmp_path


def register(*options: str) -> Result:
    return CliRunner().invoke(app, ["register", "my_training.py:WIDE", *options])


def test_registered_from_a_file_it_is_found_by_its_path(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = register("--seeds", "12")
    assert done.exit_code == 0, done.output
    assert "wrote wide.toml" in done.output
    registration = load("wide.toml")
    assert (registration.name, registration.seeds, len(registration.reference)) == ("wide", 12, 30)
    conducted: list[tuple[Any, Any]] = []
    monkeypatch.setattr(conducting, "conduct", lambda *given, **options: conducted.append(given[:2]))
    conducting.study(str(here / "wide.toml"), None)  # type: ignore[arg-type]  # nothing is stored here
    ((found, experiment),) = conducted
    assert found == registration
    assert isinstance(experiment, Experiment)
    assert experiment.data is digits
    conducting._same_training(registration, experiment)


def test_another_training_is_another_study(here: Path) -> None:
    register()
    before = load("wide.toml")
    code = Path("my_training.py").read_text()
    Path("my_training.py").write_text(code + "\n# a remark\n")
    assert load("wide.toml").hash == before.hash
    Path("my_training.py").write_text(code.replace("0.875", "0.75"))
    assert load("wide.toml").hash != before.hash


def test_the_order_of_the_terms_is_none_of_a_study(here: Path) -> None:
    register()
    found = load("wide.toml")
    assert replace(found, training=dict(reversed(list(found.training.items())))).hash == found.hash


def test_what_is_registered_is_not_registered_again(here: Path) -> None:
    assert register().exit_code == 0
    done = register()
    assert done.exit_code == 2
    assert "wide.toml is there: a study that is registered is not changed" in done.output
    assert register("--name", "digits").exit_code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("alpha = 0.05\n", ""), "wide.toml says .* it differs in alpha$"),
        (('"rerun"', '"reruns"'), "arms that do not exist: reruns"),
        (("largest = 0.005", "largest = 0.05"), "registers the margin rule"),
        (("epochs = 5", "epochs = 6"), "register different trainings"),
        (("[margin]", "[margin"), "wide.toml is no TOML"),
        (('"reference-wide"', '"reference-narrow"'), "there is no reference-narrow.toml beside"),
    ],
)
def test_a_file_that_is_no_registration_says_why(here: Path, change: tuple[str, str], message: str) -> None:
    register()
    text = Path("wide.toml").read_text()
    assert change[0] in text
    Path("wide.toml").write_text(text.replace(*change))
    with pytest.raises(ValueError, match=message):
        load("wide.toml")


def test_an_experiment_that_is_not_there_is_named(here: Path) -> None:
    with pytest.raises(LookupError, match=r"there is no file narrow.toml"):
        load("narrow.toml")
    with pytest.raises(LookupError, match=r"no experiment is called 'narrow': digits, .* or FILE.py:VARIABLE"):
        own.find("narrow", here)
    with pytest.raises(LookupError, match=r"has no parity.training.experiment.Experiment called NARROW"):
        own.find("my_training.py:NARROW", here)
    with pytest.raises(LookupError, match=r"nowhere.py is no Python file"):
        own.find("nowhere.py:WIDE", here)
    shutil.copy(EXAMPLE, here / "json.py")
    with pytest.raises(ValueError, match=r"is called as the module .*json"):
        own.find("json.py:WIDE", here)
    assert own.find("digits", here).name == "digits"
