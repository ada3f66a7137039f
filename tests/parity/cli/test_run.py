"""`parity run`: several commands in one process, planned together, whatever each comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parity.cli import app
from parity.cli.run import step
from parity.results.packages import lock
from parity.results.store import Results

CHECK = "check Linear --examples 1 --dtype float32 --framework numpynet"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: Path, *commands: str) -> Result:
    return CliRunner().invoke(app, ["run", *commands, "--results", str(folder / "stack")], env={"COLUMNS": "200"})


def test_the_job_is_planned_before_anything_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.cli.run.Step.exit_code", lambda self: 0)
    assert run(folder, CHECK, "study --framework torch", "study own/margin.toml", "list", "--quick").exit_code == 0
    (plan,) = Results(folder / "stack").read("plans")
    assert (plan["commands"], plan["quick"]) == (["check Linear", "study:digits", "study:margin"], True)
    assert plan["lock"] == lock()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("chekc", "no command called 'chekc' that can be run"),
        ("", "no command called '' that can be run"),
        ("run list", "no command called 'run' that can be run"),
        ("check --exampels 3", "No such option: --exampels"),
        ("study --workers 0", "Invalid value for '--workers'"),
    ],
)
def test_what_is_misspelt_is_told_before_anything_begins(folder: Path, written: str, said: str) -> None:
    found = run(folder, "list", written)
    assert found.exit_code == 2
    assert said in " ".join(found.output.split())
    assert not (folder / "stack").exists()


def test_every_command_runs_whatever_those_before_came_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(replications: int) -> None:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr("parity.statistics.calibrate", crash)
    found = run(folder, "calibrate", "list", "report stack --out report")
    assert found.exit_code == 3
    assert "RuntimeError: nobody expected this" in found.output
    assert "calibrate was stopped by RuntimeError: nobody expected this" in " ".join(found.output.split())
    assert "not shown: parity calibrate, parity report stack --out report" in found.output.splitlines()


@pytest.mark.parametrize(("codes", "code"), [((0, 0), 0), ((2, 0), 2), ((3, 0), 3), ((3, 1), 1)])
def test_what_differs_counts_more_than_what_is_missing(
    codes: tuple[int, ...], code: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(codes)
    monkeypatch.setattr("parity.cli.run.Step.exit_code", lambda self: left.pop(0))
    assert run(folder, "list", "stacks").exit_code == code


def test_the_folder_is_handed_on_to_commands_that_name_none(folder: Path) -> None:
    assert step("twins", folder).context.params["results"] == folder
    assert step("twins --results other", folder).context.params["results"] == Path("other")
    assert "results" not in step("report", folder).context.params
    assert not step("stacks", folder).context.params["results"]  # of which it takes many
