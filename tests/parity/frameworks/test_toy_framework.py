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


ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(TOY), os.environ.get("PYTHONPATH", str(Path(__file__).parents[3]))]),
}


def parity(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command line where the toy framework's folder is on Python's path."""
    command = [sys.executable, "-m", "parity", *arguments]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def python(script: Path, cwd: Path) -> str:
    """What the script prints where the toy framework's folder is on Python's path."""
    done = subprocess.run(
        [sys.executable, str(script)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("toy")


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    (path,) = folder.glob(f"results/*/{kind}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_is_checked(folder: Path) -> None:
    classes = ("Linear", "Graph", "MSECriterion", "Adam", "Dropout")
    done = parity("check", *classes, "--framework", "toy", "--examples", "5", cwd=folder)
    assert done.returncode == 0, done.stderr
    checks = records(folder, "checks")
    assert {record["pair"] for record in checks} == set(classes)
    assert all(record["frameworks"] == ["toy"] for record in checks)
    assert {use["implementation"] for record in checks for use in record["uses"]} == {"numpynet", "toy"}


def test_it_is_blamed_where_it_is_wrong(folder: Path) -> None:
    (folder / "wrong.py").write_text(
        "import numpynet, parity.frameworks.toy.framework as toy\n"
        "from parity.ladder.proving import prove\n"
        "class Wrong(toy.ToySubject):\n"
        "    def forward(self, input):\n"
        "        return super().forward(input) * 1.001\n"
        "toy.ToySubject = Wrong\n"
        "print(prove(numpynet.Tanh, frameworks=['toy', 'torch'], shrink=False).failure)\n"
    )
    assert "odd one out: toy" in python(folder / "wrong.py", cwd=folder)


def test_its_curves_are_judged(folder: Path) -> None:
    (folder / "curve.py").write_text(
        "import json\nfrom parity.training.curves import confirmed\n"
        "print(json.dumps(confirmed('digits-normalized', 'float64', ['toy']).as_record().used))\n"
    )
    used = json.loads(python(folder / "curve.py", cwd=folder))
    assert used == {"numpynet": 0.0, "toy": 0.0}  # it computes the very same, dropout masks included


def test_defects_are_caught_against_it(folder: Path) -> None:
    (folder / "defects.py").write_text(
        "from parity.defects import gallery, run\n"
        "for defect in gallery():\n"
        "    if defect.name in ('TanhGradientUnsquared', 'SGDMomentumSign', 'GradientsNotZeroed'):\n"
        "        print(defect.name, run(defect, frameworks=['toy'], examples=50, shrink=False).rung)\n"
    )
    found = python(folder / "defects.py", cwd=folder).split()
    assert sorted(zip(found[::2], found[1::2], strict=True)) == [
        ("GradientsNotZeroed", "4"),
        ("SGDMomentumSign", "3"),
        ("TanhGradientUnsquared", "2"),
    ]


def test_it_takes_part_in_a_study_and_in_the_report(folder: Path) -> None:
    (folder / "study.py").write_text(STUDY)
    for command in (
        ("register", "study.py:TINY", "--seeds", "8"),
        ("study", "tiny.toml", "--framework", "toy", "--workers", "1"),
    ):
        done = parity(*command, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "identical" in done.stdout
    parity("report", cwd=folder)
    document = json.loads((folder / "results" / "report" / "report.json").read_text())
    assert document["stacks"][0]["implementations"] == ["numpynet", "toy"]
    assert "toy" in (folder / "results" / "report" / "report.html").read_text()
