"""What commands say: what they cannot do is one line, and what they found is a table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from parity.cli import app
from parity.cli.command import PROCESSORS
from parity.cli.main import load
from parity.frameworks import available
from parity.items import curves, modes, twins
from parity.items.classes import names
from parity.report import write_report
from parity.results.records import CRASHED
from parity.results.store import Results
from parity.work.performing import Done
from parity.work.pool import kept

Records = list[dict[str, Any]]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "Lineal"), "no pair for 'Lineal'; there are: "),
        (("examples", "Lineal"), "no pair for 'Lineal'; there are: "),
        (("curves", "--framework", "jax"), "no framework called 'jax'"),
        (("defects", "sign-of-zero"), "no defect called 'sign-of-zero'; there are: "),
        (("experiment", "cats"), "no experiment called 'cats'; `parity experiment` lists them"),
        (("machines", "abacus"), "no machine called 'abacus'; there are: "),
    ],
)
def test_a_name_that_there_is_not_is_refused_before_anything_is_written(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*arguments)
    assert found.exit_code not in (0, 1)
    assert said in " ".join(found.output.split())
    assert not list(tmp_path.glob("results/*/*.jsonl"))


def test_work_is_shared_by_as_many_processes_as_there_are_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARITY_WORKERS", raising=False)
    assert load("check").make_context("check", []).params["workers"] == PROCESSORS >= 1
    monkeypatch.setenv("PARITY_WORKERS", "3")
    assert load("check").make_context("check", []).params["workers"] == 3
    assert load("check").make_context("check", ["--workers", "5"]).params["workers"] == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [("import nothing_of_the_kind", "cannot be imported: ModuleNotFoundError"), ("x = 1", "defines no pair")],
)
def test_a_file_without_pairs_is_refused_and_says_why(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(text)
    found = run("check", "mine.py", "--workers", "1")
    assert found.exit_code == 2
    assert f"mine.py {said}" in " ".join(found.output.split())


def test_a_report_on_nothing_says_what_to_run_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = run("report")
    assert found.exit_code == 2
    assert "no results to report: run `parity check`" in " ".join(found.output.split())


def test_the_list_has_every_pair_and_every_implementation() -> None:
    found = run("list")
    assert found.exit_code == 0
    assert all(name in found.output for name in (*names(), "numpynet", *available()))


def test_digests_of_examples_are_the_same_twice_and_other_ones_from_another_seed() -> None:
    with kept():  # one process for all three
        first, again, other = (run("examples", "Tanh", "--examples", "3", *more) for more in ((), (), ("--seed", "1")))
    assert first.exit_code == 0
    assert first.output == again.output != other.output


def lost(key: str) -> dict[str, Any]:
    return {"key": key, "status": CRASHED, "message": "signal 11"}


CURVE = {"key": "digits/float32", "name": "digits", "dtype": "float32", "compared": 140, "message": "", "passed": True}
OFF = {
    "key": "wide/float32",
    "name": "wide",
    "dtype": "float32",
    "used": {"torch": None},
    "passed": False,
    "compared": 0,
}
TWIN = {"key": "Linear", "passed": True, "baseline": {"caught": False}}
AGREES = {"status": "agrees", "note": "", "passed": True}
PARTED = {"status": "off", "note": "parts", "passed": False}
MODE = AGREES | {"model": "mlp", "dtype": "float32", "framework": "torch", "apart": {}, "used": {"output": 0.25}}


@pytest.mark.parametrize(
    ("command", "kind", "records", "code", "said"),
    [
        ("curves", curves.KIND, [CURVE | {"used": {"torch": 0.41}}], 0, ["140", "0.410", "within"]),
        ("curves", curves.KIND, [OFF | {"message": "left at step 7"}], 1, ["inf", "outside", "left at step 7"]),
        ("curves", curves.KIND, [CURVE | {"used": {}}, lost("x/float32")], 3, ["within", "signal 11"]),
        ("twins", twins.KIND, [TWIN], 0, ["catches 0 of 1 undamaged twins", "raises 0 false alarms"]),
        ("twins", twins.KIND, [TWIN | {"passed": False}, lost("ReLU")], 1, ["1 of 1 undamaged twins Linear"]),
        (
            "modes",
            modes.KIND,
            [
                MODE | {"key": "a", "mode": "raw", "execution": "eager"},
                MODE | {"key": "b", "mode": "raw", "execution": "graph"} | PARTED,
            ],
            1,
            ["raw", "0.25", "off 0.25", "b: parts"],
        ),
    ],
)
def test_what_was_found_is_told_and_is_the_exit_code(
    command: str,
    kind: str,
    records: Records,
    code: int,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(f"parity.cli.{command}.work", lambda *_, **__: Done({kind: records}))
    found = run(command, "--results", str(tmp_path))
    assert found.exit_code == code
    assert all(each in found.output for each in said), found.output


def test_a_calibration_is_told_recorded_and_drawn(tmp_path: Path) -> None:
    found = run("calibrate", "--replications", "100", "--results", str(tmp_path / "results"))
    cells = Results(tmp_path / "results").read("calibration")
    held = sum(cell["passed"] for cell in cells)
    assert f"{held} of {len(cells)} rates within Monte Carlo error" in " ".join(found.output.split())
    assert found.exit_code == (held < len(cells))
    largest = max(cell["rate"] for cell in cells if cell["kind"] == "type I")
    assert math.isclose(float(found.output.split("type-I error ")[1].split(",")[0]), largest, abs_tol=5e-5)
    write_report([tmp_path / "results"], tmp_path)
    drawn = (tmp_path / "report.html").read_text()
    assert f"Calibration: {held} of {len(cells)} simulated rates are within Monte Carlo error" in drawn
