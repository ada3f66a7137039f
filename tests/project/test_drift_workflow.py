"""The reusable workflow on a small repository: from the bump of a dependency to the summary of a pull request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "drift.yml"
# The dependency, of which there are two releases: one is off by one part in ten thousand.
RELEASE = """import numpynet as nn

class Softened(nn.ReLU):
    def forward(self, input):
        return super().forward(input) * input.dtype.type({factor})

    def backward(self, gradient):
        return super().backward(gradient) * gradient.dtype.type({factor})
"""
MODEL = """import numpy as np
import numpynet as nn
from softened import Softened

rng = np.random.default_rng(0)
model = nn.Sequential(nn.Linear(3, 4, rng=rng), Softened(), nn.Linear(4, 2, rng=rng))
inputs = rng.standard_normal((2, 3)).astype("float32")
optimizer = lambda parameters: nn.SGD(parameters, lr=0.1)
loss = nn.MSECriterion()
batches = [(inputs, np.ones((2, 2), "float32"))] * 3
"""
# It stands for the two environments, which the first step would install: each imports its own release.
PROGRAM = """#!/bin/sh
PYTHONPATH="{release}:$PYTHONPATH" exec "{python}" -m parity "$@"
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="its steps are written for a POSIX shell")


def job() -> dict[str, Any]:
    found: dict[str, Any] = pytest.importorskip("yaml").safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return dict(found["jobs"]["drift"])


def step(name: str) -> str:
    return next(str(each["run"]) for each in job()["steps"] if each.get("name") == name)


def git(repository: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *who, *words], cwd=repository, check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a model, whose last commit is the bump; both environments are there."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "checks").mkdir()
    (folder / "checks" / "tiny.py").write_text(MODEL)
    git(folder, "init", "--quiet")
    for version in ("1.0", "2.0"):
        (folder / "requirements.txt").write_text(f"softened=={version}\n")
        git(folder, "add", "-A")
        git(folder, "commit", "--quiet", "-m", f"softened {version}")
    for side, factor in (("before", "1.0"), ("after", "1.0001")):
        home, programs = folder / "releases" / side, folder / "drift" / f"{side}-env" / "bin"
        home.mkdir(parents=True)
        programs.mkdir(parents=True)
        (home / "softened.py").write_text(RELEASE.format(factor=factor))
        about = home / f"softened-{factor}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: softened\nVersion: {factor}\n")
        (programs / "parity").write_text(PROGRAM.format(release=home, python=sys.executable))
        (programs / "pip").write_text('#!/bin/sh\necho "$@" >> installed\n')
        for program in programs.iterdir():
            program.chmod(0o755)
    return folder


def run(repository: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run a step as a runner does, which ends it at the first command that fails."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MODELS": "checks/*.py",
        "REQUIREMENTS": "requirements.txt",
        "BASE": "HEAD^",
        "PARITY": "numpynet-parity",
        "GITHUB_STEP_SUMMARY": str(repository / "summary.md"),
    }
    # Environments would be made by "python", which here is none.
    script = f"python() {{ :; }}\n{step(name)}"
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=repository, env=env, capture_output=True, text=True, check=False)


def test_from_the_bump_of_a_dependency_to_the_summary(repository: Path) -> None:
    made = run(repository, "Install both")
    assert made.returncode == 0, made.stderr
    installed = (repository / "installed").read_text().splitlines()
    assert installed == [f"install --quiet -r drift/{side}.txt numpynet-parity" for side in ("before", "after")]
    pins = [(repository / "drift" / f"{side}.txt").read_text() for side in ("before", "after")]
    assert pins == ["softened==1.0\n", "softened==2.0\n"]
    done = run(repository, "Record the models with both")
    assert done.returncode == 0, done.stderr
    assert not done.stdout  # nothing was refused
    done = run(repository, "Compare")
    assert done.returncode == 2, done.stderr
    summary = (repository / "summary.md").read_text()
    assert "❌ softened 1.0 to 1.0001: numbers leave their allowance" in summary.partition("\n")[0]
    for quantity in ("outputs", "input gradients", "parameter gradients"):
        assert f"| {quantity} of tiny, training | float32 | numpynet |" in summary
    assert "losses of tiny, numpynet part beyond what rounding allows" in summary
    assert "- tiny, numpynet: parts at step 1; share 0 → " in summary
    script = summary.partition("```python\n")[2].partition("```")[0]
    printed = subprocess.run([sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=True)
    assert len({*printed.stdout.split()}) == 2  # the element that moved, before and after


def test_every_input_of_the_workflow_is_used() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    inputs = pytest.importorskip("yaml").safe_load(text)[True]["workflow_call"]["inputs"]  # YAML takes "on" for true
    assert inputs.keys() == {name for name in inputs if f"inputs.{name} " in text}
