"""Detection thresholds: an error of the size that was found is seen, one that is a little smaller is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from numpynet import SGD, Adam, Linear, ReLU, Sequential, Sigmoid
from parity.case import Case, Step
from parity.cli import app
from parity.formats import DTYPES
from parity.frameworks import available
from parity.frameworks.numpynet.framework import NumPySubject
from parity.items.thresholds import KIND, calls, counts, measured
from parity.ladder.cases import for_all
from parity.ladder.judge import judge
from parity.ladder.trace import run
from parity.report.pages import thresholds_page
from parity.results.evidence import stored
from parity.results.store import Results
from parity.thresholds.measuring import GRID, judge_scaled, quantities, thresholds
from parity.thresholds.scaled import INPUT_GRADIENT, OUTPUT, PARAMETER, Scaled, Scaling

needs_torch = pytest.mark.skipif("torch" not in available(), reason="it is torch that is made wrong")
F32 = np.dtype(np.float32)
PAGE = Path(__file__).parents[3] / "docs" / "pages" / "thresholds.md"


def case() -> Case:
    rng = np.random.default_rng(0)
    step = Step(rng.standard_normal((4, 3)).astype(F32), rng.standard_normal((4, 2)).astype(F32), lr=0.125)
    return Case(Sequential(Linear(3, 2, rng=rng)), [step, step], arguments={}, frozen=frozenset(["0.bias"]))


@pytest.mark.parametrize("quantity", [OUTPUT, INPUT_GRADIENT, PARAMETER])
def test_the_tensors_of_one_quantity_are_wrong_and_nothing_else(quantity: str) -> None:
    right, wrong = (
        run(case(), NumPySubject(case())),
        run(case(), Scaled(NumPySubject(case()), Scaling(case(), quantity, 64))),
    )
    planted = Scaling(case(), quantity, 64).trace(right)
    assert {key.quantity for key in planted} == {quantity}
    for key, values in right.items():
        np.testing.assert_array_equal(wrong[key], planted.get(key, values))
    moved = [key for key in planted if key.tensor != "bias"]
    assert moved
    for key in moved:
        np.testing.assert_allclose(wrong[key] / right[key].astype(float) - 1, 64 * 2.0**-23, rtol=2.0**-6)


def test_what_an_optimizer_leaves_alone_is_not_scaled() -> None:
    planted = Scaling(case(), PARAMETER, 256).trace(right := run(case(), NumPySubject(case())))
    frozen = {key for key in planted if key.tensor == "bias"}
    assert frozen
    assert all(np.array_equal(planted[key], right[key]) for key in frozen)


def test_parameters_are_scaled_of_optimizers_and_outputs_and_gradients_of_all_else() -> None:
    assert quantities(SGD) == quantities(Adam) == (PARAMETER,)
    assert quantities(Sigmoid) == (OUTPUT, INPUT_GRADIENT)


@needs_torch
@pytest.mark.parametrize("target", [Sigmoid, SGD, ReLU])
def test_a_threshold_is_the_least_error_of_the_grid_that_any_example_shows(target: type) -> None:
    drawn: list[Case] = []
    for_all(drawn.append, target, "float32", examples=6)
    assert all(judge(one, ["torch"]).passed for one in drawn)
    for found in thresholds(target, "float32", "torch", ["torch"], examples=6):
        assert found.ulps in GRID
        below = GRID[max(GRID.index(found.ulps) - 1, 0)]
        for ulps, seen in ((found.ulps, True), *([(below, False)] if below < found.ulps else [])):
            parted = [not judge_scaled(one, "torch", ["torch"], found.quantity, ulps).passed for one in drawn]
            assert any(parted) == seen


@needs_torch
def test_what_is_computed_without_rounding_is_seen_at_once() -> None:
    found = thresholds(ReLU, "float32", "torch", ["torch"], examples=5)
    assert [(each.ulps, each.accused) for each in found] == [(GRID[0], ("torch",))] * 2


@needs_torch
def test_the_command_resumes_and_the_page_is_made_of_its_records(tmp_path: Path) -> None:
    def said(command: str, *arguments: str) -> str:
        asked = [command, *arguments, "--results", str(tmp_path)]
        done = CliRunner().invoke(app, asked, env={"COLUMNS": "160"})
        assert done.exit_code == 0, done.output
        return done.output

    asked = ("thresholds", "--pair", "ReLU", "--examples", "3", "--framework", "torch")
    assert said(*asked).count("ReLU") == said(*asked).count("ReLU")
    (first, *_) = Results(tmp_path).read(KIND)
    assert counts(first, "torch", 3, 0)
    assert not counts(first, "torch", 4, 0)
    assert len((tmp_path / f"{KIND}.jsonl").read_text().splitlines()) == 4
    said("pages", str(tmp_path / "pages"))
    assert "| ReLU | 0.5 | 0.5 |" in (tmp_path / "pages" / "thresholds.md").read_text()


def test_a_class_is_measured_again_unless_all_its_quantities_are_there() -> None:
    records = [{"key": "ReLU/float32/output"}]
    assert not measured(records, ReLU, "float32")
    assert measured([*records, {"key": "ReLU/float32/input gradient"}], ReLU, "float32")
    assert [call.about.key for call in calls([(ReLU, "float32")], "torch", ["torch"], 3, 0)] == ["ReLU/float32/*"]


@pytest.mark.usefixtures("committed")
def test_the_page_says_what_was_measured_and_nobody_else_is_accused() -> None:
    records = stored(KIND)
    written = PAGE.read_text(encoding="utf-8").splitlines()
    assert written == thresholds_page(records, written[2], PAGE.parent)
    assert all(record["passed"] for record in records)
    assert {record["dtype"] for record in records} == set(DTYPES)
