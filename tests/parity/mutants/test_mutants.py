"""Mutants: planted is what the changed source says, and nothing is left of it; the ladder kills what it can see."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import numpynet
from numpynet import GELU, LeakyReLU, Linear, MaxPool2d, Softplus, Tanh
from parity.cli import app
from parity.mutants import killing, mutant
from parity.mutants.killing import Death, TooLong, at_most, killed, reached
from parity.mutants.modules import Of, modules, path
from parity.mutants.mutant import Mutant, candidates, sample
from parity.mutants.planting import planted
from parity.mutants.reasons import Reason, bare
from parity.results.store import Results
from parity.work.pool import Call

needs_cosmic_ray = pytest.mark.skipif(
    importlib.util.find_spec("cosmic_ray") is None, reason="cosmic-ray, which `nox -s mutants` installs, is not here"
)


class Edited(Mutant):
    """A mutant that is made by replacing text, so that nothing need be installed to plant it."""

    def source(self) -> str:
        before, after = self.operator.split(" -> ")
        text = path(self.module).read_text("utf-8")
        assert text.count(before) >= 1
        return text.replace(before, after)


def edited(module: str, change: str) -> Edited:
    return Edited(module, change, 0, "", 1)


def test_a_changed_function_is_in_place_within_the_context_alone() -> None:
    layer, x = Softplus(), np.array([[1.0]])
    right = layer(x)
    with planted(edited("numpynet.activations", "np.log1p -> np.expm1")):
        assert layer(x) != right
        assert Softplus is numpynet.Softplus
    assert layer(x) == right


@pytest.mark.parametrize(
    ("module", "change", "seen"),
    [
        (
            "numpynet.linear",
            "self.weight.value.shape[1] -> self.weight.value.shape[0]",
            lambda: Linear(2, 3).in_features,
        ),
        ("numpynet.activations", "slope: float = 0.01 -> slope: float = 0.5", lambda: LeakyReLU().slope),
        ("numpynet.windows", "def integers( -> def integers(\n    ", lambda: MaxPool2d(3).kernel_size),
    ],
    ids=["property", "default", "layout"],
)
def test_properties_and_defaults_are_taken_over_and_given_back(module: str, change: str, seen: Any) -> None:
    before = seen()
    with planted(edited(module, change)):
        within = seen()
    assert seen() == before
    assert (within == before) == change.startswith("def ")


def test_what_was_remembered_of_a_function_is_computed_anew_with_a_mutant_and_without_it() -> None:
    layer, x = GELU(), np.array([[1.0]])
    right = layer(x)
    for change in ("PI = 4 -> PI = 3", "np.log(64 -> np.log(1e-9"):
        with planted(edited("numpynet.normal", change)):
            assert layer(x) != right
        assert layer(x) == right


def test_a_mutant_that_is_no_python_raises_and_leaves_nothing() -> None:
    with pytest.raises(SyntaxError), planted(edited("numpynet.activations", "np.log1p -> 1p")):
        pytest.fail("it was planted")
    assert Softplus()(np.zeros((1, 1))) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("change", "by"),
    [
        ("1 - output * output -> 1 + output * output", "Tanh/derivatives"),
        ("np.tanh( -> np.sinh(", "Tanh/derivatives"),
    ],
)
def test_the_ladder_kills_what_computes_something_else(change: str, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killing, "reached", lambda module: [Tanh])
    assert killed(edited("numpynet.activations", change), []).by == by


def test_it_does_not_kill_what_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killing, "reached", lambda module: [Tanh])
    monkeypatch.setattr(killing, "EXAMPLES", 6)
    assert killed(edited("numpynet.activations", "np.log1p -> np.expm1"), []).by is None


def test_what_does_not_end_is_killed() -> None:
    def endless() -> None:
        with at_most(0.1):
            while True:
                pass

    with pytest.raises(TooLong, match=r"after 0\.1 s"):
        endless()


def test_what_does_not_end_in_an_example_is_no_failure_of_the_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killing, "reached", lambda module: [Tanh])
    monkeypatch.setattr(killing, "SECONDS", 0.5)
    change = "output = np.tanh(self.floating(input)) -> any(False for _ in iter(int, 1))"
    assert killed(edited("numpynet.activations", change), []) == Death("TooLong", None, 0)


def test_who_waits_is_not_late() -> None:
    with at_most(0.1):
        time.sleep(0.2)


def test_a_module_is_looked_at_through_every_class_that_imports_it_its_own_first() -> None:
    names = [target.__name__ for target in reached("numpynet.windows")]
    assert {"Conv2d", "MaxPool2d", "AvgPool2d", "ZeroPad2d"} <= set(names)
    assert "Tanh" not in names
    assert reached("numpynet.linear")[0] is Linear


def test_modules_that_read_files_or_only_train_are_apart() -> None:
    found = modules()
    assert "numpynet.activations" in found
    assert not [name for name in found if "datasets" in name or "training" in name]


def test_the_first_of_a_larger_sample_are_the_sample() -> None:
    mutants = [Mutant("numpynet.linear", "operator", number, "", 1) for number in range(50)]
    assert sample(mutants, 5, 3) == sample(reversed(mutants), 20, 3)[:5]
    assert sample(mutants, 5, 3) != sample(mutants, 5, 4)
    assert len(sample(mutants, None, 0)) == 50


@needs_cosmic_ray
def test_mutants_of_a_module_are_changes_of_one_line_and_those_of_annotations_do_not_count() -> None:
    found = list(candidates(["numpynet.linear"]))
    assert len(found) > 100
    assert all(len(one.diff()) == 2 for one in found[:20])
    of_annotations = [one for one in found if "NoneType" in one.diff()[1] or "| None" in one.diff()[0]]
    assert not any(one.counts for one in of_annotations if "=" not in one.diff()[0].split("|")[0])


ALIVE = edited("numpynet.activations", "np.log1p -> np.expm1")


def survived(folder: Path, diff: list[str]) -> None:
    """Write down that `ALIVE` survived when its lines were these."""
    record = {"passed": False, "definition": "Softplus.forward", "line": 200, "diff": diff, "by": None, "examples": 600}
    of = {"key": ALIVE.key, "module": ALIVE.module, "operator": ALIVE.operator, "occurrence": 0}
    Results(folder).append("mutants", ALIVE.key, of | record)


def test_the_command_resumes_and_tells_what_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutant, "candidates", lambda names: [ALIVE])
    survived(tmp_path, ALIVE.diff())
    found = CliRunner().invoke(app, ["mutants", "--results", str(tmp_path)], env={"COLUMNS": "120"})
    assert found.exit_code == 1
    assert "numpynet.activations:200 Softplus.forward" in found.output
    assert f"    {ALIVE.diff()[1]}" in found.output
    assert "the ladder killed 0 of 1 mutants" in found.output


@pytest.mark.parametrize(
    ("diff", "equivalent", "options", "again"),
    [
        (ALIVE.diff(), False, [], False),
        (["-what it was", "+before an edit"], False, [], True),
        (ALIVE.diff(), False, ["--again"], True),
        (ALIVE.diff(), True, ["--again"], False),
    ],
    ids=["known", "of other lines", "asked for", "equivalent"],
)
def test_what_survived_is_looked_at_again_where_it_may_be_killed(
    diff: list[str],
    equivalent: bool,
    options: list[str],
    again: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[Mutant] = []

    @contextmanager
    def calls(of: Of, mutants: list[Mutant], frameworks: list[str]) -> Iterator[list[Call]]:
        looked_at.extend(mutants)
        yield []

    known = Reason(ALIVE.module, tuple(map(bare, diff)), equivalent, "It is known.")
    monkeypatch.setattr("parity.mutants.reasons.reasons", lambda: [known])
    monkeypatch.setattr(mutant, "candidates", lambda names: [ALIVE])
    monkeypatch.setattr("parity.cli.mutants.calls", calls)
    survived(tmp_path, diff)
    CliRunner().invoke(app, ["mutants", "--results", str(tmp_path), *options])
    assert looked_at == [ALIVE] * again
