"""A fourth framework is one folder and its methods of the pairs: everything else takes it as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOY = Path(__file__).parent / "toy"
STUDY = """
import functools

from numpynet import SGD, CrossEntropyCriterion, Linear
from numpynet.datasets import digits
from parity.training.experiment import Experiment

def network(rng):
    return Linear(64, 10, rng=rng)

TINY = Experiment("tiny", "one layer on digits", digits, network, CrossEntropyCriterion,
                  functools.partial(SGD, lr=1 / 8), epochs=1, batch_size=128)
"""


# All that is asked of it, of one process, since starting takes longer than most of the answers.
SCRIPT = """
import json

import numpynet
import parity.frameworks.toy.framework as toy
from parity.cli import app
from parity.defects import gallery, run
from parity.ladder.proving import prove
from parity.training.curves import confirmed
from parity.work.pool import kept
from typer.testing import CliRunner

def command(*arguments):
    done = CliRunner().invoke(app, arguments)
    return [done.exit_code, done.output]

class Wrong(toy.ToySubject):
    def forward(self, input):
        return super().forward(input) * 1.001

def blamed():
    right, toy.ToySubject = toy.ToySubject, Wrong
    try:
        return prove(numpynet.Tanh, frameworks=["toy", "torch"], shrink=False).failure
    finally:
        toy.ToySubject = right

DEFECTS = ("TanhGradientUnsquared", "SGDMomentumSign", "GradientsNotZeroed")
CLASSES = ("Linear", "Graph", "MSECriterion", "Adam", "Dropout")

if __name__ == "__main__":  # and not in the processes that the commands start
    with kept():  # one process for all commands
        print(json.dumps({
            "check": command("check", *CLASSES, "--framework", "toy", "--examples", "5", "--workers", "1"),
            "blamed": blamed(),
            "curve": confirmed("digits-normalized", "float64", ["toy"]).as_record().used,
            "defects": {
                defect.name: run(defect, frameworks=["toy"], examples=50, shrink=False).rung
                for defect in gallery() if defect.name in DEFECTS
            },
            "register": command("register", "study.py:TINY", "--seeds", "8", "--workers", "1"),
            "study": command("study", "tiny.toml", "--framework", "toy", "--workers", "1"),
            "report": command("report"),
        }))
"""

Found = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toy")


@pytest.fixture(scope="module")
def found(folder: Path) -> Found:
    """What the script finds where the toy framework's folder is on Python's path."""
    path = os.pathsep.join([str(TOY), os.environ.get("PYTHONPATH", str(Path(__file__).parents[3]))])
    (folder / "study.py").write_text(STUDY)
    (folder / "script.py").write_text(SCRIPT)
    command, env = [sys.executable, "script.py"], {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_checked(found: Found, folder: Path) -> None:
    code, said = found["check"]
    assert code == 0, said
    (path,) = folder.glob("results/*/checks.jsonl")
    checks = [json.loads(line) for line in path.read_text().splitlines()]
    assert {record["pair"] for record in checks} == {"Linear", "Graph", "MSECriterion", "Adam", "Dropout"}
    assert all(record["frameworks"] == ["toy"] for record in checks)
    assert {use["implementation"] for record in checks for use in record["uses"]} == {"numpynet", "toy"}


def test_it_is_blamed_where_it_is_wrong(found: Found) -> None:
    assert "odd one out: toy" in found["blamed"]


def test_its_curves_are_judged(found: Found) -> None:
    # It computes the very same, dropout masks included.
    assert found["curve"] == {"numpynet": 0.0, "toy": 0.0}


def test_defects_are_caught_against_it(found: Found) -> None:
    assert found["defects"] == {"GradientsNotZeroed": 4, "SGDMomentumSign": 3, "TanhGradientUnsquared": 2}


def test_it_takes_part_in_a_study_and_in_the_report(found: Found, folder: Path) -> None:
    for code, said in (found["register"], found["study"]):
        assert code == 0, said
    assert "identical" in found["study"][1]
    document = json.loads((folder / "results" / "report" / "report.json").read_text())
    assert document["stacks"][0]["implementations"] == ["numpynet", "toy"]
    assert "toy" in (folder / "results" / "report" / "report.html").read_text()
